import numpy as np
import tensorflow as tf

from nbf import points_mask
from smpl_tf.skeleton import PHOTOGRAPH_21


def some_points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 21, 2)).astype(np.float32), np.ones((3, 21), np.float32)


def test_rows_do_not_depend_on_place_size_and_unknown_points():
    points, visibility = some_points()
    visibility[:, 4] = 0
    points[:, 4] = np.nan

    def rows(points):
        return points_mask.point_rows(
            points, visibility, points_mask.person_frame(points, visibility)
        )

    np.testing.assert_allclose(rows(points), rows(40 * points + [300, 200]), atol=1e-4)
    assert np.all(rows(points)[:, 4] == 0)


def test_limbs_decide_about_the_frame_and_a_doubtful_point_counts_less():
    points, visibility = some_points()
    moved = points.copy()

    def shift(name, trust):
        moved[:] = points
        index = PHOTOGRAPH_21.index(name)
        moved[:, index] += 1.0
        trusted = visibility.copy()
        trusted[:, index] = trust
        before, after = (points_mask.person_frame(p, trusted).centre for p in (points, moved))
        return np.linalg.norm(after - before, axis=-1).mean()

    assert shift("left_knee", 1.0) > 2 * shift("left_knee", 0.3) > 0
    assert shift("left_knee", 1.0) > 2 * shift("nose", 1.0) > 0
    assert shift("left_knee", 0.02) == 0


def test_the_frames_camera_sees_rays_where_the_frame_has_the_points():
    points, visibility = some_points()
    frame = points_mask.person_frame(points, visibility)
    rays = np.concatenate([points, np.ones((3, 21, 1), np.float32)], -1)
    seen = tf.einsum("bij,bpj->bpi", frame.intrinsics(), rays)
    np.testing.assert_allclose(seen[..., :2], frame.normalise(points), atol=1e-5)


def test_nobody_has_a_frame_without_nan():
    frame = points_mask.person_frame(np.full((21, 2), np.nan, np.float32), np.zeros(21))
    assert np.all(frame.centre == 0) and frame.spread == 1
