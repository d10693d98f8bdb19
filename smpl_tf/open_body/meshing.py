"""Meshes an implicit body with SMPL's counts, mirror-symmetric vertex by vertex."""

import numpy as np
from scipy.ndimage import map_coordinates

from smpl_tf.open_body import triangles
from smpl_tf.open_body.collapse import HalfMesh
from smpl_tf.open_body.implicit_surface import ImplicitBody
from smpl_tf.rasterizer import vertex_normals
from smpl_tf.skeleton import SMPL_24

NUM_VERTICES = 6890  # SMPL's


def _axis(*segments):
    """Returns grid coordinates of consecutive (start, end, spacing) segments."""
    points = [np.array([segments[0][0]])]
    for start, end, spacing in segments:
        count = max(1, round((end - start) / spacing))
        points.append(start + (end - start) * np.arange(1, count + 1) / count)
    return np.concatenate(points)


def _grid(body):
    """Returns the x, y, z coordinates of a grid over the half body, fine where features are."""
    size, joints = body.physique.stature, body.joints
    wrist, shoulder = (joints[SMPL_24.index(f"left_{j}")] for j in ("wrist", "shoulder"))
    tips = wrist[0] + 0.125 * size
    return (
        _axis((0, 0.055 * size, 0.0042), (0.055 * size, 0.13 * size, 0.0075),
              (0.13 * size, wrist[0], 0.010), (wrist[0], tips, 0.0050)),
        _axis((-0.01, 0.035 * size, 0.0034), (0.035 * size, 0.06 * size, 0.006),
              (0.06 * size, shoulder[1] - 0.03 * size, 0.010),
              (shoulder[1] - 0.03 * size, shoulder[1] + 0.025 * size, 0.0042),
              (shoulder[1] + 0.025 * size, 0.855 * size, 0.008),
              (0.855 * size, 0.95 * size, 0.0042), (0.95 * size, 1.006 * size, 0.008)),
        _axis((-0.13 * size, -0.05 * size, 0.007), (-0.05 * size, 0.085 * size, 0.0045),
              (0.085 * size, 0.13 * size, 0.0050)),
    )  # fmt: skip


def _sample(body, axes):
    """Evaluates the field on the grid: exactly near the surface, interpolated elsewhere."""
    coarse = [np.unique(np.r_[np.arange(0, len(a), 4), len(a) - 1]) for a in axes]
    corners = np.stack(
        np.meshgrid(*(a[c] for a, c in zip(axes, coarse, strict=True)), indexing="ij"), -1
    )
    values = body(corners.reshape(-1, 3)).reshape(corners.shape[:3])
    positions = [
        np.interp(np.arange(len(a)), c, np.arange(len(c)))
        for a, c in zip(axes, coarse, strict=True)
    ]
    field = map_coordinates(values, np.meshgrid(*positions, indexing="ij"), order=1)
    near = np.abs(field) < 0.035
    where = np.argwhere(near)
    field[near] = body(np.stack([a[where[:, i]] for i, a in enumerate(axes)], 1))
    return field


def _edge_lengths(vertices, body):
    """Returns the wanted relative edge length at each vertex: short where the form is fine."""
    size, joints = body.physique.stature, body.joints
    x, y, z = np.abs(vertices[:, 0]) / size, vertices[:, 1] / size, vertices[:, 2] / size

    def ramp(value, start, width):
        t = np.clip((value - start) / width, 0, 1)
        return t * t * (3 - 2 * t)

    head = joints[SMPL_24.index("head")] / size
    wrist, foot = (joints[SMPL_24.index(f"left_{j}")] / size for j in ("wrist", "foot"))
    centre = np.sqrt((x / 0.034) ** 2 + ((y - head[1] - 0.020) / 0.042) ** 2)
    features = (1 - ramp(centre, 0.85, 0.6)) * ramp(z, head[2] + 0.030, 0.015)
    ear = (1 - ramp(np.abs(y - head[1] - 0.028), 0.018, 0.010)) * ramp(x, 0.0395, 0.004)
    ear *= ramp(y, head[1] - 0.02, 0.01)
    toes = ramp(z, foot[2] + 0.004, 0.020) * (1 - ramp(y, 0.03, 0.02))
    fine = 1 - 0.36 * ramp(y, head[1] - 0.045, 0.03)
    fine *= 1 - 0.46 * features
    fine *= 1 - 0.30 * ear
    fine *= 1 - 0.22 * ramp(x, 0.10, 0.06)
    fine *= 1 - 0.56 * ramp(x, wrist[0] + 0.005, 0.035)
    fine *= 1 - 0.30 * (1 - ramp(y, 0.04, 0.06))
    return fine * (1 - 0.50 * toes)


