"""The audit of bodies fitted to found points: each witness against a body is heard."""

import dataclasses

import numpy as np
import pytest

from nbf.prediction import point_audit
from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.windows import Window
from smpl_tf import SMPL
from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson
from smpl_tf.rasterizer import rasterize
from smpl_tf.skeleton import SMPL_24

CAMERA = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), 320, 240)


@pytest.fixture(scope="module")
def person():
    pose = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    pose[0] = np.diag([1, -1, -1])
    place = np.array([0.1, 0.2, 3.0], np.float32)
    fitted = FittedPerson(SMPL(), np.zeros(10, np.float32), pose, place, CAMERA)
    return PredictedPerson(fitted, PersonView(Window(0, 0, 240)))


@pytest.fixture(scope="module")
def found(person):
    """The person as a finder without faults sees them."""
    one = person.person
    mask = rasterize(one.vertices(), one.body.faces, CAMERA).mask
    return FoundPerson(None, SMPL_24, one.joints_2d, np.ones(24), mask=np.uint8(255 * mask))


def test_a_body_on_its_points_and_mask_is_trusted(person, found):
    verdict = point_audit.judge(person, found)
    assert verdict.reasons == []
    assert verdict.missed_cm < 0.01
    assert verdict.overlap > 0.9
    assert 0 < verdict.expected_cm < 3  # finders err even where they are sure


def test_missed_points_are_measured_at_the_persons_distance(person, found):
    # 30 pixels are 30 / 300 of the distance of 3 metres or so.
    depth = person.person.joints_3d[0, 2]
    moved = dataclasses.replace(found, points_2d=found.points_2d + [30, 0])
    verdict = point_audit.judge(person, moved)
    assert verdict.missed_cm == pytest.approx(100 * depth * 30 / 300, rel=1e-3)
    assert verdict.expected_cm > verdict.missed_cm
    assert "half a head" in verdict.reasons[0]


def test_points_that_are_not_visible_are_expected_elsewhere(person, found):
    dim = dataclasses.replace(found, visibility=np.full(24, 0.1))
    sure, unsure = (point_audit.judge(person, one).expected_cm for one in (found, dim))
    assert unsure > 3 * sure


def test_results_that_lie_apart_are_expected_elsewhere(person, found):
    apart = dataclasses.replace(found, deviation=np.full(24, 10.0))
    depth = person.person.joints_3d[0, 2]
    expected = 2 * 100 * depth * 10 / 300
    assert point_audit.judge(person, apart).expected_cm == pytest.approx(expected, rel=0.05)
    unknown = dataclasses.replace(found, deviation=np.full(24, np.nan))
    assert (
        point_audit.judge(person, unknown).expected_cm
        == point_audit.judge(person, found).expected_cm
    )


def test_limbs_outside_the_picture_are_named(person, found):
    assert point_audit.judge(person, found).guessed == ()
    legs = [
        SMPL_24.index(f"{s}_{joint}") for s in ("left", "right") for joint in ("knee", "ankle")
    ]
    points = found.points_2d.copy()
    points[legs, 1] = CAMERA.height + 5
    verdict = point_audit.judge(person, dataclasses.replace(found, points_2d=points))
    assert verdict.guessed == ("left leg", "right leg")
    assert verdict.reasons[-1] == "guessed, since not in the picture: left leg, right leg"
    visibility = found.visibility.copy()
    visibility[SMPL_24.indices(("left_elbow", "left_wrist"))] = 0
    one = point_audit.judge(person, dataclasses.replace(found, visibility=visibility))
    assert one.guessed == ("left arm",) == tuple(one.record()["guessed"])


def test_a_mask_elsewhere_and_an_unsure_finder_are_told(person, found):
    shifted = dataclasses.replace(found, mask=np.roll(found.mask, 60, axis=1), score=0.3)
    verdict = point_audit.judge(person, shifted)
    assert verdict.overlap < 0.3
    assert [reason.split()[1] for reason in verdict.reasons] == ["detector", "body"]
    assert len(verdict.record()["doubtful"]) == 2


def test_outlines_are_compared_inside_of_the_picture_alone(person):
    """The left half of the picture shows the left half of the person."""
    one = person.person
    mask = np.uint8(255 * rasterize(one.vertices(), one.body.faces, CAMERA).mask)
    half = dataclasses.replace(one, camera=CAMERA.crop(0, 0, 160, 240))
    assert point_audit.outline_iou(half, np.ascontiguousarray(mask[:, :160])) > 0.9


def test_nobody_anywhere_has_no_overlap(person):
    away = dataclasses.replace(person.person, translation=np.float32([9, 0, 3]))
    assert point_audit.outline_iou(away, np.zeros((240, 320), np.uint8)) is None


def test_without_a_mask_the_overlap_is_unknown(person, found):
    verdict = point_audit.judge(person, dataclasses.replace(found, mask=None))
    assert verdict.overlap is None
    assert "outline" not in str(verdict)
