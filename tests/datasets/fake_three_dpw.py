"""Writes a tree that is laid out as 3DPW is: a moving camera and two people."""

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

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


def write_pictures(root, sequence):
    """Writes the pictures of a sequence: dots on the first person's joints."""
    folder = root / "imageFiles" / sequence
    folder.mkdir(parents=True)
    for frame, joints in enumerate(in_camera(truth(0)[4])):
        dots = fakes.picture_with_dots(HEIGHT, WIDTH, fakes.project(INTRINSICS, joints))
        options = [cv2.IMWRITE_JPEG_QUALITY, 98]
        cv2.imwrite(str(folder / f"image_{frame:05d}.jpg"), dots[..., ::-1], options)


def write(root):
    """Writes a sequence for training and two for validation, one of them without pictures."""
    people = [truth(0), truth(1)]
    poses2d = np.ones((2, FRAMES, 3, 18))
    poses2d[0, 1] = 0  # the first person was not found in frame 1
    valid = np.ones((2, FRAMES), np.uint8)
    valid[:, 3] = 0
    content = {
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
    for split, sequence in (
        ("train", "market_00"),
        ("validation", "street_00"),
        ("validation", "without_pictures_00"),
    ):
        folder = root / "sequenceFiles" / split
        folder.mkdir(parents=True, exist_ok=True)
        write_python2_pickle(folder / f"{sequence}.pkl", {"sequence": sequence, **content})
    write_pictures(root, "market_00")
    write_pictures(root, "street_00")
    return root
