"""The 3DPW reader on a fake tree: moving camera, two people, betas of 300, untrusted frames."""

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datasets import example, sources, three_dpw
from tests.datasets import fakes
from tests.smpl_tf.fake_model_files import write_python2_pickle

INTRINSICS = np.array([[390.0, 0, 108], [0, 392, 192], [0, 0, 1]])
HEIGHT, WIDTH = 384, 216
FRAMES = 5


def truth(person):
    """Pose in the world, betas, translation, and the world's joints; the world's y is up."""
    rng = np.random.default_rng(person)
    gender = ("female", "male")[person]
    pose = fakes.random_pose(rng, FRAMES, Rotation.identity())
    betas = rng.normal(size=10)
    # The second person stands behind the first, half hidden.
    trans = np.array([0.25 * person, 1.0, -0.8 * person]) + rng.normal(0, 0.02, (FRAMES, 3))
    return gender, pose, betas, trans, fakes.joints_of(gender, pose, betas, trans)


def camera_poses():
    """World -> camera of each frame: 3.5 m in front of the people, swaying."""
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    sway = Rotation.from_rotvec(np.outer(np.linspace(-0.05, 0.05, FRAMES), [0, 1, 0]))
    poses[:, :3, :3] = (sway * fakes.FACING_CAMERA).as_matrix()
    poses[:, :3, 3] = [0, 1.0, 3.5]
    return poses


def in_camera(joints):
    poses = camera_poses()
    return np.einsum("tab,tjb->tja", poses[:, :3, :3], joints) + poses[:, None, :3, 3]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("3dpw")
    folder = root / "imageFiles" / "street_00"
    folder.mkdir(parents=True)
    people = [truth(0), truth(1)]
    for frame in range(FRAMES):
        joints = in_camera(people[0][4])[frame]
        dots = fakes.picture_with_dots(HEIGHT, WIDTH, fakes.project(INTRINSICS, joints))
        options = [cv2.IMWRITE_JPEG_QUALITY, 98]
        cv2.imwrite(str(folder / f"image_{frame:05d}.jpg"), dots[..., ::-1], options)
    poses2d = np.ones((2, FRAMES, 3, 18))
    poses2d[0, 1] = 0  # the first person was not found in frame 1
    valid = np.ones((2, FRAMES), np.uint8)
    valid[:, 3] = 0
    sequence = {
        "sequence": "street_00",
        "poses": [pose.reshape(FRAMES, 72) for _, pose, *_ in people],
        "betas": [people[0][2], np.concatenate([people[1][2], np.zeros(290)])],
        "trans": [trans for *_, trans, _ in people],
        "genders": ["f", "m"],
        "jointPositions": [joints.reshape(FRAMES, 72) for *_, joints in people],
        "poses2d": list(poses2d),
        "cam_poses": camera_poses(),
        "cam_intrinsics": INTRINSICS,
        "campose_valid": list(valid),
        "img_frame_ids": np.arange(FRAMES) * 2,
    }
    for name in ("train", "validation", "test"):
        (root / "sequenceFiles" / name).mkdir(parents=True)
    for name in ("street_00", "without_pictures_00"):
        write_python2_pickle(root / "sequenceFiles" / "validation" / f"{name}.pkl", sequence)
    return root


def source(root, split="val", **options):
    return three_dpw.ThreeDPW(str(root), split, fakes.OPEN_BODIES, **options)


def test_usable_frames_of_each_person(tree):
    assert source(tree).inventory() == (2, 12, "sequences")
    items = source(tree).items()
    assert [str(item) for item in items] == ["street_00/00000", "without_pictures_00/00000"]
    ids = [one["id"] for one in source(tree).read(items[0])]
    expected = [(0, 0), (1, 0), (1, 1), (0, 2), (1, 2), (0, 4), (1, 4)]
    assert ids == [f"three_dpw/street_00/{person}/{frame:05d}" for person, frame in expected]
    with pytest.raises(FileNotFoundError, match="image_00000.jpg"):
        list(source(tree).read(items[1]))


def test_bodies_are_brought_to_the_moving_camera(tree):
    for one in source(tree).read(source(tree).items()[0]):
        example.encode(one)
        person, frame = (int(part) for part in one["id"].split("/")[2:])
        gender, _, betas, _, joints = truth(person)
        np.testing.assert_allclose(one["joints/3d"], in_camera(joints)[frame], atol=1e-6)
        posed = fakes.joints_of(
            gender, one["smpl/pose"][None], one["smpl/betas"], one["smpl/translation"]
        )
        np.testing.assert_allclose(posed[0], one["joints/3d"], atol=1e-6)
        np.testing.assert_allclose(one["smpl/betas"], betas)
        assert one["smpl/neutral_betas/valid"]
        assert fakes.reprojection_errors(one).max() < 1e-6
        if person == 0:
            assert fakes.dot_errors(fakes.picture_of(one), one["joints/2d"]).max() < 0.5


def test_the_nearer_person_hides_the_other(tree):
    first, second, *_ = source(tree).read(source(tree).items()[0])
    near, far = (fakes.labels_of(one) > 0 for one in (first, second))
    assert not np.any(near & far)
    assert near.sum() > far.sum() > 0.2 * near.sum()


def test_every_nth_frame(tree):
    ids = [one["id"][-7:] for one in source(tree, every=2).read(source(tree).items()[0])]
    assert ids == ["0/00000", "1/00000", "0/00002", "1/00002", "0/00004", "1/00004"]


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(sources.SourceError, match="unpack sequenceFiles.zip and imageFiles.zip"):
        source(tmp_path).items()
