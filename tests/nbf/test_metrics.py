import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from nbf import metrics, parameters, targets
from smpl_tf import SMPL, load_model_data
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.skeleton import LSP_14
from tests.nbf.people import SIZE, people


def draw_labels(seed, classes=4):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, (2, 3, 5, 6)), rng.integers(0, classes, (2, 3, 5, 6))


@given(st.integers(0, 1000))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_confusion_iou_and_f1_count_pixels(seed):
    true, predicted = draw_labels(seed)
    counts = metrics.confusion(true, predicted, 4).numpy()
    assert counts.shape == (2, 3, 4, 4)
    for i, j in np.ndindex(4, 4):
        expected = ((true == i) & (predicted == j)).sum((-2, -1))
        np.testing.assert_array_equal(counts[..., i, j], expected)
    for index in np.ndindex(2, 3):
        iou, f1 = [], []
        for label in range(4):
            a, b = true[index] == label, predicted[index] == label
            iou.append((a & b).sum() / (a | b).sum())
            if label and a.any():
                f1.append(2 * (a & b).sum() / (a.sum() + b.sum()))
        np.testing.assert_allclose(metrics.iou(counts)[index], iou, rtol=1e-5)
        np.testing.assert_allclose(metrics.f1_scores(counts)[index], np.mean(f1), rtol=1e-5)


def test_a_missing_class_and_an_empty_picture_are_not_counted():
    empty = metrics.confusion(np.zeros((4, 4), int), np.zeros((4, 4), int), 3)
    np.testing.assert_array_equal(metrics.iou(empty), [1.0, np.nan, np.nan])
    assert np.isnan(metrics.f1_scores(empty))


def test_running_iou_sums_over_the_data_set():
    metric = metrics.PartIoU(4)
    true, predicted = (labels.reshape(6, 5, 6) for labels in draw_labels(3))
    predicted[predicted == 3] = 2
    true[true == 3] = 1  # class 3 never occurs
    logits = tf.one_hot(predicted, 4)
    for start in (0, 2, 4):
        metric.update_state(true[start : start + 2], logits[start : start + 2])
    expected = metrics.iou(metrics.confusion(true, predicted, 4).numpy().sum(0)).numpy()
    result = metric.result()
    np.testing.assert_allclose(result["iou"], expected[:3].mean(), rtol=1e-5)
    np.testing.assert_allclose(result["iou_parts"], expected[1:3].mean(), rtol=1e-5)
    metric.reset_state()
    metric.update_state(true, logits, np.array([1, 0, 0, 0, 0, 0]))
    one = metrics.iou(metrics.confusion(true[0], predicted[0], 4)).numpy()
    np.testing.assert_allclose(metric.result()["iou"], np.nanmean(one), rtol=1e-5)


@pytest.fixture(scope="module")
def batch():
    return targets.fitting_targets(people(), input_map="joints_24", input_size=8)


def predict(true, **changes):
    _, global_rotations = parameters.split_parameters(true["parameters"])
    truth = {name: true[name] for name in ("joints_3d", "joints_2d")}
    return {**truth, "global_rotations": global_rotations, **changes}


def test_heads_are_measured_between_two_vertices(batch):
    inputs, true = batch
    smpl = SMPL()
    example = people()
    vertices = smpl(
        betas=example["smpl/neutral_betas"],
        pose=example["smpl/pose"],
        translation=example["smpl/translation"],
    ).vertices
    ids = [smpl.model_data.landmarks[name] for name in ("head_top", "lsp_neck")]
    pixels = nbf_camera(SIZE).project(tf.gather(vertices, ids, axis=1))
    expected = np.linalg.norm(pixels[:, 0] - pixels[:, 1], axis=-1) * 2 / SIZE
    np.testing.assert_allclose(
        metrics.HeadSize(smpl.model_data)(inputs, true), expected, rtol=1e-3
    )


