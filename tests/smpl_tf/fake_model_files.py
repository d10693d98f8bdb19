"""Writes random body model files in every layout in which official bodies are found.

The shapes, types and class names are those of the files; the numbers are random but well scaled,
so that the files stand in for the licensed ones wherever no person need be seen.
"""

import pickle
import struct
from pathlib import Path

import numpy as np
import scipy.sparse

from smpl_tf.skeleton import SMPL_24

# SMPL+H: the body without SMPL's two hand joints, then five fingers of three joints on each wrist.
SMPLH_PARENTS = (
    *SMPL_24.parents[:22],
    *(parent for finger in range(22, 37, 3) for parent in (20, finger, finger + 1)),
    *(parent for finger in range(37, 52, 3) for parent in (21, finger, finger + 1)),
)


def random_arrays(
    num_vertices: int = 6890,
    num_betas: int = 10,
    parents: tuple[int, ...] = SMPL_24.parents,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Makes the arrays of a body under the keys and types of an official file."""
    rng = np.random.default_rng(seed)
    num_joints = len(parents)
    joints = np.zeros((num_joints, 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            joints[joint] = joints[parent] + rng.normal(0.0, 0.15, 3)
    # As on a person, a vertex follows its own joint and that joint's nearest kin, at most four.
    near = np.argsort(_tree_distances(parents), axis=1, kind="stable")[:, :4]
    owner = np.sort(np.arange(num_vertices) % num_joints)
    weights = np.zeros((num_vertices, num_joints))
    np.put_along_axis(weights, near[owner], rng.dirichlet([8.0, 2.0, 1.0, 0.5], num_vertices), 1)

    regressor = (owner == np.arange(num_joints)[:, None]) * rng.uniform(size=num_vertices)
    regressor *= rng.uniform(size=regressor.shape) < max(0.05, 200 / num_vertices)
    regressor[owner, np.arange(num_vertices)] += 1e-3
    regressor /= regressor.sum(axis=1, keepdims=True)
    kintree = np.stack([np.array(parents).astype(np.uint32), np.arange(num_joints)])
    return {
        "v_template": joints[owner] + rng.normal(0.0, 0.05, (num_vertices, 3)),
        "shapedirs": rng.normal(0.0, 0.01, (num_vertices, 3, num_betas)),
        "posedirs": rng.normal(0.0, 0.003, (num_vertices, 3, 9 * (num_joints - 1))),
        "weights": weights,
        "J_regressor": regressor,
        "kintree_table": kintree.astype(np.uint32),
        "f": rng.integers(0, num_vertices, (2 * num_vertices - 4, 3)).astype(np.uint32),
    }


def _tree_distances(parents):
    paths = []
    for joint in range(len(parents)):
        path = {joint}
        while parents[joint] >= 0:
            joint = parents[joint]
            path.add(joint)
        paths.append(path)
    return np.array([[len(a ^ b) for b in paths] for a in paths])


def write_official_pickle(path: Path, arrays: dict[str, np.ndarray], **extra) -> Path:
    """Writes the pickle of SMPL v1.0 and v1.1: Python 2, chumpy and old SciPy class paths."""
    contents = {
        **arrays,
        "v_template": _Chumpy(arrays["v_template"]),
        "shapedirs": _Chumpy(arrays["shapedirs"]),
        "J_regressor": _OldCsc(arrays["J_regressor"]),
        "J_regressor_prior": _OldCsc(arrays["J_regressor"]),
        "weights_prior": arrays["weights"],
        "J": _Chumpy(arrays["J_regressor"] @ arrays["v_template"]),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "vert_sym_idxs": np.arange(len(arrays["v_template"])),
        "pose_training_info": {"note": "\xe9crit par Python 2"},
        **extra,
    }
    return write_python2_pickle(path, contents)


def write_python2_pickle(path: Path, contents) -> Path:
    """Writes what `pickle.dump(contents, file, 2)` wrote under Python 2."""
    with open(path, "wb") as file:
        _Python2Pickler(file, protocol=2).dump(contents)
    return path


def write_hmr_pickle(path: Path, arrays: dict[str, np.ndarray], num_extra: int = 19) -> Path:
    """Writes HMR's neutral file, which carries a further regressor."""
    rng = np.random.default_rng(1)
    extra = rng.dirichlet(np.ones(len(arrays["v_template"])), num_extra)
    return write_official_pickle(path, arrays, cocoplus_regressor=_OldCsc(extra))


def write_modern_pickle(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Writes a re-pack by today's Python and SciPy without chumpy, as `smplx` reads them too."""
    contents = {**arrays, "J_regressor": sparse(arrays["J_regressor"])}
    path.write_bytes(pickle.dumps(contents, protocol=pickle.HIGHEST_PROTOCOL))
    return path


def write_npz(path: Path, arrays: dict[str, np.ndarray], **extra) -> Path:
    """Writes a plain .npz re-pack, or SMPL+H when the arrays have 52 joints."""
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays, **extra)
    return path


class _Chumpy:
    def __init__(self, x):
        self.x = x

    def __reduce__(self):
        state = {"x": self.x, "_dirty_vars": _Python2Set(), "_itr": None, "_cache": {}}
        return _Class("chumpy.ch", "Ch"), (), state


class ChumpySelect:
    """Pickles as chumpy's Select of all entries, in reverse, of a reversed array."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        state = {
            "a": _Chumpy(np.ravel(self.array)[::-1].copy()),
            "idxs": np.arange(self.array.size)[::-1].copy(),
            "preferred_shape": self.array.shape,
        }
        return _Class("chumpy.reordering", "Select"), (), state


def sparse(dense: np.ndarray) -> scipy.sparse.csc_matrix:
    """Returns the array as today's SciPy keeps it."""
    return scipy.sparse.csc_matrix(dense)


class _OldCsc:
    def __init__(self, dense):
        matrix = sparse(dense)
        self.state = {"_shape": matrix.shape, "maxprint": 50}
        self.state.update(data=matrix.data, indices=matrix.indices, indptr=matrix.indptr)

    def __reduce__(self):
        return _Class("scipy.sparse.csc", "csc_matrix"), (), self.state


class _Python2Set:
    def __reduce__(self):
        return _Class("__builtin__", "set"), ([],)


class _Class:
    """Stands for a class that need not be importable here."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):
        raise NotImplementedError


class _Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: byte strings and the module names of its day."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_python2_string(self, text):
        data = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)

    dispatch[bytes] = save_python2_string
    dispatch[str] = save_python2_string

    def save_class(self, named):
        self.write(pickle.GLOBAL + f"{named.module}\n{named.name}\n".encode())

    dispatch[_Class] = save_class

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.save_class(_Class(module, obj.__name__))

    dispatch[type] = save_global
    dispatch[type(np.array)] = save_global
