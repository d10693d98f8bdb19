"""The parts of a glTF 2.0 document that a moving body needs; `mesh_io.write_glb` joins them."""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

import numpy as np

from smpl_tf.rotations import matrix_to_quaternion


class Skin(NamedTuple):
    """The skeleton under a mesh.

    Attributes:
      rest_joints: [J, 3] metres, joints of the mesh as it is given.
      parents: [J] index of each joint's parent, -1 for the root, which is the first.
      weights: [V, J] skinning weights; the four largest of each vertex are kept.
      names: [J] names of the joints.
    """

    rest_joints: np.ndarray
    parents: np.ndarray
    weights: np.ndarray
    names: tuple[str, ...]


class Motion(NamedTuple):
    """A pose of a skin for each moment.

    Attributes:
      rotations: [T, J, 3, 3] parent-relative rotations; T = 1 is a still pose.
      translations: [T, 3] metres.
      frames_per_second: moments per second.
      times: [T] seconds of the moments, increasing; None: evenly apart.
    """

    rotations: np.ndarray
    translations: np.ndarray
    frames_per_second: float = 30.0
    times: np.ndarray | None = None


class GltfDocument:
    """A glTF document under construction: its JSON and its one binary buffer."""

    _COMPONENTS = {np.uint8: 5121, np.uint16: 5123, np.uint32: 5125, np.float32: 5126}
    _SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}

    def __init__(self) -> None:
        self.binary = bytearray()
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "smpl_tf"},
            "scene": 0,
            "nodes": [],
            "accessors": [],
            "bufferViews": [],
        }

    def add(self, array: np.ndarray, dtype: type[np.generic], bounds: bool = False) -> int:
        """Adds [N, ...] values and returns the index of their accessor."""
        array = np.ascontiguousarray(array, dtype)
        accessor = {
            "bufferView": len(self.json["bufferViews"]),
            "componentType": self._COMPONENTS[dtype],
            "count": len(array),
            "type": self._SHAPES[array.shape[1:]],
        }
        if bounds:
            accessor["min"] = np.atleast_1d(array.min(axis=0)).tolist()
            accessor["max"] = np.atleast_1d(array.max(axis=0)).tolist()
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": array.nbytes}
        self.json["bufferViews"].append(view)
        self.json["accessors"].append(accessor)
        self.binary += array.tobytes()
        self.binary += b"\0" * (-len(self.binary) % 4)
        return len(self.json["accessors"]) - 1

    def add_node(self, node: dict[str, Any]) -> int:
        """Adds a node and returns its index."""
        self.json["nodes"].append(node)
        return len(self.json["nodes"]) - 1

    def encode(self) -> bytes:
        """Returns the GLB: header, JSON chunk, binary chunk."""
        self.json["buffers"] = [{"byteLength": len(self.binary)}]
        text = json.dumps(self.json, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.binary), b"BIN\0") + self.binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def add_skin_weights(document: GltfDocument, skin: Skin, num_vertices: int) -> dict[str, int]:
    """Adds the four strongest joints of each vertex, their weights scaled to sum to 1.

    Args:
      document: GltfDocument.
      skin: Skin.
      num_vertices: how many vertices the mesh has.

    Returns:
      The attributes of the mesh that hold them: name -> accessor.

    Raises:
      ValueError: if the skin does not fit the mesh.
    """
    weights = np.asarray(skin.weights, np.float64)
    count = len(skin.rest_joints)
    if weights.shape != (num_vertices, count) or len(skin.names) != count:
        raise ValueError(
            f"Expected weights ({num_vertices}, {count}) and {count} names for the skin, got "
            f"{weights.shape} and {len(skin.names)}."
        )
    if not (weights.max(axis=1) > 0).all():
        raise ValueError("Expected a positive skinning weight for every vertex; some have none.")
    weights = np.pad(weights, ((0, 0), (0, max(0, 4 - count))))
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    chosen = np.take_along_axis(weights, joints, axis=1)
    shares = chosen / chosen.sum(axis=1, keepdims=True)
    # glTF requires joint 0 where the weight is 0.
    joints = np.where(chosen > 0, joints, 0)
    return {
        "JOINTS_0": document.add(joints, np.uint8),
        "WEIGHTS_0": document.add(shares, np.float32),
    }


