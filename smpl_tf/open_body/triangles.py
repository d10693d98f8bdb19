"""Measures of triangle meshes: volume, normals, neighbours, edges."""

import numpy as np
import scipy.sparse


def volume(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Returns the volume that closed meshes `[..., V, 3]` with outward faces enclose, `[...]`."""
    a, b, c = (vertices[..., faces[:, i], :] for i in range(3))
    return np.einsum("...fi,...fi->...", a, np.cross(b, c)) / 6


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Returns the faces' normals `[F, 3]`, each twice its face's area long."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def unique_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the edges `[E, 2]`, smaller id first, and how many faces share each, `[E]`."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    return np.unique(edges, axis=0, return_counts=True)


def neighbour_mean(faces: np.ndarray, num_vertices: int) -> scipy.sparse.csr_matrix:
    """Returns the `[V, V]` operator that averages over the vertices one edge away."""
    edges, _ = unique_edges(faces)
    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    adjacency = scipy.sparse.csr_matrix(
        (np.ones(len(rows)), (rows, columns)), (num_vertices, num_vertices)
    )
    return scipy.sparse.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency
