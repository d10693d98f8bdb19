"""Mesh -> label map, depth, shaded picture; on the CPU, without a display or a driver.

An exact z-buffer at the pixel centres (`smpl_tf.zbuffer`) gives each pixel's face and barycentric
coordinates; label, colour and normal follow by indexing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smpl_tf.camera import Camera
from smpl_tf.tensor_like import TensorLike
from smpl_tf.zbuffer import average_blocks, blend, draw, light_up, sum_face_normals

NEAR_PLANE = 0.01  # metres; triangles with a vertex nearer than this, or behind, are dropped
BODY_COLOUR = (170, 190, 220)  # RGB
LIGHT = (0.4, 0.6, 1.0)  # from above the photographer's left shoulder; camera frame
AMBIENT = 0.35


class RasterOutput(NamedTuple):
    """The visible surface at each pixel centre.

    Attributes:
      face_index: [..., H, W] int32, -1 where there is no surface.
      barycentric: [..., H, W, 3] float32, weights of the face's vertices in space
        (perspective-correct), 0 where there is no surface.
      depth: [..., H, W] float32 metres along z, +inf where there is no surface.
    """

    face_index: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Where there is a surface, [..., H, W] bool."""
        return self.face_index >= 0


def rasterize(
    vertices: TensorLike, faces: TensorLike, camera: Camera, cull_back_faces: bool = True
) -> RasterOutput:
    """Finds the surface point that is visible at each pixel centre.

    Releases the GIL while it draws, so threads scale over the cores. See `smpl_tf.zbuffer` for
    ties. Triangles that reach nearer than NEAR_PLANE are dropped, not clipped.

    Args:
      vertices: [..., V, 3] metres, camera frame.
      faces: [F, 3] vertex indices, counter-clockwise seen from outside.
      camera: Camera; its intrinsics [..., 3, 3] broadcast against the batch of the vertices.
      cull_back_faces: whether faces seen from inside are left out.

    Returns:
      RasterOutput of camera.height x camera.width pixels.

    Raises:
      ValueError: if a shape is wrong, a vertex is not finite or a face has an invalid index.
    """
    vertices = np.ascontiguousarray(vertices, np.float64)
    faces = np.ascontiguousarray(faces, np.int32)
    intrinsics = np.asarray(camera.intrinsics, np.float64)
    _check(vertices, faces, intrinsics)
    batch = np.broadcast_shapes(vertices.shape[:-2], intrinsics.shape[:-2])
    shape = (*batch, int(camera.height), int(camera.width))
    raster = RasterOutput(
        face_index=np.empty(shape, np.int32),
        barycentric=np.empty((*shape, 3), np.float32),
        depth=np.empty(shape, np.float32),
    )
    vertices = np.broadcast_to(vertices, (*batch, *vertices.shape[-2:]))
    intrinsics = np.broadcast_to(intrinsics, (*batch, 3, 3))
    for i in np.ndindex(batch):
        draw(
            np.ascontiguousarray(vertices[i]),
            faces,
            np.ascontiguousarray(intrinsics[i]),
            NEAR_PLANE,
            cull_back_faces,
            *(output[i] for output in raster),
        )
    return raster


def _check(vertices, faces, intrinsics):
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise ValueError(f"Expected vertices [..., V, 3], got shape {vertices.shape}.")
    if faces.ndim != 2 or faces.shape[-1] != 3:
        raise ValueError(f"Expected faces [F, 3], got shape {faces.shape}.")
    if intrinsics.shape[-2:] != (3, 3):
        raise ValueError(f"Expected camera intrinsics [..., 3, 3], got shape {intrinsics.shape}.")
    if not np.isfinite(vertices).all():
        raise ValueError("Expected finite vertices, got NaN or infinity; check pose and betas.")
    _check_faces(faces, vertices.shape[-2])


def _check_faces(faces, num_vertices):
    # The compiled kernels do not check array bounds.
    if faces.size and not 0 <= faces.min() <= faces.max() < num_vertices:
        raise ValueError(
            f"Expected faces of the vertices 0..{num_vertices - 1}, got indices "
            f"{faces.min()}..{faces.max()}; do vertices and faces belong to the same body?"
        )


def _check_surface(raster, faces, num_vertices):
    _check_faces(faces, num_vertices)
    if raster.face_index.size and raster.face_index.max() >= len(faces):
        raise ValueError(
            f"Expected a raster of these {len(faces)} faces, got one that shows face "
            f"{raster.face_index.max()}."
        )


