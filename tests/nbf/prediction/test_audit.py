"""The audit: flips that are seen, and a calibration that is monotone."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from nbf.prediction import audit, audit_calibration, part_agreement
from nbf.prediction.audit import Evidence
from nbf.prediction.audit_calibration import Calibration
from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.part_finder import limb_classes, side_doubt
from nbf.prediction.predictor import Predictor
from nbf.prediction.windows import Window
from smpl_tf import SMPL
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.parts import PARTS_3, PARTS_12
from smpl_tf.skeleton import SMPL_24

SIZE = 48
KINDS = len(Evidence._fields)
TEST = dict.fromkeys(audit_calibration._TEST, 2.0)
# By agreement alone.
CALIBRATION = Calibration(
    [0.0] * KINDS, [-1.0] + [0.0] * (KINDS - 1), [-0.6, -0.2], [50.0, 200.0], doubt=0.3
)


@pytest.fixture(scope="module")
def standing():
    body = SMPL()
    return lambda labels=None, doubt=None: upright(body, labels, doubt)


def upright(body, labels, doubt):
    """Somebody upright, arms stretched, before NBF's camera."""
    rotations = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    rotations[0] = np.diag([1, -1, -1])
    window = Window(0, 0, SIZE)
    person = FittedPerson(
        body,
        betas=np.zeros(10, np.float32),
        pose=rotations,
        translation=np.array(NBF_TRANSLATION, np.float32),
        camera=window.camera(SIZE, SIZE),
    )
    return PredictedPerson(person, PersonView(window, labels=labels, doubt=doubt))


@pytest.fixture(scope="module")
def parts(standing):
    """The part map of somebody who stands."""
    person = standing().person
    raster = part_agreement.rasterized(person.vertices(), person.body, SIZE)
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


def test_evidence_of_a_person_and_the_mirrored_one(standing, parts):
    person = standing(parts, {"arm": 0.1, "leg": 0.3})
    turned = person.person.pose.copy()
    turned[0] = turned[0] @ Rotation.from_euler("y", 90, degrees=True).as_matrix()
    other = person._replace(
        person=dataclasses.replace(person.person, pose=turned),
        view=person.view._replace(labels=np.zeros_like(parts)),
    )
    agreement = audit.agree(person, PARTS_12)
    same = audit.gather(person, person, agreement)
    assert same.agreement == same.mirrored_agreement == 1
    assert same.mirrored_mm == 0 and same.doubt == 0.3
    differs = audit.gather(person, other, agreement)
    assert differs.mirrored_agreement == 0
    joints = person.person.joints_3d - person.person.joints_3d[0]
    expected = np.linalg.norm(joints[:, [0, 2]], axis=-1).mean() * np.sqrt(2)
    np.testing.assert_allclose(differs.mirrored_mm, 1000 * expected, rtol=1e-4)


def test_a_calibration_is_monotone_and_tells_the_error():
    rng = np.random.default_rng(0)
    good, noise = rng.normal(size=(2, 900))
    evidence = np.stack([0.5 + 0.2 * good, rng.normal(size=900), 10 * good + 5 * noise], -1)
    error = 120 * np.exp(-0.3 * good + 0.05 * rng.normal(size=900))
    flipped = rng.random(1800) < 0.1
    doubt = np.where(flipped, rng.uniform(0.2, 0.5, 1800), rng.uniform(0, 0.25, 1800))
    half = slice(0, 450)
    calibration = audit_calibration.calibrate(evidence[half], error[half], doubt, flipped)
    assert (np.diff(calibration.error_mm) >= 0).all()
    assert (np.diff(calibration.score) > 0).all()
    expected = calibration.expected_mm(evidence[450:])
    assert spearmanr(expected, error[450:]).statistic > 0.9
    assert abs(expected.mean() - error[450:].mean()) < 5
    # Beyond what was seen, the outermost people stand in.
    assert calibration.expected_mm((-9.0, 0.0, -500.0)) == calibration.error_mm[-1]
    assert 0.2 <= calibration.doubt <= 0.26
    assert audit_calibration.f1(doubt > calibration.doubt, flipped) > 0.85


def test_too_few_people_are_refused():
    with pytest.raises(ValueError, match="5 people are too few for a calibration"):
        audit_calibration.calibrate(np.ones((5, 2)), np.ones(5), np.ones(5), np.ones(5, bool))


