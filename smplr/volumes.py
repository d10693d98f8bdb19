"""Volumetric heatmaps: a cube of voxels around the root, targets, and soft-argmax (paper 3.3).

Volumes are `[..., rows, columns, bins, channels]`. The cube is axis-aligned with the camera:
columns run along x (right), rows along y (down), bins along z (away). It is metric, not
perspective: a point's position in metres does not depend on its depth.
"""

import dataclasses
from typing import Literal

import numpy as np
import tensorflow as tf

from smplr.landmarks import LIMBS, point_skeleton

Height = Literal["density", "peak"]
LimbProfile = Literal["tube", "released"]

# Log-odds of a target voxel are clipped to those of these probabilities.
_MIN_PROBABILITY = 1e-30
_MAX_PROBABILITY = 1 - 1e-6


@dataclasses.dataclass(frozen=True)
class VolumeGrid:
    """The voxel grid of a volume.

    Attributes:
      columns: voxels along x.
      rows: voxels along y.
      bins: voxels along z, depth.
      side: edge of the cube in metres, the root in its middle.
      centred: whether the position of voxel i is the middle of [i, i + 1], which makes the grid
        symmetric about the root; otherwise it is the lower edge, so that the root is on a voxel,
        as released.
    """

    columns: int = 64
    rows: int = 64
    bins: int = 16
    side: float = 2.5
    centred: bool = False

    def axis(self, count: int) -> tf.Tensor:
        """Returns the positions of the `count` voxels of one axis, metres, `[count]`."""
        index = np.arange(count) + (0.5 if self.centred else 0.0)
        return tf.constant((index / count - 0.5) * self.side, tf.float32)

    def to_voxels(self, points: tf.Tensor) -> tf.Tensor:
        """Converts metres to fractional voxel indices.

        Args:
          points: root-relative, metres, `[..., 3]` as (x, y, z).

        Returns:
          `[..., 3]` as (column, row, bin).

        Source: as released; the paper gives only the cube.
        """
        counts = tf.constant([self.columns, self.rows, self.bins], points.dtype)
        return (points / self.side + 0.5) * counts - (0.5 if self.centred else 0.0)

    def to_metres(self, voxels: tf.Tensor) -> tf.Tensor:
        """Converts fractional voxel indices `[..., 3]` to metres: the inverse of `to_voxels`."""
        counts = tf.constant([self.columns, self.rows, self.bins], voxels.dtype)
        return ((voxels + (0.5 if self.centred else 0.0)) / counts - 0.5) * self.side


def joint_volumes(points: tf.Tensor, grid: VolumeGrid, height: Height = "peak") -> tf.Tensor:
    """Draws a Gaussian of one voxel's standard deviation around each point.

    Args:
      points: root-relative, metres, camera axes, `[..., P, 3]`.
      grid: the voxels.
      height: "density" for the normal density, whose highest value is (2 pi)^-1.5, as released;
        "peak" for a highest value of 1.

    Returns:
      Probabilities, float32 `[..., rows, columns, bins, P]`.

    Source: paper 3.3; it leaves the height open. The optimal logits of a density give its exact
    mean under soft-argmax, but a background probability of 1e-6 shifts it by 20 to 35 mm; a peak
    of 1 is learnt faster, shifts by less, and has a bias towards the nearest voxel: 5 mm on
    average, 18 mm at most, nearly all of it in depth.
    """
    column, row, depth = tf.unstack(grid.to_voxels(tf.cast(points, tf.float32)), axis=-1)
    scale = (2 * np.pi) ** -0.5 if height == "density" else 1.0

    def profile(centre, count):
        offset = tf.range(count, dtype=tf.float32)[:, None] - centre[..., None, :]
        return scale * tf.exp(-0.5 * tf.square(offset))

    return (
        profile(row, grid.rows)[..., :, None, None, :]
        * profile(column, grid.columns)[..., None, :, None, :]
        * profile(depth, grid.bins)[..., None, None, :, :]
    )


def prior_log_odds(grid: VolumeGrid, height: Height = "peak") -> float:
    """Returns the logit of an untrained network: the log-odds of a mean target voxel.

    Args:
      grid: the voxels.
      height: see `joint_volumes`.

    Returns:
      The log-odds of the sum of a Gaussian inside the cube, divided by the number of voxels.
    """
    total = 1.0 if height == "density" else (2 * np.pi) ** 1.5
    share = total / (grid.columns * grid.rows * grid.bins)
    return float(np.log(share / (1 - share)))