def gather_faces(raster: RasterOutput, face_values: TensorLike) -> np.ndarray:
    """Returns the value of the face at each pixel.

    Args:
      raster: RasterOutput [..., H, W].
      face_values: [F, ...] labels, colours, ...

    Returns:
      [..., H, W, ...] in the dtype of the values, 0 where there is no surface.
    """
    face_values = np.asarray(face_values)
    background = np.zeros((1, *face_values.shape[1:]), face_values.dtype)
    # Index -1 picks the appended background.
    return np.concatenate([face_values, background])[raster.face_index]


def label_map(raster: RasterOutput, face_labels: TensorLike) -> np.ndarray:
    """Returns the label of the face at each pixel.

    Args:
      raster: RasterOutput [..., H, W].
      face_labels: [F] integers 0..255, for example `parts.face_labels(model_data)`.

    Returns:
      [..., H, W] uint8, 0 where there is no surface.

    Raises:
      ValueError: if a label does not fit 0..255.
    """
    face_labels = np.asarray(face_labels)
    if face_labels.size and not 0 <= face_labels.min() <= face_labels.max() <= 255:
        raise ValueError(
            f"Expected labels 0..255, got {face_labels.min()}..{face_labels.max()}; "
            "`gather_faces` takes any values."
        )
    return gather_faces(raster, face_labels.astype(np.uint8))


def interpolate(raster: RasterOutput, faces: TensorLike, vertex_values: TensorLike) -> np.ndarray:
    """Interpolates vertex values to the surface at each pixel.

    Args:
      raster: RasterOutput [..., H, W].
      faces: [F, 3].
      vertex_values: [..., V, C]; broadcasts against the batch of `raster`.

    Returns:
      [..., H, W, C] float32, 0 where there is no surface.

    Raises:
      ValueError: if raster, faces and values are not of the same mesh.
    """
    faces = np.asarray(faces, np.int32)
    vertex_values = np.asarray(vertex_values, np.float32)
    _check_surface(raster, faces, vertex_values.shape[-2])
    batch = raster.face_index.shape[:-2]
    vertex_values = np.broadcast_to(vertex_values, (*batch, *vertex_values.shape[-2:]))
    result = np.empty((*raster.face_index.shape, vertex_values.shape[-1]), np.float32)
    for i in np.ndindex(batch):
        values = np.ascontiguousarray(vertex_values[i])
        blend(raster.face_index[i], raster.barycentric[i], faces, values, result[i])
    return result


def vertex_normals(vertices: TensorLike, faces: TensorLike) -> np.ndarray:
    """Returns the outward vertex normals: area-weighted means of the face normals.

    Args:
      vertices: [..., V, 3] metres, any frame.
      faces: [F, 3], counter-clockwise seen from outside.

    Returns:
      [..., V, 3] float64 unit vectors in the frame of the vertices; 0 at a vertex without area.
    """
    vertices = np.ascontiguousarray(vertices, np.float64)
    faces = np.ascontiguousarray(faces, np.int32)
    _check_faces(faces, vertices.shape[-2])
    normals = np.zeros(vertices.shape)
    for i in np.ndindex(vertices.shape[:-2]):
        sum_face_normals(vertices[i], faces, normals[i])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return normals / np.where(length > 0, length, 1)


def shade(
    raster: RasterOutput,
    vertices: TensorLike,
    faces: TensorLike,
    colours: TensorLike,
    light: TensorLike = LIGHT,
    ambient: float = AMBIENT,
) -> np.ndarray:
    """Shades a surface with one distant light (Lambert) and smooth normals.

    Args:
      raster: RasterOutput [..., H, W] of these vertices and faces.
      vertices: [..., V, 3] metres, camera frame.
      faces: [F, 3].
      colours: RGB 0..255 that broadcasts to [..., H, W, 3]; `gather_faces` and `interpolate`
        make it from colours per face or per vertex.
      light: [3], the direction in which the light travels, camera frame; any length.
      ambient: fraction of ambient light, 0..1.

    Returns:
      [..., H, W, 4] uint8 RGBA; alpha is 255 on the surface and 0 elsewhere.

    Raises:
      ValueError: if raster, vertices and faces are not of the same mesh.
    """
    light = np.asarray(light, np.float64)
    light = light / np.linalg.norm(light)
    faces = np.asarray(faces, np.int32)
    shape = raster.face_index.shape
    colours = np.broadcast_to(np.asarray(colours, np.float32), (*shape, 3))
    _check_surface(raster, faces, np.shape(vertices)[-2])
    normals = vertex_normals(vertices, faces)
    normals = np.broadcast_to(normals, (*shape[:-2], *normals.shape[-2:]))
    rgba = np.empty((*shape, 4), np.uint8)
    for i in np.ndindex(shape[:-2]):
        surface = raster.face_index[i], raster.barycentric[i], faces
        light_up(*surface, normals[i], colours[i], light, float(ambient), rgba[i])
    return rgba


