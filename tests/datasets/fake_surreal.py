"""Writes a tree that is laid out as SURREAL is: the world seen in a mirror, and its bad clips."""

from pathlib import Path

import cv2
import numpy as np
import scipy.io
from scipy.spatial.transform import Rotation

from smpl_tf.skeleton import SMPL_24
from tests.datasets import fakes

CAMERA = np.array([7.0, -0.9, 0.3])  # world, metres
# Mirrored camera's axes in the world, and the frame in which the pose is stored.
TO_CAMERA = Rotation.from_matrix([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
MOCAP_TO_WORLD = Rotation.from_euler("x", 90, degrees=True)
ZROT = 0.7
LABELLED = SMPL_24.indices(["left_wrist", "right_wrist", "left_ankle", "right_ankle"])


def truth(seed, num_frames):
    """Pose, betas, joints and 2D joints in the mirrored-back camera, gender."""
    rng = np.random.default_rng(seed)
    gender = ("female", "male")[seed % 2]
    pose = fakes.random_pose(rng, num_frames, fakes.FACING_CAMERA)
    betas = rng.normal(size=10)
    translation = np.array([0.1, 0.2, 7.0]) + rng.normal(0, 0.05, (num_frames, 3))
    joints = fakes.joints_of(gender, pose, betas, translation)
    return pose, betas, joints, gender


def write_clip(folder, seed, num_frames, empty_frame=None):
    """Writes the three files of a clip as SURREAL has them: everything seen in a mirror."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    pose, betas, joints, gender = truth(seed, num_frames)
    stored = pose.copy()
    to_camera = TO_CAMERA * MOCAP_TO_WORLD * Rotation.from_rotvec([0, 0, ZROT])
    stored[:, 0] = (to_camera.inv() * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    world = TO_CAMERA.inv().apply(joints.reshape(-1, 3)).reshape(joints.shape) + CAMERA
    depth = CAMERA[0] - world[..., 0]
    in_picture = np.stack(
        [
            160 + 600 * (CAMERA[2] - world[..., 2]) / depth,
            120 + 600 * (world[..., 1] - CAMERA[1]) / depth,
        ],
        -1,
    )
    info = {
        "pose": stored.reshape(num_frames, 72).T,
        "shape": np.tile(betas[:, None], (1, num_frames)),
        "zrot": np.full((num_frames, 1), ZROT),
        "joints3D": world.transpose(2, 1, 0),
        "joints2D": np.rint(in_picture).transpose(2, 1, 0),
        "camLoc": CAMERA[:, None],
    }
    info = {key: np.float32(value) for key, value in info.items()}
    if num_frames == 1:  # MATLAB drops a last axis of one
        info["joints3D"], info["joints2D"] = info["joints3D"][..., 0], info["joints2D"][..., 0]
    info["gender"] = np.full((num_frames, 1), seed % 2, np.uint8)
    scipy.io.savemat(f"{folder}_info.mat", info, do_compression=True)
    segmentation, pictures = {}, []
    for frame in range(num_frames):
        labels = np.zeros((240, 320), np.uint8)
        if frame != empty_frame:
            for joint in LABELLED:
                centre = np.int32(in_picture[frame, joint] * 16 - 8)  # sixteenths of a pixel
                cv2.circle(labels, centre.tolist(), 5 * 16, int(joint) + 1, -1, shift=4)
        segmentation[f"segm_{frame + 1}"] = labels
        pictures.append(fakes.picture_with_dots(240, 320, in_picture[frame]))
    scipy.io.savemat(f"{folder}_segm.mat", segmentation, do_compression=True)
    fakes.write_video(Path(f"{folder}.mp4"), pictures)


# Clip -> seed and number of frames, of the good ones of the train split.
GOOD = {
    "run0/01_01/01_01_c0001": (1, 3),
    "run0/01_01/01_01_c0002": (3, 3),
    "run2/ung_122_57/ung_122_57_c0002": (2, 1),
}
EMPTY = ("run0/01_01/01_01_c0002", 1)  # nobody is in this frame
MONSTER = "run0/18_01/18_01_c0001"
TRUNCATED = "run1/05_02/05_02_c0001"
UNLABELLED = "run1/05_02/05_02_c0002"


def write(root):
    """Writes the tree below `root`/cmu and returns `root`."""
    train = root / "cmu" / "train"
    for clip, (seed, num_frames) in GOOD.items():
        write_clip(train / clip, seed, num_frames, EMPTY[1] if clip == EMPTY[0] else None)
    for seed, clip in enumerate((MONSTER, TRUNCATED, UNLABELLED), 4):
        write_clip(train / clip, seed, 1)
    info = train / f"{TRUNCATED}_info.mat"
    info.write_bytes(info.read_bytes()[:500])
    (train / f"{UNLABELLED}_segm.mat").unlink()
    # The val split holds clips of the test split.
    for split in ("val", "test"):
        write_clip(root / "cmu" / split / "run0" / "03_01" / "03_01_c0001", 7, 2)
    return root