def limb_volumes(points: tf.Tensor, grid: VolumeGrid, profile: LimbProfile = "tube") -> tf.Tensor:
    """Draws both arms and both legs as tubes around their bones.

    Args:
      points: root-relative, metres, camera axes, `[..., P, 3]`.
      grid: the voxels.
      profile: "tube" for a Gaussian of the distance to the bone, one voxel's standard deviation,
        peak 1; "released" for the released code's softmax over the volume of 1 / (d^2 + 1), which
        is nearly flat.

    Returns:
      Probabilities, float32 `[..., rows, columns, bins, 4]`, in the order of `LIMBS`; the
      highest value over the bones of the limb.

    Source: paper 3.3.
    """
    skeleton = point_skeleton(points.shape[-2])
    voxels = grid.to_voxels(tf.cast(points, tf.float32))
    limbs = []
    for children in LIMBS.values():
        ends = [skeleton.index(name) for name in children]
        starts = [skeleton.parents[end] for end in ends]
        squared = _squared_distances(
            tf.gather(voxels, np.subtract(starts, 1), axis=-2),
            tf.gather(voxels, np.subtract(ends, 1), axis=-2),
            grid,
        )
        if profile == "tube":
            limbs.append(tf.exp(-0.5 * tf.reduce_min(squared, axis=-1)))
        else:
            flat_shape = tf.concat([tf.shape(squared)[:-4], [-1, len(children)]], axis=0)
            values = tf.reshape(1 / (squared + 1), flat_shape)
            values = tf.reshape(tf.nn.softmax(values, axis=-2), tf.shape(squared))
            limbs.append(tf.reduce_max(values, axis=-1))
    return tf.stack(limbs, axis=-1)


def _squared_distances(start: tf.Tensor, end: tf.Tensor, grid: VolumeGrid) -> tf.Tensor:
    """Returns squared distances of all voxels to line segments.

    Args:
      start: (column, row, bin), `[..., S, 3]`.
      end: `[..., S, 3]`.
      grid: the voxels.

    Returns:
      Voxels squared, `[..., rows, columns, bins, S]`.
    """
    along = end - start
    squared_length = tf.reduce_sum(tf.square(along), axis=-1) + 1e-12

    # Per axis, the broadcastable offset of each voxel from the segment's start, so that no array
    # of voxels by three is needed.
    def offsets(axis, count, dims):
        offset = tf.range(count, dtype=tf.float32)[:, None] - start[..., None, :, axis]
        for dim in dims:
            offset = tf.expand_dims(offset, dim)
        return offset

    column = offsets(0, grid.columns, (-2, -4))
    row = offsets(1, grid.rows, (-2, -2))
    depth = offsets(2, grid.bins, (-3, -3))

    def component(axis):
        return along[..., None, None, None, :, axis]

    projected = column * component(0) + row * component(1) + depth * component(2)
    share = tf.clip_by_value(projected / squared_length[..., None, None, None, :], 0.0, 1.0)
    return (
        tf.square(column - share * component(0))
        + tf.square(row - share * component(1))
        + tf.square(depth - share * component(2))
    )


def log_odds(probabilities: tf.Tensor) -> tf.Tensor:
    """Returns the logits whose sigmoid is a target volume: the output of a perfect network.

    Args:
      probabilities: in [0, 1], any shape.

    Returns:
      float32, same shape; finite.
    """
    bounded = tf.clip_by_value(tf.cast(probabilities, tf.float32), _MIN_PROBABILITY, 1.0)
    # 1 - p is clipped separately from p: float32 has no number between 1 - 6e-8 and 1.
    return tf.math.log(bounded) - tf.math.log1p(-tf.minimum(bounded, _MAX_PROBABILITY))


def soft_argmax(logits: tf.Tensor, grid: VolumeGrid) -> tf.Tensor:
    """Computes points from volumes: the mean position under a softmax over the whole volume.

    Args:
      logits: `[..., rows, columns, bins, P]`, any floating type.
      grid: the voxels.

    Returns:
      Root-relative points, metres, camera axes, float32 `[..., P, 3]`.

    Source: paper 3.3; softmax without temperature as released. Always computed in float32.
    """
    logits = tf.cast(logits, tf.float32)
    highest = tf.stop_gradient(tf.reduce_max(logits, axis=(-4, -3, -2), keepdims=True))
    weights = tf.exp(logits - highest)
    over_rows = tf.reduce_sum(weights, axis=-4)  # [..., columns, bins, P]
    columns = tf.reduce_sum(over_rows, axis=-2)
    bins = tf.reduce_sum(over_rows, axis=-3)
    rows = tf.reduce_sum(weights, axis=(-3, -2))

    def mean(marginal, count):
        total = tf.reduce_sum(marginal, axis=-2)
        return tf.einsum("...np,n->...p", marginal, grid.axis(count)) / total

    return tf.stack(
        [mean(columns, grid.columns), mean(rows, grid.rows), mean(bins, grid.bins)], axis=-1
    )


def projected_peaks(logits: tf.Tensor, axis: Literal["depth", "columns"]) -> tf.Tensor:
    """Looks through volumes along one axis: the highest weight on each line of sight.

    Args:
      logits: `[..., rows, columns, bins, K]`, any floating type.
      axis: "depth" for the view from the camera, "columns" for that from the side.

    Returns:
      What `soft_argmax` weighs voxels with, by the highest weight of its channel: 0 to 1, float32
      `[..., rows, columns, K]` or, from the side, `[..., rows, bins, K]`.
    """
    logits = tf.cast(logits, tf.float32)
    highest = tf.reduce_max(logits, axis=(-4, -3, -2))[..., None, None, :]
    return tf.exp(tf.reduce_max(logits, axis={"depth": -2, "columns": -3}[axis]) - highest)
