"""Fits one shape and a smooth motion to 3D points of one person over time.

Source: not in the papers. Frames are first fitted separately. Then all get the same betas, and
  each keeps the better of two fits: from its own pose, and from that of the last reliable frame
  before it. The motion is smoothed according to its own jitter: exact points do not change.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import sparse
from scipy.sparse.linalg import spsolve

from smpl_tf.graph import Graph
from smpl_tf.model_data import SMPLModelData, load_model_data
from smpl_tf.rotations import project_to_rotation
from smpl_tf.skeleton import Skeleton
from smpl_tf.skeleton_points import find_skeleton
from smplr.inverse_fit import InverseFit
from smplr.landmarks import NUM_JOINTS
from smplr.least_squares_fit import least_squares_fit
from smplr.point_fitting import METHODS, PointFit, checked_points, fit_points, fit_result
from smplr.point_model import PointModel
from smplr.probable_fit import OUTLIER_DISTANCE, point_model, pulls, trusted

_CHUNK = 256  # frames that are fitted at once
_STEPS = 6  # of Gauss-Newton with the betas held
_HELD = 1.0  # pull that keeps the betas at those of the sequence, square metres
_WELL_SEEN = 0.5  # share of the points, of frames that others start from
# Usual accelerations of people who move: radians and metres per second^2.
_TURNING, _MOVING = 20.0, 4.0
_LEAST_RATIO = 1e-3  # of noise and motion; bridges gaps where there is no noise
_LEAST_NOISE = 1e-3  # metres


def fit_sequence(
    points: np.ndarray | tf.Tensor,
    skeleton: str | Skeleton = "smplr_42",
    frame_rate: float = 30.0,
    weights: np.ndarray | None = None,
    valid: np.ndarray | None = None,
    body: SMPLModelData | Sequence[SMPLModelData] | None = None,
) -> PointFit:
    """Fits a moving body to the points of one person over time.

    Args:
      points: metres, any frame with right-handed axes, `[T, P, 3]`; missing points may be NaN.
      skeleton: name of the points' skeleton (`smpl_tf.skeleton_points.SKELETONS`).
      frame_rate: frames per second.
      weights: confidence in each point, `[T, P]`; 0 is missing.
      valid: bool `[T, P]`; false is missing.
      body: one body, or a female and a male one, of which the better one in most frames is chosen;
        None: the open neutral one.

    Returns:
      The fit, T bodies with equal betas.

    Raises:
      ValueError: for an unknown skeleton, another shape, or a frame rate that is not positive.
      UnitError: if the points are not in metres.

    Example:
      >>> import numpy as np
      >>> from smpl_tf import SMPL
      >>> from smplr import fit_sequence
      >>> joints = np.repeat(SMPL()().joints[np.newaxis], 3, axis=0)  # three frames
      >>> fit = fit_sequence(joints, "smpl_24", frame_rate=30)
      >>> fit.pose.shape, bool((fit.betas.numpy() == fit.betas.numpy()[0]).all())
      (TensorShape([3, 24, 3]), True)
    """
    if not frame_rate > 0:
        raise ValueError(f"frame_rate must be positive, got {frame_rate}.")
    skeleton = find_skeleton(skeleton)
    points, weights = checked_points(points, skeleton, weights, valid)
    if points.shape.rank != 3:
        raise ValueError(
            f"Expected the points of one person over time, [T, {len(skeleton)}, 3], got "
            f"{list(points.shape)}."
        )
    bodies = [load_model_data()] if body is None else body
    bodies = [bodies] if isinstance(bodies, SMPLModelData) else list(bodies)
    single = _by_frames(points, weights, skeleton, bodies)
    nearer = bodies[int(np.mean(single.gender) > 0)]
    if len(bodies) > 1:  # betas of the other body mean something else
        single = _by_frames(points, weights, skeleton, [nearer])
    model = point_model(nearer, skeleton)
    trust = trusted(weights, model)
    motion = _Motion(single, trust.numpy() > 0, model)
    motion.hold_betas(points, trust)
    motion.smooth(frame_rate)
    count = len(motion.rotations)
    found = {
        "rotations": tf.constant(motion.rotations, points.dtype),
        "betas": tf.constant(np.repeat(motion.betas[None], count, axis=0), points.dtype),
        "pelvis": tf.constant(motion.pelvis, points.dtype),
        "noise": tf.constant(single.noise),
        "joint_errors": tf.constant(single.joint_errors),
        "gender": tf.fill([count], tf.constant(_gender(bodies, nearer), points.dtype)),
        "method": tf.fill([count], METHODS.index("optimise")),
    }
    return fit_result(points, weights, found, skeleton, bodies, tf.shape(points)[:1])


def _gender(bodies: Sequence[SMPLModelData], nearer: SMPLModelData) -> float:
    return 0.0 if len(bodies) == 1 else 1.0 if nearer is bodies[1] else -1.0


def _by_frames(
    points: np.ndarray,
    weights: np.ndarray,
    skeleton: Skeleton,
    bodies: Sequence[SMPLModelData],
) -> PointFit:
    """Fits every frame separately; returns arrays."""

    def fit(points, weights):
        return fit_points(points, skeleton, weights, method="optimise", body=bodies)

    return PointFit(*_in_pieces(fit, points, weights))


def _in_pieces(call: Callable, *arrays: tf.Tensor | np.ndarray) -> list[np.ndarray]:
    """Calls a function on chunks of frames, and concatenates the results."""
    pieces = [
        [np.asarray(x) for x in call(*(one[start : start + _CHUNK] for one in arrays))]
        for start in range(0, len(arrays[0]), _CHUNK)
    ]
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


class _Motion:
    """The state of a sequence's fit.

    Attributes:
      rotations: parent-relative, `[T, 24, 3, 3]`.
      pelvis: metres, `[T, 3]`.
      betas: `[B]`.
      noise: of the points, metres.
      well_seen: bool `[T]`.
    """

    def __init__(self, single: PointFit, seen: np.ndarray, model: PointModel):
        self._model = model
        shares = seen.sum(axis=-1) / max(model.observable.sum(), 1)
        self.well_seen = shares >= _WELL_SEEN
        if not self.well_seen.any():
            self.well_seen = shares == shares.max()
        sure = shares / (np.square(single.noise) + _LEAST_NOISE**2)
        self.betas = np.average(single.betas, axis=0, weights=sure + 1e-12)
        self.noise = max(float(np.median(single.noise[self.well_seen])), _LEAST_NOISE)
        # Unreliable frames get the pose of the last reliable one.
        places = np.arange(len(shares))
        good = places[self.well_seen]
        self._last = good[np.maximum(np.searchsorted(good, places, side="right") - 1, 0)]
        before = np.maximum(np.searchsorted(good, places) - 1, 0)
        self._before = good[before]
        self.rotations = single.rotations[self._last]
        self.pelvis = np.array(
            [np.interp(places, good, column) for column in single.joints[good, 0].T]
        ).T

    def hold_betas(self, points: tf.Tensor, trust: tf.Tensor) -> None:
        """Fits all frames with the sequence's betas."""
        arrays = points.numpy(), trust.numpy()
        rotations, _, pelvis, _, cost = self._fitted(self.rotations, *arrays)
        before = self.rotations[self._before].copy()
        before[:, 0] = self.rotations[:, 0]
        other, _, other_pelvis, _, other_cost = self._fitted(before, *arrays)
        better = other_cost < cost  # false also where a cost is NaN
        rotations[better], pelvis[better] = other[better], other_pelvis[better]
        # Poorly visible parts are taken from neighbouring frames.
        self.rotations, self.pelvis = (
            rotations,
            np.where(self.well_seen[:, None], pelvis, self.pelvis),
        )

    def _fitted(
        self, rotations: np.ndarray, points: np.ndarray, trust: np.ndarray
    ) -> list[np.ndarray]:
        count, dtype = len(points), points.dtype
        betas = np.repeat(self.betas[None], count, axis=0)
        noise = np.full(count, self.noise)
        call = _held_fit(self._model, tf.as_dtype(dtype))
        arrays = points, trust, rotations, self.pelvis, betas, noise
        return _in_pieces(call, *(np.asarray(one, dtype) for one in arrays))

    def smooth(self, frame_rate: float) -> None:
        """Smooths rotations and pelvis; unreliable frames are interpolated."""
        weights = self.well_seen.astype(np.float64)
        step = 1 / frame_rate**2
        turning = self.rotations.reshape(len(weights), NUM_JOINTS, 9).astype(np.float64)
        for joint in range(NUM_JOINTS):
            turning[:, joint] = smoothed(turning[:, joint], weights, _TURNING * step)
        turning = turning.reshape(self.rotations.shape)
        self.rotations = project_to_rotation(turning).numpy()
        self.pelvis = smoothed(self.pelvis, weights, _MOVING * step)


