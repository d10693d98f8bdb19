import functools
import json

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from datasets import example as example_lib
from datasets import manifests, records
from experiments import evaluate_nbf
from experiments.nbf import protocols
from experiments.nbf.data import Feed
from experiments.nbf.flags import define_run_flags
from experiments.runs.common import UserError
from nbf.landmarks import landmark_body, landmark_points
from smpl_tf import kinematics, load_model_data, rotations
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24
from tests.nbf.people import people

COUNTED = {
    "humaneva": [
        "humaneva/S1/Walking_1_(C1)/000123",
        "humaneva/S3/Box_1_(C1)/000007",
    ],
    "human36m": ["human36m/S9/Directions-1/60457274/000001", "human36m/S11/Photo-1/60457274/5"],
}
OTHERS = [
    *("humaneva/S1/Walking_1_(C2)/000123", "humaneva/S2/Jog_1_(C1)/000123"),
    *("human36m/S9/Directions-2/60457274/000001", "human36m/S9/Photo-1/54138969/000001"),
    *("human36m/S8/Directions-1/60457274/000001", "human36m/S1/Photo-1/60457274/000001"),
]


@pytest.mark.parametrize("name", COUNTED)
def test_a_protocol_counts_its_pictures_alone(name):
    protocol = protocols.Protocol(name, None)
    counts = {i: bool(protocol.counts({"id": tf.constant(i)})) for i in sum(COUNTED.values(), [])}
    assert [i for i, counted in counts.items() if counted] == COUNTED[name]
    assert not any(protocol.counts({"id": tf.constant(i)}) for i in OTHERS)


@functools.cache
def measured():
    """What a camera and motion capture would know of the eight people, and their true bodies."""
    data, everyone = load_model_data(), people()
    body = landmark_body(data, LSP_14)
    posed = body(betas=everyone["smpl/neutral_betas"], pose=everyone["smpl/pose"])
    lsp = landmark_points(posed, LSP_14).numpy() + everyone["smpl/translation"][:, None]
    points, valid = np.zeros((8, 17, 3), np.float32), np.zeros((8, 17), np.int64)
    names = {"right_hip": "right_hip_h36m", "left_hip": "left_hip_h36m", "lsp_neck": "neck_h36m"}
    for i, name in enumerate(LSP_14.names):
        row = H36M_17.index(names.get(name, name))
        points[:, row], valid[:, row] = lsp[:, i], 1
    relative = rotations.axis_angle_to_matrix(everyone["smpl/pose"])
    global_rotations = kinematics.relative_to_global(relative, SMPL_24.parents)
    truth = {"betas": everyone["smpl/neutral_betas"], "global_rotations": global_rotations}
    return {"h36m/3d": points, "h36m/3d/valid": valid}, truth


def errors_of(examples, predicted, regressor=None):
    protocol = protocols.Protocol("human36m", regressor)
    feed = protocol.feed(Feed(("id",), lambda examples: ({}, {})))
    assert {"id", "h36m/3d", "h36m/3d/valid"} <= set(feed.features)
    _, true = feed.convert(examples)
    measure = protocols.MeasuredErrors(load_model_data(), protocol)
    return {name: value.numpy() for name, value in measure(true, predicted).items()}


def test_the_true_body_has_no_error_wherever_it_stands():
    examples, truth = measured()
    for name, values in errors_of(examples, truth).items():
        np.testing.assert_allclose(values, 0, atol=0.05, err_msg=name)


def test_what_was_not_measured_does_not_count():
    examples, truth = measured()
    points, valid = examples["h36m/3d"].copy(), examples["h36m/3d/valid"].copy()
    for lost in ("head_top", "left_wrist"):
        points[:, H36M_17.index(lost)], valid[:, H36M_17.index(lost)] = 0, 0
    valid[7] = 0
    found = errors_of({"h36m/3d": points, "h36m/3d/valid": valid}, truth)
    for name, values in found.items():
        np.testing.assert_allclose(values[:7], 0, atol=0.05, err_msg=name)
        assert np.isnan(values[7])


