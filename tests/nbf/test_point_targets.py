import numpy as np
import pytest
import tensorflow as tf

from nbf import FittingLoss, FittingNetwork, point_targets
from nbf.points_mask import HALF_SIDE, PERSON, UNKNOWN
from nbf.proxy_corruption import Corruption
from smpl_tf.skeleton import PHOTOGRAPH_21
from tests.nbf.point_people import COUNT, body, people

SIZE = 64


@pytest.fixture(scope="module")
def network():
    return FittingNetwork("points", SIZE, head="flatten", input_map="points_mask")


@pytest.fixture(scope="module", params=[0, 1, 2])
def true(request):
    return point_targets.point_targets(
        people(), body(), SIZE, tf.constant([0, request.param]), None
    )


def test_the_true_body_meets_its_points_in_any_turn_and_mirror(network, true):
    inputs, targets = true
    posed = network.pose(targets["parameters"], inputs)
    for name, value in FittingLoss().terms(targets, posed).items():
        np.testing.assert_allclose(value, 0.0, atol=1e-4, err_msg=name)


def test_the_outline_covers_the_points_of_the_limbs(true):
    points, mask = true[0]["points"].numpy(), true[0]["input_map"].numpy()[..., 0]
    pixels = ((points[..., :2] / HALF_SIDE + 1) * SIZE / 2).astype(int).clip(0, SIZE - 1)
    limbs = [name.endswith(("shoulder", "elbow", "hip", "knee")) for name in PHOTOGRAPH_21.names]
    pixels = pixels[:, limbs]
    covered = mask[np.arange(COUNT)[:, None], pixels[..., 1], pixels[..., 0]] == PERSON
    assert covered.mean() > 0.95
    assert 0.03 < np.mean(mask == PERSON) < 0.3


def test_turns_and_mirrors_change_from_seed_to_seed():
    rolls = [
        point_targets.point_targets(people(), body(), SIZE, tf.constant([0, n]), None)[1]
        for n in range(2)
    ]
    assert np.abs(rolls[0]["joints_2d"] - rolls[1]["joints_2d"]).max() > 0.5


def test_corrupted_people_keep_true_answers(network):
    seed = tf.constant([5, 1])
    inputs, targets = point_targets.point_targets(people(), body(), SIZE, seed, Corruption())
    true_inputs, true_targets = point_targets.point_targets(people(), body(), SIZE, seed, None)
    np.testing.assert_array_equal(targets["parameters"], true_targets["parameters"])
    assert np.mean(inputs["points"] != true_inputs["points"]) > 0.8
    posed = network.pose(targets["parameters"], inputs)
    # The assumed focal length is off, and the distance goes with it.
    assert np.abs(posed["joints_2d"] - targets["joints_2d"]).max() < 0.3
    assert np.all(point_targets.without_mask(inputs)["input_map"] == UNKNOWN)
