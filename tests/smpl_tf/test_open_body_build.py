"""The builder's parts obey their laws, and together still make the shipped file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpl_tf.open_body import (
    build,
    data_file,
    load_open_body,
    meshing,
    pose_blends,
    shape_space,
    skinning,
    triangles,
)
from smpl_tf.open_body import primitives as solid
from smpl_tf.open_body.anatomy import MEAN, REFERENCE, TRAITS, rig, with_traits
from smpl_tf.open_body.collapse import HalfMesh
from smpl_tf.open_body.implicit_surface import ImplicitBody
from smpl_tf.skeleton import SMPL_24


def half_sphere(rings=24, segments=48):
    """Returns the half x >= 0 of a unit sphere, open along x = 0."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1]
    around = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    grid = np.array(
        [[np.sin(p) * np.cos(a), np.cos(p), np.sin(p) * np.sin(a)] for p in polar for a in around]
    )
    vertices = np.concatenate([[[0, 1, 0]], grid, [[0, -1, 0]]])
    vertices[np.abs(vertices[:, 0]) < 1e-12, 0] = 0
    width, last = len(around), len(vertices) - 1
    faces = [(0, 1 + i + 1, 1 + i) for i in range(width - 1)]
    for r in range(len(polar) - 1):
        a = 1 + r * width
        for i in range(width - 1):
            faces += [
                (a + i, a + i + 1, a + i + width),
                (a + i + 1, a + i + width + 1, a + i + width),
            ]
    a = 1 + (len(polar) - 1) * width
    faces += [(a + i, a + i + 1, last) for i in range(width - 1)]
    return vertices, np.array(faces)


@pytest.mark.parametrize("count", [200, 301, 500])
def test_collapse_hits_the_exact_count_and_stays_closed(count):
    vertices, faces = half_sphere()
    half = HalfMesh(vertices, faces, np.ones(len(vertices)))
    half.collapse_to(count)
    half.flip_edges()
    assert half.full_count() == count
    kept = [i for i, point in enumerate(half.points) if point is not None]
    number = {vertex: i for i, vertex in enumerate(kept)}
    points = np.array([half.points[i] for i in kept])
    triangles_left = np.array([[number[v] for v in f] for f in half.faces if f is not None])
    whole, all_faces, mirror = meshing.mirrored(points, triangles_left)
    edges, shared_by = triangles.unique_edges(all_faces)
    assert np.all(shared_by == 2)
    assert (len(whole), len(all_faces)) == (count, 2 * count - 4)
    np.testing.assert_array_equal(whole, whole[mirror] * [-1, 1, 1])
    assert triangles.volume(whole, all_faces) == pytest.approx(4 / 3 * np.pi, rel=0.1)


def test_collapse_that_cannot_go_on_says_so():
    vertices, faces = half_sphere()
    half = HalfMesh(vertices, faces, np.ones(len(vertices)))
    with pytest.raises(ValueError, match="collapse stuck at .* of 3 vertices"):
        half.collapse_to(3)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_union_is_never_outside_either_solid_and_exact_far_from_the_seam(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 50))
    joined = solid.union(a, b, 0.3)
    assert np.all(joined <= np.minimum(a, b) + 1e-12)
    assert np.all(joined >= np.minimum(a, b) - 0.3 / 4 - 1e-12)
    apart = np.abs(a - b) >= 0.3
    np.testing.assert_array_equal(joined[apart], np.minimum(a, b)[apart])
    carved = solid.carve(a, b, 0.3)
    assert np.all(carved >= np.maximum(a, -b) - 1e-12)


@pytest.mark.parametrize(
    ("field", "surface"),
    [
        (solid.ellipsoid((0, 1, 0), (0.1, 0.2, 0.3)), [(0.1, 1, 0), (0, 0.8, 0), (0, 1, 0.3)]),
        (solid.cone((0, 0, 0), (0, 1, 0), 0.2, 0.2), [(0.2, 0.5, 0), (0, -0.2, 0), (0, 1.2, 0)]),
        (
            solid.tube(
                np.zeros(3),
                solid.frame_along((0, 1, 0)),
                [(0, 0.1, 0.2, 0.3, 0, 0, 2), (1, 0.1, 0.2, 0.3, 0, 0, 2)],
            ),
            [(0.1, 0.5, 0), (-0.1, 0.5, 0), (0, 0.5, 0.2), (0, 0.5, -0.3)],
        ),
    ],
)
def test_solids_vanish_on_their_skin_and_are_negative_inside(field, surface):
    surface = np.array(surface, float)
    np.testing.assert_allclose(field(surface), 0, atol=1e-9)
    centre = surface.mean(0)
    assert np.all(field(centre + 0.7 * (surface - centre)) < 0)
    assert np.all(field(centre + 1.3 * (surface - centre)) > 0)


