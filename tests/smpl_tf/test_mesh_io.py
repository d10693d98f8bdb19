"""Mesh files as another program reads them, and the GLB's skeleton by the letter of glTF."""

import dataclasses
import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from smpl_tf import SMPL, rotations
from smpl_tf.mesh_io import Motion, Skin, write_animated_glb, write_glb, write_obj, write_ply
from smpl_tf.open_body import load_open_body
from smpl_tf.skeleton import SMPL_24
from tests.small_body import small_body

CUBE = trimesh.creation.box()
VERTICES, FACES = np.array(CUBE.vertices), np.array(CUBE.faces)
COLOURS = np.arange(24).reshape(8, 3) * 10
DTYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_glb(path):
    """The JSON and a function from accessor index to array, read by the specification."""
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    size, kind = struct.unpack_from("<I4s", content, 12)
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(content[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<I4s", content, 20 + size)
    binary = content[28 + size :]
    assert kind == b"BIN\0"
    assert len(binary) == binary_size == document["buffers"][0]["byteLength"]

    def values(index):
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        width = WIDTHS[accessor["type"]]
        dtype = DTYPES[accessor["componentType"]]
        array = np.frombuffer(binary, dtype, accessor["count"] * width, view["byteOffset"])
        assert array.nbytes == view["byteLength"]
        array = array.reshape(accessor["count"], width)
        if "min" in accessor:
            np.testing.assert_array_equal(accessor["min"], array.min(axis=0))
            np.testing.assert_array_equal(accessor["max"], array.max(axis=0))
        return array

    return document, values


def skin_of_gltf(document, values, moment=None):
    """Vertices of the skinned mesh: glTF 2.0 section 3.7.3, at a moment of the animation."""
    nodes = [dict(node) for node in document["nodes"]]
    if moment is not None:
        animation = document["animations"][0]
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            assert sampler.get("interpolation", "LINEAR") == "LINEAR"
            target = channel["target"]
            nodes[target["node"]][target["path"]] = values(sampler["output"])[moment]

    world = {}

    def visit(index, above):
        node = nodes[index]
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix()
        local[:3, 3] = node.get("translation", [0, 0, 0])
        world[index] = above @ local
        for child in node.get("children", []):
            visit(child, world[index])

    for root in document["scenes"][0]["nodes"]:
        visit(root, np.eye(4))
    skin = document["skins"][nodes[0]["skin"]]
    inverse_binds = values(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    moves = np.stack([world[joint] for joint in skin["joints"]]) @ inverse_binds
    attributes = document["meshes"][nodes[0]["mesh"]]["primitives"][0]["attributes"]
    weights = values(attributes["WEIGHTS_0"])
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    blended = np.einsum("vk,vkij->vij", weights, moves[values(attributes["JOINTS_0"])])
    points = np.c_[values(attributes["POSITION"]), np.ones(len(weights))]
    return np.einsum("vij,vj->vi", blended, points)[:, :3]


@pytest.fixture(scope="module")
def shaped_body():
    """A body with a shape but no pose blend shapes, its skin, and random motion."""
    data = load_open_body("female")
    smpl = SMPL(dataclasses.replace(data, posedirs=np.zeros_like(data.posedirs)))
    rng = np.random.default_rng(0)
    betas = rng.normal(size=10)
    rest = smpl(betas=betas[None])
    skin = Skin(rest.joints[0].numpy(), data.parents, data.weights, SMPL_24.names)
    pose = rotations.axis_angle_to_matrix(rng.normal(0, 0.7, (5, 24, 3))).numpy()
    motion = Motion(pose, rng.normal(0, 2, (5, 3)), frames_per_second=25.0)
    posed = smpl(
        betas=np.tile(betas, (5, 1)), pose=np.float32(pose), translation=motion.translations
    )
    return rest.vertices[0].numpy(), data.faces, skin, motion, posed.vertices.numpy()


def assert_same_mesh(mesh, vertices, faces):
    triangles = np.asarray(mesh.vertices)[mesh.faces]
    np.testing.assert_allclose(triangles, vertices[faces], atol=1e-6)


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb"])
def test_other_programs_read_the_mesh(tmp_path, suffix):
    write = {"obj": write_obj, "ply": write_ply, "glb": write_glb}[suffix]
    path = tmp_path / f"cube.{suffix}"
    write(path, VERTICES, FACES)
    mesh = trimesh.load(path, force="mesh", process=False)
    assert_same_mesh(mesh, VERTICES, FACES)
    assert mesh.is_watertight and mesh.volume > 0
    write(path, VERTICES, FACES, frame="camera")
    turned = trimesh.load(path, force="mesh", process=False)
    assert_same_mesh(turned, VERTICES * (1, -1, -1), FACES)
    assert turned.volume > 0
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_ply_keeps_the_colours_of_vertices(tmp_path):
    write_ply(tmp_path / "cube.ply", VERTICES, FACES, COLOURS)
    mesh = trimesh.load(tmp_path / "cube.ply", process=False)
    assert_same_mesh(mesh, VERTICES, FACES)
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], COLOURS)


def test_glb_keeps_the_colours_of_vertices_as_linear_light(tmp_path):
    write_glb(tmp_path / "cube.glb", VERTICES, FACES, COLOURS)
    document, values = read_glb(tmp_path / "cube.glb")
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    linear = values(attributes["COLOR_0"])
    np.testing.assert_allclose(linear[-1], (COLOURS[-1] / 255) ** 2.2, atol=0.02)
    assert linear.min() == 0 and (np.diff(linear.ravel()) > 0).all()
    normals = values(attributes["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    assert (np.sum(normals * VERTICES, axis=1) > 0).all()


def test_skin_and_animation_give_the_layers_vertices(tmp_path, shaped_body):
    vertices, faces, skin, motion, posed = shaped_body
    write_glb(tmp_path / "moving.glb", vertices, faces, skin=skin, motion=motion)
    document, values = read_glb(tmp_path / "moving.glb")
    for moment in range(5):
        actual = skin_of_gltf(document, values, moment)
        np.testing.assert_allclose(actual, posed[moment], atol=1e-4)
    # Opened without playing, it shows the first moment.
    np.testing.assert_allclose(skin_of_gltf(document, values), posed[0], atol=1e-4)
    assert [document["nodes"][i]["name"] for i in document["skins"][0]["joints"]] == list(
        SMPL_24.names
    )
    times = values(document["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(times[:, 0], np.arange(5) / 25)
    assert_same_mesh(
        trimesh.load(tmp_path / "moving.glb", force="mesh", process=False), vertices, faces
    )


def test_motion_in_the_camera_frame_is_turned_upright(tmp_path, shaped_body):
    vertices, faces, skin, motion, posed = shaped_body
    write_glb(tmp_path / "b.glb", vertices, faces, skin=skin, motion=motion, frame="camera")
    document, values = read_glb(tmp_path / "b.glb")
    expected = posed[3] * (1, -1, -1)
    np.testing.assert_allclose(skin_of_gltf(document, values, 3), expected, atol=1e-4)


def test_without_motion_the_skin_rests(tmp_path, shaped_body):
    vertices, faces, skin, _, _ = shaped_body
    write_glb(tmp_path / "rest.glb", vertices, faces, skin=skin)
    document, values = read_glb(tmp_path / "rest.glb")
    assert "animations" not in document
    np.testing.assert_allclose(skin_of_gltf(document, values), vertices, atol=1e-5)


def test_neighbouring_quaternions_have_one_sign(tmp_path):
    turns = Rotation.from_rotvec(np.outer(np.linspace(0, 6 * np.pi, 60), [0, 1, 0]))
    skin = Skin(np.zeros((1, 3)), [-1], np.ones((8, 1)), ("root",))
    motion = Motion(turns.as_matrix()[:, None], np.zeros((60, 3)))
    write_glb(tmp_path / "turning.glb", VERTICES, FACES, skin=skin, motion=motion)
    document, values = read_glb(tmp_path / "turning.glb")
    quaternions = values(document["animations"][0]["samplers"][0]["output"])
    assert (np.sum(quaternions[1:] * quaternions[:-1], axis=1) > 0.9).all()


def test_an_animated_body_has_its_betas_in_the_mesh(tmp_path):
    body = small_body()
    rng = np.random.default_rng(3)
    betas, poses = rng.normal(size=10), rng.normal(0, 0.7, (3, 24, 3))
    moves = rng.normal(size=(3, 3))
    write_animated_glb(tmp_path / "b.glb", body, betas, poses, moves, 12.5, frame="camera")
    document, values = read_glb(tmp_path / "b.glb")
    smpl = SMPL(dataclasses.replace(body, posedirs=np.zeros_like(body.posedirs)))
    expected = smpl(betas=np.tile(betas, (3, 1)), pose=poses, translation=moves).vertices
    for moment in range(3):
        actual = skin_of_gltf(document, values, moment)
        np.testing.assert_allclose(actual, expected[moment] * (1, -1, -1), atol=1e-4)
    with pytest.raises(ValueError, match=r"poses \[T, 24, 3\], got shape \(24, 3\)"):
        write_animated_glb(tmp_path / "c.glb", body, betas, poses[0], moves)


def test_moments_of_a_motion_may_have_times_of_their_own(tmp_path):
    body, path = small_body(), tmp_path / "a.glb"
    still = np.zeros(10), np.zeros((3, 24, 3)), np.zeros((3, 3))
    write_animated_glb(path, body, *still, times=[0.0, 0.1, 0.9])
    document, values = read_glb(path)
    times = values(document["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(times[:, 0], [0.0, 0.1, 0.9], atol=1e-6)
    for wrong in ([0.0, 0.1], [0.0, 0.2, 0.1]):
        with pytest.raises(ValueError, match="3 increasing times"):
            write_animated_glb(path, body, *still, times=wrong)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "cube.ply"
    write_ply(path, VERTICES, FACES)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_ply(path, VERTICES * 2, FACES)
    assert [file.name for file in tmp_path.iterdir()] == ["cube.ply"]
    assert path.read_bytes() == before


def test_unsound_meshes_skins_and_motions_are_refused_in_one_line(tmp_path):
    path = tmp_path / "cube.glb"
    skin = Skin(np.zeros((2, 3)), [-1, 0], np.ones((8, 2)), ("root", "child"))
    still = Motion(np.tile(np.eye(3), (1, 2, 1, 1)), np.zeros((1, 3)))
    cases = [
        (r"vertices \[V, 3\] of one mesh, got shape \(1, 8, 3\)", (VERTICES[None], FACES), {}),
        (r"faces \[F, 3\], got shape \(0, 3\)", (VERTICES, FACES[:0]), {}),
        ("finite vertices", (VERTICES * np.nan, FACES), {}),
        (r"vertices 0\.\.7, got indices 1\.\.8", (VERTICES, FACES + 1), {}),
        ("frame 'model' or 'camera', got 'world'", (VERTICES, FACES), {"frame": "world"}),
        (r"colours \(8, 3\), one per vertex, got \(7, 3\)", (VERTICES, FACES, COLOURS[:7]), {}),
        ("motion needs a skin", (VERTICES, FACES), {"motion": still}),
        (
            r"weights \(8, 2\) and 2 names for the skin, got \(7, 2\) and 2",
            (VERTICES, FACES),
            {"skin": skin._replace(weights=np.ones((7, 2)))},
        ),
        (
            "positive skinning weight for every vertex",
            (VERTICES, FACES),
            {"skin": skin._replace(weights=np.zeros((8, 2)))},
        ),
        (
            r"rotations \[T, 2, 3, 3\] and translations \[T, 3\], got shapes \(1, 2, 3, 3\)",
            (VERTICES, FACES),
            {"skin": skin, "motion": still._replace(translations=np.zeros((2, 3)))},
        ),
    ]
    for message, arguments, options in cases:
        with pytest.raises(ValueError, match=message):
            write_glb(path, *arguments, **options)
    assert not path.exists()
