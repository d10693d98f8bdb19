"""Estimates how reliable a fitted body is when the true body is unknown.

NBF found that the quality of the parts predicts the quality of the fit. Here the fitted body's
parts are drawn and compared with the segmenter's map, and the fit is compared with the one to the
mirrored picture: for a clearly visible person both agree. The relation between this evidence and
the error is learnt on held-out people, see `audit_calibration`. Left and right can be swapped in
the fit or in the map, so both are checked: whether the fit agrees better with the limbs exchanged,
and whether the segmenter itself is unsure of the sides.
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

_SWAPPED = 0.05  # required gain in agreement of a swapped map
# Least agreement of a body that is trusted: 2 % of 70 held-out synthetic people have less, and
# 92 % of 25 photographs, on which the segmenter was not trained.
_LEAST_AGREEMENT = 0.35


class Agreement(NamedTuple):
    """A fitted body compared with the segmenter's map.

    Attributes:
      by_part: `[C - 1]` IoU of each part; NaN if neither map has the part.
      mean: over the parts that occur.
      swapped: limb -> gain in IoU with left and right exchanged.
    """

    by_part: np.ndarray
    mean: float
    swapped: Mapping[str, float]


class Evidence(NamedTuple):
    """The evidence used to judge a fitted body; the true body is not needed.

    Attributes:
      agreement: mean IoU of the body's parts with the segmenter's.
      mirrored_agreement: fraction of the person's pixels whose part stays the same when the
        picture is mirrored.
      mirrored_mm: mean root-centred distance of its joints from those of the body fitted to the
        mirrored picture.
      doubt: the segmenter's uncertainty between left and right, the larger of arms and legs.
    """

    agreement: float
    mirrored_agreement: float
    mirrored_mm: float
    doubt: float


class Verdict(NamedTuple):
    """How reliable a person's body is; it describes the refined body if it was refined.

    Attributes:
      agreement: with the part map.
      expected_mm: expected error; None without a calibration.
      flips: limbs whose left and right are likely swapped.
    """

    agreement: Agreement
    expected_mm: float | None = None
    flips: Sequence[str] = ()

    @property
    def reasons(self) -> list[str]:
        """The reasons to doubt the body."""
        if self.agreement.mean < _LEAST_AGREEMENT:
            return ["the body does not cover the body parts that were found"]
        return []

    def __str__(self) -> str:
        """The verdict in words."""
        words = [f"overlap with the found body parts {100 * self.agreement.mean:.0f} %"]
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
            "doubtful": self.reasons,
            "mean_part_iou": self.agreement.mean,
            "part_iou": {name: None if np.isnan(iou) else iou for name, iou in ious},
        }


def agree(person: PredictedPerson, scheme: PartScheme) -> Agreement:
    """Compares a body with the part map that it was fitted to.

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
      mirrored: the fit to the mirrored picture, mirrored back.
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
    """Judges how reliable a fitted body is.

    Args:
      person: with labels.
      mirrored: the fit to the mirrored picture, mirrored back; None without a calibration.
      scheme: the parts.
      calibration: maps evidence to expected errors; None: unknown.

    Returns:
      The verdict.

    Raises:
      ValueError: if a calibration is given without a mirrored person.
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
    """Combines the verdicts on one person in several frames.

    Args:
      verdicts: at least one, all with a calibration or all without.

    Returns:
      The means, and the flips that occur in most frames.
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
    """Returns the limbs whose left and right are likely swapped.

    Args:
      agreement: of the person.
      person: with the segmenter's doubt.
      calibration: has the threshold of the doubt.

    Returns:
      A subset of LIMBS.
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
