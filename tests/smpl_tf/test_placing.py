import numpy as np
import pytest

from smpl_tf.camera import pinhole
from smpl_tf.found_person import FoundPerson
from smpl_tf.placing import on_lines_of_sight, place
from smpl_tf.skeleton import LSP_14


def points(count=12):
    return np.random.default_rng(1).uniform(-0.6, 0.6, (count, 3))


@pytest.mark.parametrize("translation", [(0.0, 0.0, 2.0), (1.1, -0.4, 3.0), (-4.0, 2.0, 30.0)])
def test_exact_points_give_their_translation(translation):
    camera = pinhole(640, 480, 70)
    seen = camera.project(points() + translation).numpy()
    np.testing.assert_allclose(place(points(), seen, np.ones(12), camera), translation, atol=1e-3)


def test_points_without_weight_are_not_read():
    camera = pinhole(640, 480)
    seen = camera.project(points() + [0.3, 0.1, 4.0]).numpy()
    weights = np.ones(12)
    weights[3], seen[3] = 0, np.nan
    np.testing.assert_allclose(place(points(), seen, weights, camera), [0.3, 0.1, 4.0], atol=1e-3)


def test_the_place_minimises_the_weighted_squares():
    rng = np.random.default_rng(2)
    camera, weights = pinhole(640, 480), rng.uniform(0.1, 1.0, 12)
    seen = camera.project(points() + [0.3, 0.1, 4.0]).numpy() + rng.normal(0, 3.0, (12, 2))
    best = place(points(), seen, weights, camera)

    def cost(translation):
        offsets = camera.project(points() + translation).numpy() - seen
        return (weights * (offsets**2).sum(-1)).sum()

    steps = 0.02 * np.concatenate([np.eye(3), -np.eye(3)])
    assert all(cost(best + step) > cost(best) for step in steps)


def test_one_point_has_no_size():
    with pytest.raises(ValueError, match="2 or more points with a weight, got 1"):
        place(points(), np.zeros((12, 2)), np.eye(12)[0], pinhole(64, 48))


def test_a_pinhole_of_a_picture_spans_its_diagonal():
    camera = pinhole(640, 480, 60.0)
    corners = np.array([[0, 0], [640, 480]]) - [320, 240]
    rays = np.concatenate([corners / camera.intrinsics[0, 0], np.ones((2, 1))], -1)
    cosine = rays[0] @ rays[1] / np.prod(np.linalg.norm(rays, axis=-1))
    assert np.degrees(np.arccos(cosine)) == pytest.approx(60.0)
    with pytest.raises(ValueError, match="degrees between 0 and 180"):
        pinhole(640, 480, 0)


def seen_person(points_3d, points_2d, visibility=1.0):
    weights = np.broadcast_to(np.float32(visibility), [len(LSP_14)])
    return FoundPerson(None, LSP_14, points_2d, weights, points_3d=points_3d)


def centred(points_3d):
    return points_3d - points_3d[LSP_14.indices(("left_hip", "right_hip"))].mean(0)


def test_points_move_to_their_lines_of_sight_at_their_depth():
    camera, true = pinhole(640, 480, 60), centred(points(14))
    seen = camera.project(true + [0.4, -0.2, 3.0]).numpy()
    wrong = true + np.random.default_rng(3).normal(0, 0.05, (14, 3)) * [1, 1, 0]
    moved = on_lines_of_sight(seen_person(centred(wrong), seen), camera).points_3d
    before, after = (np.linalg.norm(one - true, axis=-1).mean() for one in (centred(wrong), moved))
    assert after < 0.5 * before
    translation = place(moved, seen, np.ones(14), camera)
    np.testing.assert_allclose(camera.project(moved + translation), seen, atol=0.05)
    np.testing.assert_allclose(centred(moved), moved, atol=1e-6)


def test_points_without_2d_stay():
    camera, true = pinhole(640, 480, 60), centred(points(14))
    seen = camera.project(true + [0.4, -0.2, 3.0]).numpy()
    seen[0] = np.nan
    person = seen_person(true, seen, np.r_[0, np.ones(13)])
    np.testing.assert_allclose(on_lines_of_sight(person, camera).points_3d, true, atol=1e-3)
    unseen = seen_person(true, np.full((14, 2), np.nan), 0.0)
    assert on_lines_of_sight(unseen, camera) is unseen
