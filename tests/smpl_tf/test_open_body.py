"""Laws of the shipped body, measured on its data file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from smpl_tf.open_body import data_file, load_open_body, shape_space, skinning, triangles
from smpl_tf.open_body.anatomy import MEAN, TRAITS, with_traits
from smpl_tf.skeleton import SMPL_24, SMPLR_LANDMARKS, UP_LANDMARK_VERTICES

GENDERS = data_file.GENDERS
SIGN = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module", params=GENDERS)
def body(request):
    return load_open_body(request.param)


def turned(**rotation_vectors):
    """Returns `[24, 3, 3]` rotations: joint name to degrees about x, y, z."""
    from scipy.spatial.transform import Rotation

    vectors = np.zeros((24, 3))
    for name, degrees in rotation_vectors.items():
        vectors[SMPL_24.index(name)] = np.deg2rad(degrees)
    return Rotation.from_rotvec(vectors).as_matrix()


ORDINARY_POSES = {
    "standing": turned(left_shoulder=(0, 0, -72), right_shoulder=(0, 0, 72)),
    "walking": turned(
        left_hip=(-30, 0, 0), left_knee=(25, 0, 0), right_hip=(15, 0, 0), right_knee=(20, 0, 0),
        left_shoulder=(0, 15, -68), right_shoulder=(0, 15, 68),
        left_elbow=(0, -30, 0), right_elbow=(0, 30, 0),
    ),
    "sitting": turned(
        left_hip=(-88, 0, 6), right_hip=(-88, 0, -6), left_knee=(88, 0, 0), right_knee=(88, 0, 0),
        left_shoulder=(0, -20, -60), right_shoulder=(0, 20, 60),
        left_elbow=(0, -50, 0), right_elbow=(0, 50, 0), spine1=(8, 0, 0),
    ),
    "reaching up": turned(
        left_shoulder=(0, 0, 50), right_shoulder=(0, 0, -50),
        left_collar=(0, 0, 18), right_collar=(0, 0, -18), head=(-15, 0, 0),
    ),
}  # fmt: skip


CREASED = ("pelvis", "spine3", "left_hip", "right_hip", "left_collar", "right_collar",
           "left_shoulder", "right_shoulder")  # fmt: skip


def posed(body, betas, rotations, with_pose_blends=True):
    """Returns posed vertices and each vertex's blended transform: an independent SMPL."""
    vertices = body.v_template + body.shapedirs @ betas
    joints = body.J_regressor @ vertices
    if with_pose_blends:
        vertices = vertices + body.posedirs @ (rotations[1:] - np.eye(3)).ravel()
    blended = skinning.blended_transforms(
        skinning.skinning_transforms(rotations, joints), body.weights
    )
    return skinning.apply(blended, vertices), blended


def random_betas(count):
    return np.random.default_rng(7).standard_normal((count, 10))


def test_has_smpls_shapes(body):
    assert body.v_template.shape == (6890, 3)
    assert body.shapedirs.shape == (6890, 3, 10)
    assert body.posedirs.shape == (6890, 3, 207)
    assert body.weights.shape == (6890, 24)
    assert body.J_regressor.shape == (24, 6890)
    assert body.faces.shape == (13776, 3)
    assert tuple(body.parents) == SMPL_24.parents
    assert body.name == "open_body"


def test_is_its_own_mirror_image(body):
    mirror, joints = body.vertex_mirror, SMPL_24.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(6890))
    np.testing.assert_array_equal(body.v_template, body.v_template[mirror] * SIGN)
    np.testing.assert_array_equal(body.shapedirs, body.shapedirs[mirror] * SIGN[:, None])
    np.testing.assert_array_equal(body.weights, body.weights[mirror][:, joints])
    np.testing.assert_allclose(body.J_regressor, body.J_regressor[joints][:, mirror], atol=1e-12)
    # R' = S R S turns the features of a joint into those of its counterpart.
    blends = body.posedirs.reshape(6890, 3, 23, 9)
    signs = SIGN[:, None] * np.outer(SIGN, SIGN).ravel()
    np.testing.assert_array_equal(blends, blends[mirror][:, :, joints[1:] - 1] * signs[:, None])
    faces = {frozenset(face) for face in body.faces.tolist()}
    assert {frozenset(mirror[face].tolist()) for face in body.faces} == faces


def test_is_closed_and_of_genus_zero():
    faces = load_open_body().faces
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    edges, shared_by = triangles.unique_edges(faces)
    assert np.all(shared_by == 2)
    assert 6890 - len(edges) + len(faces) == 2
    components, _ = connected_components(triangles.neighbour_mean(faces, 6890))
    assert components == 1


def test_weights_are_few_and_sum_to_one(body):
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-12)
    assert body.weights.min() >= 0
    assert (body.weights > 0).sum(1).max() <= 4
    # Every joint owns skin, so that every part shows in a label map.
    assert np.bincount(body.weights.argmax(1), minlength=24).min() >= 20


