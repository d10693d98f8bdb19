"""Laws of the errors of a finder of people in photographs."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.skeleton import BLAZEPOSE_33, COCO_17, SMPL_24
from smpl_tf.skeleton_points import known_points
from smplr import finder_noise as module
from smplr.finder_noise import finder_noise
from smplr.point_model import PointModel, posed_points
from tests.smplr.people import people, point_body

SEED = [3, 4]
RATES = [name for name in vars(module) if name.endswith(("_RATE", "_SHARE"))]


@functools.cache
def crowd(skeleton=BLAZEPOSE_33, repeats=64):
    drawn = people(32)
    models = [PointModel.of(body, skeleton) for body in point_body().bodies]
    points = posed_points(models, drawn["rotations"], drawn["betas"], drawn["gender"])
    return np.tile(centred(points.numpy(), skeleton), (repeats, 1, 1))


def centred(points, skeleton=BLAZEPOSE_33):
    hips = skeleton.indices(("left_hip", "right_hip"))
    return points - points[:, hips].mean(axis=1, keepdims=True)


@pytest.fixture
def quiet(monkeypatch):
    """Nothing happens but what a test switches on."""
    for name in RATES:
        monkeypatch.setattr(module, name, 1e-9)
    for name in ("_SIZE", "_DEPTH_SIZE", "_HIPS"):
        monkeypatch.setattr(module, name, (0.0, 0.0))
    for name in ("_BONE", "_SMALL", "_PERSON_SPREAD"):
        monkeypatch.setattr(module, name, 0.0)


def test_it_is_a_function_of_its_seed():
    one, other = (
        finder_noise(crowd(), BLAZEPOSE_33, SEED),
        finder_noise(crowd(), BLAZEPOSE_33, SEED),
    )
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)
    assert np.nanmax(np.abs(finder_noise(crowd(), BLAZEPOSE_33, [3, 5])[0] - one[0])) > 0.1


@pytest.mark.parametrize("skeleton", [BLAZEPOSE_33, COCO_17, SMPL_24])
def test_lost_points_have_no_weight_and_hips_are_the_origin(skeleton):
    points, weights = finder_noise(crowd(skeleton, 4), skeleton, SEED)
    lost = np.isnan(points).any(axis=-1)
    np.testing.assert_array_equal(weights.numpy() == 0, lost)
    assert 0.02 < lost.mean() < 0.12
    assert weights.numpy().max() <= 1
    whole = ~lost[:, skeleton.indices(("left_hip", "right_hip"))].any(axis=1)
    np.testing.assert_allclose(
        centred(points.numpy(), skeleton)[whole], points.numpy()[whole], atol=1e-5
    )


def test_with_everything_off_nothing_moves(quiet):
    points, weights = finder_noise(crowd(), BLAZEPOSE_33, SEED, scale=0.0)
    known = known_points(BLAZEPOSE_33)
    np.testing.assert_allclose(points.numpy()[:, known], crowd()[:, known], atol=1e-5)
    assert weights.numpy().min() >= 0.8


def test_errors_run_along_limbs_and_are_larger_in_depth(quiet):
    moved = centred(finder_noise(crowd(), BLAZEPOSE_33, SEED)[0].numpy()) - crowd()

    def along(name, axis=0):
        return moved[:, BLAZEPOSE_33.index(name), axis]

    def correlation(first, second):
        return np.corrcoef(along(first), along(second))[0, 1]

    assert correlation("left_wrist", "left_index") > 0.7
    assert correlation("left_knee", "left_ankle") > 0.4
    assert abs(correlation("left_elbow", "right_knee")) < 0.25
    np.testing.assert_allclose(
        along("left_wrist", 2).std() / along("left_wrist").std(), 2, rtol=0.1
    )
    assert along("left_wrist").std() > 1.3 * along("left_elbow").std()


def test_a_limb_that_is_hard_to_see_errs_more_and_is_said_to(quiet, monkeypatch):
    monkeypatch.setattr(module, "_HARD_LIMB_RATE", 0.5)
    points, weights = finder_noise(crowd(), BLAZEPOSE_33, SEED)
    wrist = BLAZEPOSE_33.index("left_wrist")
    errors = np.linalg.norm(points - crowd(), axis=-1)[:, wrist]
    unsure = weights.numpy()[:, wrist] < 0.8
    assert 0.4 < unsure.mean() < 0.6
    assert errors[unsure].mean() > 1.8 * errors[~unsure].mean()


@pytest.mark.parametrize(
    ("rate", "swapped", "kept"),
    [
        ("_SWAPPED_LEGS_RATE", "left_ankle", "left_wrist"),
        ("_SWAPPED_ARMS_RATE", "left_wrist", "left_ankle"),
        ("_SWAPPED_PERSON_RATE", "left_shoulder", None),
    ],
)
def test_left_and_right_change_places(quiet, monkeypatch, rate, swapped, kept):
    monkeypatch.setattr(module, rate, 1.0)
    points = finder_noise(crowd(), BLAZEPOSE_33, SEED, scale=0.0)[0].numpy()
    mirror = BLAZEPOSE_33.mirror
    here = BLAZEPOSE_33.index(swapped)
    np.testing.assert_allclose(points[:, here], crowd()[:, mirror[here]], atol=1e-5)
    if kept:
        there = BLAZEPOSE_33.index(kept)
        np.testing.assert_allclose(points[:, there], crowd()[:, there], atol=1e-5)


def test_another_build_keeps_directions_and_treats_both_sides_alike(quiet, monkeypatch):
    monkeypatch.setattr(module, "_BONE", 0.2)
    points = finder_noise(crowd(), BLAZEPOSE_33, SEED, scale=0.0)[0].numpy()

    def shin(every, side):
        ends = BLAZEPOSE_33.indices((f"{side}_knee", f"{side}_ankle"))
        return every[:, ends[1]] - every[:, ends[0]]

    ratios = []
    for side in ("left", "right"):
        ours, theirs = shin(points, side), shin(crowd(), side)
        ratios.append(np.linalg.norm(ours, axis=-1) / np.linalg.norm(theirs, axis=-1))
        np.testing.assert_allclose(ours, theirs * ratios[-1][:, None], atol=1e-5)
    np.testing.assert_allclose(*ratios, rtol=1e-4)
    assert ratios[0].std() > 0.1


def test_a_reversed_bone_takes_its_limb_along(quiet, monkeypatch):
    monkeypatch.setattr(module, "_DEPTH_REVERSAL_RATE", 1.0)
    points = finder_noise(crowd(), BLAZEPOSE_33, SEED, scale=0.0)[0].numpy()
    hip, ankle = BLAZEPOSE_33.indices(("left_hip", "left_ankle"))
    found, true = points[:, ankle] - points[:, hip], crowd()[:, ankle] - crowd()[:, hip]
    np.testing.assert_allclose(found, true * [1, 1, -1], atol=1e-5)


def test_it_runs_in_a_graph():
    noisy, weights = tf.function(lambda points: finder_noise(points, COCO_17, SEED))(
        crowd(COCO_17, 1)
    )
    assert noisy.shape == (32, 17, 3) and weights.shape == (32, 17)
