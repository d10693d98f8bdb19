import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from experiments import export
from experiments.runs.common import UserError
from experiments.serving import exported_models, served_models
from nbf import FittingNetwork, SmallSegmenter
from smpl_tf import rotations
from tests.small_body import small_body

FORMATS = ("saved_model", "tflite")


@pytest.fixture(scope="module")
def chain():
    tf.keras.utils.set_random_seed(0)
    fitting = FittingNetwork("small", 16, head="flatten", body=small_body())
    return served_models.served_chain(SmallSegmenter(12, 32, 4), fitting)


@pytest.fixture(scope="module")
def written(chain, tmp_path_factory):
    return exported_models.write(chain, tmp_path_factory.mktemp("exported"), FORMATS)


@pytest.fixture(scope="module")
def calls(written):
    return exported_models.callers(written)


@pytest.mark.slow
def test_both_formats_agree_with_keras(chain, written):
    checks = exported_models.compare(chain, written)
    exported_models.require_parity(checks)
    assert set(checks) == set(FORMATS)
    for check in checks.values():
        assert set(check.deviations) == set(chain.card["outputs"])
        assert check.compared == 8
    card = json.loads(json.dumps(exported_models.card(chain, written, checks)))
    assert card["formats"]["tflite"]["bytes"] == written["tflite"].stat().st_size
    assert [body["name"] for body in card["bodies"]] == [small_body().name]
    assert small_body().name in card["licence"]
    assert "tflite" in str(exported_models.table(card))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chain", "shipped"])
def test_onnx_agrees_with_keras_in_onnxruntime(chain, tmp_path, call, kind):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    if kind == "shipped":
        out = tmp_path / "new"
        answer = call(export, f"--output={out}", "--format=onnx")
        assert answer.status == 0, answer.err
        card = json.loads((out / "model_card.json").read_text())
        deviations = card["formats"]["onnx"]["largest_deviation_from_keras"]
        assert max(deviations.values()) < 1e-4
        return
    files = exported_models.write(chain, tmp_path, ("onnx",))
    checks = exported_models.compare(chain, files)
    exported_models.require_parity(checks)
    assert set(checks["onnx"].deviations) == set(chain.card["outputs"])
    (onnx,) = exported_models.callers(files).values()
    pictures = served_models.example_inputs(chain, 5)
    together = onnx(pictures)
    assert together["vertices"].shape == (5, 200, 3)
    for name, value in onnx(pictures[3:4]).items():
        np.testing.assert_allclose(value, together[name][3:4], atol=1e-5)


