"""Predicts the error of a fitted body from the evidence about it, learnt on held-out people.

A linear score of the evidence is fitted to the logarithm of the error by ridge regression; a
monotone table then maps the score to the mean error.
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
# The keys that readers of the record need.
_TESTED = ("expected_mm", "error_mm", "agreement")
_TEST = ("people", "mean_error_mm", "rank_correlation", "worst_tenth_expected_mm")
"""The calibration's file, in the folder of the fitting network."""

_KNOTS = 12
_RIDGE = 0.02  # penalty of the weights, as a fraction of the number of people


class Calibration(NamedTuple):
    """A map from evidence to expected error.

    Attributes:
      centre: `[E]` mean of each kind of evidence.
      weights: `[E]` of the centred evidence in the score.
      score: `[K]` increasing.
      error_mm: `[K]` expected error at these, not decreasing.
      doubt: fraction of a limb's probability on the other side from which a flip is likely.
    """

    centre: Sequence[float]
    weights: Sequence[float]
    score: Sequence[float]
    error_mm: Sequence[float]
    doubt: float

    def expected_mm(self, evidence: np.ndarray | Sequence[float]) -> np.ndarray:
        """The expected error of bodies with evidence `[..., E]`, millimetres `[...]`."""
        score = (np.asarray(evidence) - self.centre) @ np.asarray(self.weights)
        return np.interp(score, self.score, self.error_mm)


def calibrate(
    evidence: np.ndarray, error_mm: np.ndarray, doubt: np.ndarray, flipped: np.ndarray
) -> Calibration:
    """Fits a calibration to evidence and doubt.

    Args:
      evidence: `[N, E]` of held-out people.
      error_mm: `[N]` their true errors.
      doubt: `[M]` the segmenter's doubt about limbs.
      flipped: `[M]` bool, whether the limbs were swapped.

    Returns:
      The error by score, in groups of equal size, made monotone; and the threshold of doubt with
      the best F1 for flips.

    Raises:
      ValueError: there are too few people.
    """
    if len(evidence) < 2 * _KNOTS:
        raise ValueError(
            f"{len(evidence)} people are too few for a calibration; give {2 * _KNOTS} or more"
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
    """Harmonic mean of precision and recall of warnings; 0 without any correct one."""
    right = (warned & flipped).sum()
    return float(2 * right / max(warned.sum() + flipped.sum(), 1))


def fingerprint(*networks: keras.Model) -> str:
    """Returns a fingerprint of the weights that a calibration belongs to."""
    digest = hashlib.sha256()
    for network in networks:
        for weights in network.get_weights():
            digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


class Record(NamedTuple):
    """The record that `calibrate_audit.py` wrote for two networks.

    Attributes:
      calibration: the map from evidence to error.
      tested: for each test person `expected_mm`, `error_mm` and `agreement`.
      test: the results of the test, by name.
    """

    calibration: Calibration
    tested: Mapping[str, Sequence[float]]
    test: Mapping[str, float]


def read(path: Path, kinds: Sequence[str], *networks: keras.Model) -> Record | None:
    """Reads the calibration of two networks.

    Args:
      path: the JSON file of `calibrate_audit.py`; it may be missing.
      kinds: names of the evidence.
      *networks: the fitting network and the segmenter.

    Returns:
      The record; None if it is missing, or is for other networks or other evidence.
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
