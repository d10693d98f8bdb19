"""People of one sex in one topology, and the principal components of their shapes."""

from collections.abc import Callable, Iterable

import numpy as np

from smpl_tf.open_body import triangles
from smpl_tf.open_body.anatomy import TRAITS, Physique, with_traits
from smpl_tf.open_body.implicit_surface import ImplicitBody
from smpl_tf.skeleton import SMPL_24

NUM_BETAS = 10
_SMOOTHING = 2  # passes of averaging the differences between people over neighbours
# SMPL's own template has its pelvis about here; NBF's fixed camera looks at it.
PELVIS = np.array([0.0, -0.22, 0.0])

# The child along whose bone a joint's vertices stretch; other joints only scale.
_BONE_END = {
    "left_hip": "left_knee", "left_knee": "left_ankle", "left_shoulder": "left_elbow",
    "left_elbow": "left_wrist", "left_collar": "left_shoulder", "spine1": "spine2",
    "spine2": "spine3", "neck": "head",
}  # fmt: skip
_SIZED_BY = {"ankle": "foot", "foot": "foot", "wrist": "hand", "hand": "hand", "head": "head"}


def _warp(
    vertices: np.ndarray, weights: np.ndarray, source: ImplicitBody, target: ImplicitBody
) -> np.ndarray:
    """Moves vertices `[V, 3]` (x >= 0) with the bones from one body to another."""
    result = np.zeros_like(vertices)
    for joint, name in enumerate(SMPL_24.names):
        scale = target.physique.stature / source.physique.stature
        size = _SIZED_BY.get(name.split("_")[-1])
        if size:
            scale *= getattr(target.physique, size) / getattr(source.physique, size)
        offset = vertices - source.joints[joint]
        moved = offset * scale
        if name in _BONE_END:
            end = SMPL_24.index(_BONE_END[name])
            bone = source.joints[end] - source.joints[joint]
            length = np.linalg.norm(bone)
            stretch = np.linalg.norm(target.joints[end] - target.joints[joint]) / length
            along = offset @ (bone / length)
            moved += (along * (stretch - scale))[:, None] * (bone / length)
        result += weights[:, joint, None] * (target.joints[joint] + moved)
    return result


def reshape(
    vertices: np.ndarray,
    weights: np.ndarray,
    mirror: np.ndarray,
    source: Physique,
    target: Physique,
    steps: int = 1,
) -> tuple[np.ndarray, ImplicitBody]:
    """Deforms one person's mesh into another's: same topology, other build.

    Args:
      vertices: `[V, 3]` metres, on the skin of `source`, feet on the floor.
      weights: `[V, 24]`. mirror: `[V]`.
      source, target: the two builds.
      steps: intermediate builds; use more for larger changes.

    Returns:
      The vertices `[V, 3]` and the `ImplicitBody` whose skin they lie on.
    """
    # One side is enough: the other is its exact mirror image.
    side = np.flatnonzero(vertices[:, 0] >= 0)
    on_midline = mirror[side] == side
    half, body = vertices[side], ImplicitBody(source)
    for i in range(steps):
        previous, body = body, ImplicitBody(source.towards(target, (i + 1) / steps))
        half = _warp(half, weights[side], previous, body)
        half[on_midline, 0] = 0
        half = body.project(half, on_midline, steps=4, longest_step=0.010)
    result = np.empty_like(vertices)
    result[mirror[side]] = half * [-1, 1, 1]
    result[side] = half
    return result, body