def test_body_is_a_mirror_image_and_keeps_its_parts_apart():
    body = ImplicitBody(REFERENCE)
    points = np.random.default_rng(0).uniform((-0.9, 0, -0.2), (0.9, 1.7, 0.2), (2000, 3))
    np.testing.assert_array_equal(body(points), body(points * [-1, 1, 1]))
    assert np.all(body(body.joints[[0, 1, 3, 4, 6, 9, 12, 15, 16, 18, 20]]) < 0)
    assert np.all(body(np.array([[0, 2, 0], [0, 0.3, 0], [0.5, 1, 0], [0, 1.0, 0.3]])) > 0)


@pytest.mark.parametrize("sex", sorted(MEAN))
def test_projection_lands_on_the_skin(sex):
    body = ImplicitBody(MEAN[sex])
    template = load_open_body(sex).v_template + body.joints[0] - shape_space.PELVIS
    moved = body.project(template + 0.002, np.zeros(len(template), bool))
    assert np.quantile(np.abs(body(moved)), 0.99) < 1e-4


def test_traits_change_what_they_name():
    tall = with_traits(REFERENCE, np.eye(len(TRAITS))[list(TRAITS).index("stature")])
    assert tall.stature == pytest.approx(REFERENCE.stature + TRAITS["stature"]["stature"])
    fat = with_traits(REFERENCE, np.eye(len(TRAITS))[list(TRAITS).index("fat")])
    assert fat.girth > REFERENCE.girth and fat.stature == REFERENCE.stature
    joints = rig(tall)
    np.testing.assert_array_equal(joints, joints[SMPL_24.mirror] * [-1, 1, 1])
    assert joints[SMPL_24.index("left_shoulder"), 0] > 0


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_dual_quaternions_move_rigid_bodies_rigidly(seed):
    rng = np.random.default_rng(seed)
    rotations = np.tile(np.eye(3), (24, 1, 1))
    rotations[0] = Rotation.random(rng=rng).as_matrix()
    joints, vertices = rng.normal(size=(24, 3)), rng.normal(size=(30, 3))
    weights = rng.dirichlet(np.ones(24), size=30)
    transforms = skinning.skinning_transforms(rotations, joints)
    moved = pose_blends.dual_quaternion_skinning(vertices, transforms, weights)
    np.testing.assert_allclose(
        moved, (vertices - joints[0]) @ rotations[0].T + joints[0], atol=1e-9
    )


def test_regressor_recovers_joints_that_vertices_determine():
    rng = np.random.default_rng(0)
    body = load_open_body()
    meshes = body.v_template + np.einsum(
        "vck,nk->nvc", body.shapedirs, rng.standard_normal((30, 10))
    )
    rigs = meshes.transpose(0, 2, 1) @ body.J_regressor.T
    regressor = shape_space.joint_regressor(meshes, rigs.transpose(0, 2, 1), body.vertex_mirror)
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(regressor @ meshes[0], rigs[0].T, atol=2e-4)


def test_missing_scikit_image_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "skimage.measure", None)
    with pytest.raises(SystemExit, match="pip install 'neural-body-fitting\\[build_body\\]'"):
        build.main(["--output", str(tmp_path / "body.npz")])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_builder_still_makes_the_shipped_file(tmp_path):
    path = tmp_path / "body.npz"
    build.main(["--output", str(path)])
    assert [p.name for p in tmp_path.iterdir()] == ["body.npz"]
    for gender in data_file.GENDERS:
        made, shipped = data_file.read(path, gender), load_open_body(gender)
        for name in ("faces", "parents", "vertex_mirror"):
            np.testing.assert_array_equal(made[name], getattr(shipped, name), name)
        assert made["landmarks"] == dict(shipped.landmarks)
        for name, tolerance in (
            ("v_template", 1e-5), ("shapedirs", 1e-4), ("posedirs", 1e-3), ("weights", 1e-3),
            ("J_regressor", 1e-3),
        ):  # fmt: skip
            np.testing.assert_allclose(
                made[name], getattr(shipped, name), atol=tolerance, err_msg=name
            )
