"""Writes a tree that is laid out as HumanEva-I is: videos out of step, a lens, lost markers."""

import functools

import numpy as np
import scipy.io
from scipy.spatial.transform import Rotation

from tests.datasets import fakes

HEIGHT, WIDTH = 240, 320
FX, FY, CX, CY, SKEW = 330.0, 332.0, 158.0, 123.0, 0.001
K1, K2, P1, P2, K3 = -0.35, 0.09, 0.004, -0.006, 0.01
ROTATION = Rotation.from_rotvec([0.05, -0.1, 0.02]) * Rotation.from_euler("x", 90, degrees=True)
TRANSLATION = np.array([100.0, 1000.0, 4000.0])  # millimetres
# The 15 captured points among the 24 joints (head for head, spine3 for thorax).
AS_SMPL = [0, 9, 16, 18, 20, 17, 19, 21, 1, 4, 7, 2, 5, 8, 15]
# Frames of S1's Box in the validation part, its first frame, and frames of the training part.
ROWS, FIRST, TRAIN_ROWS = 380, 5, 404
OFFSET = 57  # frame f of the capture is frame f + 57 - 1 of the video
SEEN_EVERY = 60  # the other frames of the video are blank


def lens(points):
    """Camera points -> pixels of the distorted picture (OpenCV's model)."""
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    r2 = x**2 + y**2
    radial = 1 + K1 * r2 + K2 * r2**2 + K3 * r2**3
    u = x * radial + 2 * P1 * x * y + P2 * (r2 + 2 * x**2)
    v = y * radial + P1 * (r2 + 2 * y**2) + 2 * P2 * x * y
    return np.stack([FX * (u + SKEW * v) + CX, FY * v + CY], -1)


@functools.cache
def capture():
    """Joints [ROWS, 24, 3], world (z up), millimetres: a person who glides to the right."""
    upright = Rotation.from_euler("x", 90, degrees=True)
    pose = fakes.random_pose(np.random.default_rng(0), 1, upright)
    joints = fakes.joints_of("neutral", pose, np.zeros(10), np.array([-0.9, 0, 1]))
    return 1000 * (joints + np.linspace(0, [1.4, 0, 0], ROWS)[:, None])


def in_camera():
    """The same in the camera frame."""
    return ROTATION.apply(capture().reshape(-1, 3)).reshape(ROWS, 24, 3) + TRANSLATION


def write(root):
    """Writes the tree: S1's Box seen by C1, and S3's ThrowCatch, the capture of which is damaged.

    The training part is the motion of the validation part again, and its pictures are blank.
    """
    folder = root / "S1" / "calibration_data"  # the case of its name varies
    folder.mkdir(parents=True)
    numbers = [FX, FY, CX, CY, SKEW, K1, K2, P1, P2, K3, *ROTATION.as_matrix().ravel()]
    (folder / "C1.cal").write_text("".join(f"{x}\n" for x in [*numbers, *TRANSLATION]))
    points = capture()[:, AS_SMPL].copy()
    points[60, 4] = np.nan
    points[120, 10] = 0
    points[180] = np.nan
    for name, rows in (("Validate", ROWS), ("Train", TRAIN_ROWS)):
        folder = root / "converted_15j" / name
        for sequence in ("S1/Box_1", "S3/ThrowCatch_1"):
            path = folder / f"{sequence}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            scipy.io.savemat(path, {"poses_3d": np.resize(points, (rows, 15, 3))})
    in_picture = lens(in_camera())
    blank = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    pictures = [blank] * (FIRST + OFFSET - 1)
    for row in range(ROWS):
        dots = row % SEEN_EVERY == 0
        seen = fakes.picture_with_dots(HEIGHT, WIDTH, in_picture[row]) if dots else blank
        pictures.append(seen)
    pictures += [blank] * TRAIN_ROWS
    fakes.write_video(root / "S1" / "Image_Data" / "Box_1_(C1).avi", pictures, "XVID")
    return root
