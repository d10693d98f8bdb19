"""The z-buffer kernel: finds the visible triangle at each pixel centre; compiled with numba.

Ties. A pixel centre inside several triangles goes to the nearest, at equal depth to the lowest
face index. A pixel centre exactly on an edge belongs to both neighbours, so a closed surface has
no cracks; both compute the edge from its lower vertex index to its higher one and so agree on its
sides to the last bit.
"""

import numpy as np

from smpl_tf import compiled


@compiled.njit(nogil=True, error_model="numpy")
def _edge(screen, first, second, sign):
    """The line through two vertices as (x0, y0, dx, dy) of `_side`."""
    if first > second:
        first, second, sign = second, first, -sign
    x0, y0 = screen[first, 0], screen[first, 1]
    return x0, y0, sign * (screen[second, 0] - x0), sign * (screen[second, 1] - y0)


@compiled.njit(nogil=True, error_model="numpy")
def _side(edge, x, y):
    """Twice the area between an edge and (x, y); exactly odd in the direction of the edge."""
    return edge[2] * (y - edge[1]) - edge[3] * (x - edge[0])


@compiled.njit(nogil=True, error_model="numpy")
def _pixel_range(a, b, c, size):
    """Returns the range of pixels whose centres may lie between the extremes of a, b, c."""
    low = np.ceil(min(a, b, c) - 0.5)
    high = np.floor(max(a, b, c) - 0.5)
    # Clamped before the conversion to integers: a vertex near the near plane may be far outside.
    return int(min(max(low, 0.0), size)), int(max(min(high, size - 1.0), -1.0))


@compiled.njit(nogil=True, error_model="numpy")
def _to_screen(vertices, intrinsics, near):
    """[V, 3] pixel x, pixel y and 1 / z, which is affine on the screen; 1 / z = 0: not drawn."""
    screen = np.empty_like(vertices)
    for i in range(len(vertices)):
        inverse = 1.0 / vertices[i, 2] if vertices[i, 2] >= near else 0.0
        x, y = vertices[i, 0] * inverse, vertices[i, 1] * inverse
        screen[i, 0] = intrinsics[0, 0] * x + intrinsics[0, 1] * y + intrinsics[0, 2]
        screen[i, 1] = intrinsics[1, 0] * x + intrinsics[1, 1] * y + intrinsics[1, 2]
        screen[i, 2] = inverse
    return screen


