"""Files of other programs, written and read back; theirs are made as their own code does."""

import numpy as np
import pytest

from smpl_tf import SMPL, load_model_data
from smpl_tf.motion_files import (
    BodyMotion,
    grounded,
    in_frame,
    read_motions,
    write_amass,
    write_smpl_codec,
    write_smplx,
)
from tests.small_body import small_body

FRAMES = 4


@pytest.fixture
def motion():
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.4, (FRAMES, 24, 3))
    pose[:, 22:] = 0  # hands, which SMPL+H and SMPL-X have otherwise
    return BodyMotion(
        rng.normal(size=10), pose, rng.normal(size=(FRAMES, 3)), "female", 25.0, "camera"
    )


def joints(motion, body):
    layer = SMPL(body, vertex_ids=[])
    posed = layer(betas=motion.betas, pose=motion.pose, translation=motion.translation)
    return posed.joints.numpy()


def assert_same(found, expected):
    for name in ("betas", "pose", "translation"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-9)
    assert found[3:] == expected[3:]


# Axes of the frames, written down by hand: where the person's up, left and front point.
@pytest.mark.parametrize(
    "frame, axes",
    [("model", lambda p: p), ("z_up", lambda p: p[..., [0, 2, 1]] * (1, -1, 1))],
)
def test_a_motion_in_another_frame_is_the_same_bodies_turned(motion, frame, axes):
    body = small_body()
    upright = joints(motion, body) * (1, -1, -1)
    turned = in_frame(motion, frame, body)
    np.testing.assert_allclose(joints(turned, body), axes(upright), atol=1e-5)
    back = in_frame(turned, "camera", body)
    np.testing.assert_allclose(joints(back, body), joints(motion, body), atol=1e-5)


@pytest.mark.parametrize("frame, up", [("model", 1), ("z_up", 2)])
def test_a_grounded_motion_starts_over_the_origin_on_the_floor(motion, frame, up):
    body = small_body()
    moved = grounded(in_frame(motion, frame, body), body)
    layer = SMPL(body)
    posed = layer(betas=moved.betas, pose=moved.pose, translation=moved.translation)
    assert posed.vertices.numpy()[..., up].min() == pytest.approx(0, abs=1e-5)
    across = [axis for axis in range(3) if axis != up]
    np.testing.assert_allclose(posed.joints.numpy()[0, 0, across], 0, atol=1e-5)


def test_amass_holds_what_its_readers_ask_for(motion, tmp_path):
    turned = in_frame(motion, "z_up", load_model_data())
    write_amass(tmp_path / "a.npz", turned)
    with np.load(tmp_path / "a.npz") as file:  # without pickles
        assert {name: file[name].shape for name in file} == {
            "poses": (FRAMES, 156),
            "trans": (FRAMES, 3),
            "betas": (16,),
            "dmpls": (FRAMES, 8),
            "gender": (),
            "mocap_framerate": (),
        }
        assert str(file["gender"]) == "female" and file["mocap_framerate"] == 25
        np.testing.assert_array_equal(file["poses"][:, :66], turned.pose[:, :22].reshape(4, 66))
    (found,) = read_motions(tmp_path / "a.npz")
    assert_same(found, turned)


def test_our_amass_files_are_read_by_our_reader_of_amass(motion, tmp_path):
    # It lives in datasets, and was written for the real files.
    from datasets.amass import AMASS
    from datasets.bodies import Bodies

    folder = tmp_path / "CMU" / "01"
    folder.mkdir(parents=True)
    body = load_model_data(gender="female")
    write_amass(folder / "01_01_poses.npz", in_frame(motion, "z_up", body))
    source = AMASS(str(tmp_path), "train", Bodies(female="open"), every=1)
    examples = list(source.read("CMU/01/01_01_poses"))
    expected = joints(in_frame(motion, "camera", body), body)
    # Its camera looks along the world's y, as "camera" is to "z_up".
    for example, there in zip(examples, expected, strict=True):
        np.testing.assert_allclose(example["joints/3d"], there, atol=1e-4)


