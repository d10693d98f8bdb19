"""The rasterizer against rays cast one by one, and the laws that pictures obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpl_tf import parts, rasterizer
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.open_body import load_open_body

laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)


def camera_of(width, height, focal=100.0):
    intrinsics = [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    return Camera(np.array(intrinsics), width, height)


def cast_rays(vertices, faces, camera, cull=True):
    """The nearest hit of each pixel's ray by Cramer's rule in space: slow, float64, no z-buffer.

    Returns face index, weights of the corners and depth, [H, W, ...].
    """
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1).reshape(-1, 3)
    rays = np.linalg.solve(np.asarray(camera.intrinsics, np.float64), pixels.T).T
    a, b, c = vertices[faces].transpose(1, 0, 2)
    volume = np.einsum("fk,fk->f", a, np.cross(b, c))
    in_front = vertices[faces][..., 2].min(axis=1) >= rasterizer.NEAR_PLANE
    candidates = np.flatnonzero(in_front & (volume < 0 if cull else volume != 0))
    a, b, c, volume = a[candidates], b[candidates], c[candidates], volume[candidates]
    with np.errstate(divide="ignore", invalid="ignore"):
        # ray * depth = weights @ (a, b, c): solve for the weights by triple products.
        weights = np.stack(
            [rays @ np.cross(*pair).T / volume for pair in ((b, c), (c, a), (a, b))], axis=-1
        )
        depth = 1 / weights.sum(axis=-1)
        hit = (weights >= 0).all(axis=-1) & np.isfinite(depth)
    # The last candidate is the background.
    depth = np.pad(np.where(hit, depth, np.inf), ((0, 0), (0, 1)), constant_values=np.inf)
    weights = np.pad(weights, ((0, 0), (0, 1), (0, 0)))
    ray, face = np.arange(len(rays)), depth.argmin(axis=1)
    depth, weights = depth[ray, face], weights[ray, face]
    seen = np.isfinite(depth)
    weights[seen] *= depth[seen, None]
    shape = (camera.height, camera.width)
    face = np.where(seen, np.append(candidates, -1)[face], -1)
    return (
        face.reshape(shape),
        np.where(seen[:, None], weights, 0).reshape(*shape, 3),
        depth.reshape(shape),
    )


def sphere(rings=8, sectors=12):
    """A unit sphere, faces counter-clockwise from outside."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1, None]
    turn = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    grid = np.stack(
        np.broadcast_arrays(
            np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)
        ),
        axis=-1,
    )
    vertices = np.concatenate([grid.reshape(-1, 3), [[0, 0, 1], [0, 0, -1]]])
    top, bottom = len(vertices) - 2, len(vertices) - 1
    faces = []
    for j in range(sectors):
        k = (j + 1) % sectors
        faces += [(top, j, k), (bottom, (rings - 2) * sectors + k, (rings - 2) * sectors + j)]
        for i in range(rings - 2):
            row, below = i * sectors, (i + 1) * sectors
            faces += [(row + j, below + j, below + k), (row + j, below + k, row + k)]
    return vertices, np.array(faces)


def bumpy_scene(seed):
    """Two dented spheres that hide and cut each other, and a random camera."""
    rng = np.random.default_rng(seed)
    vertices, faces = sphere()
    meshes = [
        vertices * rng.uniform(0.5, 1.2, (len(vertices), 1)) + rng.uniform(-0.6, 0.6, 3)
        for _ in range(2)
    ]
    intrinsics = [
        [rng.uniform(40, 120), rng.uniform(-3, 3), rng.uniform(10, 30)],
        [0, rng.uniform(40, 120), rng.uniform(10, 20)],
        [0, 0, 1],
    ]
    vertices = np.concatenate(meshes) + [0, 0, rng.uniform(2.5, 6)]
    return vertices, np.concatenate([faces, faces + len(meshes[0])]), Camera(intrinsics, 40, 30)


def assert_agrees(raster, reference):
    face, barycentric, depth = reference
    np.testing.assert_array_equal(raster.mask, face >= 0)
    same = raster.face_index == face
    assert same.mean() > 0.999
    np.testing.assert_allclose(raster.depth, depth, rtol=1e-6)
    np.testing.assert_allclose(raster.barycentric[same], barycentric[same], atol=1e-5)