def sample_people(
    vertices: np.ndarray,
    weights: np.ndarray,
    mirror: np.ndarray,
    mean: Physique,
    count: int,
    rng: np.random.Generator,
    progress: Callable[[Iterable], Iterable] = iter,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws people around a sex's mean build.

    Args:
      vertices: `[V, 3]` metres, the mean person's mesh.
      weights: `[V, 24]`. mirror: `[V]`.
      mean: the mean build.
      count: number of people, in pairs of opposite builds so that the mean is kept.
      rng: `numpy.random.Generator`.
      progress: wraps the iterable of people.

    Returns:
      Meshes `[count, V, 3]` and joints `[count, 24, 3]`, metres, pelvis at `PELVIS`.
    """
    draws = np.clip(rng.standard_normal((count // 2, len(TRAITS))), -2.5, 2.5)
    meshes, rigs = [], []
    for deviations in progress(np.concatenate([draws, -draws])):
        mesh, body = reshape(vertices, weights, mirror, mean, with_traits(mean, deviations))
        offset = PELVIS - body.joints[0]
        meshes.append(mesh + offset)
        rigs.append(body.joints + offset)
    return np.stack(meshes), np.stack(rigs)


def principal_components(
    meshes: np.ndarray, faces: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fits a linear shape space to people.

    Args:
      meshes: `[N, V, 3]` metres. faces: `[F, 3]`. mirror: `[V]`.

    Returns:
      The mean `[V, 3]` and ten directions `[V, 3, 10]`, one standard deviation long, largest
      first. Positive betas: taller for the first, more volume for the others.
    """
    mean = meshes.mean(0)
    # In a crease two neighbours may land far apart by chance; real differences are smooth.
    smooth = triangles.neighbour_mean(faces, len(mean))
    centred = (meshes - mean).transpose(1, 2, 0).reshape(len(mean), -1)
    for _ in range(_SMOOTHING):
        centred = 0.5 * centred + 0.5 * (smooth @ centred)
    centred = centred.reshape(-1, len(meshes)).T
    # The Gram matrix is small and gives the same components as the huge covariance.
    variances, vectors = np.linalg.eigh(centred @ centred.T / (len(meshes) - 1))
    variances, vectors = variances[::-1][:NUM_BETAS], vectors[:, ::-1][:, :NUM_BETAS]
    directions = centred.T @ (vectors / np.sqrt(len(meshes) - 1))
    directions = directions.reshape(*mean.shape, NUM_BETAS)
    directions = 0.5 * (directions + directions[mirror] * np.array([-1, 1, 1])[:, None])
    directions[mirror == np.arange(len(mirror)), 0] = 0
    for i in range(NUM_BETAS):
        ends = mean + np.array([1, -1])[:, None, None] * directions[:, :, i]
        grows = np.ptp(ends[:, :, 1], axis=1) if i == 0 else triangles.volume(ends, faces)
        if grows[0] < grows[1]:
            directions[:, :, i] *= -1
    return mean, directions


def joint_regressor(
    meshes: np.ndarray, rigs: np.ndarray, mirror: np.ndarray, ridge: float = 1e-2
) -> np.ndarray:
    """Fits joints as weighted sums of the vertices around them.

    Rows sum to one and are mirror images of each other. Of all weights that reproduce the rigs,
    the smallest are chosen, so that no single vertex dominates.

    Args:
      meshes: `[N, V, 3]` metres. rigs: `[N, 24, 3]` metres. mirror: `[V]`.
      ridge: penalty of large weights.

    Returns:
      `[24, V]`.
    """
    mean_mesh_, mean_rig = meshes.mean(0), rigs.mean(0)
    regressor = np.zeros((24, meshes.shape[1]))
    for joint, name in enumerate(SMPL_24.names):
        if name.startswith("right_"):
            continue
        image = SMPL_24.mirror[joint]
        radius = 0.08 if name in ("left_foot", "left_wrist", "left_hand") else 0.16
        near = np.linalg.norm(mean_mesh_ - mean_rig[joint], axis=1) < radius
        if image == joint:
            near |= near[mirror]
        ids = np.flatnonzero(near)
        # In centimetres, the heavily weighted sum-to-one row and the ridge are of similar size.
        rows = 10 * meshes[:, ids].transpose(0, 2, 1).reshape(-1, len(ids))
        rows = np.vstack([rows, np.full(len(ids), 300.0)])
        wanted = np.append(10 * rigs[:, joint].ravel(), 300.0)
        gram = rows @ rows.T + ridge * np.eye(len(rows))
        row = np.zeros(meshes.shape[1])
        row[ids] = rows.T @ np.linalg.solve(gram, wanted)
        if image == joint:
            row = 0.5 * (row + row[mirror])
        regressor[joint] = row / row.sum()
        regressor[image] = regressor[joint][mirror]
    return regressor