def test_smplx_has_the_keys_of_retargeting(motion, tmp_path):
    turned = in_frame(motion, "z_up", load_model_data())
    write_smplx(tmp_path / "a.npz", turned)
    with np.load(tmp_path / "a.npz") as file:
        # What GMR reads, as it reads it.
        assert file["pose_body"].shape == (FRAMES, 63) and file["betas"].shape == (16,)
        assert file["root_orient"].shape == file["trans"].shape == (FRAMES, 3)
        assert file["mocap_frame_rate"].item() == 25 and str(file["gender"]) == "female"
        assert file["poses"].shape == (FRAMES, 165)
    (found,) = read_motions(tmp_path / "a.npz")
    assert_same(found, turned)


def test_smplcodec_files_come_back(motion, tmp_path):
    turned = in_frame(motion, "model", load_model_data())
    write_smpl_codec(tmp_path / "a.smpl", turned)
    with np.load(tmp_path / "a.smpl") as file:
        assert int(file["smplVersion"]) == 0 and int(file["gender"]) == 2
        assert file["bodyPose"].shape == (FRAMES, 24, 3) and int(file["frameCount"]) == FRAMES
    (found,) = read_motions(tmp_path / "a.smpl")
    assert_same(found, turned)


@pytest.mark.slow
def test_the_package_smplcodec_reads_all_three(motion, tmp_path):
    codec = pytest.importorskip("smplcodec").SMPLCodec
    turned = in_frame(motion, "z_up", load_model_data())
    write_smpl_codec(tmp_path / "a.smpl", turned)
    write_amass(tmp_path / "h.npz", turned)
    write_smplx(tmp_path / "x.npz", turned)
    found = codec.from_file(tmp_path / "a.smpl")
    np.testing.assert_allclose(found.body_pose, turned.pose)
    assert found.frame_rate == 25 and found.gender.name == "FEMALE"
    for read in (
        codec.from_amass_npz(tmp_path / "h.npz", "smplh"),
        codec.from_amass_npz(tmp_path / "x.npz"),
    ):
        np.testing.assert_allclose(read.body_pose, turned.pose[:, :22])
        np.testing.assert_allclose(read.body_translation, turned.translation)


def people(count=3):
    rng = np.random.default_rng(1)
    return rng.normal(0, 0.4, (count, 72)), rng.normal(size=(count, 10))


def test_results_of_spin_hmr_and_romp_are_bodies_of_pictures(tmp_path):
    poses, betas = people()
    camera = np.tile([0.9, 0.1, -0.2], (3, 1))
    place = [0.1, -0.2, 2 * 5000 / (224 * 0.9)]
    outputs = {"smpl_thetas": poses, "smpl_betas": betas, "cam_trans": np.tile(place, (3, 1))}
    files = {
        "spin.npz": {"pose": poses, "betas": betas, "camera": camera, "pred_joints": np.ones(3)},
        "hmr.npz": {"theta": np.concatenate([camera, poses, betas], axis=1)},
        "romp.npz": {"results": np.array(outputs, object)},
    }
    for name, arrays in files.items():
        np.savez(tmp_path / name, **arrays)
        found = read_motions(tmp_path / name)
        assert len(found) == 3
        for one, pose, shape in zip(found, poses, betas, strict=True):
            np.testing.assert_allclose(one.pose, pose.reshape(1, 24, 3))
            np.testing.assert_allclose(one.betas, shape)
            np.testing.assert_allclose(one.translation, [place])
            assert one.frame == "camera"


