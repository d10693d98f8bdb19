"""The audit: flips that are seen, and a calibration that is monotone."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import audit, part_agreement
from experiments.audit import Calibration
from experiments.common import UserError
from experiments.fitted_person import FittedPerson
from experiments.part_finder import limb_classes, side_doubt
from experiments.windows import Window
from smpl_tf import SMPL
from smpl_tf.camera import NBF_TRANSLATION
from smpl_tf.parts import PARTS_3, PARTS_12

SIZE = 48
CALIBRATION = Calibration([0.2, 0.6], [200.0, 50.0], doubt=0.3)


@pytest.fixture(scope="module")
def standing():
    body = SMPL()
    return lambda labels=None, doubt=None: upright(body, labels, doubt)


def upright(body, labels, doubt):
    """Somebody upright, arms stretched, before NBF's camera."""
    rotations = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    rotations[0] = np.diag([1, -1, -1])
    return FittedPerson(
        body,
        betas=np.zeros(10, np.float32),
        rotations=rotations,
        translation=np.array(NBF_TRANSLATION, np.float32),
        camera=Window(0, 0, SIZE).camera(SIZE, SIZE),
        window=Window(0, 0, SIZE),
        seen=None,
        labels=labels,
        doubt=doubt,
    )


@pytest.fixture(scope="module")
def parts(standing):
    """The part map of somebody who stands."""
    person = standing()
    raster = part_agreement.rasterized(person.pose().vertices.numpy(), person.body, SIZE)
    return part_agreement.part_labels(raster, person.body, PARTS_12)


def test_a_body_agrees_with_its_own_map_and_not_with_a_flipped_one(standing, parts):
    arms = np.isin(parts, limb_classes(PARTS_12, "arm"))
    flipped = np.where(arms, PARTS_12.mirror[parts], parts).astype(np.uint8)
    maps = (parts, flipped, np.zeros_like(parts))
    own, crossed, nothing = (audit.agree(standing(labels), PARTS_12) for labels in maps)
    assert own.mean == 1 and nothing.mean == 0
    assert crossed.mean == pytest.approx(8 / 12)
    assert crossed.swapped == {"arm": 1.0, "leg": -1.0}
    assert nothing.swapped == {"arm": 0.0, "leg": 0.0}

    sure = standing(parts, {"arm": 0.01, "leg": 0.01})
    unsure = standing(parts, {"arm": 0.01, "leg": 0.4})
    assert audit.likely_flips(own, sure, CALIBRATION) == []
    assert audit.likely_flips(crossed, sure, CALIBRATION) == ["arm"]
    assert audit.likely_flips(own, unsure, CALIBRATION) == ["leg"]


def test_doubt_is_the_share_of_the_other_side():
    probabilities = np.zeros((1, 1, 3, 13))
    left, right = (PARTS_12.names.index(f"{side}_upper_arm") for side in ("left", "right"))
    probabilities[0, 0, 0, [left, right]] = 0.6, 0.2
    probabilities[0, 0, 1, [left, right]] = 0.3, 0.5
    probabilities[0, 0, 2, 0] = 1
    labels = probabilities.argmax(-1).astype(np.uint8)
    (doubt,) = side_doubt(probabilities, labels, PARTS_12)
    assert doubt == {"arm": pytest.approx((0.25 + 0.375) / 2), "leg": 0.0}
    assert not len(limb_classes(PARTS_3, "arm"))


def test_a_calibration_is_monotone_and_tells_the_error():
    rng = np.random.default_rng(0)
    agreement = rng.uniform(0.1, 0.9, 600)
    error = 200 * (1 - agreement) + rng.normal(0, 20, 600)
    flipped = rng.random(1200) < 0.1
    doubt = np.where(flipped, rng.uniform(0.2, 0.5, 1200), rng.uniform(0, 0.25, 1200))
    calibration = audit.calibrate(agreement, error, doubt, flipped)
    assert (np.diff(calibration.error_mm) <= 0).all()
    assert (np.diff(calibration.agreement) > 0).all()
    np.testing.assert_allclose(
        calibration.expected_mm(np.array([0.3, 0.5, 0.7])), [140, 100, 60], atol=6
    )
    # Beyond what was seen, the outermost people stand in.
    assert calibration.expected_mm(0.0) == calibration.error_mm[0]
    assert 0.2 <= calibration.doubt <= 0.26
    assert audit.f1(doubt > calibration.doubt, flipped) > 0.85


def test_too_few_people_are_refused():
    with pytest.raises(UserError, match="5 people do not make a calibration"):
        audit.calibrate(np.ones(5), np.ones(5), np.ones(5), np.ones(5, bool))


def test_a_calibration_is_read_for_its_own_networks_alone(tmp_path):
    network, other = (SimpleNamespace(get_weights=lambda n=n: [np.full(3, n)]) for n in (1.0, 2.0))
    record = {
        "networks": audit.fingerprint(network, other),
        "calibration": CALIBRATION._asdict(),
    }
    path = tmp_path / "audit.json"
    assert audit.read(path, network, other) is None
    path.write_text(json.dumps(record))
    assert audit.read(path, network, other) == CALIBRATION
    assert audit.read(path, other, network) is None


def test_a_verdict_in_words_and_numbers(standing, parts):
    unsure = standing(parts, {"arm": 0.0, "leg": 0.4})
    verdict = audit.judge(unsure, PARTS_12, CALIBRATION)
    assert str(verdict) == (
        "agrees with its parts by 100 %, expected error 50 mm, "
        "left and right of the legs may be swapped"
    )
    record = json.loads(json.dumps(verdict.record(PARTS_12)))
    assert record["expected_error_mm"] == 50 and record["likely_flips"] == ["leg"]
    assert record["part_iou"]["left_upper_arm"] == 1
    verdict = audit.judge(unsure, PARTS_12, None)
    assert str(verdict) == "agrees with its parts by 100 %"