def test_the_truth_has_no_error(batch):
    _, true = batch
    errors = metrics.fitting_errors(true, predict(true), tf.ones([8]))
    np.testing.assert_allclose(errors["pckh_percent"], 100.0)
    for name in ("err_joints3d_mm", "pa_mpjpe_mm", "pa_mpjpe_rigid_mm"):
        np.testing.assert_allclose(errors[name], 0.0, atol=1e-2, err_msg=name)
    np.testing.assert_allclose(errors["err_quat_rad"], 0.0, atol=2e-3)


def test_known_errors_have_their_size(batch):
    _, true = batch
    turn = np.diag([1.0, -1.0, -1.0]).astype(np.float32)  # by pi
    shifted = true["joints_2d"] + tf.constant([0.6, 0.0])
    wrong = predict(
        true,
        joints_3d=2.0 * true["joints_3d"] + [0.3, 0.0, 0.0],
        joints_2d=tf.concat([shifted[:, :6], true["joints_2d"][:, 6:]], 1),
        global_rotations=turn @ predict(true)["global_rotations"],
    )
    errors = metrics.fitting_errors(true, wrong, tf.ones([8]))
    np.testing.assert_allclose(errors["pckh_percent"], 75.0)
    np.testing.assert_allclose(errors["err_quat_rad"], np.pi, atol=1e-3)
    np.testing.assert_allclose(errors["pa_mpjpe_mm"], 0.0, atol=1e-2)
    assert np.all(errors["pa_mpjpe_rigid_mm"] > 50.0)
    expected = np.linalg.norm(true["joints_3d"] + [0.3, 0.0, 0.0], axis=-1).mean(-1) * 1000
    np.testing.assert_allclose(errors["err_joints3d_mm"], expected, rtol=1e-4)


def test_what_is_unknown_has_no_error(batch):
    _, true = batch
    known = np.array([1] * 5 + [0] * 3, np.float32)
    masked = {
        **true,
        "joints_3d_valid": np.tile(known[:, None], (1, 24)),
        "parameters_valid": np.tile(known[:, None], (1, 226)),
    }
    sizes = np.where(known > 0, 1, np.nan).astype(np.float32)
    errors = metrics.fitting_errors(masked, predict(true), sizes)
    for name, values in errors.items():
        np.testing.assert_array_equal(np.isnan(values), known == 0, err_msg=name)


def test_heads_of_annotated_points_alone():
    points, valid = np.zeros((4, 14, 2), np.float32), np.ones((4, 14), np.int64)
    for name, place in {
        **{"lsp_neck": (50, 20), "head_top": (50, 10), "left_shoulder": (60, 25)},
        **{"right_hip": (60, 65), "right_shoulder": (40, 25), "left_hip": (40, 45)},
    }.items():
        points[:, LSP_14.index(name)] = place
    valid[1:, LSP_14.index("head_top")] = 0
    valid[2:, LSP_14.index("right_hip")] = 0
    valid[3:, LSP_14.index("left_hip")] = 0
    example = {"lsp/2d": points, "lsp/2d/valid": valid}
    example |= {"image/width": np.full(4, 100), "image/height": np.full(4, 100)}
    sizes = metrics.annotated_head_size({k: tf.constant(v) for k, v in example.items()})
    # Half pictures of 50 pixels: a head of 10; half of 40, half of 20; nothing known.
    np.testing.assert_allclose(sizes, [0.2, 0.4, 0.2, np.nan], rtol=1e-6)


def test_a_surface_error_is_the_mean_distance_of_vertices():
    body = load_model_data()
    rng = np.random.default_rng(0)
    betas = tf.constant(rng.normal(size=(2, 10)), tf.float32)
    rotations = tf.tile(tf.eye(3)[None, None], [2, 24, 1, 1])
    true = {
        "parameters": parameters.join_parameters(betas, rotations),
        "parameters_valid": tf.constant([[1.0] * 226, [1.0] * 10 + [0.0] * 216]),
    }
    found = metrics.SurfaceErrors(body)(true, {"betas": 0 * betas, "global_rotations": rotations})
    moved = body.shapedirs[..., :10] @ betas[0].numpy()
    expected = 1000 * np.linalg.norm(moved, axis=-1).mean()
    np.testing.assert_allclose(found["surface_mm"][0], expected, rtol=1e-4)
    assert np.isnan(found["surface_mm"][1])