def smoothed(values: np.ndarray, weights: np.ndarray, spread: float) -> np.ndarray:
    """Finds the most probable motion from noisy values, without lag; gaps are interpolated.

    The noise is estimated from the median of the values' second differences. If these are far
    below those of motion, nothing changes.

    Args:
      values: `[T, K]`.
      weights: `[T]`, 0 where a value is not known.
      spread: size of the second difference, a vector, that motion causes.

    Returns:
      `[T, K]`.

    Source: Whittaker, "On a new method of graduation", 1923.
    """
    count = len(values)
    if count < 3 or (weights > 0).sum() < 3:
        return values
    known = weights > 0
    second = np.linalg.norm(np.diff(values[known], 2, axis=0), axis=-1)
    # Second differences of noise have six times its variance.
    ratio = max(np.median(second) / np.sqrt(6) / spread, _LEAST_RATIO)
    differences = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(count - 2, count))
    system = sparse.diags(weights) + ratio**2 * differences.T @ differences
    return spsolve(system.tocsc(), weights[:, None] * values).reshape(values.shape)


# Graphs are made once per body, skeleton and precision.
@functools.lru_cache(maxsize=16)
def _held_fit(model: PointModel, dtype: tf.DType) -> Graph:
    """Least squares with the betas held, as a graph."""
    size = len(model.skeleton)

    def fit(points, trust, rotations, pelvis, betas, noise):
        at_rest = tf.eye(3, batch_shape=[1, NUM_JOINTS], dtype=dtype)
        pose_weight = pulls(noise)[0]
        found = least_squares_fit(
            *(points, model, InverseFit(rotations, betas, pelvis, points), trust, _STEPS),
            *(pose_weight, _HELD, (at_rest, betas), OUTLIER_DISTANCE),
        )
        squares = tf.reduce_sum(tf.square(found.points - points), axis=-1)
        missed = tf.reduce_sum(tf.where(trust > 0, trust * squares, 0.0), axis=-1)
        bent = tf.reduce_sum(tf.square(found.rotations - at_rest), axis=(2, 3))[:, 1:]
        return (*found, missed + tf.reduce_sum(pose_weight * bent, axis=-1) / 2)

    shapes = [[size, 3], [size], [NUM_JOINTS, 3, 3], [3], [model.num_betas], []]
    return Graph(fit, *(tf.TensorSpec([None, *one], dtype) for one in shapes))