def test_a_similarity_costs_only_the_errors_that_do_not_undo_it():
    examples, truth = measured()
    hips = examples["h36m/3d"][:, [1, 4]].mean(1, keepdims=True)
    larger = hips + 1.1 * (examples["h36m/3d"] - hips)
    found = errors_of(examples | {"h36m/3d": larger}, truth)
    np.testing.assert_allclose(found["measured_pa_mpjpe_mm"], 0, atol=0.05)
    assert np.all(found["measured_pa_mpjpe_rigid_mm"] > 10)
    away = np.linalg.norm(0.1 * (examples["h36m/3d"] - hips), axis=-1)
    known = examples["h36m/3d/valid"]
    expected = 1000 * (away * known).sum(1) / known.sum(1)
    np.testing.assert_allclose(found["measured_mpjpe_mm"], expected, rtol=1e-3)


def test_a_regressor_takes_the_place_of_the_joints():
    """One that picks the vertices of NBF's landmarks finds those, and joints it cannot."""
    data = load_model_data()
    examples, truth = measured()
    regressor = np.zeros((17, len(data.v_template)))
    regressor[:, 0] = 1.0
    for name in ("head_top", "lsp_neck"):
        row = H36M_17.index({"lsp_neck": "neck_h36m"}.get(name, name))
        regressor[row] = 0
        regressor[row, data.landmarks[name]] = 1.0
    protocol = protocols.Protocol("human36m", regressor)
    found = protocols.MeasuredErrors(data, protocol).points(**truth)
    plain = protocols.Protocol("human36m", None)
    expected = protocols.MeasuredErrors(data, plain).points(**truth)
    np.testing.assert_allclose(found[:, 12:], expected[:, 12:], atol=1e-5)
    assert np.abs(found[:, 0] - expected[:, 0]).max() > 0.1


def test_a_regressor_of_another_body_is_refused(tmp_path):
    np.save(tmp_path / "regressor.npy", np.zeros((17, 5)))
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", "--protocol=humaneva", f"--joint_regressor={tmp_path / 'regressor.npy'}"])
    with pytest.raises(UserError, match=r"regressor.npy: expected weights of shape \(17, \d+\)"):
        protocols.protocol_of(values, load_model_data())


def studio_people(start, stop):
    """Examples as the reader of HumanEva-I makes them: no SMPL parameters, no parts."""
    points, everyone = measured()[0], people()
    for index in range(start, stop):
        sequence = COUNTED["humaneva"][0] if index < 5 else OTHERS[0]
        yield example_lib.blank() | {
            "id": f"{sequence[:-3]}{index:03d}",
            "image/encoded": cv2.imencode(".png", everyone["image"][index])[1].tobytes(),
            "image/height": 48,
            "image/width": 48,
            "camera/intrinsics": nbf_camera(48).intrinsics,
            "camera/valid": 1,
            "h36m/3d": points["h36m/3d"][index],
            "h36m/3d/valid": points["h36m/3d/valid"][index],
        }


@pytest.mark.slow
def test_a_studio_without_smpl_is_scored_by_its_measured_joints(finished, call, tmp_path):
    data = tmp_path / "humaneva"
    manifest = manifests.Manifest("humaneva", "val", 8, 8, {}, {})
    records.write_shards(studio_people, manifest, str(data), workers=0, progress=False)
    answer = call(
        evaluate_nbf,
        *(f"--run={finished}", f"--data={data}", "--split=val", "--protocol=humaneva"),
        f"--output={tmp_path}",
    )
    assert answer.status == 0, answer.err
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["people"] == 5
    assert record["metrics"].keys() == record["mean_pose_metrics"].keys()
    expected = {"pa_mpjpe_mean_mm", "pa_mpjpe_median_mm", "pa_mpjpe_rigid_mm", "mpjpe_mm"}
    assert record["metrics"].keys() == {f"measured_{name}" for name in expected}
    assert all(np.isfinite(value) for value in record["metrics"].values())
    page = (tmp_path / "index.html").read_text()
    assert "PA-MPJPE of measured joints" in page and "true body" not in page
    answer = call(
        evaluate_nbf,
        *(f"--run={finished}", f"--data={data}", "--split=val", "--protocol=human36m"),
    )
    assert answer.status == 1
    assert "no picture of split 'val' is one of --protocol=human36m" in answer.err
