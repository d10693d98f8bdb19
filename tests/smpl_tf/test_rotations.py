import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from smpl_tf import rotations
from smpl_tf.skeleton import SMPL_24
from tests.finite_differences import jacobian

law = settings(max_examples=25, derandomize=True, deadline=None)
axis_angles = hnp.arrays(np.float64, (3,), elements=st.floats(-6.0, 6.0))
matrices = hnp.arrays(np.float64, (3, 3), elements=st.floats(-2.0, 2.0))

AXIS = np.array([0.36, -0.48, 0.8])
ANGLES = [
    0.0,
    1e-9,
    1e-4,
    0.0999,
    0.1001,
    0.9,
    1.0,
    np.pi - 1e-4,
    np.pi,
    np.pi + 0.1,
    2 * np.pi,
    9.0,
]


def reference_matrix(axis_angle):
    return Rotation.from_rotvec(axis_angle).as_matrix()


def reference_nearest(matrix, special=True):
    u, _, vh = np.linalg.svd(matrix)
    sign = np.linalg.det(u @ vh) if special else 1.0
    return u @ np.diag([1.0, 1.0, sign]) @ vh


def tape_jacobians(function, points):
    """The derivatives at each of N points: [N, output dims..., input dims...]."""
    points = tf.constant(points, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(points)
        values = function(points)
        entries = tf.unstack(tf.reshape(values, [len(points), -1]), axis=-1)
    rows = [tape.gradient(entry, points) for entry in entries]
    return np.stack(rows, axis=1).reshape(*values.shape, *points.shape[1:])


def tape_gradient(function, point, upstream):
    point = tf.constant(point)
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    return tape.gradient(value, point, output_gradients=tf.cast(upstream, value.dtype)).numpy()


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_rodrigues_is_right_at_every_angle(dtype, tolerance):
    points = np.outer(ANGLES, AXIS).astype(dtype)
    rotation = rotations.axis_angle_to_matrix(points)
    assert rotation.dtype == dtype
    np.testing.assert_allclose(rotation, reference_matrix(points), atol=tolerance)


def test_gradient_of_rodrigues_is_right_at_every_angle():
    points = np.outer(ANGLES, AXIS)
    exact = np.stack([jacobian(reference_matrix, point) for point in points])
    ours = tape_jacobians(rotations.axis_angle_to_matrix, points)
    np.testing.assert_allclose(ours, exact, atol=1e-9)
    upstream = np.random.default_rng(0).normal(size=(len(points), 3, 3))
    single = tape_gradient(rotations.axis_angle_to_matrix, points.astype(np.float32), upstream)
    wanted = np.einsum("nab,nabc->nc", upstream, exact)
    np.testing.assert_allclose(single, wanted, atol=1e-5)


def test_second_derivative_of_rodrigues_at_rest():
    weights = np.arange(9.0).reshape(3, 3)

    def gradient(axis_angle):
        return tape_gradient(rotations.axis_angle_to_matrix, axis_angle, weights)

    def gradient_in_graph(points):
        with tf.GradientTape() as tape:
            tape.watch(points)
            value = tf.reduce_sum(rotations.axis_angle_to_matrix(points) * weights)
        return tape.gradient(value, points)

    second = tape_jacobians(gradient_in_graph, np.zeros((1, 3)))
    np.testing.assert_allclose(second[0], jacobian(gradient, np.zeros(3)), atol=1e-8)


@law
@given(axis_angles)
def test_opposite_axis_angles_are_inverse(axis_angle):
    there = rotations.axis_angle_to_matrix(axis_angle)
    back = rotations.axis_angle_to_matrix(-axis_angle)
    np.testing.assert_allclose(there @ back, np.eye(3), atol=1e-13)


@law
@given(axis_angles)
def test_axis_angle_survives_the_round_trip_up_to_whole_turns(axis_angle):
    matrix = rotations.axis_angle_to_matrix(axis_angle)
    again = rotations.matrix_to_axis_angle(matrix)
    assert np.linalg.norm(again) <= np.pi + 1e-12
    np.testing.assert_allclose(rotations.axis_angle_to_matrix(again), matrix, atol=1e-12)


@law
@given(axis_angles)
def test_quaternions_agree_with_scipy_and_survive_the_round_trip(axis_angle):
    matrix = reference_matrix(axis_angle)
    quaternion = rotations.matrix_to_quaternion(matrix).numpy()
    x, y, z, w = Rotation.from_matrix(matrix).as_quat()
    reference = np.array([w, x, y, z])
    assert quaternion[0] >= 0.0
    assert min(np.abs(quaternion - s * reference).max() for s in (1, -1)) < 1e-12
    np.testing.assert_allclose(
        rotations.quaternion_to_matrix(3.0 * quaternion), matrix, atol=1e-12
    )


def test_gradient_of_matrix_to_axis_angle_is_right_from_identity_to_near_pi():
    angles = [0.0, 1e-9, 1e-3, 0.0632, 0.0633, 1.0, 2.0, np.pi - 1e-3]
    axes = [AXIS, [1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
    points = np.concatenate([np.outer(angles, axis) for axis in axes])

    def there_and_back(axis_angle):
        return rotations.matrix_to_axis_angle(rotations.axis_angle_to_matrix(axis_angle))

    np.testing.assert_allclose(there_and_back(points), points, atol=1e-10)
    identities = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    np.testing.assert_allclose(tape_jacobians(there_and_back, points), identities, atol=1e-9)


def test_half_turns_have_an_axis_of_the_right_length():
    for axis in (*np.eye(3), AXIS):
        half_turn = 2.0 * np.outer(axis, axis) - np.eye(3)
        found = rotations.matrix_to_axis_angle(half_turn).numpy()
        np.testing.assert_allclose(np.abs(found), np.pi * np.abs(axis), atol=1e-12)
        gradient = tape_gradient(rotations.matrix_to_axis_angle, half_turn, np.ones(3))
        assert np.isfinite(gradient).all()


@law
@given(matrices, st.booleans())
def test_projection_is_nearest(matrix, special):
    nearest = rotations.project_to_rotation(matrix, special=special).numpy()
    np.testing.assert_allclose(nearest @ nearest.T, np.eye(3), atol=1e-12)
    if special:
        assert np.linalg.det(nearest) > 0.0
    distance = np.linalg.norm(matrix - nearest)
    assert distance <= np.linalg.norm(matrix - reference_nearest(matrix, special)) + 1e-12
    rng = np.random.default_rng(0)
    for other in reference_matrix(rng.normal(size=(20, 3))):
        assert distance <= np.linalg.norm(matrix - other) + 1e-12


@law
@given(axis_angles, st.booleans())
def test_projection_keeps_rotations(axis_angle, special):
    matrix = reference_matrix(axis_angle)
    np.testing.assert_allclose(
        rotations.project_to_rotation(matrix, special=special), matrix, atol=1e-13
    )


COINCIDING = {
    "identity": np.eye(3),
    "scaled rotation": 1.7 * reference_matrix(AXIS),
    "two equal": reference_matrix(AXIS) @ np.diag([2.0, 2.0, 0.5]) @ reference_matrix([1.0, 2, 0]),
    "nearly equal": np.diag([1.0, 1.0 + 1e-9, 1.0 - 1e-9]),
    "rank two": np.diag([1.0, 0.5, 0.0]),
    "different": np.random.default_rng(1).normal(size=(3, 3)),
    "reflection": np.diag([1.0, 0.8, -0.3]),
    "reflection with equal": np.diag([1.0, 1.0, -0.3]),
}


@pytest.mark.parametrize("special", [True, False])
def test_gradient_of_projection_is_right_where_singular_values_coincide(special):
    # Without a third dimension U V^T jumps between rotations and reflections.
    names = [name for name in COINCIDING if special or name != "rank two"]
    points = np.stack([COINCIDING[name] for name in names])
    exact = np.stack(
        [jacobian(lambda m: reference_nearest(m, special), point, step=1e-6) for point in points]
    )
    assert (np.abs(exact).max(axis=(1, 2, 3, 4)) > 0.1).all()
    ours = tape_jacobians(lambda m: rotations.project_to_rotation(m, special=special), points)
    for name, our, true in zip(names, ours, exact, strict=True):
        np.testing.assert_allclose(our, true, atol=1e-8, err_msg=name)


def test_gradient_of_projection_is_right_for_small_singular_values():
    turns = np.stack([reference_matrix([0.3, 0.9, -0.2]), reference_matrix([-1.2, 0.4, 0.1])])
    points = turns[0] * np.array([[1.0, 0.02, 0.01], [1.0, 1e-3, 1e-3]])[:, None] @ turns[1]
    exact = np.stack([jacobian(reference_nearest, point, step=1e-7) for point in points])
    ours = tape_jacobians(rotations.project_to_rotation, points)
    for our, true in zip(ours, exact, strict=True):
        np.testing.assert_allclose(our, true, atol=1e-5 * np.abs(true).max())


def test_gradient_of_projection_in_single_precision():
    matrix = np.eye(3, dtype=np.float32)
    upstream = np.arange(9.0).reshape(3, 3)
    exact = np.einsum("ab,abcd->cd", upstream, jacobian(reference_nearest, matrix))
    ours = tape_gradient(rotations.project_to_rotation, matrix, upstream)
    np.testing.assert_allclose(ours, exact, atol=1e-5)


@pytest.mark.parametrize("special", [True, False])
def test_gradient_of_projection_is_finite_where_the_nearest_is_not_unique(special):
    points = np.stack([np.zeros((3, 3)), np.diag([1.0, 0.0, 0.0]), -np.eye(3)])
    gradient = tape_gradient(
        lambda m: rotations.project_to_rotation(m, special=special), points, np.ones((3, 3, 3))
    )
    assert np.isfinite(gradient).all()


def test_second_derivative_of_projection():
    weights = np.random.default_rng(2).normal(size=(3, 3))
    points = np.stack([np.eye(3), COINCIDING["two equal"], COINCIDING["different"]])

    def gradient(matrix):
        return tape_gradient(rotations.project_to_rotation, matrix, weights)

    def gradient_in_graph(matrices):
        with tf.GradientTape() as tape:
            tape.watch(matrices)
            value = tf.reduce_sum(rotations.project_to_rotation(matrices) * weights)
        return tape.gradient(value, matrices)

    exact = np.stack([jacobian(gradient, point) for point in points])
    np.testing.assert_allclose(tape_jacobians(gradient_in_graph, points), exact, atol=1e-7)


@law
@given(axis_angles, st.floats(1e-3, np.pi - 1e-3))
def test_geodesic_angle_is_the_angle_between(axis_angle, angle):
    rotation = reference_matrix(axis_angle)
    turned = rotation @ reference_matrix(angle * AXIS)
    np.testing.assert_allclose(rotations.geodesic_angle(rotation, turned), angle, atol=1e-12)
    np.testing.assert_allclose(rotations.geodesic_angle(turned, rotation), angle, atol=1e-12)


@pytest.mark.parametrize("angle", [1e-6, 1e-3, 1.0, np.pi - 1e-3, np.pi - 1e-6])
def test_geodesic_angle_keeps_its_precision_and_gradient_at_both_ends(angle):
    def angle_of(scale):
        return rotations.geodesic_angle(
            tf.eye(3, dtype=scale.dtype), rotations.axis_angle_to_matrix(scale * AXIS)
        )

    np.testing.assert_allclose(tape_gradient(angle_of, np.float64(angle), 1.0), 1.0, rtol=1e-6)
    single = angle_of(tf.constant(angle, tf.float32))
    np.testing.assert_allclose(single, angle, atol=5e-7, rtol=1e-5)


def test_geodesic_angle_has_no_gradient_at_its_kinks():
    for matrix, angle in ((np.eye(3), 0.0), (np.diag([1.0, -1.0, -1.0]), np.pi)):
        assert rotations.geodesic_angle(np.eye(3), matrix).numpy() == pytest.approx(angle)
        gradient = tape_gradient(lambda m: rotations.geodesic_angle(np.eye(3), m), matrix, 1.0)
        assert np.isfinite(gradient).all()


@law
@given(axis_angles)
def test_mirroring_twice_is_nothing_and_both_forms_agree(axis_angle):
    mirrored = rotations.mirror_axis_angle(axis_angle)
    np.testing.assert_array_equal(rotations.mirror_axis_angle(mirrored), axis_angle)
    np.testing.assert_allclose(
        rotations.axis_angle_to_matrix(mirrored),
        rotations.mirror_rotations(reference_matrix(axis_angle)),
        atol=1e-12,
    )


def test_mirrored_rotation_moves_the_mirrored_point():
    flip = np.diag([-1.0, 1.0, 1.0])
    rotation, point = reference_matrix(AXIS), np.array([0.3, 0.1, -0.7])
    mirrored = rotations.mirror_rotations(rotation).numpy()
    np.testing.assert_allclose(mirrored @ (flip @ point), flip @ (rotation @ point))


def test_mirroring_a_pose_swaps_left_and_right():
    pose = np.random.default_rng(0).normal(size=(2, 24, 3))
    mirrored = rotations.mirror_axis_angle(pose, SMPL_24.mirror).numpy()
    left, right = SMPL_24.index("left_knee"), SMPL_24.index("right_knee")
    np.testing.assert_array_equal(mirrored[:, left], pose[:, right] * [1.0, -1.0, -1.0])
    matrices = rotations.mirror_rotations(
        reference_matrix(pose.reshape(-1, 3)).reshape(2, 24, 3, 3), SMPL_24.mirror
    )
    np.testing.assert_allclose(rotations.axis_angle_to_matrix(mirrored), matrices, atol=1e-12)


@law
@given(axis_angles, hnp.arrays(np.float64, (3, 3), elements=st.floats(-0.3, 0.3)), st.booleans())
def test_squaring_is_as_good_as_the_svd(axis_angle, noise, mirrored):
    matrix = (reference_matrix(axis_angle) + noise) * (-1.0 if mirrored else 1.0)
    expected = reference_nearest(matrix, special=False)
    found = rotations.project_to_rotation_by_squaring(matrix, special=False)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(
        rotations.project_to_rotation_by_squaring(matrix.astype(np.float32), special=False),
        expected,
        atol=2e-6,
    )


@pytest.mark.parametrize("last", [0.9, 0.1, 0.0, -0.1, -0.4])
def test_squaring_finds_rotations_near_reflections_too(last):
    turned = reference_matrix(np.random.default_rng(1).normal(size=(2, 20, 3)))
    matrices = turned[0] @ np.diag([2.0, 0.5, last]) @ turned[1]
    np.testing.assert_allclose(
        rotations.project_to_rotation_by_squaring(matrices), turned[0] @ turned[1], atol=1e-10
    )


SCALES = (1e-30, 1e-12, 1e-6, 1e-3, 1e-2, 1.0, 1e3, 1e6, 1e12, 1e30)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
@pytest.mark.parametrize("by_squaring", [False, True])
def test_a_projection_and_its_gradient_do_not_depend_on_the_scale(jit_compile, by_squaring):
    """XLA's SVD iterates to an absolute tolerance: it was off by 0.6 at 1e-5, silently."""
    matrices = np.random.default_rng(3).normal(size=(6, 3, 3))
    weights = np.random.default_rng(4).normal(size=(3, 3)).astype(np.float32)
    project = (
        rotations.project_to_rotation_by_squaring if by_squaring else rotations.project_to_rotation
    )

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            nearest = project(values)
            total = tf.reduce_sum(nearest * weights)
        return nearest, tape.gradient(total, values)

    exact, slope = (one.numpy() for one in run(tf.constant(matrices, tf.float32)))
    u, _, vt = np.linalg.svd(matrices)
    flip = np.linalg.det(u @ vt)
    u[..., 2] *= flip[:, None]
    np.testing.assert_allclose(exact, u @ vt, atol=2e-5)
    for scale in SCALES:
        nearest, gradient = run(tf.constant(scale * matrices, tf.float32))
        np.testing.assert_allclose(nearest, exact, atol=1e-5, err_msg=str(scale))
        if not by_squaring and 1e-12 <= scale <= 1e12:
            np.testing.assert_allclose(scale * gradient, slope, atol=1e-3, err_msg=str(scale))


@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "XLA"]
)
def test_a_projection_is_exact_where_singular_values_are_small(jit_compile):
    """XLA's SVD alone was off by 4e-3 here, also in double precision."""
    turned = reference_matrix(np.random.default_rng(1).normal(size=(2, 50, 3)))
    matrices = turned[0] @ np.diag([1.0, 1e-3, 1e-4]) @ turned[1]
    project = tf.function(rotations.project_to_rotation, jit_compile=jit_compile, autograph=False)
    np.testing.assert_allclose(project(tf.constant(matrices)), turned[0] @ turned[1], atol=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_matrices_of_half_precision_are_projected(dtype):
    matrices = tf.cast(np.random.default_rng(0).normal(size=(5, 3, 3)), dtype)
    nearest = rotations.project_to_rotation(matrices)
    assert nearest.dtype == dtype
    exact = rotations.project_to_rotation(tf.cast(matrices, tf.float64))
    np.testing.assert_allclose(tf.cast(nearest, tf.float64), exact, atol=1e-2)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
def test_quaternions_of_any_length_are_turned_into_matrices(jit_compile):
    turn = tf.function(rotations.quaternion_to_matrix, jit_compile=jit_compile, autograph=False)
    quaternions = np.random.default_rng(0).normal(size=(5, 4))
    exact = rotations.quaternion_to_matrix(quaternions)
    for scale in SCALES:
        matrices = turn(tf.constant(scale * quaternions, tf.float32))
        np.testing.assert_allclose(matrices, exact, atol=1e-6, err_msg=str(scale))


def test_a_matrix_of_rank_one_has_a_bounded_gradient():
    """Its nearest rotation is not unique, and rounding decides: the slope was 1e15."""
    matrix = np.outer([1.0, 2.0, -0.5], [0.3, -1.0, 2.0]).astype(np.float32)
    gradient = tape_gradient(rotations.project_to_rotation, matrix, np.ones((3, 3), np.float32))
    assert np.abs(gradient).max() < 1e7


def test_nothing_becomes_nan_by_squaring():
    assert np.isfinite(rotations.project_to_rotation_by_squaring(np.zeros((3, 3)))).all()


FUNCTIONS = {
    "axis_angle_to_matrix": (rotations.axis_angle_to_matrix, (3,)),
    "matrix_to_axis_angle": (rotations.matrix_to_axis_angle, (3, 3)),
    "matrix_to_quaternion": (rotations.matrix_to_quaternion, (3, 3)),
    "quaternion_to_matrix": (rotations.quaternion_to_matrix, (4,)),
    # The nearest rotation and plain UV^T together: XLA compiles the decomposition only once.
    "project_to_rotation": (
        lambda m: tf.stack(
            [rotations.project_to_rotation(m, special=s) for s in (True, False)], -3
        ),
        (3, 3),
    ),
    "by squaring": (rotations.project_to_rotation_by_squaring, (3, 3)),
    "geodesic_angle": (lambda m: rotations.geodesic_angle(m, m), (3, 3)),
    "mirror_axis_angle": (rotations.mirror_axis_angle, (3,)),
    "mirror_rotations": (rotations.mirror_rotations, (3, 3)),
}


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_agree_in_eager_graph_and_xla_with_any_leading_dimensions(name, dtype):
    function, dims = FUNCTIONS[name]
    values = np.random.default_rng(0).normal(size=(2, 3, *dims)).astype(dtype)
    if name.startswith("matrix_to"):
        values = reference_matrix(np.random.default_rng(0).normal(size=(6, 3)))
        values = values.reshape(2, 3, 3, 3).astype(dtype)
    eager = function(values)
    assert eager.dtype == dtype
    np.testing.assert_allclose(function(values[1, 2]), eager[1, 2], atol=1e-5)
    assert function(values[:0]).shape == (0, *eager.shape[1:])
    # XLA's singular value decomposition stops at about 1e-7, whatever the precision.
    exact = dtype == np.float64 and name != "project_to_rotation"
    signature = [tf.TensorSpec([None, None, *dims], dtype)]
    for options in ({}, {"jit_compile": True}):
        traced = tf.function(function, input_signature=signature, autograph=False, **options)
        np.testing.assert_allclose(traced(values), eager, atol=1e-12 if exact else 2e-5)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: rotations.axis_angle_to_matrix(np.zeros((2, 4))),
            r"axis_angles must be floating with shape \[\.\.\., 3\], got float64 \(2, 4\)",
        ),
        (
            lambda: rotations.project_to_rotation(np.zeros((5, 9), np.float32)),
            r"matrices must be floating with shape \[\.\.\., 3, 3\], got float32 \(5, 9\)",
        ),
        (
            lambda: rotations.axis_angle_to_matrix(np.zeros((2, 3), np.int32)),
            r"got int32 \(2, 3\)",
        ),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
