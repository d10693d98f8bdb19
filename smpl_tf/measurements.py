"""Body measurements as a tailor takes them: stature, girths, lengths, volume and mass.

They are taken on the shaped body in SMPL's rest pose, so they do not depend on the pose. A girth
is the length of a taut tape: the convex hull of the surface's cut with a plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from smpl_tf.model_data import shaped_vertices
from smpl_tf.open_body.triangles import volume
from smpl_tf.skeleton import SMPL_24

if TYPE_CHECKING:
    from smpl_tf.body_model import SMPL
    from smpl_tf.model_data import SMPLModelData
    from smpl_tf.tensor_like import TensorLike

# Density of the living body, air in the lungs included, kg/m3.
DENSITY = 985.0
# Landmarks that a body needs to be measured.
LANDMARKS = ("left_breast", "right_breast", "belly_button")
_UP = np.array([0.0, 1.0, 0.0])
# Metres between the planes that are searched for the widest hip and the narrowest neck.
_STEP, _NECK_STEP = 0.005, 0.002
_BELOW_CROTCH = 0.02  # metres below the crotch, under the fold of the buttock


class Measurements(NamedTuple):
    """Measurements of a body; metres, cubic metres and kilograms.

    Attributes:
      stature: from the floor to the top of the head.
      chest_girth: level with the middle of the breasts' landmarks.
      waist_girth: level with the navel.
      hip_girth: the largest between crotch and navel.
      thigh_girth: 2 cm below the crotch, mean of both sides.
      neck_girth: the smallest across the line from neck to head joint.
      upper_arm_girth: half-way between shoulder and elbow joint, mean of both sides.
      inseam: from the floor to the crotch.
      arm_length: from shoulder over elbow to wrist joint, mean of both sides.
      volume: enclosed by the surface.
      mass: volume times density.
    """

    stature: float
    chest_girth: float
    waist_girth: float
    hip_girth: float
    thigh_girth: float
    neck_girth: float
    upper_arm_girth: float
    inseam: float
    arm_length: float
    volume: float
    mass: float


def measure(
    model: SMPL | SMPLModelData,
    betas: TensorLike | None = None,
    vertices: TensorLike | None = None,
    density: float = DENSITY,
) -> Measurements:
    """Measures a body.

    Args:
      model: the body, as a layer or its arrays. It must have the LANDMARKS, as the open body and
        official files do.
      betas: `[B]` shape; None is the mean shape.
      vertices: `[V, 3]` metres, a mesh of the model's topology in its rest pose, y up, instead of
        betas; for example a registered scan.
      density: kg/m3, converts volume to mass.

    Returns:
      The measurements.

    Raises:
      ValueError: if both betas and vertices are given, one does not fit the model, or a plane
        misses the mesh.

    Example:
      >>> from smpl_tf import SMPL, measure
      >>> found = measure(SMPL())
      >>> 1.5 < found.stature < 2.0, 0.7 < found.waist_girth < 1.1
      (True, True)
    """
    data = getattr(model, "model_data", model)
    mesh = _Mesh(_rest_vertices(data, betas, vertices), data)
    floor, crown = mesh.vertices[:, 1].min(), mesh.vertices[:, 1].max()
    *breasts, navel = data.landmark_ids(LANDMARKS)
    chest_level = mesh.vertices[breasts, 1].mean()
    navel_level = mesh.vertices[navel, 1]
    # The lowest point of the trunk in the plane between left and right.
    pelvis = mesh.joint("pelvis")
    crotch = mesh.cut(pelvis, np.array([1.0, 0, 0]))[:, 1].min()
    levels = np.arange(crotch + _STEP, navel_level, _STEP)
    hips = [mesh.girth(pelvis + _UP * (y - pelvis[1]), _UP) for y in levels]
    thighs = []
    for side in ("left", "right"):
        hip, knee = mesh.joint(f"{side}_hip"), mesh.joint(f"{side}_knee")
        level = crotch - _BELOW_CROTCH
        thighs.append(mesh.girth(_at_level(hip, knee, level), _UP))
    neck, head = mesh.joint("neck"), mesh.joint("head")
    count = max(int(np.linalg.norm(head - neck) / _NECK_STEP), 2)
    necks = [
        mesh.girth(neck + share * (head - neck), head - neck) for share in np.linspace(0, 1, count)
    ]
    arms, lengths = [], []
    for side in ("left", "right"):
        shoulder, elbow, wrist = (
            mesh.joint(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist")
        )
        arms.append(mesh.girth((shoulder + elbow) / 2, elbow - shoulder))
        lengths.append(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
    enclosed = float(volume(mesh.vertices, mesh.faces))
    found = Measurements(
        stature=crown - floor,
        chest_girth=mesh.girth(_at_level(pelvis, mesh.joint("spine3"), chest_level), _UP),
        waist_girth=mesh.girth(_at_level(pelvis, mesh.joint("spine3"), navel_level), _UP),
        hip_girth=max(hips),
        thigh_girth=float(np.mean(thighs)),
        neck_girth=min(necks),
        upper_arm_girth=float(np.mean(arms)),
        inseam=crotch - floor,
        arm_length=float(np.mean(lengths)),
        volume=enclosed,
        mass=enclosed * density,
    )
    return Measurements(*map(float, found))


def measurement_spread(
    model: SMPL | SMPLModelData, betas: TensorLike, deviations: Sequence[float] | float
) -> Measurements:
    """Propagates the uncertainty of the betas to the measurements.

    First order: central differences of every measurement with respect to every beta; the errors of
        the betas are taken as independent.

    Args:
      model: as for `measure`.
      betas: `[B]` shape.
      deviations: standard deviation of each beta, `[B]`, or one for all.

    Returns:
      Standard deviations, in the units of `Measurements`.
    """
    shape = np.asarray(betas, np.float64)
    sizes = np.broadcast_to(np.asarray(deviations, np.float64), shape.shape)
    changes = []
    for index in np.flatnonzero(sizes):
        step = np.zeros_like(shape)
        step[index] = sizes[index]
        more, less = measure(model, shape + step), measure(model, shape - step)
        changes.append((np.array(more) - np.array(less)) / 2)
    spread = np.linalg.norm(changes, axis=0) if changes else np.zeros(len(Measurements._fields))
    return Measurements(*spread.tolist())


def _rest_vertices(
    data: SMPLModelData, betas: TensorLike | None, vertices: TensorLike | None
) -> np.ndarray:
    if betas is not None and vertices is not None:
        raise ValueError("measure: expected betas or vertices, got both.")
    if vertices is None:
        shape = np.zeros(0) if betas is None else np.asarray(betas, np.float64)
        if shape.ndim != 1 or len(shape) > data.num_betas:
            raise ValueError(
                f"measure: expected betas [B] of one body, at most {data.num_betas}, got shape "
                f"{list(shape.shape)}."
            )
        return shaped_vertices(data, shape)
    mesh = np.asarray(vertices, np.float64)
    if mesh.shape != data.v_template.shape or not np.isfinite(mesh).all():
        raise ValueError(
            f"measure: expected finite vertices {list(data.v_template.shape)}, those of "
            f"{data.name} in its rest pose, got shape {list(mesh.shape)}."
        )
    return mesh


def _at_level(start: np.ndarray, end: np.ndarray, y: float) -> np.ndarray:
    """The point at a given height on the line through two points."""
    return start + (end - start) * (y - start[1]) / (end[1] - start[1])


class _Mesh:
    """A closed surface at rest, and its joints."""

    def __init__(self, vertices: np.ndarray, data: SMPLModelData):
        self.vertices, self.faces = vertices, data.faces
        self._joints = data.J_regressor @ vertices

    def joint(self, name: str) -> np.ndarray:
        return self._joints[SMPL_24.index(name)]

    def girth(self, point: np.ndarray, normal: np.ndarray) -> float:
        """The girth of the limb around a point, in the plane perpendicular to a direction."""
        normal = normal / np.linalg.norm(normal)
        cut = self.cut(point, normal)
        aside = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
        aside /= np.linalg.norm(aside)
        flat = np.stack([cut @ aside, cut @ np.cross(normal, aside)], axis=-1)
        return float(ConvexHull(flat).area)  # in 2D, SciPy's "area" is the perimeter

    def cut(self, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Corners of the loop around `point` in which a plane cuts the surface.

        If no loop encloses the point, the loop with the nearest centre.
        """
        heights = (self.vertices - point) @ normal
        heights = np.where(heights == 0, 1e-12, heights)  # so that no corner lies in the plane
        above = heights > 0
        edges = np.concatenate(
            [self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]
        )
        owner = np.tile(np.arange(len(self.faces)), 3)
        crossing = above[edges[:, 0]] != above[edges[:, 1]]
        if not crossing.any():
            raise ValueError("measure: a plane misses the body; expected its rest pose, y up.")
        edges, owner = np.sort(edges[crossing], axis=1), owner[crossing]
        # Each cut edge is a corner of the loop; each cut face joins two corners.
        edges, corner = np.unique(edges, axis=0, return_inverse=True)
        corner = corner.reshape(-1)
        order = np.argsort(owner, kind="stable")
        pairs = corner[order].reshape(-1, 2)
        joined = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(edges), len(edges)))
        _, loop = connected_components(joined, directed=False)
        low, high = heights[edges[:, 0]], heights[edges[:, 1]]
        share = (low / (low - high))[:, np.newaxis]
        corners = (1 - share) * self.vertices[edges[:, 0]] + share * self.vertices[edges[:, 1]]
        distances = [
            np.linalg.norm(corners[loop == one].mean(axis=0) - point)
            - np.linalg.norm(np.ptp(corners[loop == one], axis=0)) / 2
            for one in range(loop.max() + 1)
        ]
        return corners[loop == np.argmin(distances)]