def test_limbs_do_not_move_the_head_nor_each_other(body):
    part = body.weights.argmax(1)
    for name, allowed in {
        "head": ("head", "neck", "spine3"),
        "left_hand": ("left_hand", "left_wrist"),
        "left_elbow": ("left_shoulder", "left_elbow", "left_wrist"),
        "left_knee": ("left_hip", "left_knee", "left_ankle"),
        "left_foot": ("left_foot", "left_ankle"),
    }.items():
        others = np.delete(body.weights[part == SMPL_24.index(name)], SMPL_24.indices(allowed), 1)
        assert others.max() <= (0 if name == "head" else 0.02), name


@pytest.mark.parametrize("sex", sorted(MEAN))
def test_regressor_follows_the_rig_of_unseen_people(sex):
    body, mean = load_open_body(sex), MEAN[sex]
    offset = shape_space.ImplicitBody(mean).joints[0] - shape_space.PELVIS
    errors = []
    for deviations in np.random.default_rng(99).standard_normal((5, len(TRAITS))):
        mesh, person = shape_space.reshape(
            body.v_template + offset,
            body.weights,
            body.vertex_mirror,
            mean,
            with_traits(mean, deviations),
        )
        errors.append(np.linalg.norm(body.J_regressor @ mesh - person.joints, axis=1))
    assert np.mean(errors) < 0.5e-3
    assert np.max(errors) < 2e-3


@pytest.mark.parametrize(
    ("gender", "stature", "mass"),
    [("male", (1.755, 0.066), (82, 13)), ("female", (1.63, 0.064), (64, 11))],
)
def test_betas_spread_like_a_population(gender, stature, mass):
    body = load_open_body(gender)
    people = body.v_template + np.einsum("vck,nk->nvc", body.shapedirs, random_betas(100))
    statures = np.ptp(people[:, :, 1], axis=1)
    litres = 1000 * triangles.volume(people, body.faces)
    assert np.mean(statures) == pytest.approx(stature[0], abs=0.02)
    assert np.std(statures) == pytest.approx(stature[1], rel=0.2)
    assert np.mean(litres) == pytest.approx(mass[0], rel=0.06)
    assert np.std(litres) == pytest.approx(mass[1], rel=0.25)


def test_betas_are_uncorrelated_visible_and_ordered(body):
    directions = body.shapedirs.reshape(-1, 10)
    lengths = np.linalg.norm(directions, axis=0)
    cosines = directions.T @ directions / np.outer(lengths, lengths)
    np.testing.assert_allclose(cosines, np.eye(10), atol=0.01)
    assert np.all(np.diff(lengths) <= 0)
    two_deviations = 2 * np.linalg.norm(body.shapedirs, axis=1).max(0)
    assert two_deviations.min() > 5e-3
    taller = body.v_template + body.shapedirs[:, :, 0]
    assert np.ptp(taller[:, 1]) > np.ptp(body.v_template[:, 1]) + 0.05


@pytest.mark.parametrize("pose", ORDINARY_POSES)
def test_skin_does_not_turn_inside_out_in_ordinary_poses(body, pose):
    rotations = ORDINARY_POSES[pose]
    rest = triangles.face_normals(body.v_template, body.faces)
    # Armpits and groins crease: there, and only there, a dozen of the 13776 faces may fold.
    for betas in np.concatenate([np.zeros((1, 10)), random_betas(3)]):
        vertices, blended = posed(body, betas, rotations)
        carried = np.einsum("fab,fb->fa", blended[body.faces, :, :3].mean(1), rest)
        normals = triangles.face_normals(vertices, body.faces)
        inverted = (normals * carried).sum(1) < 0
        assert inverted.sum() <= 12
        parts = set(body.weights[body.faces[inverted]].sum(1).argmax(1))
        assert parts <= set(SMPL_24.indices(CREASED)), parts


def test_pose_blends_keep_the_volume_of_sitters(body):
    rotations, still = ORDINARY_POSES["sitting"], np.tile(np.eye(3), (24, 1, 1))

    def volume(rotations, **options):
        vertices, _ = posed(body, np.zeros(10), rotations, **options)
        return triangles.volume(vertices, body.faces)

    kept = volume(rotations) / volume(still)
    lost = volume(rotations, with_pose_blends=False) / volume(still)
    assert abs(kept - 1) < 0.03
    assert abs(kept - 1) < abs(lost - 1)


def test_rest_pose_is_the_template(body):
    vertices, _ = posed(body, np.zeros(10), np.tile(np.eye(3), (24, 1, 1)))
    np.testing.assert_allclose(vertices, body.v_template, atol=1e-12)


def test_genders_share_what_does_not_depend_on_shape():
    first, *others = [load_open_body(gender) for gender in GENDERS]
    for other in others:
        np.testing.assert_array_equal(first.faces, other.faces)
        np.testing.assert_array_equal(first.weights, other.weights)
        np.testing.assert_array_equal(first.vertex_mirror, other.vertex_mirror)
        assert first.landmarks == other.landmarks
        assert first.fingerprint != other.fingerprint


