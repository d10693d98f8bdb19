"""Refinement to found points: met in the picture and in depth, never worse, any camera."""

import dataclasses

import numpy as np
import pytest

from nbf.landmarks import landmark_body, landmark_points
from nbf.prediction.fitted_person import FittedPerson
from nbf.prediction.point_refinement import POINTS, PointRefiner
from smpl_tf import SMPL, rotations
from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import COCO_17, SMPL_24

CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)


@pytest.fixture(scope="module")
def body():
    return SMPL()


@pytest.fixture(scope="module")
def refiner(body):
    return PointRefiner(body)


def standing(body, **turns):
    """Somebody upright three metres before the camera; joint -> axis-angle."""
    pose = np.zeros((24, 3), np.float32)
    pose[0] = np.pi, 0, 0
    for name, turn in turns.items():
        pose[SMPL_24.index(name)] = turn
    return FittedPerson(
        body,
        np.zeros(10, np.float32),
        rotations.axis_angle_to_matrix(pose).numpy(),
        np.array([0.2, 0.1, 3.0], np.float32),
        CAMERA,
    )


def found(person, skeleton=POINTS, with_depth=False):
    layer = landmark_body(person.body.model_data, POINTS)
    posed = layer(betas=person.betas, pose=person.pose, translation=person.translation)
    points = landmark_points(posed, POINTS)
    hips = points.numpy()[POINTS.indices(("left_hip", "right_hip"))].mean(0)
    whole = FoundPerson(
        box=None,
        skeleton=POINTS,
        points_2d=person.camera.project(points).numpy(),
        visibility=np.ones(len(POINTS)),
        points_3d=points.numpy() - hips if with_depth else None,
    )
    return whole.in_skeleton(skeleton)


def test_points_are_met_in_the_picture(body, refiner):
    true = standing(body, left_shoulder=(0, 0, 0.5), right_knee=(0.5, 0, 0))
    far = dataclasses.replace(standing(body), translation=np.float32([0.25, 0.1, 3.3]))
    refined = refiner([standing(body), far], [found(true, COCO_17)] * 2)
    assert (refined.after < 0.3 * refined.before).all()
    elbow = SMPL_24.index("left_elbow")
    for person in refined.people:
        assert np.linalg.norm(person.joints_2d[elbow] - true.joints_2d[elbow]) < 12


def test_found_depth_decides_what_the_picture_leaves_open(body, refiner):
    """An arm that points half at the camera, or half away from it, looks nearly the same."""
    true = standing(body, left_elbow=(0, 0.7, 0))
    start = standing(body)
    wrist = SMPL_24.index("left_wrist")

    def miss(person):
        joints = [one.joints_3d[wrist] - one.joints_3d[0] for one in (person, true)]
        return abs(joints[0][2] - joints[1][2])

    (flat,) = refiner([start], [found(true)]).people
    (deep,) = refiner([start], [found(true, with_depth=True)]).people
    assert miss(deep) < 0.7 * miss(start)
    assert miss(deep) <= miss(flat)


def test_who_fits_already_stays(body, refiner):
    person = standing(body, left_shoulder=(0, 0, 0.5))
    refined = refiner([person], [found(person)])
    np.testing.assert_allclose(refined.before, 0, atol=0.01)
    np.testing.assert_allclose(refined.people[0].pose, person.pose, atol=1e-3)


def test_unknown_points_do_not_count(body, refiner):
    person = standing(body)
    seen = found(person)
    wild = seen.points_2d.copy()
    wild[POINTS.index("left_wrist")] = 1e4, -1e4
    visibility = np.ones(len(POINTS), np.float32)
    visibility[POINTS.index("left_wrist")] = 0
    seen = dataclasses.replace(seen, points_2d=wild, visibility=visibility)
    refined = refiner([person], [seen])
    np.testing.assert_allclose(refined.before, 0, atol=0.01)
    nobody = dataclasses.replace(seen, visibility=np.zeros(len(POINTS)))
    (same,) = refiner([person], [nobody]).people
    np.testing.assert_array_equal(same.pose, person.pose)