@laws
@given(seeds, st.booleans())
def test_agrees_with_cast_rays(seed, cull):
    vertices, faces, camera = bumpy_scene(seed)
    raster = rasterizer.rasterize(vertices, faces, camera, cull_back_faces=cull)
    assert raster.mask.any()
    assert_agrees(raster, cast_rays(vertices, faces, camera, cull))


def test_agrees_with_cast_rays_on_a_person():
    body = load_open_body()
    vertices = body.v_template * (1, -1, -1) + NBF_TRANSLATION
    camera = nbf_camera(96).crop(44, 36, 30, 18)  # a shoulder, the head and an arm
    raster = rasterizer.rasterize(vertices, body.faces, camera)
    reference = cast_rays(vertices, body.faces, camera)
    assert_agrees(raster, reference)
    labels = parts.face_labels(body)
    expected = np.where(reference[0] >= 0, labels[reference[0]], 0)
    assert (rasterizer.label_map(raster, labels) == expected).mean() >= 0.995
    assert expected.any()


@laws
@given(seeds)
def test_barycentric_coordinates_give_the_point_on_the_ray(seed):
    vertices, faces, camera = bumpy_scene(seed)
    raster = rasterizer.rasterize(vertices, faces, camera)
    points = rasterizer.interpolate(raster, faces, vertices)[raster.mask]
    rows, columns = np.nonzero(raster.mask)
    np.testing.assert_allclose(
        camera.project(points.astype(np.float64)), np.c_[columns, rows] + 0.5, atol=1e-3
    )
    np.testing.assert_allclose(points[:, 2], raster.depth[raster.mask], rtol=1e-5)


@laws
@given(seeds)
def test_cropping_the_camera_crops_the_picture(seed):
    vertices, faces, camera = bumpy_scene(seed)
    whole = rasterizer.rasterize(vertices, faces, camera)
    cropped = rasterizer.rasterize(vertices, faces, camera.crop(-4, 5, 20, 25))
    inside = cropped.face_index[:, 4:]  # the box begins four pixels left of the picture
    assert (inside == whole.face_index[5:30, :16]).mean() > 0.99
    assert cropped.face_index.shape == (25, 20)


@laws
@given(seeds)
def test_mirroring_world_and_camera_mirrors_the_picture(seed):
    vertices, faces, camera = bumpy_scene(seed)
    whole = rasterizer.rasterize(vertices, faces, camera)
    mirrored = rasterizer.rasterize(vertices * (-1, 1, 1), faces[:, ::-1], camera.mirror())
    assert (mirrored.face_index[:, ::-1] == whole.face_index).mean() > 0.99


def test_a_mirroring_camera_still_sees_front_faces():
    vertices, faces, camera = bumpy_scene(0)
    whole = rasterizer.rasterize(vertices, faces, camera)
    flipped = camera.warp(np.array([[-1, 0, 40], [0, 1, 0], [0, 0, 1]]), 40, 30)
    mirrored = rasterizer.rasterize(vertices, faces, flipped)
    assert (mirrored.face_index[:, ::-1] == whole.face_index).mean() > 0.99


def test_a_batch_gives_what_its_members_give():
    scenes = [bumpy_scene(seed) for seed in range(4)]
    vertices = np.stack([scene[0] for scene in scenes]).reshape(2, 2, -1, 3)
    intrinsics = np.stack([scene[2].intrinsics for scene in scenes]).reshape(2, 2, 3, 3)
    faces = scenes[0][1]
    batch = rasterizer.rasterize(vertices, faces, Camera(intrinsics, 40, 30))
    normals = rasterizer.interpolate(batch, faces, rasterizer.vertex_normals(vertices, faces))
    pictures = rasterizer.shade(batch, vertices, faces, (200, 100, 50))
    assert batch.depth.shape == (2, 2, 30, 40)
    for i, (v, _, camera) in zip(np.ndindex(2, 2), scenes, strict=True):
        one = rasterizer.rasterize(v, faces, camera)
        for field, expected in zip(batch, one, strict=True):
            np.testing.assert_array_equal(field[i], expected)
        one_normals = rasterizer.interpolate(one, faces, rasterizer.vertex_normals(v, faces))
        np.testing.assert_array_equal(normals[i], one_normals)
        np.testing.assert_array_equal(pictures[i], rasterizer.shade(one, v, faces, (200, 100, 50)))
    one_camera = rasterizer.rasterize(vertices, faces, scenes[0][2])
    np.testing.assert_array_equal(one_camera.depth[0, 0], batch.depth[0, 0])
    assert rasterizer.rasterize(vertices[:0], faces, scenes[0][2]).depth.shape == (0, 2, 30, 40)