@compiled.njit(nogil=True, error_model="numpy")
def draw(
    vertices: np.ndarray,
    faces: np.ndarray,
    intrinsics: np.ndarray,
    near: float,
    cull: bool,
    face_index: np.ndarray,
    barycentric: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Draws one mesh into face_index, barycentric and depth.

    Args:
      vertices: [V, 3] float64, metres, camera frame.
      faces: [F, 3] int32.
      intrinsics: [3, 3] float64, pixels; last row (0, 0, 1).
      near: metres; triangles with a vertex nearer than this are not drawn.
      cull: whether triangles seen from behind are not drawn.
      face_index: [H, W] int32, written.
      barycentric: [H, W, 3] float32, written; perspective-correct.
      depth: [H, W] float32, written; metres.
    """
    height, width = face_index.shape
    screen = _to_screen(vertices, intrinsics, near)
    # A mirroring camera reverses the orientation of triangles on the screen.
    determinant = intrinsics[0, 0] * intrinsics[1, 1] - intrinsics[0, 1] * intrinsics[1, 0]
    front = -1.0 if determinant > 0 else 1.0

    face_index[:] = -1
    barycentric[:] = 0.0
    depth[:] = np.inf
    nearest = np.zeros((height, width))  # the largest 1 / z so far
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        inverse_a, inverse_b, inverse_c = screen[a, 2], screen[b, 2], screen[c, 2]
        if inverse_a == 0 or inverse_b == 0 or inverse_c == 0:
            continue
        area = _side(_edge(screen, a, b, 1.0), screen[c, 0], screen[c, 1])
        if area == 0 or (cull and area * front < 0):
            continue
        x_first, x_last = _pixel_range(screen[a, 0], screen[b, 0], screen[c, 0], width)
        y_first, y_last = _pixel_range(screen[a, 1], screen[b, 1], screen[c, 1], height)
        if x_first > x_last or y_first > y_last:
            continue
        sign = 1.0 if area > 0 else -1.0
        opposite_a = _edge(screen, b, c, sign)
        opposite_b = _edge(screen, c, a, sign)
        opposite_c = _edge(screen, a, b, sign)
        for row in range(y_first, y_last + 1):
            y = row + 0.5
            for column in range(x_first, x_last + 1):
                x = column + 0.5
                in_a = _side(opposite_a, x, y)
                in_b = _side(opposite_b, x, y)
                in_c = _side(opposite_c, x, y)
                weight = in_a + in_b + in_c
                if in_a < 0 or in_b < 0 or in_c < 0 or weight == 0:
                    continue
                # Linear on the screen are 1 / z and barycentric / z. Divided by the weight and
                # not by the area, 1 / z lies between the corners' even on slivers.
                in_a, in_b, in_c = in_a * inverse_a, in_b * inverse_b, in_c * inverse_c
                total = in_a + in_b + in_c
                inverse = total / weight
                if inverse > nearest[row, column]:
                    nearest[row, column] = inverse
                    face_index[row, column] = f
                    barycentric[row, column, 0] = in_a / total
                    barycentric[row, column, 1] = in_b / total
                    barycentric[row, column, 2] = in_c / total
                    depth[row, column] = 1.0 / inverse


@compiled.njit(nogil=True, error_model="numpy")
def sum_face_normals(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    """Adds the normal of each face, twice its area long, to those of its vertices.

    Args:
      vertices: [V, 3] float64.
      faces: [F, 3] int32.
      normals: [V, 3] float64, added to.
    """
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x1, y1 = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
        x2, y2 = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1]
        z1, z2 = vertices[b, 2] - vertices[a, 2], vertices[c, 2] - vertices[a, 2]
        x, y, z = y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2
        for corner in range(3):
            vertex = faces[f, corner]
            normals[vertex, 0] += x
            normals[vertex, 1] += y
            normals[vertex, 2] += z


@compiled.njit(nogil=True, error_model="numpy")
def blend(
    face_index: np.ndarray,
    barycentric: np.ndarray,
    faces: np.ndarray,
    values: np.ndarray,
    blended: np.ndarray,
) -> None:
    """Interpolates values [V, C] over the pixels into blended [H, W, C], 0 off the surface."""
    for row in range(face_index.shape[0]):
        for column in range(face_index.shape[1]):
            f = face_index[row, column]
            for channel in range(values.shape[1]):
                total = np.float32(0.0)
                if f >= 0:
                    for corner in range(3):
                        weight = barycentric[row, column, corner]
                        total += weight * values[faces[f, corner], channel]
                blended[row, column, channel] = total


@compiled.njit(nogil=True, error_model="numpy")
def light_up(
    face_index: np.ndarray,
    barycentric: np.ndarray,
    faces: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    light: np.ndarray,
    ambient: float,
    rgba: np.ndarray,
) -> None:
    """Shades colours [H, W, 3] with a distant light into rgba [H, W, 4] uint8.

    Args:
      face_index: [H, W] int32, -1 where there is no surface.
      barycentric: [H, W, 3] float32.
      faces: [F, 3] int32.
      normals: [V, 3] float64 outward unit vectors or 0.
      colours: [H, W, 3] float32, 0..255.
      light: [3] float64, unit vector along which the light travels.
      ambient: fraction of ambient light.
      rgba: [H, W, 4] uint8, written.
    """
    for row in range(face_index.shape[0]):
        for column in range(face_index.shape[1]):
            f = face_index[row, column]
            if f < 0:
                rgba[row, column] = 0
                continue
            x, y, z = 0.0, 0.0, 0.0
            for corner in range(3):
                weight = barycentric[row, column, corner]
                vertex = faces[f, corner]
                x += weight * normals[vertex, 0]
                y += weight * normals[vertex, 1]
                z += weight * normals[vertex, 2]
            length = np.sqrt(x * x + y * y + z * z)
            facing = -(x * light[0] + y * light[1] + z * light[2])
            cosine = facing / length if facing > 0 else 0.0
            brightness = ambient + (1.0 - ambient) * cosine
            for channel in range(3):
                value = colours[row, column, channel] * brightness
                rgba[row, column, channel] = int(min(max(value, 0.0), 255.0) + 0.5)
            rgba[row, column, 3] = 255


@compiled.njit(nogil=True, error_model="numpy")
def average_blocks(fine: np.ndarray, coarse: np.ndarray) -> None:
    """Averages uint8 RGBA [H * n, W * n, 4] to [H, W, 4]; colours are weighted by alpha."""
    n = fine.shape[0] // coarse.shape[0]
    for row in range(coarse.shape[0]):
        for column in range(coarse.shape[1]):
            red, green, blue, alpha = 0, 0, 0, 0
            for i in range(n * row, n * (row + 1)):
                for j in range(n * column, n * (column + 1)):
                    weight = int(fine[i, j, 3])
                    red += weight * fine[i, j, 0]
                    green += weight * fine[i, j, 1]
                    blue += weight * fine[i, j, 2]
                    alpha += weight
            scale = 1.0 / alpha if alpha else 0.0
            coarse[row, column, 0] = int(red * scale + 0.5)
            coarse[row, column, 1] = int(green * scale + 0.5)
            coarse[row, column, 2] = int(blue * scale + 0.5)
            coarse[row, column, 3] = int(alpha / (n * n) + 0.5)
