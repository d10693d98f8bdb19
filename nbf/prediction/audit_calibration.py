"""What the evidence about a fitted body says of its error, learnt on held-out people.

A linear score of the evidence, fitted to the logarithm of the error by ridge regression, then a
table from the score to the mean error, made monotone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from scipy.optimize import isotonic_regression

from smpl_tf import json_files
from smpl_tf.errors import one_line

FILE = "audit.json"
# What readers of the record ask for.
_TESTED = ("expected_mm", "error_mm", "agreement")
_TEST = ("people", "mean_error_mm", "rank_correlation", "worst_tenth_expected_mm")
"""The calibration's file, in the folder of the fitting network."""

_KNOTS = 12
_RIDGE = 0.02  # penalty of the weights, as a share of the people


class Calibration(NamedTuple):
    """What evidence means.

    Attributes:
      centre: `[E]` mean of each kind of evidence.
      weights: `[E]` of the evidence about its mean, in the score.
      score: `[K]` increasing.
      error_mm: `[K]` expected error at these, not decreasing.
      doubt: share of a limb's probability on the other side, from which on a flip is likely.
    """

    centre: Sequence[float]
    weights: Sequence[float]
    score: Sequence[float]
    error_mm: Sequence[float]
    doubt: float

    def expected_mm(self, evidence: np.ndarray | Sequence[float]) -> np.ndarray:
        """The error to expect of bodies with such evidence `[..., E]`, millimetres `[...]`."""
        score = (np.asarray(evidence) - self.centre) @ np.asarray(self.weights)
        return np.interp(score, self.score, self.error_mm)


def calibrate(
    evidence: np.ndarray, error_mm: np.ndarray, doubt: np.ndarray, flipped: np.ndarray
) -> Calibration:
    """Learns what evidence and doubt mean.

    Args:
      evidence: `[N, E]` of held-out people.
      error_mm: `[N]` their true errors.
      doubt: `[M]` the segmenter's doubt about limbs.
      flipped: `[M]` bool, whether these were swapped.

    Returns:
      Error by score, in groups of as many people each, made monotone; and the doubt that tells
      flips best by F1.

    Raises:
      ValueError: there are too few people.
    """
    if len(evidence) < 2 * _KNOTS:
        raise ValueError(
            f"{len(evidence)} people do not make a calibration; give {2 * _KNOTS} or more"
        )
    centre, spread = evidence.mean(0), evidence.std(0) + 1e-9
    weights = _ridge((evidence - centre) / spread, np.log(error_mm)) / spread
    scores = (evidence - centre) @ weights
    groups = np.array_split(np.argsort(scores, kind="stable"), _KNOTS)
    score = [float(scores[group].mean()) for group in groups]
    error = isotonic_regression([error_mm[group].mean() for group in groups]).x
    candidates = np.quantile(doubt, np.linspace(0.5, 1, 51))
    gains = [f1(doubt > candidate, flipped) for candidate in candidates]
    limit = float(candidates[np.argmax(gains)])
    return Calibration(centre.tolist(), weights.tolist(), score, error.tolist(), limit)


def _ridge(inputs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    penalty = _RIDGE * len(inputs) * np.eye(inputs.shape[1])
    return np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (answers - answers.mean()))


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


class Record(NamedTuple):
    """What `calibrate_audit.py` left about two networks.

    Attributes:
      calibration: what evidence means.
      tested: of each person that it was tested on, `expected_mm`, `error_mm` and `agreement`.
      test: what came of that, by name.
    """

    calibration: Calibration
    tested: Mapping[str, Sequence[float]]
    test: Mapping[str, float]


def read(path: Path, kinds: Sequence[str], *networks: keras.Model) -> Record | None:
    """Reads the calibration of two networks.

    Args:
      path: the JSON of `calibrate_audit.py`; it need not be there.
      kinds: names of the evidence.
      *networks: the fitting network and the segmenter.

    Returns:
      The record; None if there is none, or one of other networks or of other evidence.
    """
    if not path.is_file():
        return None
    try:
        content = json_files.read(path)
        if content["networks"] != fingerprint(*networks) or content.get("evidence") != list(kinds):
            return None
        tested, test = content["tested"], content["test"]
        for number in (*(test[name] for name in _TEST), *(x for n in _TESTED for x in tested[n])):
            float(number)
        return Record(
            Calibration(*(content["calibration"][name] for name in Calibration._fields)),
            tested,
            test,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = one_line(error).removeprefix(f"{path}: ")
        raise ValueError(
            f"{path}: damaged or of another version ({type(error).__name__}: {reason}); make it "
            "again with experiments/calibrate_audit.py, or delete it"
        ) from error
