"""How far to trust a fitted body when nobody knows the truth.

NBF found that the quality of the parts predicts the quality of the fit. Here the fitted body's
parts are drawn and compared with the segmenter's map, and with what the networks make of the
mirrored picture: who is seen well is fitted alike from both. What that evidence says of the error
is learnt on held-out people, see `audit_calibration`. Left and right can be swapped in the fit or
in the map, so both are watched: the fit agrees better with the limbs exchanged, or the segmenter
itself cannot tell the sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nbf.prediction import part_agreement
from nbf.prediction.audit_calibration import Calibration
from nbf.prediction.fitted_person import PredictedPerson
from nbf.prediction.part_finder import LIMBS, limb_classes
from smpl_tf.parts import PartScheme

_SWAPPED = 0.05  # by how much a swapped map must agree better


class Agreement(NamedTuple):
    """A fitted body compared with the segmenter's map.

    Attributes:
      by_part: `[C - 1]` IoU of each part; NaN where neither has it.
      mean: over the parts that there are.
      swapped: by limbs, how much better the IoU is with left and right exchanged.
    """

    by_part: np.ndarray
    mean: float
    swapped: Mapping[str, float]


class Evidence(NamedTuple):
    """What speaks for a fitted body, or against it; no truth is needed.

    Attributes:
      agreement: mean IoU of its parts with the segmenter's.
      mirrored_agreement: share of the person's pixels that are the same part when the picture is
        mirrored.
      mirrored_mm: mean distance of its joints from those of the body that the networks fit to the
        mirrored picture, about the root.
      doubt: how little the segmenter knows left from right, the worse of arms and legs.
    """

    agreement: float
    mirrored_agreement: float
    mirrored_mm: float
    doubt: float


class Verdict(NamedTuple):
    """How far to trust a person's body, as it is: refined, if it was refined.

    Attributes:
      agreement: with the part map.
      expected_mm: error to expect; None without a calibration.
      flips: limbs whose left and right are likely swapped.
    """

    agreement: Agreement
    expected_mm: float | None = None
    flips: Sequence[str] = ()

    def __str__(self) -> str:
        """The verdict in words."""
        words = [f"agrees with its parts by {100 * self.agreement.mean:.0f} %"]
        if self.expected_mm is not None:
            words.append(f"expected error {self.expected_mm:.0f} mm")
        if self.flips:
            words.append(f"left and right of the {' and the '.join(self.flips)}s may be swapped")
        return ", ".join(words)

    def record(self, scheme: PartScheme) -> dict:
        """The verdict as JSON values."""
        ious = zip(scheme.names[1:], self.agreement.by_part.tolist(), strict=True)
        return {
            "expected_error_mm": self.expected_mm,
            "likely_flips": list(self.flips),
            "mean_part_iou": self.agreement.mean,
            "part_iou": {name: None if np.isnan(iou) else iou for name, iou in ious},
        }


def agree(person: PredictedPerson, scheme: PartScheme) -> Agreement:
    """Compares a body with the map that it was fitted to.

    Args:
      person: the fitted person, with labels.
      scheme: the parts.

    Returns:
      How well they agree.
    """
    vertices = person.person.vertices()
    raster = part_agreement.rasterized(
        vertices, person.person.body, person.view.found_labels.shape[-1]
    )
    drawn = part_agreement.part_labels(raster, person.person.body, scheme)
    plain = part_agreement.part_iou(drawn, person.view.found_labels, scheme)
    swapped = part_agreement.part_iou(scheme.mirror[drawn], person.view.found_labels, scheme)
    mean = part_agreement.mean_part_iou(drawn, person.view.found_labels, scheme)
    return Agreement(plain, float(mean), _gains(plain, swapped, scheme))


def _gains(plain, swapped, scheme):
    gains = {}
    for limb in LIMBS:
        there = limb_classes(scheme, limb) - 1
        if len(there):
            gain = np.nan_to_num(swapped[there]) - np.nan_to_num(plain[there])
            gains[limb] = float(gain.mean())
    return gains


def gather(person: PredictedPerson, mirrored: PredictedPerson, agreement: Agreement) -> Evidence:
    """Collects the evidence used to judge a fit.

    Args:
      person: with labels.
      mirrored: what the networks have of the mirrored picture, mirrored back.
      agreement: of the person.

    Returns:
      The evidence.
    """
    joints, others = (one.person.joints_3d for one in (person, mirrored))
    joints, others = joints - joints[0], others - others[0]
    labels, mirrored_labels = person.view.found_labels, mirrored.view.found_labels
    somebody = (labels > 0) | (mirrored_labels > 0)
    same = (labels == mirrored_labels) & somebody
    return Evidence(
        agreement=agreement.mean,
        mirrored_agreement=float(same.sum() / max(somebody.sum(), 1)),
        mirrored_mm=1000 * float(np.linalg.norm(joints - others, axis=-1).mean()),
        doubt=max(person.view.found_doubt.values()),
    )


def judge(
    person: PredictedPerson,
    mirrored: PredictedPerson | None,
    scheme: PartScheme,
    calibration: Calibration | None,
) -> Verdict:
    """Says how far to trust a fitted body.

    Args:
      person: with labels.
      mirrored: what the networks have of the mirrored picture, mirrored back; None without a
        calibration.
      scheme: the parts.
      calibration: what errors to expect, if that is known.

    Returns:
      The verdict.

    Raises:
      ValueError: if there is a calibration and no mirrored person.
    """
    agreement = agree(person, scheme)
    if calibration is None:
        return Verdict(agreement)
    if mirrored is None:
        raise ValueError("judge: expected the mirrored person with a calibration, got None.")
    evidence = gather(person, mirrored, agreement)
    return Verdict(
        agreement,
        float(calibration.expected_mm(evidence)),
        likely_flips(agreement, person, calibration),
    )


def mean_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """Sums up the verdicts on one person in several frames.

    Args:
      verdicts: one at least, all with a calibration or all without.

    Returns:
      Means; flips that most frames name.
    """
    ious = np.stack([verdict.agreement.by_part for verdict in verdicts])
    known = np.isfinite(ious)
    swapped = [verdict.agreement.swapped for verdict in verdicts]
    agreement = Agreement(
        np.where(
            known.any(0), np.where(known, ious, 0).sum(0) / np.maximum(known.sum(0), 1), np.nan
        ),
        float(np.mean([verdict.agreement.mean for verdict in verdicts])),
        {limb: float(np.mean([one[limb] for one in swapped])) for limb in swapped[0]},
    )
    if verdicts[0].expected_mm is None:
        return Verdict(agreement)
    named = Counter(limb for verdict in verdicts for limb in verdict.flips)
    return Verdict(
        agreement,
        float(np.mean([verdict.expected_mm for verdict in verdicts])),
        [limb for limb in LIMBS if 2 * named[limb] > len(verdicts)],
    )


def likely_flips(
    agreement: Agreement, person: PredictedPerson, calibration: Calibration
) -> list[str]:
    """Names the limbs whose left and right are likely swapped.

    Args:
      agreement: of the person.
      person: with the segmenter's doubt.
      calibration: what much doubt is.

    Returns:
      Some of LIMBS.
    """
    return [
        limb
        for limb, gain in agreement.swapped.items()
        if is_likely_flip(gain, person.view.found_doubt[limb], calibration)
    ]


def is_likely_flip(
    swapped: float | np.ndarray, doubt: float | np.ndarray, calibration: Calibration
) -> bool | np.ndarray:
    """Whether a pair of limbs is likely swapped, by `Agreement.swapped` and by `side_doubt`."""
    return np.logical_or(swapped > _SWAPPED, doubt > calibration.doubt)
