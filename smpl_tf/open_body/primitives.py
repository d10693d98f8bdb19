"""Smooth solids: signed distance fields (roughly) of tubes, ellipsoids and round cones.

A field is a function from points `[N, 3]` to `[N]`: negative inside, zero on the surface,
about the distance in metres near it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

Field = Callable[[np.ndarray], np.ndarray]

_TABLE = 256  # samples of a tube's sections along its axis


def union(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Joins two fields; the seam is rounded over a width of `blend` metres."""
    overlap = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - overlap * overlap * blend * 0.25


def carve(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Subtracts solid `b` from solid `a`, with a rounded rim."""
    return -union(-a, b, blend)


def frame_along(
    direction: np.ndarray, front: Sequence[float] | np.ndarray = (0.0, 0.0, 1.0)
) -> np.ndarray:
    """Returns the unit rows (axis, side, front), `[3, 3]`, of a tube along `direction`."""
    axis = np.asarray(direction, float) / np.linalg.norm(direction)
    ahead = np.asarray(front, float)
    ahead = ahead - axis * (axis @ ahead)
    ahead /= np.linalg.norm(ahead)
    return np.stack([axis, np.cross(ahead, axis), ahead])


def tube(
    origin: np.ndarray, frame: np.ndarray, sections: Sequence[Sequence[float]] | np.ndarray
) -> Field:
    """A tube of superelliptic sections along a straight axis.

    Args:
      origin: `[3]` the point of the axis at distance 0 of the sections.
      frame: `[3, 3]` rows axis, side, front.
      sections: rows (distance along the axis, half width to the side, depth to the front, depth
        to the back, offset to the side, offset to the front, exponent), in order of distance.

    Returns:
      The field.
    """
    sections = np.asarray(sections, float)
    first, last = sections[0, 0], sections[-1, 0]
    grid = np.linspace(first, last, _TABLE)
    table = PchipInterpolator(sections[:, 0], sections[:, 1:])(grid)

    def field(points):
        local = (points - origin) @ frame.T
        along = np.clip(local[:, 0], first, last)
        beyond = np.abs(local[:, 0] - along)
        position = (along - first) / (last - first) * (_TABLE - 1)
        index = np.minimum(position.astype(int), _TABLE - 2)
        fraction = (position - index)[:, None]
        width, front, back, side_offset, front_offset, power = (
            table[index] * (1 - fraction) + table[index + 1] * fraction
        ).T
        u, w = local[:, 1] - side_offset, local[:, 2] - front_offset
        depth = np.where(w > 0, front, back)
        # 1 on the section's outline, growing linearly along every ray from its centre.
        ratio = (np.abs(u / width) ** power + np.abs(w / depth) ** power + 1e-12) ** (1 / power)
        radius = np.sqrt(u * u + w * w) + 1e-9
        distance = radius * (1 - 1 / np.maximum(ratio, 1e-3))
        distance = np.where(ratio < 1, np.maximum(distance, -np.minimum(width, depth)), distance)
        return np.where(beyond > 0, np.hypot(np.maximum(distance, 0), beyond), distance)

    return field


def ellipsoid(centre: np.ndarray, radii: np.ndarray, rotation: np.ndarray | None = None) -> Field:
    """An ellipsoid; `rotation` `[3, 3]` has its axes as rows."""
    centre, radii = np.asarray(centre, float), np.asarray(radii, float)

    def field(points):
        local = points - centre if rotation is None else (points - centre) @ rotation.T
        ratio = np.sqrt(((local / radii) ** 2).sum(1))
        gradient = np.sqrt(((local / radii**2) ** 2).sum(1)) + 1e-9
        return ratio * (ratio - 1) / gradient

    return field


def cone(start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float) -> Field:
    """A round cone: approximately the convex hull of two balls."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = end - start
    length_squared = axis @ axis

    def field(points):
        fraction = np.clip((points - start) @ axis / length_squared, 0, 1)
        nearest = start + fraction[:, None] * axis
        radius = start_radius + (end_radius - start_radius) * fraction
        return np.linalg.norm(points - nearest, axis=1) - radius

    return field


def polyline(
    points: Sequence[np.ndarray] | np.ndarray, radii: Sequence[float] | np.ndarray
) -> Field:
    """A chain of round cones: the minimum of their fields."""
    cones = [
        cone(*ends, *ends_radii)
        for ends, ends_radii in zip(
            zip(points[:-1], points[1:], strict=True),
            zip(radii[:-1], radii[1:], strict=True),
            strict=True,
        )
    ]

    def field(query):
        return np.min([part(query) for part in cones], axis=0)

    return field


def within(low: np.ndarray, high: np.ndarray, margin: float, field: Field) -> Field:
    """Evaluates a field only inside the box from `low` to `high`, each `[3]` metres, inf allowed.

    The solid must keep `margin` metres from the box's sides, and `margin` exceed every blend it
    takes part in: outside, the result only says that the solid is at least that far away.
    """

    def bounded(points):
        outside = np.maximum(np.maximum(low - points, points - high), 0).max(1)
        result = margin + outside
        inside = outside == 0
        result[inside] = field(points[inside])
        return result

    return bounded
