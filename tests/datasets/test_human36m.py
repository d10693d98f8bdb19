"""The Human3.6M reader on a fake tree: names, cameras, lens, shifts, and four forms of SMPL."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datasets import example, human36m, sources
from datasets.human36m import metadata, smpl_parameters
from tests.datasets import fake_human36m, fakes

PHOTO = ("S1", "Photo", 1)
CAMERA = 3


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return fake_human36m.write(tmp_path_factory.mktemp("h36m"))


def source(root, split="train", **options):
    return human36m.Human36M(str(root), split, fakes.OPEN_BODIES, **{"every": 5, **options})


def read(root, split, name, **options):
    split_source = source(root, split, **options)
    (item,) = (item for item in split_source.items() if str(item) == name)
    return list(split_source.read(item))


def test_names_come_from_the_metadata(tree):
    names = [str(item) for item in source(tree).items()]
    expected = [f"{what}/{camera}/000000" for what in ("S1/Directions-1", "S1/Photo-1")
                for camera in ("54138969", "60457274")]  # fmt: skip
    assert names == expected
    assert source(tree).inventory() == (4, 480, "videos")
    assert source(tree, "test").inventory() == (6, 240, "videos")
    with pytest.raises(sources.SourceError, match="no folder S8; unpack the archives there"):
        source(tree, "val").items()


@pytest.mark.parametrize(
    ("split", "key", "camera"),
    [
        ("train", ("S1", "Directions", 1), 0),
        ("train", PHOTO, 3),
        ("test", ("S11", "Phoning", 1), 0),  # capture only in the world's frame
        ("test", ("S9", "Greeting", 2), 3),  # capture 20 cm aside
    ],
)
def test_capture_video_lens_and_camera_agree(tree, split, key, camera):
    name = f"{key[0]}/{key[1]}-{key[2]}/{fake_human36m.CAMERAS[camera]}"
    joints = fake_human36m.to_camera(key[0], camera, fake_human36m.people(key)[3])
    examples = read(tree, split, f"{name}/000000")
    assert [one["id"] for one in examples] == [f"human36m/{name}/{n:06d}" for n in (0, 5, 10)]
    for one, points in zip(examples, joints[::5], strict=True):
        example.encode(one)
        expected = points[list(fake_human36m.AS_SMPL)]
        np.testing.assert_allclose(one["h36m/3d"], expected, atol=1e-5)
        pinhole = fakes.project(one["camera/intrinsics"], points)
        assert fakes.dot_errors(fakes.picture_of(one), pinhole).max() < 0.5
        assert np.abs(pinhole - fake_human36m.through_lens(camera, points)).max() > 0.3
        assert (one["image/width"], one["image/height"]) == (
            fake_human36m.WIDTH,
            fake_human36m.HEIGHTS[camera],
        )
        assert not one["smpl/valid"] and one["person/box/valid"]


@pytest.mark.parametrize(
    ("split", "key", "official"),
    [("train", PHOTO, True), ("test", ("S9", "Greeting", 2), False)],
)
def test_official_boxes_are_used_where_they_are_right(tree, split, key, official):
    name = f"{key[0]}/{key[1]}-{key[2]}/{fake_human36m.CAMERAS[CAMERA]}/000000"
    joints = fake_human36m.to_camera(key[0], CAMERA, fake_human36m.people(key)[3])[::5]
    for one, points in zip(read(tree, split, name), joints, strict=True):
        pinhole = fakes.project(one["camera/intrinsics"], points)
        if official:  # the masks are tight
            tight = np.concatenate([pinhole.min(0), pinhole.max(0)])
            outwards = (one["person/box"] - tight) * [-1, -1, 1, 1]
            assert outwards.min() > -1 and outwards.max() < 4
        else:  # around the captured points, a tenth larger on every side
            captured = pinhole[list(fake_human36m.AS_SMPL)]
            low, high = captured.min(0), captured.max(0)
            margin = 0.1 * (high - low)
            expected = np.concatenate([low - margin, high + margin])
            expected = np.clip(expected, 0, [one["image/width"], one["image/height"]] * 2)
            np.testing.assert_allclose(one["person/box"], expected, atol=1e-3)


def test_the_last_frames_of_a_video_may_lack(tree):
    ids = [one["id"][-2:] for one in read(tree, "train", "S1/Photo-1/54138969/000000", every=1)]
    assert ids == [f"{frame:02d}" for frame in range(11)]


def test_the_corrupt_video_is_refused(tree):
    with pytest.raises(sources.BadItemError, match="the official video is corrupt"):
        read(tree, "test", "S11/Directions-2/54138969/000000")


def test_a_long_video_is_read_in_stretches(tmp_path):
    key, camera = PHOTO, 0
    (tmp_path / "metadata.xml").write_text(fake_human36m.metadata())
    name = f"{fake_human36m.STEMS[key]}.{fake_human36m.CAMERAS[camera]}"
    grey = np.arange(130)
    fakes.write_video(
        tmp_path / "S1" / "Videos" / f"{name}.mp4",
        [np.full((64, 64, 3), 60 + level, np.uint8) for level in grey],
    )
    points = np.tile(np.linspace([-1.8, -1.8, 4], [-1.7, -1.7, 4], 17), (130, 1, 1))  # in view
    features = tmp_path / "S1" / "MyPoseFeatures"
    fake_human36m.write_cdf(features / "D3_Positions_mono" / f"{name}.cdf", points)
    items = source(tmp_path, every=1).items()
    assert [(item.start, item.stop) for item in items] == [(0, 50), (50, 100), (100, 130)]
    for item in items:
        examples = list(source(tmp_path, every=1).read(item))
        assert [int(one["id"][-6:]) for one in examples] == list(range(item.start, item.stop))
        for one in examples[::10]:  # the pictures grow brighter, a level a frame
            brightness = fakes.picture_of(one).mean() - 60
            assert abs(brightness - int(one["id"][-6:])) < 5


def smpl_path(form, folder):
    """Writes SMPL parameters in one of their forms."""
    if form == "mosh":
        fake_human36m.write_mosh(folder, PHOTO, CAMERA)
    elif form == "neural_annot":
        fake_human36m.write_neural_annot(folder, PHOTO)
    else:
        folder = folder / "fits.npz"
        write = {"spin": fake_human36m.write_spin, "human_data": fake_human36m.write_human_data}
        write[form](folder, PHOTO, CAMERA)
    return str(folder)


@pytest.mark.parametrize("form", ["mosh", "neural_annot", "spin", "human_data"])
def test_smpl_parameters_of_every_form(tree, tmp_path, form):
    examples = read(
        tree, "train", "S1/Photo-1/60457274/000000", smpl_path=smpl_path(form, tmp_path)
    )
    pose, betas, _, world = fake_human36m.people(PHOTO)
    joints = fake_human36m.to_camera("S1", CAMERA, world)[::5]
    rotation = fake_human36m.camera_pose("S1", CAMERA)[1]
    for frame, (one, expected) in enumerate(zip(examples, joints, strict=True)):
        if (form, frame) == ("spin", 1):
            assert not one["smpl/valid"] and not one["parts/valid"]
            continue
        failed_betas = (form, frame) == ("neural_annot", 1)
        assert one["smpl/valid"] and one["parts/valid"]
        root = rotation * Rotation.from_rotvec(pose[0, 0])
        assert (root.inv() * Rotation.from_rotvec(one["smpl/pose"][0])).magnitude() < 1e-5
        if failed_betas:
            assert not np.any(one["smpl/betas"])
            continue
        np.testing.assert_allclose(one["smpl/betas"], betas, atol=1e-6)
        np.testing.assert_allclose(one["joints/3d"], expected, atol=1e-5)
        assert fakes.reprojection_errors(one).max() < 1e-6
        assert fakes.dot_errors(fakes.picture_of(one), one["joints/2d"]).max() < 0.5
        wrist = one["joints/2d"][21].astype(int)
        assert fakes.labels_of(one)[wrist[1], wrist[0]] in (20, 22, 24)


def test_a_fit_far_from_the_capture_is_not_used(tree, tmp_path):
    path = tmp_path / "fits.npz"
    fake_human36m.write_spin(path, PHOTO, CAMERA)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["pose"][0, 3 * 17 : 3 * 18] += [0, 0, 1.5]  # the right arm up
    np.savez(path, **arrays)
    examples = read(tree, "train", "S1/Photo-1/60457274/000000", smpl_path=str(path))
    assert [one["smpl/valid"] for one in examples] == [0, 0, 1]


def test_other_clips_have_no_smpl_parameters(tree, tmp_path):
    for form in ("mosh", "neural_annot", "spin", "human_data"):
        folder = tmp_path / form
        folder.mkdir()
        lookup = smpl_parameters.find(smpl_path(form, folder))
        clip = smpl_parameters.Clip("S5", "Photo", 2, "55011271", "Photo 2")
        assert not lookup(clip, np.arange(0, 12, 5)).known.any()


def test_smpl_parameters_of_no_known_form(tmp_path):
    np.savez(tmp_path / "fits.npz", poses=0)
    with pytest.raises(sources.SourceError, match="expected neutrMosh, NeuralAnnot's"):
        smpl_parameters.find(str(tmp_path / "fits.npz"))


def test_cameras_are_read_from_the_true_layout(tree):
    cameras = metadata.read(tree).cameras
    assert len(cameras) == 44
    _, rotation, centre = fake_human36m.camera_pose("S7", 2)
    camera = cameras["S7", "58860488"]
    np.testing.assert_allclose(camera.rotation, rotation.as_matrix(), atol=1e-8)
    np.testing.assert_allclose(camera.centre, centre / 1000, atol=1e-8)
    assert camera.intrinsics[0, 0] == 1149.1407 and camera.tangential[0] == -0.00076


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "metadata.xml: not found; it comes in code-v1.2.zip"),
        ("<metadata>", "not Human3.6M's metadata"),
        ("<metadata><mapping/><w0>[1 2]</w0></metadata>", "expected 300 numbers"),
    ],
)
def test_metadata_that_is_none_is_told_in_one_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "metadata.xml").write_text(text)
    with pytest.raises(sources.SourceError, match=message):
        source(tmp_path).items()


def test_the_script_converts_it(tree, tmp_path, convert_and_check):
    fake_human36m.write_spin(tmp_path / "fits.npz", PHOTO, CAMERA)
    options = ("--every=5", "--neutral_body=open", f"--smpl_parameters={tmp_path / 'fits.npz'}")
    train, test = (
        convert_and_check("human36m", tree, split, *options) for split in ("train", "test")
    )
    # Frames 0, 5 and 10 of two sequences seen by two cameras; fits for two of the frames of one.
    assert len(train.examples) == 12 and train.manifest.skipped == 0
    assert sum(one["smpl/valid"] for one in train.examples) == 2
    # Three sequences by two cameras, without the corrupt video.
    assert len(test.examples) == 15 and test.manifest.skipped == 1
