"""Meshes as files that other programs open: OBJ, PLY, and GLB with skeleton, skin and animation.

Mesh files have y up and z towards the viewer, as SMPL's own frame has. Meshes in the camera frame
(y down, z away) are written upright with `frame="camera"`. Every file is written under a temporary
name and renamed, so a file with its final name is complete.
"""

from __future__ import annotations

import io
import os

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.files import write_bytes
from smpl_tf.gltf import GltfDocument, Motion, Skin, add_skeleton, add_skin_weights
from smpl_tf.model_data import SMPLModelData, shaped_vertices
from smpl_tf.rasterizer import BODY_COLOUR, vertex_normals
from smpl_tf.skeleton import SMPL_24
from smpl_tf.tensor_like import TensorLike

# Frame -> the signs that turn it upright.
UPRIGHT = {"model": (1.0, 1.0, 1.0), "camera": (1.0, -1.0, -1.0)}


def write_obj(
    path: str | os.PathLike, vertices: TensorLike, faces: TensorLike, frame: str = "model"
) -> None:
    """Writes a mesh as Wavefront OBJ.

    Args:
      path: the file; its directory exists.
      vertices: [V, 3] metres.
      faces: [F, 3].
      frame: "model" (y up) or "camera" (y down).

    Raises:
      ValueError: if the mesh is not sound.
    """
    vertices, faces = _checked(vertices, faces)
    vertices = _upright(vertices, frame)
    text = io.StringIO()
    np.savetxt(text, vertices, fmt="v %.6f %.6f %.6f")
    np.savetxt(text, faces + 1, fmt="f %d %d %d")
    write_bytes(path, text.getvalue().encode("ascii"))


def write_ply(
    path: str | os.PathLike,
    vertices: TensorLike,
    faces: TensorLike,
    vertex_colours: TensorLike | None = None,
    frame: str = "model",
) -> None:
    """Writes a mesh as binary PLY.

    Args:
      path: the file; its directory exists.
      vertices: [V, 3] metres.
      faces: [F, 3].
      vertex_colours: [V, 3] RGB 0..255, or None.
      frame: "model" (y up) or "camera" (y down).

    Raises:
      ValueError: if the mesh is not sound.
    """
    vertices, faces = _checked(vertices, faces)
    vertices = _upright(vertices, frame)
    fields = [("position", "<f4", 3)]
    properties = [f"property float {axis}" for axis in "xyz"]
    if vertex_colours is not None:
        fields.append(("colour", "u1", 3))
        properties += [f"property uchar {name}" for name in ("red", "green", "blue")]
    vertex_table = np.empty(len(vertices), fields)
    vertex_table["position"] = vertices
    if vertex_colours is not None:
        vertex_table["colour"] = np.rint(_colours(vertex_colours, vertices))
    face_table = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    face_table["count"], face_table["corners"] = 3, faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *properties,
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    content = "\n".join(header).encode("ascii") + vertex_table.tobytes() + face_table.tobytes()
    write_bytes(path, content)