def test_onnx_without_its_packages_names_the_extra(call, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    answer = call(export, f"--output={tmp_path}/new", "--format=onnx")
    assert answer.status == 1 and "pip install 'neural-body-fitting[onnx]'" in answer.err
    assert not any(tmp_path.iterdir())


def test_any_number_of_pictures_goes_in(chain, calls):
    pictures = served_models.example_inputs(chain, 5)
    for call in calls.values():
        together = call(pictures)
        assert together["vertices"].shape == (5, 200, 3)
        assert together["parts"].shape == (5, 32, 32)
        for name, value in call(pictures[3:4]).items():
            np.testing.assert_allclose(value, together[name][3:4], atol=1e-5)


def test_betas_and_pose_give_the_vertices(chain, calls):
    outputs = calls["tflite"](served_models.example_inputs(chain, 2))
    matrices = rotations.axis_angle_to_matrix(outputs["pose"])
    np.testing.assert_allclose(matrices, outputs["rotations"], atol=1e-5)
    body = served_models.SMPL(small_body())(betas=outputs["betas"], pose=outputs["pose"])
    np.testing.assert_allclose(body.vertices, outputs["vertices"], atol=1e-5)
    np.testing.assert_allclose(body.joints, outputs["joints_3d"], atol=1e-5)


@pytest.mark.parametrize("name", ["rgb", "parts_6", "probabilities_3", "joints_24"])
def test_a_fitting_network_takes_what_it_was_trained_on(name):
    network = FittingNetwork("small", 16, head="flatten", body=small_body(), input_map=name)
    served = served_models.served_fitting(network)
    inputs = served_models.example_inputs(served, 2)
    assert served.spec.shape.is_compatible_with(inputs.shape)
    for ours, theirs in zip(
        served.predict(inputs).values(), served.reference(inputs).values(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_pictures_whose_parts_differ_do_not_count():
    expected = {"betas": np.zeros((3, 10)), "parts": np.zeros((3, 4, 4), np.uint8)}
    outputs = {"betas": np.zeros((3, 10)), "parts": np.zeros((3, 4, 4), np.uint8)}
    outputs["betas"][:2] = [[0.5], [0.25]]
    outputs["parts"][0, 1, 1] = 1
    deviations, compared = exported_models.deviations_of(outputs, expected)
    assert deviations == {"parts": 1 / 48, "betas": 0.25}
    assert compared == 2


@pytest.mark.parametrize(
    "deviations, compared, message",
    [
        ({"betas": 0.0, "vertices": 2e-4}, 8, "tflite: vertices differs from Keras by 0.0002"),
        ({"betas": np.nan}, 8, "tflite: betas differs from Keras by nan"),
        ({"betas": 0.0}, 3, "tflite: only 3 of 8 pictures have the same part map as in Keras"),
    ],
)
def test_a_model_that_differs_is_refused(deviations, compared, message):
    check = exported_models.Check(deviations, compared, 1.0, 1.0)
    with pytest.raises(UserError, match=message):
        exported_models.require_parity({"tflite": check})


@pytest.mark.slow
def test_what_tflite_cannot_hold_is_named(chain, tmp_path):
    def with_svd(given, project):
        return {
            "values": tf.linalg.svd(tf.cast(given[:, :3, :3, 0], tf.float32), compute_uv=False)
        }

    with pytest.raises(UserError, match=r"TFLite cannot hold this model.*Svd.*--format=saved_mod"):
        exported_models.write(chain._replace(run=with_svd), tmp_path / "odd", FORMATS)


def test_mistakes_are_answered_in_one_line(call, tmp_path):
    answer = call(export)
    assert answer.status == 2 and "--output is missing" in answer.err
    answer = call(export, f"--output={tmp_path}")
    assert answer.status == 1 and "already exists" in answer.err
    answer = call(export, f"--output={tmp_path}/new", "--format=coreml")
    assert answer.status == 2 and "expected saved_model, tflite, onnx" in answer.err
    answer = call(export, f"--output={tmp_path}/new", f"--run={tmp_path}")
    assert answer.status == 1 and "no run here" in answer.err
    dae = export.shipped_runs.PRETRAINED / "smplr_dae"
    answer = call(export, f"--output={tmp_path}/new", f"--run={dae}")
    assert answer.status == 1 and "predicts points, not bodies" in answer.err
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("run", [None, "smplr_pose_shape"])
def test_shipped_models_can_be_served(call, tmp_path, run):
    flags = [] if run is None else [f"--run={export.shipped_runs.PRETRAINED / run}"]
    answer = call(export, f"--output={tmp_path}/new", *flags)
    assert answer.status == 0, answer.err
    card = json.loads((tmp_path / "new" / "model_card.json").read_text())
    assert card["runs"] and set(card["formats"]) == set(FORMATS)
    files = {name: tmp_path / "new" / one["file"] for name, one in card["formats"].items()}
    if run is None:
        return
    # Missing points are missing there too.
    points = np.random.default_rng(0).normal(0, 0.3, (2, 41, 3)).astype(np.float32)
    points[1, 5] = np.nan
    outputs = [one(points) for one in exported_models.callers(files).values()]
    for name, value in outputs[0].items():
        assert np.isfinite(value).all()
        np.testing.assert_allclose(outputs[1][name], value, atol=exported_models.TOLERANCE)
