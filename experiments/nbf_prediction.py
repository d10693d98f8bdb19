"""From squares of photographs to bodies, with trained networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from experiments import windows
from experiments.common import UserError
from experiments.stopwatch import Stopwatch
from experiments.windows import Window
from nbf import FittingNetwork, NeuralBodyFitting, input_maps
from nbf.segmentation import PartSegmenter
from smpl_tf import SMPL, kinematics
from smpl_tf.camera import NBF_TRANSLATION, Camera
from smpl_tf.parts import PartScheme
from smpl_tf.skeleton import SMPL_24

LIMBS = ("arm", "leg")  # in the names of their parts
_BATCH = 16  # people at once


class FittedPerson(NamedTuple):
    """A body fitted to a person of a picture.

    Attributes:
      betas: `[10]`.
      rotations: `[24, 3, 3]` parent-relative; the root's in the camera frame.
      translation: `[3]` metres, camera frame.
      camera: of the whole picture; the body's own, as NBF's camera looks at its square.
      window: the square of the picture that the networks saw.
      seen: `[S, S, 3]` uint8, that square as the first network saw it.
      labels: `[S, S]` the segmenter's part of each pixel; None without a segmenter.
      doubt: by LIMBS, see `side_doubt`; None without a segmenter.
    """

    betas: np.ndarray
    rotations: np.ndarray
    translation: np.ndarray
    camera: Camera
    window: Window
    seen: np.ndarray
    labels: np.ndarray | None = None
    doubt: dict[str, float] | None = None


class Predictor:
    """Finds people in pictures, and fits bodies to them.

    Attributes:
      body: the SMPL layer of the fitted bodies.
      metres: stature of its mean body.
      scheme: the segmenter's parts; None without a segmenter.
    """

    def __init__(
        self,
        fitting: FittingNetwork,
        input_map: str,
        segmenter: PartSegmenter | None = None,
        stopwatch: Stopwatch | None = None,
    ):
        """Joins the networks.

        Args:
          fitting: the trained fitting network.
          input_map: what it was trained on.
          segmenter: a trained segmenter; one that sees the picture itself can do without, but
            then takes every picture for one of a single person who fills it.
          stopwatch: with the stages "segment" and "fit".

        Raises:
          UserError: the networks do not go together.
        """
        encoding = input_maps.input_map(input_map)
        if encoding.joints:
            raise UserError(
                f"--run was trained on {input_map}, drawn from known joints; give a run with "
                "--input_map=parts_12 or rgb"
            )
        if encoding.scheme is not None and segmenter is None:
            raise UserError(
                f"--run was trained on {input_map}, which a segmenter makes of a photograph: give "
                "its run with --segmentation_run (experiments/train_nbf.py "
                "--stage=segmentation trains one), or leave out --run"
            )
        if encoding.scheme is not None and encoding.scheme is not segmenter.scheme:
            raise UserError(
                f"--run was trained on {input_map}, but --segmentation_run gives "
                f"{segmenter.scheme.name}; give a segmenter of the same parts"
            )
        self.body = SMPL(fitting.body.model_data)
        self.metres = float(np.ptp(self.body().vertices[:, 1]))
        self.scheme = segmenter.scheme if segmenter else None
        self.size = segmenter.input_size if segmenter else fitting.input_size
        self._stopwatch = stopwatch or Stopwatch("segment", "fit")
        self._segment = segmenter and _traced(segmenter)
        if encoding.scheme is None:
            self._encode = lambda seen, logits: input_maps.to_unit_range(
                input_maps.resize_picture(seen, fitting.input_size)
            )
        else:
            chain = NeuralBodyFitting(segmenter, fitting)
            self._encode = lambda seen, logits: chain.input_map(logits)
        self._fit = _traced(fitting)

    def find(self, pixels: np.ndarray) -> Window | None:
        """Looks for the person in a whole picture: the first of two passes.

        Args:
          pixels: `[H, W, 3]` uint8 RGB.

        Returns:
          The square around the largest person; None if nobody is seen. Without a segmenter, the
          square around the picture.
        """
        whole = windows.around(*pixels.shape[1::-1])
        if self._segment is None:
            return whole
        with self._stopwatch("segment"):
            logits = self._segment(tf.cast(whole.cut(pixels, self.size)[None], tf.float32))
        found = windows.from_parts(_labels(logits)[0], self.scheme, self.metres)
        if found is None:
            return None
        left, top, side = found.scaled(whole.side / self.size)
        return Window(whole.left + left, whole.top + top, side)

    def fit(self, pictures: Sequence[np.ndarray], squares: Sequence[Window]) -> list[FittedPerson]:
        """Fits a body to the person of each square.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are.

        Returns:
          The people, in the order of the squares.
        """
        people = []
        for first in range(0, len(squares), _BATCH):
            batch = slice(first, first + _BATCH)
            people += self._fit_batch(pictures[batch], squares[batch])
        return people

    def _fit_batch(self, pictures, squares) -> list[FittedPerson]:
        seen = np.stack([w.cut(p, self.size) for w, p in zip(squares, pictures, strict=True)])
        logits, labels, doubts = None, [None] * len(seen), [None] * len(seen)
        if self._segment is not None:
            with self._stopwatch("segment"):
                logits = self._segment(tf.cast(seen, tf.float32))
                labels = _labels(logits)
                doubts = side_doubt(tf.nn.softmax(logits).numpy(), labels, self.scheme)
        with self._stopwatch("fit"):
            fitted = self._fit(self._encode(seen, logits))
            turned = fitted["global_rotations"]
            relative = kinematics.global_to_relative(turned, SMPL_24.parents).numpy()
            betas = fitted["betas"].numpy()
        return [
            FittedPerson(
                betas[i],
                relative[i],
                np.array(NBF_TRANSLATION, np.float32),
                squares[i].camera(*pictures[i].shape[1::-1]),
                squares[i],
                seen[i],
                labels[i],
                doubts[i],
            )
            for i in range(len(seen))
        ]


def limb_classes(scheme: PartScheme, limb: str) -> np.ndarray:
    """The classes of both arms, or of both legs.

    Args:
      scheme: the parts.
      limb: one of LIMBS.

    Returns:
      `[K]` integers; none where the scheme does not tell limbs.
    """
    return np.array([i for i, name in enumerate(scheme.names) if limb in name.split("_")], int)


def side_doubt(
    probabilities: np.ndarray, labels: np.ndarray, scheme: PartScheme
) -> list[dict[str, float]]:
    """How little a segmenter knows which arm or leg is the left one.

    Args:
      probabilities: `[N, S, S, C]`.
      labels: `[N, S, S]` the likeliest classes.
      scheme: the parts.

    Returns:
      For each picture, limb -> the mean share, 0 to 0.5, of its pixels' probability that is on
      the other side; 0 where none is seen.
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


def _labels(logits) -> np.ndarray:
    """The likeliest class of each pixel, uint8."""
    return tf.argmax(logits, -1, tf.int32).numpy().astype(np.uint8)


def _traced(network):
    """A network as a graph that is traced once, for any number of pictures."""
    size, channels = network.input_size, getattr(network, "input_channels", 3)
    shape = tf.TensorSpec([None, size, size, channels], tf.float32)
    return tf.function(network, input_signature=[shape]).get_concrete_function()
