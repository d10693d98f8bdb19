"""How far to trust a fitted body when nobody knows the truth.

NBF found that the quality of the parts predicts the quality of the fit. Here the fitted body's
parts are drawn and compared with the segmenter's map; a table made on held-out people turns their
overlap into an expected error. Left and right can be swapped in either, so both are watched: the
fit agrees better with the limbs exchanged, or the segmenter itself cannot tell the sides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from scipy.optimize import isotonic_regression

from experiments import part_agreement
from experiments.common import UserError
from experiments.fitted_person import FittedPerson
from experiments.part_finder import LIMBS, limb_classes
from smpl_tf.parts import PartScheme

_KNOTS = 12
_SWAPPED = 0.05  # by how much a swapped map must agree better


class Agreement(NamedTuple):
    """A fitted body beside the segmenter's map.

    Attributes:
      by_part: `[C - 1]` IoU of each part; NaN where neither has it.
      mean: over the parts that there are.
      swapped: by limbs, how much better the IoU is with left and right exchanged.
    """

    by_part: np.ndarray
    mean: float
    swapped: Mapping[str, float]


class Calibration(NamedTuple):
    """What agreement means, learnt on held-out people.

    Attributes:
      agreement: `[K]` increasing.
      error_mm: `[K]` expected error at these, not increasing.
      doubt: share of a limb's probability on the other side, from which on a flip is likely.
    """

    agreement: Sequence[float]
    error_mm: Sequence[float]
    doubt: float

    def expected_mm(self, mean: float | np.ndarray) -> float | np.ndarray:
        """The error to expect of bodies that agree so well, millimetres."""
        return np.interp(mean, self.agreement, self.error_mm)


class Verdict(NamedTuple):
    """How far to trust a person's body, as the networks have it, before any refinement.

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


def agree(person: FittedPerson, scheme: PartScheme) -> Agreement:
    """Compares a body with the map that it was fitted to.

    Args:
      person: the fitted person, with labels.
      scheme: the parts.

    Returns:
      How well they agree.
    """
    vertices = person.pose().vertices.numpy()
    raster = part_agreement.rasterized(vertices, person.body, person.labels.shape[-1])
    drawn = part_agreement.part_labels(raster, person.body, scheme)
    plain = part_agreement.part_iou(drawn, person.labels, scheme)
    swapped = part_agreement.part_iou(scheme.mirror[drawn], person.labels, scheme)
    mean = part_agreement.mean_part_iou(drawn, person.labels, scheme)
    return Agreement(plain, float(mean), _gains(plain, swapped, scheme))


def _gains(plain, swapped, scheme):
    gains = {}
    for limb in LIMBS:
        there = limb_classes(scheme, limb) - 1
        if len(there):
            gain = np.nan_to_num(swapped[there]) - np.nan_to_num(plain[there])
            gains[limb] = float(gain.mean())
    return gains


def likely_flips(
    agreement: Agreement, person: FittedPerson, calibration: Calibration
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
        if is_likely_flip(gain, person.doubt[limb], calibration)
    ]


def is_likely_flip(swapped, doubt, calibration: Calibration):
    """Whether a pair of limbs is likely swapped, by `Agreement.swapped` and by `side_doubt`."""
    return np.logical_or(swapped > _SWAPPED, doubt > calibration.doubt)


def judge(person: FittedPerson, scheme: PartScheme, calibration: Calibration | None) -> Verdict:
    """Compares a fitted body with its part map.

    Args:
      person: as the networks have them, with labels.
      scheme: the parts.
      calibration: what errors to expect, if that is known.

    Returns:
      The verdict.
    """
    agreement = agree(person, scheme)
    if calibration is None:
        return Verdict(agreement)
    expected = float(calibration.expected_mm(agreement.mean))
    return Verdict(agreement, expected, likely_flips(agreement, person, calibration))


def calibrate(
    mean: np.ndarray, error_mm: np.ndarray, doubt: np.ndarray, flipped: np.ndarray
) -> Calibration:
    """Learns what agreement and doubt mean.

    Args:
      mean: `[N]` agreement of held-out people.
      error_mm: `[N]` their true errors.
      doubt: `[M]` the segmenter's doubt about limbs.
      flipped: `[M]` bool, whether these were swapped.

    Returns:
      Error by agreement, in groups of as many people each, made monotone; and the doubt that
      tells flips best by F1.

    Raises:
      UserError: there are too few people.
    """
    if len(mean) < 2 * _KNOTS:
        raise UserError(f"{len(mean)} people do not make a calibration; give {2 * _KNOTS} or more")
    groups = np.array_split(np.argsort(mean, kind="stable"), _KNOTS)
    agreement = [float(mean[group].mean()) for group in groups]
    error = [float(error_mm[group].mean()) for group in groups]
    monotone = isotonic_regression(error, increasing=False).x
    candidates = np.quantile(doubt, np.linspace(0.5, 1, 51))
    scores = [f1(doubt > candidate, flipped) for candidate in candidates]
    return Calibration(agreement, monotone.tolist(), float(candidates[np.argmax(scores)]))


def f1(warned: np.ndarray, flipped: np.ndarray) -> float:
    """Harmonic mean of precision and recall of warnings; 0 without any right one."""
    right = (warned & flipped).sum()
    return float(2 * right / max(warned.sum() + flipped.sum(), 1))


def fingerprint(*networks: keras.Model) -> str:
    """Tells which weights a calibration belongs to."""
    digest = hashlib.sha256()
    for network in networks:
        for weights in network.get_weights():
            digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def read(path: Path, *networks: keras.Model) -> Calibration | None:
    """Reads the calibration of two networks.

    Args:
      path: the JSON of `calibrate_audit.py`; it need not be there.
      *networks: the fitting network and the segmenter.

    Returns:
      The calibration; None if there is none, or one of other networks.
    """
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["networks"] != fingerprint(*networks):
        return None
    return Calibration(*(record["calibration"][name] for name in Calibration._fields))
