"""Clothes and hair that stand off the body: surfaces some centimetres outside of the skin.

The picture alone changes: labels, joints and boxes remain those of the body below, since that is
what networks are asked for.
"""

from typing import NamedTuple

import numpy as np

from datasets.synthetic import appearance
from datasets.synthetic.appearance import Outfit, Surface
from smpl_tf import rasterizer

_FOLD = 0.12  # metres, size of the folds


class Looseness(NamedTuple):
    """How far each surface is from the skin, metres."""

    top: float
    legwear: float
    hair: float


def draw_looseness(rng: np.random.Generator) -> Looseness:
    """Draws how loose somebody's clothes and hair are, from tight to a coat and wide trousers."""
    return Looseness(rng.uniform(0.005, 0.06), rng.uniform(0.005, 0.06), rng.uniform(0, 0.05))


def loosened(
    vertices: np.ndarray, surface: Surface, outfit: Outfit, looseness: Looseness
) -> np.ndarray:
    """Moves the dressed vertices of a body outwards.

    Args:
      vertices: [V, 3] metres, any frame.
      surface: of the body.
      outfit: what the person wears, which says where each garment ends.
      looseness: of it.

    Returns:
      [V, 3] the surface that is seen. Folds are where the rest pose has them, and no vertex moves
      inwards.
    """
    points, labels = surface.template, surface.vertex_labels
    worn = appearance.worn(outfit, surface, points, labels)
    offset = np.zeros(len(points))
    offset[worn.legwear] = looseness.legwear
    offset[worn.top] = looseness.top
    if outfit.hair is not None:
        offset[worn.hair] = looseness.hair
    folds = 0.5 + appearance.waves(points, _FOLD)  # 0.5 to 1.5
    normals = rasterizer.vertex_normals(vertices, surface.faces)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return vertices + (offset * folds)[:, None] * normals / np.maximum(lengths, 1e-6)
