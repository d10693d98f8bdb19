import numpy as np
import pytest

from datasets.synthetic import people
from smpl_tf.skeleton import SMPL_24

OPEN = people.OPEN_BODIES


@pytest.fixture(scope="module")
def crowd():
    return [people.draw(np.random.default_rng([1, index]), 0.1) for index in range(96)]


@pytest.fixture(scope="module")
def bodies(crowd):
    return people.pose_bodies(crowd)


def test_both_sexes_and_all_shapes_occur(crowd):
    genders = np.array([person.gender == "male" for person in crowd])
    assert 0.3 < genders.mean() < 0.7
    betas = np.stack([person.betas for person in crowd])
    assert np.abs(betas).max() <= 2.5 and 0.85 < betas.std() < 1.1


def test_most_people_face_the_camera_and_some_do_not(bodies):
    front = (
        bodies.joints[:, SMPL_24.index("left_hip"), 0]
        > (bodies.joints[:, SMPL_24.index("right_hip"), 0])
    )
    assert 0.65 < front.mean() < 0.98


def test_people_stand_upright_in_the_middle_of_the_picture(crowd, bodies):
    height = bodies.joints[:, 0, 1] - bodies.joints[:, SMPL_24.index("neck"), 1]
    assert (height > 0.1).mean() > 0.9  # y is down
    translation = np.stack([person.translation for person in crowd])
    np.testing.assert_allclose(translation.mean(0), (0, 0.115, 20.3), atol=0.05)
    assert 0.07 < translation[:, :2].std() < 0.13 and np.ptp(translation[:, 2]) == 0


def test_hardly_anybody_intersects_himself(bodies):
    assert (people.self_intersection(bodies.joints) > 0.05).mean() < 0.05


def test_self_intersection_of_an_arm_through_the_chest():
    joints = np.array(OPEN.data("neutral").J_regressor @ OPEN.data("neutral").v_template)
    apart = people.self_intersection(joints[None])[0]
    through = joints.copy()
    for joint in ("left_elbow", "left_wrist", "left_hand"):
        through[SMPL_24.index(joint)] = joints[SMPL_24.index("spine2")]
    inside = people.self_intersection(through[None])[0]
    assert apart < 0 and inside == pytest.approx(0.13 + 0.045, abs=0.01)


@pytest.mark.parametrize("gender", people.GENDERS)
def test_neutral_betas_are_the_best_fit_of_the_rest_pose(gender):
    betas = np.random.default_rng(0).normal(size=10)
    own, neutral = OPEN.data(gender), OPEN.data("neutral")
    target = own.v_template + own.shapedirs[..., :10] @ betas
    basis = neutral.shapedirs[..., :10].reshape(-1, 10)
    expected = np.linalg.lstsq(basis, (target - neutral.v_template).ravel(), rcond=None)[0]
    found = OPEN.neutral_betas(betas, gender)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    fitted = neutral.v_template + neutral.shapedirs[..., :10] @ found
    assert np.linalg.norm(fitted - target, axis=1).mean() < 0.012  # metres
