"""BlazePose's detector: finds the regions of people in a square of a picture.

The network takes 224 x 224 pixels and returns for each of 2254 anchors a score, a box and four
points. The first two points are more useful than the box: the middle of the hips, and the top of
the circle around the whole person.
"""

from typing import NamedTuple

import numpy as np

from datasets.photographs.interpreter import Network
from datasets.photographs.squares import Square, around, cut, to_picture

SIZE = 224  # pixels
_LAYERS = ((8, 2), (16, 2), (32, 6))  # pixels between anchors, anchors per position
_OVERLAP = 0.3  # intersection over union from which two boxes belong to one person


class Detection(NamedTuple):
    """A coarse detection of a person.

    Attributes:
      score: 0 to 1.
      square: the input for the landmark network, pixels of the picture.
    """

    score: float
    square: Square


def anchors() -> np.ndarray:
    """Returns the centres of the anchors, `[2254, 2]`, 0 to 1, in the order of the network."""
    layers = []
    for stride, repeats in _LAYERS:
        count = SIZE // stride
        rows, columns = np.mgrid[:count, :count]
        middles = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / count
        layers.append(np.repeat(middles, repeats, axis=0))
    return np.concatenate(layers)


def decode(raw: np.ndarray, middles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decodes the network's boxes and points.

    Args:
      raw: `[N, 12]` box (centre, size) and four points, pixels; positions relative to the anchor.
      middles: `[N, 2]` of the anchors, 0 to 1.

    Returns:
      Boxes `[N, 4]` (left, top, right, bottom) and points `[N, 4, 2]`, 0 to 1 along the square.
    """
    places = raw.reshape(-1, 6, 2) / SIZE
    middle, extent = places[:, 0] + middles, places[:, 1]
    boxes = np.concatenate([middle - extent / 2, middle + extent / 2], axis=-1)
    return boxes, places[:, 2:] + middles[:, None]


def intersection_over_union(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns the IoU of boxes `[N, 4]` (left, top, right, bottom) with one box, `[N]`, 0 to 1."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=-1)
    area = np.prod(np.maximum(box[2:] - box[:2], 0))
    return both / np.maximum(area + areas - both, 1e-12)


def merge(scores: np.ndarray, boxes: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Merges the boxes of each person: those that overlap the best one, weighted by score.

    Args:
      scores: `[N]`, 0 to 1.
      boxes: `[N, 4]` left, top, right, bottom.
      *values: `[N, ...]` other values of the boxes.

    Returns:
      Scores `[K]` of the best boxes, the best first, and means `[K, ...]` of boxes and values.

    Source: weighted suppression of BlazeFace (Bazarevsky et al. 2019).
    """
    kept: list[int] = []
    means: list[list[np.ndarray]] = [[] for _ in (boxes, *values)]
    left = np.argsort(-scores, kind="stable")
    while len(left):
        same = intersection_over_union(boxes[left[0]], boxes[left]) > _OVERLAP
        same[0] = True  # an empty box also belongs to itself
        group = left[same]
        kept.append(left[0])
        for mean, value in zip(means, (boxes, *values), strict=True):
            mean.append(np.average(value[group], axis=0, weights=scores[group]))
        left = left[~same]
    return scores[kept], *(
        np.array(mean).reshape(-1, *value.shape[1:])
        for mean, value in zip(means, (boxes, *values), strict=True)
    )


class Detector:
    """Detects people in squares of a picture.

    Args:
      network: `[224, 224, 3]` from -1 to 1 -> `[2254, 12]` and `[2254, 1]`.
    """

    def __init__(self, network: Network):
        self._network = network
        self._anchors = anchors()

    def __call__(self, picture: np.ndarray, square: Square, least: float) -> list[Detection]:
        """Detects people in one square.

        Args:
          picture: `[H, W, 3]` uint8 RGB.
          square: to search.
          least: smallest score of a detection.

        Returns:
          The detections, highest score first.
        """
        seen = cut(picture, square, SIZE, black_outside=True)
        answers = self._network(np.float32(seen) / 127.5 - 1.0)
        scores = sigmoid(answers[len(self._anchors), 1][:, 0])
        chosen = scores >= least
        boxes, points = decode(answers[len(self._anchors), 12][chosen], self._anchors[chosen])
        scores, _, points = merge(scores[chosen], boxes, points)
        return [
            Detection(float(score), around(*to_picture(square, both)))
            for score, both in zip(scores, points[:, :2], strict=True)
        ]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Returns probabilities of logits, without overflow in float32."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
