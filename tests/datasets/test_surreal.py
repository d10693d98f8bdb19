"""The SURREAL reader on a fake tree with its traps, and on a real clip's parameters."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from datasets import bodies, example, sources, subsampling, surreal
from datasets.sources import Skip
from smpl_tf.skeleton import SMPL_24
from tests.datasets import fake_surreal, fakes
from tests.datasets.conftest import OPEN_BODIES
from tests.datasets.fake_surreal import GOOD, LABELLED, truth, write_clip

REAL = Path("/work/shared/real/surreal/01_01_c0001_info.mat")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return fake_surreal.write(tmp_path_factory.mktemp("SURREAL"))


def source(root, split="train", **options):
    return surreal.Surreal(str(root), split, fakes.OPEN_BODIES, **options)


def test_clips_are_listed_without_monsters_and_counted_with_them(tree):
    assert source(tree).items() == [
        "run0/01_01/01_01_c0001",
        "run0/01_01/01_01_c0002",
        "run1/05_02/05_02_c0001",
        "run1/05_02/05_02_c0002",
        "run2/ung_122_57/ung_122_57_c0002",
    ]
    assert source(tree).inventory() == (6, 55001, "clips")
    assert source(tree, "test").items() == ["run0/03_01/03_01_c0001"]


@pytest.mark.parametrize(
    ("sequence", "is_read"),
    [
        *((name, False) for name in ("18_01", "18_15", "19_03", "143_21", "143_21_a")),
        *((f"ung_{name}", False) for name in ("18_01", "19_15", "143_21")),
        *((name, True) for name in ("118_01", "119_2", "143_2", "143_210", "17_19", "ung_143_20")),
    ],
)
def test_the_clips_of_monstrous_bodies_are_left_out(tmp_path, sequence, is_read):
    folder = tmp_path / "cmu" / "val" / "run0" / sequence
    folder.mkdir(parents=True)
    (folder / f"{sequence}_c0001.mp4").touch()
    expected = [f"run0/{sequence}/{sequence}_c0001"] * is_read
    assert source(tmp_path, "val").items() == expected
    assert source(tmp_path, "val").inventory().found == 1


@pytest.mark.parametrize("item", GOOD)
def test_the_mirror_is_undone(tree, item):
    seed, num_frames = GOOD[item]
    pose, betas, joints, gender = truth(seed, num_frames)
    frames = list(source(tree).read(item))
    assert len(frames) == num_frames
    for frame, one in enumerate(frames):
        if (item, frame) == ("run0/01_01/01_01_c0002", 1):
            assert one == Skip("no person is visible")
            continue
        example.encode(one)
        assert one["id"] == f"surreal/train/{item}/{frame:03d}"
        np.testing.assert_allclose(one["joints/3d"], joints[frame], atol=1e-5)
        assert fakes.reprojection_errors(one).max() < 1e-6
        assert fakes.dot_errors(fakes.picture_of(one), one["joints/2d"]).max() < 0.5
        turned = Rotation.from_rotvec(one["smpl/pose"])
        assert (turned * Rotation.from_rotvec(pose[frame]).inv()).magnitude().max() < 1e-5
        assert example.GENDERS[one["smpl/gender"]] == gender
        posed = fakes.joints_of(
            gender, one["smpl/pose"][None], one["smpl/betas"], one["smpl/translation"]
        )
        np.testing.assert_allclose(posed[0], joints[frame], atol=1e-5)
        labels = fakes.labels_of(one)
        seen = [labels[int(y), int(x)] for x, y in one["joints/2d"][LABELLED]]
        assert np.mean(seen == LABELLED + 1) >= 0.5  # hands may hide each other
        assert set(np.unique(labels)) <= {0, *(LABELLED + 1)}


def test_every_nth_frame_keeps_its_number(tree):
    ids = [one["id"] for one in source(tree, every=2).read("run0/01_01/01_01_c0001")]
    assert [name[-3:] for name in ids] == ["000", "002"]


def test_only_frames_that_differ_are_selected(tree, tmp_path):
    names = [(item, frame) for item in sorted(GOOD) for frame in range(GOOD[item][1])]
    joints = np.concatenate([truth(*GOOD[item])[2] for item in sorted(GOOD)])
    poses = joints[:, 1:] - joints[:, :1]
    distances = np.linalg.norm(poses[:, None] - poses, axis=-1).mean(-1)
    ordered = np.sort(distances[np.triu_indices(len(poses), 1)])
    limit = ordered[5:7].mean()  # between two of the distances
    kept = []
    for index in range(len(poses)):
        if not kept or distances[index, kept].min() >= limit:
            kept.append(index)
    assert 1 < len(kept) < len(poses)

    path = str(tmp_path / "selection.json")
    surreal.select_frames(source(tree), path, limit, workers=0, progress=False)
    selected = subsampling.load(path)
    found = [(item, frame) for item in sorted(GOOD) for frame in selected[item]]
    assert found == [names[index] for index in kept]
    # Clips that cannot be read stay in, so that they are listed as bad.
    assert selected["run1/05_02/05_02_c0001"] == [0]
    chosen = source(tree, selection=path)
    ids = [one["id"][-3:] for one in chosen.read("run0/01_01/01_01_c0001")]
    assert ids == [f"{frame:03d}" for frame in selected["run0/01_01/01_01_c0001"]]
    assert chosen.config() != source(tree).config()
    assert set(chosen.items()) == {item for item, frames in selected.items() if frames}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("run1/05_02/05_02_c0001", "could not read bytes|truncated|EOF|end of"),
        ("run1/05_02/05_02_c0002", "missing segmentation: 05_02_c0002_segm.mat"),
    ],
)
def test_bad_clips_are_refused(tree, item, reason):
    with pytest.raises(Exception, match=reason):
        list(source(tree).read(item))


def test_a_short_video_is_refused(tree, tmp_path):
    clip = tmp_path / "train" / "run0" / "01_01" / "01_01_c0001"
    write_clip(clip, 1, 3)
    fakes.write_video(Path(f"{clip}.mp4"), [np.zeros((240, 320, 3), np.uint8)] * 2)
    with pytest.raises(sources.BadItemError, match="mp4: frame 2 does not decode"):
        list(source(tmp_path).read("run0/01_01/01_01_c0001"))


def test_joints_that_do_not_project_are_refused(tmp_path):
    clip = tmp_path / "train" / "run0" / "01_01" / "01_01_c0001"
    write_clip(clip, 1, 3)
    info = scipy.io.loadmat(f"{clip}_info.mat")
    info = {key: value for key, value in info.items() if not key.startswith("__")}
    info["joints2D"][0] = 319 - info["joints2D"][0]
    scipy.io.savemat(f"{clip}_info.mat", info)
    with pytest.raises(sources.BadItemError, match="not the projections of joints3D"):
        list(source(tmp_path).read("run0/01_01/01_01_c0001"))


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path, tree):
    with pytest.raises(sources.SourceError, match="give the folder into which SURREAL_v1"):
        source(tmp_path).items()
    with pytest.raises(sources.SourceError, match="train, val, test; got 'minival'"):
        source(tree, "minival").items()


@pytest.mark.skipif(not REAL.exists(), reason="the real clip is not here")
def test_the_real_clip():
    info = scipy.io.loadmat(REAL)
    clip = surreal.read_info(str(REAL))
    assert clip.num_frames == 100 and clip.gender == "male"
    projected = fakes.project(surreal.INTRINSICS, clip.joints)
    projected[..., 0] = surreal.WIDTH - projected[..., 0]
    np.testing.assert_array_equal(np.rint(projected), info["joints2D"].transpose(2, 1, 0))
    posed = bodies.pose_bodies(clip.fits(fakes.OPEN_BODIES), fakes.OPEN_BODIES, vertices=False)
    # SURREAL's joints come from another regressor of another body than the one of the tests.
    offsets = np.linalg.norm(posed.joints - clip.joints, axis=-1)
    np.testing.assert_allclose(offsets[:, 0], 0, atol=1e-6)
    assert offsets.mean() < 0.12
    # Apart from these offsets the pose explains the joints: no bone moves in its parent's frame.
    global_rotations = [Rotation.from_rotvec(clip.pose[:, 0])]
    for joint, parent in list(enumerate(SMPL_24.parents))[1:]:
        global_rotations.append(
            global_rotations[parent] * Rotation.from_rotvec(clip.pose[:, joint])
        )
        bone = global_rotations[parent].inv().apply(clip.joints[:, joint] - clip.joints[:, parent])
        assert bone.std(0).max() < 1e-5
    # In the root's own frame the pelvis is that of SMPL and not of its mirror image.
    root = Rotation.from_rotvec(clip.pose[:, 0])
    hips = root.inv().apply(clip.joints[:, 1] - clip.joints[:, 2])
    spine = root.inv().apply(clip.joints[:, 3] - clip.joints[:, 0])
    assert hips[:, 0].min() > 0.08 and spine[:, 1].min() > 0.08
    head_above_feet = clip.joints[:, [7, 8], 1].min(1) - clip.joints[:, 15, 1]
    assert head_above_feet.min() > 1.0


def test_the_script_converts_it(tree, convert_and_check):
    found = {
        split: convert_and_check("surreal", tree, split, "--max_skipped=2", *OPEN_BODIES)
        for split in ("train", "val", "test")
    }
    assert {split: len(one.examples) for split, one in found.items()} == {
        "train": 6,  # 3 + 3 + 1 frames of the good clips, but one shows nobody
        "val": 2,
        "test": 2,
    }
    assert found["train"].manifest.skipped == 2  # clips
    assert found["train"].manifest.bodies.keys() == {"female", "male", "neutral"}
