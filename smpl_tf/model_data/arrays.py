"""The arrays of a body model, and the fingerprint that identifies a body."""

import dataclasses
import functools
import hashlib
import types
import weakref
from collections.abc import Iterable, Mapping

import numpy as np

GENDERS = ("neutral", "female", "male", "unknown")

_LIVING: weakref.WeakSet["SMPLModelData"] = weakref.WeakSet()


@dataclasses.dataclass(frozen=True, eq=False)
class SMPLModelData:
    """The arrays of a body model in SMPL's format: V vertices, J joints, B betas, F faces.

    All callers that load the same file share one body, so the arrays are read-only; to change a
    body, copy an array and use `dataclasses.replace`.

    Attributes:
      v_template: (V, 3) rest-pose vertices of the mean shape, metres; y up, z front, x left.
      shapedirs: (V, 3, B) metres per unit of each beta.
      posedirs: (V, 3, 9 (J - 1)) metres per entry of R - I of the joints without the root.
      weights: (V, J) skinning weights; each row sums to 1.
      J_regressor: (J, V) joints as weighted sums of the shaped vertices.
      parents: (J,) int32, -1 for the root; a parent comes before its children.
      faces: (F, 3) int32, counter-clockwise seen from outside.
      gender: "neutral", "female", "male" or "unknown".
      name: "open_body", or the stem of the file.
      landmarks: vertex name -> vertex id; may be empty.
      extra_regressor: (K, V) further joints as weighted sums of posed vertices, or None.
      vertex_mirror: (V,) the vertex on the other side of each vertex, or None.
      path: the file the arrays were read from, or None.

    Raises:
      ValueError: if the shapes do not fit together or the joints do not form a tree.
    """

    v_template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    weights: np.ndarray
    J_regressor: np.ndarray
    parents: np.ndarray
    faces: np.ndarray
    gender: str = "unknown"
    name: str = "unnamed"
    landmarks: Mapping[str, int] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({})
    )
    extra_regressor: np.ndarray | None = None
    vertex_mirror: np.ndarray | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        """Rejects arrays that do not fit together, and keeps them as read-only views."""
        vertices, joints = len(self.v_template), len(self.parents)
        wanted = {
            "v_template": (vertices, 3),
            "shapedirs": (vertices, 3, None),
            "posedirs": (vertices, 3, 9 * (joints - 1)),
            "weights": (vertices, joints),
            "J_regressor": (joints, vertices),
            "parents": (joints,),
            "faces": (None, 3),
            "extra_regressor": (None, vertices),
            "vertex_mirror": (vertices,),
        }
        for field, shape in wanted.items():
            array = getattr(self, field)
            if array is not None and not _fits(array.shape, shape):
                raise ValueError(
                    f"Body {self.name}: expected {field} of shape {_describe(shape)} for "
                    f"{vertices} vertices and {joints} joints, got {array.shape}."
                )
        if not vertices:
            raise ValueError(f"Body {self.name}: expected vertices, got none.")
        named = {
            "faces": self.faces,
            "vertex_mirror": self.vertex_mirror,
            "landmarks": np.array(list(self.landmarks.values())),
        }
        for field, ids in named.items():
            if ids is not None and ids.size and not 0 <= ids.min() <= ids.max() < vertices:
                raise ValueError(
                    f"Body {self.name}: expected {field} of vertices 0 to {vertices - 1}, got "
                    f"{ids.min()} to {ids.max()}."
                )
        if self.parents[0] != -1 or any(
            not 0 <= parent < joint for joint, parent in enumerate(self.parents) if joint
        ):
            raise ValueError(
                f"Body {self.name}: expected parents that start with -1 and come before their "
                f"children, got {self.parents.tolist()}."
            )
        if self.gender not in GENDERS:
            raise ValueError(
                f"Body {self.name}: expected gender to be one of {', '.join(GENDERS)}, got "
                f"{self.gender!r}."
            )
        for field in wanted:
            array = getattr(self, field)
            if array is not None:
                view = np.asarray(array).view()
                view.flags.writeable = False  # the caller's own array stays writable
                object.__setattr__(self, field, view)
        _LIVING.add(self)

    @property
    def num_vertices(self) -> int:
        """The number of vertices V."""
        return len(self.v_template)

    @property
    def num_joints(self) -> int:
        """The number of joints J."""
        return len(self.parents)

    @property
    def num_betas(self) -> int:
        """The number of shape components B that the body holds."""
        return self.shapedirs.shape[-1]

    def landmark_ids(self, names: Iterable[str]) -> list[int]:
        """Returns the vertex ids of some landmarks.

        Args:
          names: landmark names, such as `smpl_tf.skeleton.SMPLR_LANDMARKS`.

        Returns:
          Vertex ids, in the order of the names.

        Raises:
          ValueError: if the body lacks some of them.
        """
        names = list(names)
        missing = [name for name in names if name not in self.landmarks]
        if missing:
            raise ValueError(
                f"Body {self.name} ({self.gender}, {self.num_vertices} vertices) lacks the "
                f"landmarks {', '.join(missing)}; use an official body as load_model_data reads "
                "it, or the open body, or add vertices of these names to its landmarks."
            )
        return [self.landmarks[name] for name in names]

    @functools.cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that identify this body, whatever file it came from."""
        digest = hashlib.sha256()
        for field in ("v_template", "shapedirs", "posedirs", "weights", "J_regressor"):
            _digest_array(digest, np.asarray(getattr(self, field), np.float64))
        for field in ("parents", "faces"):
            _digest_array(digest, np.asarray(getattr(self, field), np.int32))
        return digest.hexdigest()[:16]


def shaped_vertices(data: SMPLModelData, betas: np.ndarray) -> np.ndarray:
    """Returns the unposed body of a shape.

    Args:
      data: the body.
      betas: [B], at most as many as the body holds.

    Returns:
      [V, 3] metres.
    """
    return data.v_template + data.shapedirs[..., : len(betas)] @ np.asarray(betas)


def living_bodies() -> list[SMPLModelData]:
    """Lists the bodies in memory, so that a loaded model finds its own.

    Returns:
      Every body that is still referenced somewhere.
    """
    return list(_LIVING)


def _digest_array(digest, array):
    digest.update(str(array.shape).encode())
    digest.update(np.ascontiguousarray(array))


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(
        size is None or size == actual for actual, size in zip(shape, wanted, strict=True)
    )


def _describe(shape):
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