def pixel_square(z, corner=0.5, size=4.0):
    """A square between pixel centres of an 8 x 8 picture; its diagonal runs through centres."""
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]]) + corner
    corners = np.c_[(corners - 4) / 100, np.ones(4)] * z
    return corners, np.array([[0, 2, 1], [0, 3, 2]])


def test_pixel_centres_on_edges_are_seen_and_go_to_the_lowest_face():
    vertices, faces = pixel_square(1.0)
    raster = rasterizer.rasterize(vertices, faces, camera_of(8, 8))
    expected = np.full((8, 8), -1)
    expected[:5, :5] = np.where(np.tri(5, k=-1), 1, 0)
    np.testing.assert_array_equal(raster.face_index, expected)
    swapped = rasterizer.rasterize(vertices, faces[::-1], camera_of(8, 8))
    assert (np.diag(swapped.face_index)[:5] == 0).all()
    np.testing.assert_array_equal(swapped.mask, raster.mask)


def test_rounding_opens_no_crack_along_a_shared_edge():
    """Both faces must find the pixel's centre on one side of it, or on the edge."""
    rng = np.random.default_rng(0)
    start = rng.uniform(-3, 0, (300, 2))
    end = 0.5 + (0.5 - start) * rng.uniform(0.5, 2, (300, 1))  # through (0.5, 0.5), but rounded
    aside = 2 * (end - start)[:, ::-1] * (-1, 1)
    corners = np.stack([start, end, start + aside, start - aside], axis=1)
    vertices = np.concatenate([corners, np.ones((300, 4, 1))], axis=-1)
    faces = np.array([[0, 1, 2], [1, 0, 3]])
    raster = rasterizer.rasterize(vertices, faces, Camera(np.eye(3), 1, 1), cull_back_faces=False)
    assert raster.mask.all()


def test_of_two_squares_the_nearer_is_seen_whatever_the_order():
    near, faces = pixel_square(1.0)
    far, _ = pixel_square(2.0, corner=2.5)
    for first, second in ((near, far), (far, near)):
        raster = rasterizer.rasterize(
            np.concatenate([first, second]), np.concatenate([faces, faces + 4]), camera_of(8, 8)
        )
        assert (raster.depth[:5, :5] == 1).all()
        assert (raster.depth[5:7, 2:7] == 2).all()
        assert np.isinf(raster.depth[7]).all()


@laws
@given(seeds)
def test_a_closed_surface_has_no_cracks(seed):
    rng = np.random.default_rng(seed)
    vertices, faces = sphere(40, 40)
    # Coarsely rounded, so that many pixel centres fall on edges and corners.
    vertices = np.round(vertices * 64) / 64 + [0, 0, 4]
    raster = rasterizer.rasterize(vertices, faces, camera_of(32, 32, focal=64.0))
    drawn = raster.mask[rng.integers(8, 24)]
    assert drawn.any()
    assert drawn[drawn.argmax() : 32 - drawn[::-1].argmax()].all()


def test_a_surface_seen_from_inside_is_culled():
    vertices, faces = sphere()
    vertices = vertices + [0, 0, 4]
    inside_out = faces[:, ::-1]
    camera = camera_of(20, 20, focal=20.0)
    front = rasterizer.rasterize(vertices, faces, camera)
    back = rasterizer.rasterize(vertices, inside_out, camera)
    assert front.depth.min() < 3.2
    assert back.depth.min() > 3.8
    both = rasterizer.rasterize(vertices, inside_out, camera, cull_back_faces=False)
    np.testing.assert_array_equal(both.depth, front.depth)


