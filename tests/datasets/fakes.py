"""Bodies, cameras and pictures from which the fake trees of the readers' tests are made.

The forward kinematics here is written apart from the library's, in float64 NumPy.
"""

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from datasets.bodies import Bodies
from smpl_tf import load_model_data
from smpl_tf.skeleton import SMPL_24

OPEN_BODIES = Bodies(neutral="open", female="open", male="open")
# Turns SMPL's y up and z front to the camera's y down and z away.
FACING_CAMERA = Rotation.from_rotvec([np.pi, 0, 0])

_DOT_JOINTS = SMPL_24.indices(["left_wrist", "right_wrist", "left_ankle", "right_ankle", "head"])
_DOT_COLOURS = np.array(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)], np.uint8
)  # RGB
_DOT_RADIUS = 6.0  # pixels


def random_pose(rng, num_frames, root):
    """Axis-angles [T, 24, 3] of people that stand more or less upright in a frame.

    Args:
      rng: source of chance.
      num_frames: T.
      root: Rotation that brings SMPL's axes into the frame.
    """
    pose = rng.normal(0, 0.15, (num_frames, 24, 3))
    pose[:, SMPL_24.indices(["left_shoulder", "right_shoulder"]), 2] += [-1.0, 1.0]  # arms down
    pose[:, SMPL_24.indices(["left_hip", "right_hip"]), 2] += [0.2, -0.2]  # legs apart
    yaw = Rotation.from_rotvec(np.outer(rng.normal(0, 0.6, num_frames), [0, 1, 0]))
    tilt = Rotation.from_rotvec(rng.normal(0, 0.1, (num_frames, 3)))
    pose[:, 0] = (root * yaw * tilt).as_rotvec()
    return pose


def joints_of(gender, pose, betas, translation):
    """Joints [T, 24, 3] of SMPL parameters, in the frame of the root's rotation."""
    data = load_model_data(gender=gender)
    betas = np.broadcast_to(betas, (len(pose), 10))
    translation = np.broadcast_to(translation, (len(pose), 3))
    joints = np.empty((len(pose), 24, 3))
    for frame in range(len(pose)):
        rest = data.J_regressor @ (data.v_template + data.shapedirs[..., :10] @ betas[frame])
        global_rotations = [None] * 24
        for joint, parent in enumerate(data.parents):
            own = Rotation.from_rotvec(pose[frame, joint])
            if parent < 0:
                global_rotations[joint], joints[frame, joint] = own, rest[joint]
            else:
                global_rotations[joint] = global_rotations[parent] * own
                bone = global_rotations[parent].apply(rest[joint] - rest[parent])
                joints[frame, joint] = joints[frame, parent] + bone
    return joints + translation[:, None]


def project(intrinsics, points):
    """Pixels [..., 2] of points [..., 3] in the camera frame."""
    pixels = points @ np.asarray(intrinsics, np.float64).T
    return pixels[..., :2] / pixels[..., 2:]


def picture_with_dots(height, width, joints_2d):
    """A grey picture [H, W, 3], RGB, with a dot of its own colour on some of the 24 joints."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for joint, colour in zip(_DOT_JOINTS, _DOT_COLOURS, strict=True):
        patch, (x, y) = _around(picture, joints_2d[joint])
        distance = np.hypot(x - joints_2d[joint, 0], y - joints_2d[joint, 1])
        cover = np.clip(_DOT_RADIUS + 0.5 - distance, 0, 1)[..., None]
        patch[...] = np.rint(patch * (1 - cover) + colour * cover)
    return picture


def write_video(path, pictures, codec="mp4v"):
    """Writes RGB pictures as a video, nearly without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 30, (width, height))
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()


def picture_of(example):
    """The picture of an Example, RGB."""
    encoded = np.frombuffer(example["image/encoded"], np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]


def labels_of(example):
    """The label map of an Example."""
    encoded = np.frombuffer(example["parts/encoded"], np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)


def dot_errors(picture, joints_2d):
    """Pixels between each wholly seen dot's centre and where its joint is said to be.

    Three of the dots at least must be near their joints and not hidden by others.
    """
    errors = []
    others = np.concatenate([_DOT_COLOURS, [[128, 128, 128]]]).astype(np.float64)
    for index, joint in enumerate(_DOT_JOINTS):
        patch, (x, y) = _around(picture, joints_2d[joint])
        mine = np.abs(patch[:, :, None] - others).sum(-1).argmin(-1) == index
        if mine.sum() > 0.85 * np.pi * _DOT_RADIUS**2:
            centre = np.array([x[mine].mean(), y[mine].mean()])
            errors.append(np.linalg.norm(centre - joints_2d[joint]))
    assert len(errors) >= 3
    return np.array(errors)


def _around(picture, point, radius=20):
    """The part of a picture around a point, and the pixel coordinates x, y of its pixels."""
    column, row = (max(int(value) - radius, 0) for value in point)
    patch = picture[row : row + 2 * radius, column : column + 2 * radius]
    y, x = np.mgrid[: patch.shape[0], : patch.shape[1]] + 0.5
    return patch, (x + column, y + row)


def reprojection_errors(example):
    """Pixels between the 2D joints of an Example and its projected 3D joints."""
    projected = project(example["camera/intrinsics"], np.float64(example["joints/3d"]))
    return np.linalg.norm(projected - example["joints/2d"], axis=-1)