def test_a_calibration_is_read_for_its_own_networks_alone(tmp_path):
    network, other = (SimpleNamespace(get_weights=lambda n=n: [np.full(3, n)]) for n in (1.0, 2.0))
    kinds = Evidence._fields
    tested = {"expected_mm": [100.0, 150.0], "error_mm": [90.0, 170.0], "agreement": [0.6, 0.4]}
    record = {
        "networks": audit_calibration.fingerprint(network, other),
        "evidence": list(kinds),
        "calibration": CALIBRATION._asdict(),
        "tested": tested,
        "test": TEST,
    }
    path = tmp_path / "audit.json"
    assert audit_calibration.read(path, kinds, network, other) is None
    path.write_text(json.dumps(record))
    found = audit_calibration.read(path, kinds, network, other)
    assert found == (CALIBRATION, tested, TEST)
    assert audit_calibration.read(path, kinds, other, network) is None
    assert audit_calibration.read(path, kinds[1:], network, other) is None


def test_a_mirrored_picture_shows_the_same_square_and_gives_the_same_body(standing):
    person = standing()
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (40, 60, 3), np.uint8)
    square = Window(11.5, -3.0, 32.0)
    lifted = person.person.pose.copy()
    side = {name: SMPL_24.index(f"{name}_shoulder") for name in ("left", "right")}
    lifted[side["left"]] = Rotation.from_euler("z", 30, degrees=True).as_matrix()

    def fit(pictures, squares, maps):
        body = dataclasses.replace(person.person, pose=lifted)
        return [PredictedPerson(body, PersonView(squares[0], squares[0].cut(pictures[0], 16)))]

    (plain,), (mirrored,) = (
        ways([picture], [square])
        for predictor in [Predictor(fit, [person.person.body])]
        for ways in (predictor.fit, predictor.fit_mirrored)
    )
    np.testing.assert_array_equal(mirrored.view.pixels, plain.view.pixels)
    assert mirrored.view.window == square
    # The same answer for the mirrored picture is another body: the other arm is lifted.
    np.testing.assert_allclose(mirrored.person.pose[side["left"]], np.eye(3), atol=1e-6)
    opposite = Rotation.from_euler("z", -30, degrees=True).as_matrix()
    np.testing.assert_allclose(mirrored.person.pose[side["right"]], opposite, atol=1e-6)


def test_verdicts_on_several_frames_are_summed_up():
    def verdict(iou, expected, flips):
        agreement = audit.Agreement(np.array([iou, np.nan, 0.5]), iou, {"arm": iou, "leg": 0.0})
        return audit.Verdict(agreement, expected, flips)

    verdicts = [verdict(0.2, 100.0, ["arm"]), verdict(0.4, 140.0, ["arm", "leg"])]
    mean = audit.mean_verdict([*verdicts, verdict(np.float64(0.6), 150.0, [])])
    assert mean.expected_mm == 130 and mean.flips == ["arm"]
    np.testing.assert_allclose(mean.agreement.by_part, [0.4, np.nan, 0.5])
    assert mean.agreement.mean == pytest.approx(0.4)
    assert audit.mean_verdict([verdict(0.2, None, ())]).expected_mm is None


def test_a_verdict_in_words_and_numbers(standing, parts):
    unsure = standing(parts, {"arm": 0.0, "leg": 0.4})
    verdict = audit.judge(unsure, unsure, PARTS_12, CALIBRATION)
    assert str(verdict) == (
        "overlap with the found body parts 100 %, expected error 50 mm, "
        "left and right of the legs may be swapped"
    )
    record = json.loads(json.dumps(verdict.record(PARTS_12)))
    assert record["expected_error_mm"] == 50 and record["likely_flips"] == ["leg"]
    assert record["part_iou"]["left_upper_arm"] == 1
    verdict = audit.judge(unsure, None, PARTS_12, None)
    assert str(verdict) == "overlap with the found body parts 100 %"


def test_a_person_without_parts_is_not_judged(standing, parts):
    with pytest.raises(ValueError, match="Expected a person with labels of parts"):
        audit.agree(standing(), PARTS_12)
    sure = standing(parts)
    with pytest.raises(ValueError, match="Expected a person with doubt of limbs"):
        audit.likely_flips(audit.agree(sure, PARTS_12), sure, CALIBRATION)
    with pytest.raises(ValueError, match="judge: expected the mirrored person"):
        audit.judge(sure, None, PARTS_12, CALIBRATION)
