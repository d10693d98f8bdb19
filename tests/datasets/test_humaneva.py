"""The HumanEva-I reader on a fake tree: offsets of the videos, the lens, lost markers."""

import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from datasets import example, humaneva, sources
from datasets.sources import Skip
from smpl_tf.skeleton import H36M_17, SMPL_24
from tests.datasets import fakes

HEIGHT, WIDTH = 240, 320
FX, FY, CX, CY, SKEW = 330.0, 332.0, 158.0, 123.0, 0.001
K1, K2, P1, P2, K3 = -0.35, 0.09, 0.004, -0.006, 0.01
ROTATION = Rotation.from_rotvec([0.05, -0.1, 0.02]) * Rotation.from_euler("x", 90, degrees=True)
TRANSLATION = np.array([100.0, 1000.0, 4000.0])  # millimetres
# The 15 captured points among the 24 joints (head for head, spine3 for thorax).
AS_SMPL = [0, 9, 16, 18, 20, 17, 19, 21, 1, 4, 7, 2, 5, 8, 15]
ROWS, FIRST = 380, 5  # of S1's Box, validation


def lens(points):
    """Camera points -> pixels of the distorted picture (OpenCV's model)."""
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    r2 = x**2 + y**2
    radial = 1 + K1 * r2 + K2 * r2**2 + K3 * r2**3
    u = x * radial + 2 * P1 * x * y + P2 * (r2 + 2 * x**2)
    v = y * radial + P1 * (r2 + 2 * y**2) + 2 * P2 * x * y
    return np.stack([FX * (u + SKEW * v) + CX, FY * v + CY], -1)


@pytest.fixture(scope="module")
def capture():
    """Joints [ROWS, 24, 3], world (z up), millimetres: a person who glides to the right."""
    upright = Rotation.from_euler("x", 90, degrees=True)
    pose = fakes.random_pose(np.random.default_rng(0), 1, upright)
    joints = fakes.joints_of("neutral", pose, np.zeros(10), np.array([-0.9, 0, 1]))
    return 1000 * (joints + np.linspace(0, [1.4, 0, 0], ROWS)[:, None])


@pytest.fixture(scope="module")
def tree(tmp_path_factory, capture):
    root = tmp_path_factory.mktemp("HumanEva")
    folder = root / "S1" / "calibration_data"  # the case of its name varies
    folder.mkdir(parents=True)
    numbers = [FX, FY, CX, CY, SKEW, K1, K2, P1, P2, K3, *ROTATION.as_matrix().ravel()]
    (folder / "C1.cal").write_text("".join(f"{x}\n" for x in [*numbers, *TRANSLATION]))
    points = capture[:, AS_SMPL].copy()
    points[60, 4] = np.nan
    points[120, 10] = 0
    points[180] = np.nan
    for name, rows in (("Validate", ROWS), ("Train", 404)):
        folder = root / "converted_15j" / name
        for sequence in ("S1/Box_1", "S3/ThrowCatch_1"):
            path = folder / f"{sequence}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            scipy.io.savemat(path, {"poses_3d": np.resize(points, (rows, 15, 3))})
    in_picture = lens(ROTATION.apply(capture.reshape(-1, 3)).reshape(ROWS, 24, 3) + TRANSLATION)
    # 57 frames of offset; frame f of the capture is frame f + 57 - 1 of the video.
    blank = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    pictures = [blank] * (FIRST + 57 - 1)
    for row in range(ROWS):
        known = row % 60 == 0
        pictures.append(
            fakes.picture_with_dots(HEIGHT, WIDTH, in_picture[row]) if known else blank
        )
    fakes.write_video(root / "S1" / "Image_Data" / "Box_1_(C1).avi", pictures, "XVID")
    return root


def read(tree, every=60):
    return list(humaneva.HumanEva(str(tree), "val", every).read(humaneva.Clip("S1", "Box", "C1")))


def test_sequences_are_counted_and_the_damaged_one_is_left_out(tree):
    source = humaneva.HumanEva(str(tree), "val")
    assert source.inventory() == (2, 15, "sequences")
    assert [str(item) for item in source.items()] == [f"S1/Box_1_(C{n})" for n in (1, 2, 3)]


def test_capture_video_and_lens_agree(tree, capture):
    camera_points = ROTATION.apply(capture.reshape(-1, 3)).reshape(ROWS, 24, 3) + TRANSLATION
    for row, one in zip(range(0, ROWS, 60), read(tree), strict=True):
        if row == 180:
            assert one == Skip("no marker was seen")
            continue
        example.encode(one)
        assert one["id"] == f"humaneva/S1/Box_1_(C1)/{FIRST + row:06d}"
        for name, joint in (
            ("left_wrist", 20),
            ("right_knee", 5),
            ("pelvis_h36m", 0),
            ("left_ankle", 7),
        ):
            index = H36M_17.index(name)
            lost = (row, name) in ((60, "left_wrist"), (120, "left_ankle"))
            assert one["h36m/3d/valid"][index] == (not lost)
            expected = np.zeros(3) if lost else camera_points[row, joint] / 1000
            np.testing.assert_allclose(one["h36m/3d"][index], expected, atol=1e-6)
        assert one["h36m/3d/valid"].sum() == 14 - (row in (60, 120))
        # Without the lens, a pinhole camera says where the dots are.
        pinhole = fakes.project(one["camera/intrinsics"], camera_points[row])
        assert fakes.dot_errors(fakes.picture_of(one), pinhole).max() < 0.5
        assert np.abs(pinhole - lens(camera_points[row])).max() > 1.5
        box = one["person/box"]
        limbs = pinhole[SMPL_24.indices(["right_wrist", "right_ankle"])]
        assert np.all(limbs > box[:2]) and np.all(limbs < box[2:])


@pytest.mark.parametrize(
    ("item", "reason"),
    [(("S1", "Box", "C2"), "C2.cal"), (("S1", "Walking", "C1"), "Walking_1.mat")],
)
def test_what_is_missing_is_named(tree, item, reason):
    with pytest.raises(FileNotFoundError, match=reason):
        list(humaneva.HumanEva(str(tree), "val").read(humaneva.Clip(*item)))


def test_a_capture_of_the_wrong_length_is_refused(tree, tmp_path):
    path = tmp_path / "converted_15j" / "Validate" / "S1" / "Box_1.mat"
    path.parent.mkdir(parents=True)
    scipy.io.savemat(path, {"poses_3d": np.zeros((379, 15, 3))})
    with pytest.raises(sources.BadItemError, match=r"\(379, 15, 3\) instead of \(380, 15, 3\)"):
        read(tmp_path)


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(sources.SourceError, match="no converted_15j in it; run VideoPose3D's"):
        humaneva.HumanEva(str(tmp_path), "val").items()