def test_rotation_matrices_are_turned_to_axis_angles(tmp_path):
    from scipy.spatial.transform import Rotation

    poses, betas = people()
    matrices = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(3, 24, 3, 3)
    np.savez(
        tmp_path / "a.npz", pred_rotmat=matrices, pred_betas=betas, pred_camera=np.ones((3, 3))
    )
    pose = np.stack([one.pose for one in read_motions(tmp_path / "a.npz")])
    np.testing.assert_allclose(pose.reshape(3, 72), poses, atol=1e-9)


def test_a_video_of_romp_is_one_person(tmp_path):
    poses, betas = people()
    frames = {
        f"{i:06d}.jpg": {"smpl_thetas": poses[i : i + 1], "smpl_betas": betas[i : i + 1]}
        for i in range(3)
    }
    np.savez(tmp_path / "video.npz", results=np.array(frames, object))
    (found,) = read_motions(tmp_path / "video.npz")
    np.testing.assert_allclose(found.pose, poses.reshape(3, 24, 3))
    np.testing.assert_allclose(found.betas, betas.mean(axis=0))
    frames["000001.jpg"] = {"smpl_thetas": poses, "smpl_betas": betas}
    np.savez(tmp_path / "two.npz", results=np.array(frames, object))
    with pytest.raises(ValueError, match=r"two.npz: .*one person in every frame.*got \[3\]"):
        read_motions(tmp_path / "two.npz")


def test_older_amass_genders_and_smpl_poses_are_read(tmp_path):
    poses, _ = people()
    np.savez(
        tmp_path / "a.npz", poses=poses, trans=np.zeros((3, 3)), betas=np.ones(16), gender=b"male"
    )
    (found,) = read_motions(tmp_path / "a.npz")
    assert found.gender == "male" and found.betas.shape == (10,)
    np.testing.assert_array_equal(found.pose, poses.reshape(3, 24, 3))


class Runs:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x": np.zeros(3)}, r"expected the arrays betas and pose.*found x"),
        ({"theta": np.zeros((2, 82))}, r"expected theta \[N, 85\].*got \[2, 82\]"),
        ({"betas": np.zeros(10), "pose": np.zeros((2, 23, 3))}, r"Expected betas \[B\], pose"),
        ({"poses": np.zeros((2, 60)), "trans": 0, "betas": 0}, "poses of 66 numbers or more"),
        ({"results": np.array(Runs(), object)}, "not an .npz file"),
        ({"results": np.array([1.0])}, "expected ROMP's results, a dict"),
        ({"bodyPose": np.zeros((1, 24, 3)), "gender": np.inf}, "cannot convert float infinity"),
        ({"bodyPose": np.zeros((1, 24, 3)), "gender": -1}, "expected gender 0, 1 or 2, got -1"),
        ({"betas": np.zeros(10), "pose": np.zeros((2, 24, 3)) + 1j}, "pose holds complex"),
        ({"betas": np.full(10, 1e30), "pose": np.zeros((2, 24, 3))}, "numbers up to 1e.30"),
        ({"thetas": np.full((1, 85), np.nan)}, "expected finite poses"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, capsys, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=f"a.npz: .*{message}") as caught:
        read_motions(tmp_path / "a.npz")
    assert "\n" not in str(caught.value) and capsys.readouterr().out == ""


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no")
    with pytest.raises(ValueError, match="a.npz: not an .npz file"):
        read_motions(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        read_motions(tmp_path / "b.npz")


def test_unsound_motions_are_not_written(motion, tmp_path):
    cases = [
        (r"got shapes \[10\], \[4, 23, 3\]", {"pose": motion.pose[:, 1:]}),
        ("finite parameters", {"translation": motion.translation * np.nan}),
        ("Expected frame model, camera, z_up, got 'up'", {"frame": "up"}),
        ("positive frame rate, got 0", {"frame_rate": 0}),
    ]
    for message, change in cases:
        for write in (write_amass, write_smplx, write_smpl_codec):
            with pytest.raises(ValueError, match=message):
                write(tmp_path / "a.npz", motion._replace(**change))
    assert not any(tmp_path.iterdir())