def mirrored(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Completes a half body; returns vertices, outward faces and the mirror map."""
    on_plane = vertices[:, 0] == 0
    off_plane = np.flatnonzero(~on_plane)
    count = len(vertices) + len(off_plane)
    image = np.arange(len(vertices))
    image[off_plane] = np.arange(len(vertices), count)
    mirror = np.arange(count)
    mirror[off_plane], mirror[image[off_plane]] = image[off_plane], off_plane
    vertices = np.concatenate([vertices, vertices[off_plane] * [-1, 1, 1]])
    faces = np.concatenate([faces, image[faces][:, ::-1]])
    if triangles.volume(vertices, faces) < 0:
        faces = faces[:, ::-1]
    return vertices, faces, mirror


def symmetrised(vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Returns the mean of vertices `[V, 3]` and their mirror image: exactly symmetric."""
    vertices = 0.5 * (vertices + vertices[mirror] * [-1, 1, 1])
    vertices[mirror == np.arange(len(mirror)), 0] = 0
    return vertices


def relax(
    body: ImplicitBody,
    vertices: np.ndarray,
    faces: np.ndarray,
    mirror: np.ndarray,
    rounds: int,
    strength: float = 0.35,
) -> np.ndarray:
    """Evens out the triangles: vertices slide along the skin towards their faces' centres.

    Args:
      body: the surface to stay on.
      vertices: `[V, 3]` metres. faces: `[F, 3]`. mirror: `[V]`.
      rounds: how often. strength: fraction of the way to go each time.

    Returns:
      `[V, 3]` metres.
    """
    on_midline = mirror == np.arange(len(vertices))
    for i in range(rounds):
        area = np.linalg.norm(triangles.face_normals(vertices, faces), axis=1)
        centres, weight = vertices[faces].mean(1), np.sqrt(area)[:, None]
        total, weights = np.zeros_like(vertices), np.zeros((len(vertices), 1))
        for corner in faces.T:
            np.add.at(total, corner, centres * weight)
            np.add.at(weights, corner, weight)
        move = strength * (total / weights - vertices)
        normals = vertex_normals(vertices, faces)
        move -= normals * (move * normals).sum(1, keepdims=True)
        move[on_midline, 0] = 0
        vertices = vertices + move
        if i % 3 == 2:
            vertices = body.project(vertices, on_midline, steps=2, longest_step=0.004)
    vertices = body.project(vertices, on_midline, longest_step=0.004)
    return symmetrised(vertices, mirror)


def mesh(body: ImplicitBody) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Meshes a body.

    Args:
      body: the surface.

    Returns:
      vertices `[6890, 3]` metres, outward faces `[13776, 3]`, and the mirror image of each
      vertex `[6890]`.
    """
    # Imported here, since only the builder needs scikit-image.
    from skimage.measure import marching_cubes

    axes = _grid(body)
    # A nonzero level keeps vertices away from the grid's corners, where triangles degenerate.
    vertices, faces, _, _ = marching_cubes(_sample(body, axes), 3.3e-5)
    vertices = np.stack(
        [np.interp(vertices[:, i], np.arange(len(a)), a) for i, a in enumerate(axes)], 1
    )
    vertices[np.abs(vertices[:, 0]) < 1e-5, 0] = 0
    vertices = body.project(vertices, vertices[:, 0] == 0, steps=3)
    half = HalfMesh(vertices, faces, _edge_lengths(vertices, body))
    half.collapse_to(NUM_VERTICES)
    for _ in range(4):
        half.flip_edges()
    kept = [i for i, point in enumerate(half.points) if point is not None]
    number = {vertex: i for i, vertex in enumerate(kept)}
    faces = np.array([[number[v] for v in f] for f in half.faces if f is not None])
    vertices, faces, mirror = mirrored(np.array([half.points[i] for i in kept]), faces)
    return relax(body, vertices, faces, mirror, 12), faces, mirror
