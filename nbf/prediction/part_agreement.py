"""How well fitted bodies agree with the segmenter's part maps, part by part."""

from __future__ import annotations

import functools

import numpy as np

from nbf.metrics import confusion, iou
from smpl_tf import SMPL, SMPLModelData
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.parts import PartScheme, face_labels, merge_labels
from smpl_tf.rasterizer import RasterOutput, label_map, rasterize


def rasterized(vertices: np.ndarray, body: SMPL, size: int) -> RasterOutput:
    """Rasterizes bodies in the people's squares.

    Args:
      vertices: `[..., V, 3]` metres, NBF's camera frame.
      body: the SMPL layer that made them.
      size: side of the squares, pixels.

    Returns:
      The raster, `[..., size, size]`.
    """
    return rasterize(vertices, body.faces, nbf_camera(size))


def part_labels(raster: RasterOutput, body: SMPL, scheme: PartScheme) -> np.ndarray:
    """The part of each pixel of a raster.

    Args:
      raster: of `rasterized`.
      body: the SMPL layer.
      scheme: the parts.

    Returns:
      `[..., size, size]` uint8 classes of `scheme`.
    """
    return label_map(raster, _face_classes(body.model_data, scheme))


@functools.lru_cache(maxsize=4)
def _face_classes(model_data: SMPLModelData, scheme: PartScheme) -> np.ndarray:
    """Returns the class of each face; cached, since it is as slow as the rasterizer."""
    return merge_labels(face_labels(model_data), scheme)


def part_iou(labels_a: np.ndarray, labels_b: np.ndarray, scheme: PartScheme) -> np.ndarray:
    """Compares label maps.

    Args:
      labels_a: `[..., H, W]` classes of `scheme`.
      labels_b: the same for the other map.
      scheme: the parts.

    Returns:
      `[..., C - 1]` intersection over union of each part, without the background; NaN if neither
      map has the part.
    """
    return iou(confusion(labels_a, labels_b, scheme.num_classes))[..., 1:].numpy()


def mean_part_iou(labels_a: np.ndarray, labels_b: np.ndarray, scheme: PartScheme) -> np.ndarray:
    """The mean of `part_iou` over the parts that occur in at least one map; 0 without any."""
    ious = part_iou(labels_a, labels_b, scheme)
    known = np.isfinite(ious)
    return np.where(known, ious, 0).sum(-1) / np.maximum(known.sum(-1), 1)