def test_landmarks_are_the_papers_and_lie_on_the_right_side(body):
    assert set(body.landmarks) == set(SMPLR_LANDMARKS) | set(UP_LANDMARK_VERTICES)
    for name, vertex in body.landmarks.items():
        x = body.v_template[vertex, 0]
        if name.startswith("left_"):
            assert x > 0, name
            right = body.landmarks["right_" + name.removeprefix("left_")]
            assert right == body.vertex_mirror[vertex], name
        elif not name.startswith("right_"):
            assert x == 0, name


def test_landmarks_lie_where_their_names_say(body):
    at = {name: body.v_template[vertex] for name, vertex in body.landmarks.items()}
    joint = dict(zip(SMPL_24.names, body.J_regressor @ body.v_template, strict=True))
    for limb, names in {
        "left_shoulder": ("left_shoulder_front", "left_shoulder_back", "left_shoulder_top"),
        "left_elbow": ("left_elbow_inner", "left_elbow_outer", "left_elbow_top"),
        "left_knee": ("left_knee_front", "left_knee_back", "left_knee_inner"),
        "left_ankle": ("left_ankle_inner", "left_ankle_outer", "left_heel"),
        "left_foot": ("left_foot_tip", "left_big_toe"),
        "left_hand": ("left_hand_tip",),
        "head": ("nose", "left_eye", "left_ear", "left_mouth_corner", "head_back"),
        "spine3": ("left_breast", "shoulderblade_center"),
        "pelvis": ("belly", "left_hip_side"),
    }.items():
        for name in names:
            assert np.linalg.norm(at[name] - joint[limb]) < 0.2, name
    above = ("head_top", "left_eye", "nose", "left_mouth_corner", "throat", "lsp_neck",
             "left_breast", "solar_plexus", "belly_button", "left_hip_front",
             "left_upper_leg_front", "left_knee_front", "left_lower_leg_front",
             "left_ankle_outer", "left_big_toe")  # fmt: skip
    heights = [at[name][1] for name in above]
    assert heights == sorted(heights, reverse=True)
    for front, back in (
        ("nose", "head_back"), ("belly", "waist_back"), ("left_thigh_front", "left_thigh_back"),
        ("left_biceps", "left_triceps"), ("left_big_toe", "left_heel"),
        ("left_knee_front", "left_knee_back"), ("left_breast", "shoulderblade_center"),
    ):  # fmt: skip
        assert at[front][2] > at[back][2] + 0.03, front
    # SMPLR's template lengths, B*, are a woman's; a person's are near.
    for start, end, length in (
        (joint["pelvis"], at["left_hip_side"], 0.18),
        (joint["left_hip"], at["left_thigh_front"], 0.165),
        (at["left_thigh_front"], at["left_thigh_back"], 0.188),
        (joint["left_shoulder"], at["left_biceps"], 0.131),
        (at["left_biceps"], at["left_triceps"], 0.092),
        (joint["spine3"], at["left_breast"], 0.143),
        (joint["head"], at["face"], 0.119),
    ):
        assert np.linalg.norm(end - start) == pytest.approx(length, rel=0.35)


def test_loading_twice_gives_the_same_object():
    assert load_open_body("male") is load_open_body("male")


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_packed_weights_sum_to_one_and_stay_near(seed, influences):
    rng = np.random.default_rng(seed)
    weights = np.zeros((20, 24))
    for row in weights:
        row[rng.choice(24, influences, replace=False)] = rng.uniform(0.05, 1, influences)
    weights /= weights.sum(1, keepdims=True)
    restored = data_file.unpack_weights(*data_file.pack_weights(weights), 24)
    np.testing.assert_allclose(restored.sum(1), 1, atol=1e-15)
    np.testing.assert_allclose(restored, weights, atol=4 / 65535)


def test_unknown_gender_is_refused():
    with pytest.raises(ValueError, match="expected one of neutral, female, male, got 'child'"):
        load_open_body("child")


def test_missing_file_names_the_remedy(tmp_path):
    with pytest.raises(ValueError, match="no such body file.*smpl_tf.open_body.build"):
        data_file.read(tmp_path / "gone.npz", "male")


def test_truncated_file_is_refused(tmp_path):
    whole = data_file.__file__.replace("data_file.py", "open_body.npz")
    with open(whole, "rb") as file:
        content = file.read()
    for kept in (0, 1000, len(content) // 2):
        path = tmp_path / f"{kept}.npz"
        path.write_bytes(content[:kept])
        with pytest.raises(ValueError, match="damaged or not a body file") as error:
            data_file.read(path, "male")
        assert "\n" not in str(error.value)


def test_other_npz_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="array 'faces' is missing"):
        data_file.read(tmp_path / "other.npz", "male")