def render(
    vertices: TensorLike,
    faces: TensorLike,
    camera: Camera,
    *,
    vertex_colours: TensorLike | None = None,
    face_colours: TensorLike | None = None,
    light: TensorLike = LIGHT,
    ambient: float = AMBIENT,
    supersampling: int = 2,
) -> np.ndarray:
    """Draws a mesh with smooth edges, ready for `overlay`.

    Args:
      vertices: [..., V, 3] metres, camera frame.
      faces: [F, 3], counter-clockwise seen from outside.
      camera: Camera.
      vertex_colours: RGB 0..255, [3] for the whole mesh or [V, 3].
      face_colours: RGB 0..255, [F, 3], instead of vertex_colours.
      light: [3], the direction in which the light travels, camera frame.
      ambient: fraction of ambient light, 0..1.
      supersampling: samples per pixel and axis.

    Returns:
      [..., H, W, 4] uint8 RGBA; alpha is the share of the pixel that the mesh covers.

    Raises:
      ValueError: if both kinds of colours are given or the mesh is malformed.
    """
    if vertex_colours is not None and face_colours is not None:
        raise ValueError("Expected vertex_colours or face_colours, got both.")
    fine = _finer(camera, supersampling)
    raster = rasterize(vertices, faces, fine)
    colours: TensorLike
    if face_colours is not None:
        colours = gather_faces(raster, face_colours)
    elif vertex_colours is not None and np.ndim(vertex_colours) > 1:
        colours = interpolate(raster, faces, vertex_colours)
    else:
        colours = BODY_COLOUR if vertex_colours is None else vertex_colours
    return downsample(shade(raster, vertices, faces, colours, light, ambient), supersampling)


def _finer(camera: Camera, factor: int) -> Camera:
    """`camera.resize` in NumPy: in TensorFlow it took half the time of a small drawing."""
    scale = np.array([[factor], [factor], [1.0]])
    intrinsics = np.asarray(camera.intrinsics) * scale
    return Camera(intrinsics, int(camera.width) * factor, int(camera.height) * factor)


def downsample(rgba: np.ndarray, factor: int) -> np.ndarray:
    """Averages blocks of pixels; colours are weighted by alpha.

    Args:
      rgba: [..., H * factor, W * factor, 4] uint8.
      factor: pixels per block and axis.

    Returns:
      [..., H, W, 4] uint8.

    Raises:
      ValueError: if the blocks do not fill the picture.
    """
    rgba = np.ascontiguousarray(rgba)
    *batch, height, width, _ = rgba.shape
    if height % factor or width % factor:
        raise ValueError(f"Expected a picture of whole blocks of {factor}, got {height}x{width}.")
    result = np.empty((*batch, height // factor, width // factor, 4), np.uint8)
    for i in np.ndindex(*batch):
        average_blocks(rgba[i], result[i])
    return result


def overlay(picture: TensorLike, rgba: np.ndarray, opacity: float = 1.0) -> np.ndarray:
    """Overlays a drawn mesh on a picture of the same size.

    Args:
      picture: [..., H, W, 3] uint8 RGB.
      rgba: [..., H, W, 4] uint8, from `shade` or `render`.
      opacity: 0 shows only the picture, 1 an opaque mesh.

    Returns:
      [..., H, W, 3] uint8 RGB.

    Raises:
      ValueError: if the sizes differ.
    """
    picture = np.asarray(picture)
    if picture.shape[-3:] != (*rgba.shape[-3:-1], 3):
        raise ValueError(
            f"Expected a picture of the drawing's size {(*rgba.shape[-3:-1], 3)}, got "
            f"{picture.shape[-3:]}; draw the mesh with the picture's own camera."
        )
    batch = np.broadcast_shapes(picture.shape[:-1], rgba.shape[:-1])
    result = np.broadcast_to(picture, (*batch, 3)).copy()
    rgba = np.broadcast_to(rgba, (*batch, 4))
    drawn = rgba[..., 3] > 0
    below, drawing = result[drawn], rgba[drawn]
    alpha = drawing[:, 3:] * np.float32(opacity / 255)
    result[drawn] = np.rint(below + (drawing[:, :3] - below.astype(np.float32)) * alpha)
    return result