def add_skeleton(
    document: GltfDocument, skin: Skin, motion: Motion | None, camera_frame: bool
) -> int:
    """Adds joints, bind matrices and motion.

    Args:
      document: GltfDocument.
      skin: Skin.
      motion: Motion, or None for the rest pose.
      camera_frame: whether the motion is in the camera frame and not in that of the mesh.

    Returns:
      The index of the node above the skeleton.

    Raises:
      ValueError: if the motion does not fit the skin.
    """
    rest = np.asarray(skin.rest_joints, np.float64)
    count = len(rest)
    if motion is None:
        motion = Motion(np.tile(np.eye(3), (1, count, 1, 1)), np.zeros((1, 3)))
    rotations = np.asarray(motion.rotations, np.float64)
    translations = np.asarray(motion.translations, np.float64)
    if rotations.shape[1:] != (count, 3, 3) or translations.shape != (len(rotations), 3):
        raise ValueError(
            f"Expected rotations [T, {count}, 3, 3] and translations [T, 3], got shapes "
            f"{rotations.shape} and {translations.shape}."
        )
    quaternions = _continuous(np.roll(matrix_to_quaternion(rotations).numpy(), -1, axis=-1))
    offsets = rest.copy()
    offsets[1:] -= rest[list(skin.parents[1:])]
    first = len(document.json["nodes"])
    for joint, name in enumerate(skin.names):
        moved = translations[0] if joint == 0 else 0
        node = {
            "name": name,
            "translation": (offsets[joint] + moved).tolist(),
            "rotation": quaternions[0, joint].tolist(),
        }
        children = [first + i for i, parent in enumerate(skin.parents) if parent == joint]
        document.add_node(node | ({"children": children} if children else {}))
    bind = np.tile(np.eye(4), (count, 1, 1))
    bind[:, 3, :3] = -rest  # glTF stores columns first
    document.json["skins"] = [
        {
            "joints": list(range(first, first + count)),
            "inverseBindMatrices": document.add(bind, np.float32),
            "skeleton": first,
        }
    ]
    if len(rotations) > 1:
        times = motion.times
        if times is None:
            times = np.arange(len(rotations)) / motion.frames_per_second
        if len(times) != len(rotations) or np.any(np.diff(times) <= 0):
            raise ValueError(f"Expected {len(rotations)} increasing times, got {times}.")
        _add_animation(document, first, times, quaternions, offsets[0] + translations)
    if not camera_frame:
        return first
    # A half turn about x above the root: the motion itself stays in the camera frame.
    return document.add_node({"name": "camera", "rotation": [1, 0, 0, 0], "children": [first]})


def _add_animation(document, first, times, quaternions, root_positions):
    """Adds one channel per joint, and one for the root's position."""
    time = document.add(times, np.float32, bounds=True)
    tracks = [(first + j, "rotation", quaternions[:, j]) for j in range(quaternions.shape[1])]
    tracks.append((first, "translation", root_positions))
    document.json["animations"] = [
        {
            "name": "motion",
            "samplers": [
                {"input": time, "output": document.add(values, np.float32)}
                for _, _, values in tracks
            ],
            "channels": [
                {"sampler": i, "target": {"node": node, "path": target}}
                for i, (node, target, _) in enumerate(tracks)
            ],
        }
    ]


def _continuous(quaternions):
    """Chooses the sign of each quaternion [T, ...] nearer to the one before it."""
    flips = np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True) < 0
    signs = np.cumprod(np.where(flips, -1.0, 1.0), axis=0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])
