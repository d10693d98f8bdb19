import dataclasses

import keras
import numpy as np
import pytest

from nbf import FittingNetwork, Predictor
from nbf.landmarks import landmark_points
from nbf.points_mask import BACKGROUND, PERSON, UNKNOWN
from nbf.prediction.point_bodies import PointBodies
from nbf.prediction.point_inputs import person_inputs, turn_towards
from smpl_tf.camera import pinhole
from smpl_tf.found_person import FoundPerson
from smpl_tf.rotations import mirror_rotations
from smpl_tf.skeleton import BLAZEPOSE_33, COCO_17, PHOTOGRAPH_21, SMPL_24
from tests.nbf.point_people import body, people

WIDTH, HEIGHT = 320, 240
PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def fit():
    keras.utils.set_random_seed(0)
    return PointBodies(FittingNetwork("points", 64, head="flatten", input_map="points_mask"))


def seen(turn=None, camera=None, number=0, mask=None):
    """One of the people, turned about the camera, as an exact finder finds them."""
    turn = np.eye(3) if turn is None else turn
    camera = camera or pinhole(WIDTH, HEIGHT)
    one = {name: value[number : number + 1] for name, value in people().items()}
    posed = body()(betas=one["betas"], pose=one["pose"], translation=one["translation"])
    points = landmark_points(posed, PHOTOGRAPH_21)[0].numpy() @ turn.T
    return FoundPerson(None, PHOTOGRAPH_21, camera.project(points).numpy(), np.ones(21), mask=mask)


def test_a_turn_takes_the_axis_to_the_direction_and_nothing_about_it():
    for direction in ([0.3, -0.2, 1.0], [0.0, 0.0, 2.0], [-2.0, 0.1, 1.0]):
        turn = turn_towards(np.array(direction))
        np.testing.assert_allclose(turn[:, 2], direction / np.linalg.norm(direction), atol=1e-7)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-7)
        assert abs(turn[0, 1] - turn[1, 0]) < 1e-7


def test_a_person_beside_the_axis_is_seen_as_from_a_camera_turned_to_them():
    camera = pinhole(WIDTH, HEIGHT)
    middle = person_inputs(seen(), camera, 64)
    aside = person_inputs(seen(turn_towards(np.array([0.35, 0.2, 1.0]))), camera, 64)
    np.testing.assert_allclose(aside.points, middle.points, atol=0.02)
    np.testing.assert_allclose(aside.intrinsics[0, 0], middle.intrinsics[0, 0], rtol=0.02)


def test_the_map_shows_the_mask_and_what_is_outside_of_the_picture():
    camera = pinhole(WIDTH, HEIGHT)
    person = seen(camera=camera)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = 255
    shown = person_inputs(dataclasses.replace(person, mask=mask), camera, 64).input_map[..., 0]
    assert set(np.unique(shown)) == {PERSON, BACKGROUND, UNKNOWN}
    # Where the mask ends, in the person's frame.
    inputs = person_inputs(person, camera, 64)
    rays = np.array([0.0, 0.0, 1.0]) @ inputs.turn
    edge = (inputs.intrinsics @ (rays / rays[2]))[0]
    known = shown[32][shown[32] != UNKNOWN]
    columns = np.flatnonzero(shown[32] == PERSON)
    assert abs((columns.max() + 1) / 32 - 1 - edge / 2.0) < 2 / 32
    assert np.all(np.diff(known) <= 0)
    assert np.all(inputs.input_map == UNKNOWN)


def test_bodies_are_placed_on_their_points_in_metres_whatever_the_pixels(fit):
    (one,) = fit([PICTURE], [None], [seen()])
    twice = seen().scaled(2.0)
    (other,) = fit([np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)], [None], [twice])
    np.testing.assert_allclose(one.person.translation, other.person.translation, rtol=1e-3)
    np.testing.assert_allclose(one.person.pose, other.person.pose, atol=1e-3)
    assert 1.0 < one.person.translation[2] < 20.0
    middle = one.person.joints_2d.mean(0)
    assert np.linalg.norm(middle - seen().points_2d.mean(0)) < 40


def test_the_same_person_in_other_skeletons_order_gives_the_same_body(fit):
    exact = seen()
    of_finder = exact.in_skeleton(BLAZEPOSE_33)
    (one,), (other,) = (fit([PICTURE], [None], [person]) for person in (exact, of_finder))
    np.testing.assert_allclose(one.person.pose, other.person.pose, atol=1e-5)
    (without_feet,) = fit([PICTURE], [None], [exact.in_skeleton(COCO_17)])
    assert np.abs(without_feet.person.pose - one.person.pose).max() > 1e-4


def test_too_few_points_and_the_wrong_network_are_refused(fit):
    person = seen()
    few = dataclasses.replace(person, visibility=np.eye(21)[5] + np.eye(21)[6])
    with pytest.raises(ValueError, match="has 2 of the points that the network uses"):
        fit([PICTURE], [None], [few])
    with pytest.raises(ValueError, match="trained on parts_12"):
        PointBodies(FittingNetwork("small", 32, head="flatten", input_map="parts_12"))
    assert fit([], [], []) == []


def test_the_predictor_hands_found_people_on(fit):
    found = [seen(number=0), seen(number=1)]
    predictor = Predictor(fit, fit.bodies, finder=lambda picture: found)
    people = predictor.predict(PICTURE)
    assert len(people) == 2
    assert people[0].camera.width == WIDTH
    with pytest.raises(ValueError, match="there is no detector"):
        Predictor(fit, fit.bodies).predict(PICTURE)


def test_a_mirrored_person_gives_the_mirrored_body(fit):
    person = seen()
    flipped = dataclasses.replace(
        person,
        points_2d=(person.points_2d * [-1, 1] + [WIDTH, 0])[PHOTOGRAPH_21.mirror],
    )
    (one,), (other,) = (fit([PICTURE], [None], [p]) for p in (person, flipped))
    np.testing.assert_allclose(
        mirror_rotations(other.person.pose, SMPL_24.mirror), one.person.pose, atol=2e-3
    )
    np.testing.assert_allclose(
        other.person.translation * [-1, 1, 1], one.person.translation, atol=0.02
    )


def test_each_pass_misses_less_of_points_that_are_surely_seen(fit):
    network = FittingNetwork("points", 64, head="flatten", input_map="points_mask")
    # Untrained, but as a trained one: its answer goes with the points, by too little.
    weights = network.regressor.get_weights()
    network.regressor.set_weights([0.3 * weights[0], weights[1]])
    person = seen()
    shared = [name for name in PHOTOGRAPH_21.names if name in SMPL_24.names]

    def missed(passes):
        (one,) = PointBodies(network, passes=passes)([PICTURE], [None], [person])
        offsets = one.person.joints_2d[SMPL_24.indices(shared)]
        offsets = offsets - person.points_2d[PHOTOGRAPH_21.indices(shared)]
        return np.linalg.norm(offsets, axis=-1).mean()

    assert missed(2) != missed(1)
    with pytest.raises(ValueError, match="passes: expected 1 or more, got 0"):
        PointBodies(network, passes=0)
