"""Refinement: it gains, it never loses, and it moves what it should."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbf.prediction import part_agreement, refinement
from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.refinement import Refiner
from nbf.prediction.windows import Window
from smpl_tf import SMPL, rotations
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.parts import PARTS_12
from smpl_tf.skeleton import SMPL_24

SIZE = 48
WINDOW = Window(30.0, -20.0, 256.0)  # half of NBF's scale


@pytest.fixture(scope="module")
def body():
    return SMPL()


@pytest.fixture(scope="module")
def refiner(body):
    return Refiner(body)


@pytest.fixture(scope="module")
def person(body):
    return lambda pose, labels=None: upright(body, pose, labels)


def upright(body, pose, labels):
    """Somebody upright before NBF's camera."""
    pose = np.array(pose, np.float32)
    pose[0] = (np.pi, 0, 0)
    person = FittedPerson(
        body,
        betas=np.zeros(10, np.float32),
        pose=rotations.axis_angle_to_matrix(pose).numpy(),
        translation=np.array(NBF_TRANSLATION, np.float32),
        camera=WINDOW.camera(300, 300),
    )
    return PredictedPerson(person, PersonView(WINDOW, labels=labels))


def raised(angle):
    """The rest pose with the left arm raised."""
    pose = np.zeros((24, 3))
    pose[SMPL_24.index("left_shoulder")] = (0, 0, angle)
    return pose


def drawn(body, people):
    vertices = np.stack([person.vertices() for person in people])
    raster = part_agreement.rasterized(vertices, body, SIZE)
    return part_agreement.part_labels(raster, body, PARTS_12)


def test_a_part_map_is_met_better(body, person, refiner):
    moved = np.random.default_rng(0).normal(0, 0.2, (24, 3))
    labels = drawn(body, [person(moved).person, person(raised(0.0)).person])
    start = [person(raised(0.0), labels[0]), person(raised(0.0), labels[1])]
    refined = refiner.to_parts(start, PARTS_12)
    np.testing.assert_allclose(
        refined.before,
        part_agreement.mean_part_iou(drawn(body, [one.person for one in start]), labels, PARTS_12),
    )
    np.testing.assert_allclose(
        refined.after,
        part_agreement.mean_part_iou(drawn(body, refined.people), labels, PARTS_12),
    )
    assert refined.after[0] > refined.before[0] + 0.03
    # Who fits already stays as he is.
    assert refined.before[1] == refined.after[1] == 1
    np.testing.assert_array_equal(refined.people[1].pose, start[1].person.pose)


@pytest.mark.parametrize("content", ["nothing", "noise"])
def test_no_map_makes_it_worse(person, refiner, content):
    labels = np.zeros((SIZE, SIZE), np.uint8)
    if content == "noise":
        labels = np.random.default_rng(0).integers(0, 13, (SIZE, SIZE)).astype(np.uint8)
    refined = refiner.to_parts([person(raised(0.0), labels)], PARTS_12)
    assert refined.after[0] >= refined.before[0]
    assert np.isfinite(refined.people[0].pose).all()


def test_a_verdict_on_the_body_before_is_gone(body, person):
    """L8: page and audit described the body that was refined, not the one that was written."""
    before = person(raised(0.0))._replace(verdict="of the body before")
    moved = before.person

    class Moving:
        def to_parts(self, people, scheme):
            return SimpleNamespace(people=[moved] * len(people), before=[0.1], after=[0.2])

    Moving.body = body
    (refined,) = refinement.refine([before], None, PARTS_12, [Moving()])
    assert refined.verdict is None and (refined.gain.before, refined.gain.after) == (0.1, 0.2)
    (kept,) = refinement.refine([before], None, None, [Moving()])  # nothing to refine to
    assert kept.verdict == "of the body before"


def test_part_iou_by_hand():
    a = np.array([[1, 1, 2, 0]])
    b = np.array([[1, 2, 2, 0]])
    ious = part_agreement.part_iou(a, b, PARTS_12)
    np.testing.assert_allclose(ious[:2], [0.5, 0.5])
    assert np.isnan(ious[2:]).all()
    assert part_agreement.mean_part_iou(a, b, PARTS_12) == 0.5
    assert part_agreement.mean_part_iou(0 * a, 0 * b, PARTS_12) == 0
