"""Finds body parts in photographs, the person's square, and doubt between left and right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nbf.prediction import windows
from nbf.prediction.windows import Window
from nbf.segmentation import PartSegmenter
from smpl_tf.parts import PartScheme

LIMBS = ("arm", "leg")  # in the names of their parts


class PartMaps(NamedTuple):
    """The body parts of N people.

    Attributes:
      seen: `[N, S, S, 3]` uint8, their squares, the segmenter's input.
      logits: `[N, S, S, C]`.
      labels: `[N, S, S]` uint8, the likeliest classes.
      doubts: for each person, see `side_doubt`.
    """

    seen: np.ndarray
    logits: tf.Tensor
    labels: np.ndarray
    doubts: Sequence[Mapping[str, float]]


class PartFinder:
    """Finds the parts of people with a trained segmenter.

    Attributes:
      segmenter: the network.
      scheme: its parts.
    """

    def __init__(self, segmenter: PartSegmenter):
        """Traces the network once, for any number of pictures.

        Args:
          segmenter: a trained segmenter.
        """
        self.segmenter = segmenter
        self.scheme = segmenter.scheme
        self._size = segmenter.input_size
        shape = tf.TensorSpec([None, self._size, self._size, 3], tf.float32)
        self._segment = tf.function(segmenter, input_signature=[shape]).get_concrete_function()

    def find(self, pixels: np.ndarray, metres: float) -> Window | None:
        """Finds the person in a whole picture: the first of two passes.

        Args:
          pixels: `[H, W, 3]` uint8 RGB.
          metres: stature of the mean body.

        Returns:
          The square around the largest person; None if there is no person.
        """
        whole = windows.around(*pixels.shape[1::-1])
        labels = _likeliest(self._logits(whole.cut(pixels, self._size)[None]))[0]
        found = windows.from_parts(labels, self.scheme, metres)
        if found is None:
            return None
        left, top, side = found.scaled(whole.side / self._size)
        return Window(whole.left + left, whole.top + top, side)

    def look(self, pictures: Sequence[np.ndarray], squares: Sequence[Window]) -> PartMaps:
        """Finds the parts of the person in each square.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are.

        Returns:
          Their parts.
        """
        seen = cut_all(pictures, squares, self._size)
        logits = self._logits(seen)
        labels = _likeliest(logits)
        doubts = side_doubt(tf.nn.softmax(logits).numpy(), labels, self.scheme)
        return PartMaps(seen, logits, labels, doubts)

    def _logits(self, seen: np.ndarray) -> tf.Tensor:
        return self._segment(tf.cast(seen, tf.float32))


def cut_all(pictures: Sequence[np.ndarray], squares: Sequence[Window], size: int) -> np.ndarray:
    """Cuts one square out of each picture, `[N, size, size, 3]` uint8."""
    return np.stack([w.cut(p, size) for w, p in zip(squares, pictures, strict=True)])


def limb_classes(scheme: PartScheme, limb: str) -> np.ndarray:
    """Returns the classes of both arms, or of both legs.

    Args:
      scheme: the parts.
      limb: one of LIMBS.

    Returns:
      `[K]` integers; empty if the scheme does not distinguish limbs.
    """
    return np.array([i for i, name in enumerate(scheme.names) if limb in name.split("_")], int)


def side_doubt(
    probabilities: np.ndarray, labels: np.ndarray, scheme: PartScheme
) -> list[dict[str, float]]:
    """Computes a segmenter's doubt which arm or leg is the left one.

    Args:
      probabilities: `[N, S, S, C]`.
      labels: `[N, S, S]` the likeliest classes.
      scheme: the parts.

    Returns:
      For each picture, limb -> the mean fraction, 0 to 0.5, of its pixels' probability on the
      other side; 0 if the limb is not visible.
    """
    own = np.take_along_axis(probabilities, labels[..., None].astype(int), -1)[..., 0]
    other = np.take_along_axis(probabilities, scheme.mirror[labels][..., None], -1)[..., 0]
    doubts: list[dict[str, float]] = [{} for _ in labels]
    for limb in LIMBS:
        classes = limb_classes(scheme, limb)
        for i in range(len(labels)):
            seen = np.isin(labels[i], classes)
            share = other[i, seen] / (other[i, seen] + own[i, seen])
            doubts[i][limb] = float(share.mean()) if seen.any() else 0.0
    return doubts


def _likeliest(logits: tf.Tensor) -> np.ndarray:
    """The likeliest class of each pixel, uint8."""
    return tf.argmax(logits, -1, tf.int32).numpy().astype(np.uint8)