def write_glb(
    path: str | os.PathLike,
    vertices: TensorLike,
    faces: TensorLike,
    vertex_colours: TensorLike | None = None,
    skin: Skin | None = None,
    motion: Motion | None = None,
    frame: str = "model",
) -> None:
    """Writes a mesh as binary glTF 2.0, with a skeleton and its motion if given.

    glTF has no pose blend shapes: a moving GLB is the linear-blend-skinned body.

    Args:
      path: the file; its directory exists.
      vertices: [V, 3] metres; with a skin, the shaped body at rest.
      faces: [F, 3].
      vertex_colours: [V, 3] RGB 0..255 (sRGB), or None.
      skin: the skeleton of the mesh, or None for a mesh that does not move.
      motion: the poses of the skin, or None for the rest pose.
      frame: the frame of a mesh without skin, or of the motion: "model" (y up) or "camera".

    Raises:
      ValueError: if mesh, skin or motion is malformed, or they do not fit together.
    """
    vertices, faces = _checked(vertices, faces)
    upright = _upright(vertices, frame)
    if motion is not None and skin is None:
        raise ValueError("A motion needs a skin; got none.")
    if skin is None:
        vertices = upright
    document = GltfDocument()
    attributes = {
        "POSITION": document.add(vertices, np.float32, bounds=True),
        "NORMAL": document.add(_unit_normals(vertices, faces), np.float32),
    }
    if vertex_colours is not None:
        linear = _linear_rgb(_colours(vertex_colours, vertices))
        attributes["COLOR_0"] = document.add(linear, np.float32)
    index_type = np.uint16 if len(vertices) < 2**16 else np.uint32
    indices = document.add(faces.reshape(-1), index_type)
    base_colour = np.ones(3) if vertex_colours is not None else _linear_rgb(BODY_COLOUR)
    document.json["materials"] = [
        {
            "pbrMetallicRoughness": {
                "baseColorFactor": [*base_colour.tolist(), 1.0],
                "metallicFactor": 0.0,
                "roughnessFactor": 0.8,
            }
        }
    ]
    mesh_node = {"mesh": 0, "name": "body"}
    roots = [document.add_node(mesh_node)]
    if skin is not None:
        attributes |= add_skin_weights(document, skin, len(vertices))
        mesh_node["skin"] = 0
        roots.append(add_skeleton(document, skin, motion, camera_frame=frame == "camera"))
    document.json["meshes"] = [
        {"primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}
    ]
    document.json["scenes"] = [{"nodes": roots}]
    write_bytes(path, document.encode())


def write_animated_glb(
    path: str | os.PathLike,
    data: SMPLModelData,
    betas: TensorLike,
    poses: TensorLike,
    translations: TensorLike,
    frame_rate: float = 30.0,
    frame: str = "model",
    vertex_colours: TensorLike | None = None,
    times: TensorLike | None = None,
) -> None:
    """Writes the motion of one person as GLB: skeleton, skin and tracks, the betas in the mesh.

    Args:
      path: the file; its directory exists.
      data: the body model.
      betas: [B] shape, at most as many as the model holds.
      poses: [T, J, 3] parent-relative axis-angles, radians.
      translations: [T, 3] metres.
      frame_rate: frames per second.
      frame: the frame of the motion: "model" (y up) or "camera".
      vertex_colours: [V, 3] RGB 0..255 (sRGB), or None.
      times: [T] seconds of the moments, increasing, or None: evenly apart by the frame rate.

    Raises:
      ValueError: if the arrays do not fit together.
    """
    poses = np.asarray(poses, np.float64)
    if poses.shape[1:] != (data.num_joints, 3):
        raise ValueError(f"Expected poses [T, {data.num_joints}, 3], got shape {poses.shape}.")
    vertices = shaped_vertices(data, betas)
    skin = Skin(data.J_regressor @ vertices, data.parents, data.weights, SMPL_24.names)
    matrices = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix()
    moments = None if times is None else np.asarray(times, np.float64)
    matrices = matrices.reshape(*poses.shape, 3)
    motion = Motion(matrices, np.asarray(translations), frame_rate, moments)
    write_glb(path, vertices, data.faces, vertex_colours, skin, motion, frame)


def _unit_normals(vertices, faces):
    """Vertex normals; glTF requires unit vectors even where there is no surface."""
    normals = vertex_normals(vertices, faces)
    return np.where(np.any(normals, axis=-1, keepdims=True), normals, (0.0, 1.0, 0.0))


def _linear_rgb(colours):
    """Converts sRGB 0..255 to the linear 0..1 of glTF."""
    encoded = np.asarray(colours, np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _colours(colours, vertices):
    colours = np.asarray(colours)
    if colours.shape != vertices.shape:
        raise ValueError(
            f"Expected vertex colours ({len(vertices)}, 3), one per vertex, got {colours.shape}."
        )
    return colours


def _upright(vertices, frame):
    if frame not in UPRIGHT:
        raise ValueError(f"Expected frame 'model' or 'camera', got {frame!r}.")
    return vertices * UPRIGHT[frame]


def _checked(vertices, faces):
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
        raise ValueError(f"Expected vertices [V, 3] of one mesh, got shape {vertices.shape}.")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise ValueError(f"Expected faces [F, 3], got shape {faces.shape}.")
    if not np.isfinite(vertices).all():
        raise ValueError("Expected finite vertices, got NaN or infinity.")
    if not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError(
            f"Expected faces of the vertices 0..{len(vertices) - 1}, got indices "
            f"{faces.min()}..{faces.max()}."
        )
    return vertices, faces
