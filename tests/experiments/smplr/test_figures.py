import numpy as np

from experiments.smplr import figures
from smplr.landmarks import point_skeleton


def test_volumes_have_the_colour_of_the_heaviest_channel_and_let_nothing_else_be_seen():
    peaks = np.zeros((4, 2, 41 + 4), np.float32)
    left_wrist = point_skeleton(41).names[1:].index("left_wrist")
    right_wrist = point_skeleton(41).names[1:].index("right_wrist")
    peaks[0, 0, left_wrist], peaks[0, 0, right_wrist] = 0.5, 0.25
    peaks[3, 1, right_wrist] = 1
    peaks[3, 1, 41 + 1] = 1  # the left arm
    drawn = figures.draw_volumes(peaks, 41)
    points, limbs = drawn["points"], drawn["limbs"]
    size = len(points)
    assert points.shape == limbs.shape == (size, size, 4)
    assert points[0, 0, 3] == 128 and points[size - 1, size - 1, 3] == 255
    assert (points[0, 0, :3] != points[-1, -1, :3]).any()
    np.testing.assert_array_equal(points[0, 0, :3], limbs[-1, -1, :3])
    assert not points[size // 2, size // 4, 3] and not limbs[0, 0, 3]
    assert figures.draw_volumes(peaks[..., :41], 41).keys() == {"points"}