@laws
@given(seeds)
def test_what_lies_behind_or_around_the_camera_is_dropped(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.normal(0, 1, (40, 3))
    vertices[:5, 2] = 0.0
    faces = rng.permuted(np.tile(np.arange(40), (100, 1)), axis=1)[:, :3]
    camera = camera_of(16, 16, focal=10.0)
    raster = rasterizer.rasterize(vertices, faces, camera, cull_back_faces=False)
    assert_agrees(raster, cast_rays(vertices, faces, camera, cull=False))
    assert (raster.depth >= rasterizer.NEAR_PLANE * (1 - 1e-6)).all()
    behind = rasterizer.rasterize(-np.abs(vertices), faces, camera)
    assert not behind.mask.any()


def test_meshes_without_area_give_empty_pictures():
    camera = camera_of(8, 6)
    point = np.tile([0.0, 0, 1], (3, 1))
    line = np.array([[-1.0, 0, 2], [0, 0, 2], [1, 0, 2]])
    for vertices, faces in (
        (point, [[0, 1, 2]]),
        (line, [[0, 1, 2]]),
        (line, [[0, 0, 1]]),
        (line, np.zeros((0, 3))),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ):
        raster = rasterizer.rasterize(vertices, faces, camera, cull_back_faces=False)
        assert raster.face_index.shape == (6, 8)
        assert not raster.mask.any()
        assert np.isinf(raster.depth).all()
        picture = rasterizer.shade(raster, vertices, faces, (255, 0, 0))
        assert not picture.any()


def test_unsound_input_is_refused_in_one_line():
    vertices, faces = pixel_square(1.0)
    camera = camera_of(8, 8)
    broken = vertices.copy()
    broken[1, 1] = np.nan
    with pytest.raises(ValueError, match="finite vertices, got NaN"):
        rasterizer.rasterize(broken, faces, camera)
    with pytest.raises(ValueError, match=r"vertices 0\.\.3, got indices 1\.\.4"):
        rasterizer.rasterize(vertices, faces + 1, camera)
    with pytest.raises(ValueError, match=r"vertices \[\.\.\., V, 3\], got shape \(4, 2\)"):
        rasterizer.rasterize(vertices[:, :2], faces, camera)
    with pytest.raises(ValueError, match=r"faces \[F, 3\], got shape \(3, 2\)"):
        rasterizer.rasterize(vertices, faces.T, camera)
    with pytest.raises(ValueError, match=r"intrinsics \[\.\.\., 3, 3\], got shape \(2, 3\)"):
        rasterizer.rasterize(vertices, faces, Camera(np.zeros((2, 3)), 8, 8))
    raster = rasterizer.rasterize(vertices, faces, camera)
    with pytest.raises(ValueError, match=r"vertices 0\.\.2, got indices 0\.\.3"):
        rasterizer.interpolate(raster, faces, vertices[:3])
    with pytest.raises(ValueError, match="these 1 faces, got one that shows face 1"):
        rasterizer.shade(raster, vertices, faces[:1], (0, 0, 0))
    with pytest.raises(ValueError, match=r"labels 0\.\.255, got 0\.\.256"):
        rasterizer.label_map(raster, [0, 256])
    with pytest.raises(ValueError, match="whole blocks of 2, got 5x4"):
        rasterizer.downsample(np.zeros((5, 4, 4), np.uint8), 2)


def test_vertex_normals_of_a_sphere_point_outwards():
    vertices, faces = sphere(40, 40)
    normals = rasterizer.vertex_normals(vertices + [3, -2, 5], faces)
    assert np.einsum("vk,vk->v", normals, vertices).min() > 0.99
    lonely = rasterizer.vertex_normals(np.concatenate([vertices, [[9, 9, 9]]]), faces)[-1]
    np.testing.assert_array_equal(lonely, 0)


def test_shading_is_lamberts_law():
    vertices, faces = sphere(60, 60)
    vertices = vertices + [0, 0, 5]
    raster = rasterizer.rasterize(vertices, faces, camera_of(40, 40))
    light = np.array([1.0, 2.0, 2.0])
    picture = rasterizer.shade(raster, vertices, faces, (200, 100, 0), light * 7, ambient=0.2)
    normals = rasterizer.interpolate(raster, faces, vertices - [0, 0, 5])[raster.mask]
    cosine = np.clip(-(normals @ light) / 3, 0, 1)
    expected = np.outer(0.2 + 0.8 * cosine, (200, 100, 0))
    np.testing.assert_allclose(picture[raster.mask][:, :3], expected, atol=3)
    assert (picture[raster.mask][:, 3] == 255).all()
    assert not picture[~raster.mask].any()


def test_colours_come_from_faces_vertices_or_pixels():
    vertices, faces = sphere()
    vertices = vertices + [0, 0, 5]
    camera = camera_of(24, 24)
    raster = rasterizer.rasterize(vertices, faces, camera)
    red = np.tile([255.0, 0, 0], (len(faces), 1))
    options = {"ambient": 1.0, "supersampling": 1}
    by_face = rasterizer.render(vertices, faces, camera, face_colours=red, **options)
    by_vertex = rasterizer.render(
        vertices, faces, camera, vertex_colours=np.tile(red[:1], (len(vertices), 1)), **options
    )
    whole = rasterizer.render(vertices, faces, camera, vertex_colours=(255, 0, 0), **options)
    pixels = rasterizer.gather_faces(raster, red)
    shaded = rasterizer.shade(raster, vertices, faces, pixels, ambient=1.0)
    assert whole[12, 12].tolist() == [255, 0, 0, 255]
    for picture in (by_face, by_vertex, shaded):
        np.testing.assert_array_equal(picture, whole)
    with pytest.raises(ValueError, match="got both"):
        rasterizer.render(vertices, faces, camera, vertex_colours=red, face_colours=red)


def test_supersampling_gives_the_covered_share_of_each_pixel():
    # A square that covers columns 2..5 and a quarter of the pixels around them.
    vertices, faces = pixel_square(1.0, corner=1.75, size=4.5)
    alpha = rasterizer.render(vertices, faces, camera_of(8, 8), supersampling=4)[..., 3] / 255
    share = np.array([0, 0.25, 1, 1, 1, 1, 0.25, 0])
    np.testing.assert_allclose(alpha, np.outer(share, share), atol=1 / 255)


def test_downsampling_weighs_colours_by_alpha():
    block = np.zeros((2, 2, 4), np.uint8)
    block[0, 0] = (200, 100, 0, 255)
    block[0, 1] = (100, 100, 0, 255)
    block[1, 1] = (9, 9, 9, 0)
    assert rasterizer.downsample(block, 2).tolist() == [[[150, 100, 0, 128]]]
    assert not rasterizer.downsample(np.zeros((4, 4, 4), np.uint8), 2).any()


def test_overlay_keeps_the_picture_where_nothing_is_drawn():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
    vertices, faces, camera = bumpy_scene(0)
    drawing = rasterizer.render(vertices, faces, camera, supersampling=1)
    drawn = drawing[..., 3] > 0
    laid = rasterizer.overlay(picture, drawing)
    np.testing.assert_array_equal(laid[:, ~drawn], picture[:, ~drawn])
    np.testing.assert_array_equal(laid[0, drawn], drawing[drawn][:, :3])
    np.testing.assert_array_equal(rasterizer.overlay(picture, drawing, opacity=0), picture)
    half = rasterizer.overlay(picture, drawing, opacity=0.5)[0, drawn].astype(float)
    np.testing.assert_allclose(half, (picture[0, drawn] / 2 + drawing[drawn][:, :3] / 2), atol=1)
    with pytest.raises(ValueError, match=r"size \(30, 40, 3\), got \(30, 39, 3\)"):
        rasterizer.overlay(picture[:, :, :39], drawing)


def test_normals_are_the_sums_of_cross_products_to_the_last_bit():
    rng = np.random.default_rng(0)
    vertices, faces = rng.normal(size=(2, 30, 3)), rng.integers(0, 30, (50, 3))
    a, b, c = (vertices[:, faces[:, k]] for k in range(3))
    expected = np.zeros_like(vertices)
    for one, crosses in zip(expected, np.cross(b - a, c - a), strict=True):
        np.add.at(one, faces.ravel(), np.repeat(crosses, 3, axis=0))
    length = np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_array_equal(
        rasterizer.vertex_normals(vertices, faces), expected / np.where(length > 0, length, 1)
    )
