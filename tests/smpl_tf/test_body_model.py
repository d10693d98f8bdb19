import gc
import os
import subprocess
import sys
import weakref
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import SMPL, BodyModelOutput, load_model_data
from smpl_tf.skeleton import SMPL_24
from tests.finite_differences import jacobian
from tests.reference_smpl import pose_body, rodrigues
from tests.small_body import small_body
from tests.smpl_tf import fake_model_files as fakes

BODY = small_body()


def random_parameters(leading=(4,), seed=0, angle=0.6):
    rng = np.random.default_rng(seed)
    return {
        "betas": rng.normal(size=(*leading, 10)),
        "pose": rng.normal(0.0, angle, (*leading, 24, 3)),
        "translation": rng.normal(size=(*leading, 3)),
    }


def assert_like_reference(output, data, parameters, tolerance):
    for index in np.ndindex(parameters["betas"].shape[:-1]):
        expected = pose_body(data, **{name: value[index] for name, value in parameters.items()})
        for ours, true in zip(output, expected, strict=True):
            np.testing.assert_allclose(ours[index], true, atol=tolerance)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.6, np.pi])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-10)])
def test_agrees_with_the_reference(dtype, tolerance, angle):
    parameters = random_parameters(angle=angle)
    output = SMPL(BODY, dtype=dtype)(**parameters)
    assert isinstance(output, BodyModelOutput)
    assert all(tensor.dtype == dtype for tensor in output)
    assert_like_reference(output, BODY, parameters, tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-10)])
def test_full_size_open_body_agrees_with_the_reference(dtype, tolerance):
    data = load_model_data(gender="female")
    parameters = random_parameters(leading=(2,))
    output = SMPL(gender="female", dtype=dtype)(**parameters)
    assert output.vertices.shape == (2, 6890, 3)
    assert_like_reference(output, data, parameters, tolerance)


@pytest.mark.parametrize("leading", [(), (1,), (5,), (2, 3), (0,), (3, 0, 2)])
def test_any_leading_dimensions(leading):
    parameters = random_parameters(leading)
    output = SMPL(BODY, dtype="float64")(**parameters)
    assert output.vertices.shape == (*leading, 200, 3)
    assert output.joints.shape == (*leading, 24, 3)
    assert output.global_rotations.shape == (*leading, 24, 3, 3)
    assert_like_reference(output, BODY, parameters, 1e-10)


def test_leading_dimensions_broadcast():
    people, frames = 2, 3
    betas = np.random.default_rng(0).normal(size=(people, 1, 10))
    pose = np.random.default_rng(1).normal(size=(frames, 24, 3))
    translation = np.array([0.0, 0.0, 5.0])
    smpl = SMPL(BODY, dtype="float64")
    output = smpl(betas=betas, pose=pose, translation=translation)
    assert output.vertices.shape == (people, frames, 200, 3)
    parameters = {
        "betas": np.broadcast_to(betas, (people, frames, 10)),
        "pose": np.broadcast_to(pose, (people, frames, 24, 3)),
        "translation": np.broadcast_to(translation, (people, frames, 3)),
    }
    assert_like_reference(output, BODY, parameters, 1e-10)
    with pytest.raises(ValueError, match=r"must broadcast, got \(2,\), \(3,\)"):
        smpl(betas=betas[:, 0], pose=pose)


def test_every_argument_may_be_left_out():
    smpl = SMPL(BODY, dtype="float64")
    rest = smpl()
    np.testing.assert_allclose(rest.vertices, BODY.v_template, atol=1e-12)
    np.testing.assert_allclose(rest.joints, BODY.J_regressor @ BODY.v_template, atol=1e-12)
    parameters = random_parameters()
    for name, value in parameters.items():
        zeros = {other: np.zeros_like(parameters[other]) for other in parameters}
        full = smpl(**{**zeros, name: value})
        for ours, expected in zip(smpl(**{name: value}), full, strict=True):
            np.testing.assert_allclose(ours + 0.0 * expected, expected, atol=1e-12)


def test_three_forms_of_a_pose_are_the_same():
    smpl = SMPL(BODY, dtype="float64")
    pose = random_parameters()["pose"]
    matrices = np.stack([[rodrigues(axis_angle) for axis_angle in body] for body in pose])
    expected = smpl(pose=pose)
    for same in (pose.reshape(4, 72), matrices):
        for ours, true in zip(smpl(pose=same), expected, strict=True):
            np.testing.assert_allclose(ours, true, atol=1e-12)


def test_raw_matrices_that_are_no_rotations_are_taken_as_they_are():
    raw = np.eye(3) + np.random.default_rng(0).normal(0.0, 0.2, (24, 3, 3))
    output = SMPL(BODY, dtype="float64")(pose=raw)
    for ours, true in zip(output, pose_body(BODY, pose=raw), strict=True):
        np.testing.assert_allclose(ours, true, atol=1e-10)


@pytest.mark.parametrize("at", ["rest", "pi", "somewhere"])
def test_gradients_agree_with_finite_differences(at):
    parameters = random_parameters(leading=(), seed=3)
    if at == "rest":
        parameters["pose"] = np.zeros((24, 3))
    elif at == "pi":
        parameters["pose"] *= np.pi / np.linalg.norm(parameters["pose"], axis=-1, keepdims=True)
    rng = np.random.default_rng(0)
    upstream = rng.normal(size=(200, 3)), rng.normal(size=(24, 3)), rng.normal(size=(24, 3, 3))

    def loss(name, value):
        output = pose_body(BODY, **{**parameters, name: value})
        return sum((part * weight).sum() for part, weight in zip(output, upstream, strict=True))

    exact = {name: jacobian(partial(loss, name), value) for name, value in parameters.items()}
    for dtype, tolerance in (("float64", 1e-8), ("float32", 1e-4)):
        smpl = SMPL(BODY, dtype=dtype)
        inputs = {name: tf.constant(value, dtype) for name, value in parameters.items()}
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = smpl(**inputs)
        weights = [tf.constant(weight, dtype) for weight in upstream]
        gradients = tape.gradient(output, inputs, output_gradients=BodyModelOutput(*weights))
        for name, gradient in gradients.items():
            largest = np.abs(exact[name]).max()
            assert largest > 0.1
            np.testing.assert_allclose(gradient, exact[name], atol=tolerance * largest)


def test_a_subset_of_vertices_is_that_of_the_whole_in_the_order_asked_for():
    parameters = random_parameters()
    whole = SMPL(BODY)(**parameters)
    ids = [7, 0, 199, 7]
    some = SMPL(BODY, vertex_ids=ids)(**parameters)
    np.testing.assert_allclose(some.vertices, whole.vertices.numpy()[:, ids], atol=1e-6)
    none = SMPL(BODY, vertex_ids=[])(**parameters)
    assert none.vertices.shape == (4, 0, 3)
    for output in (some, none):
        np.testing.assert_array_equal(output.joints, whole.joints)
        np.testing.assert_array_equal(output.global_rotations, whole.global_rotations)


def test_fewer_or_more_betas():
    data = small_body(num_betas=16)
    for count in (1, 10, 16):
        smpl = SMPL(data, num_betas=count, dtype="float64")
        betas = np.random.default_rng(0).normal(size=count)
        expected = pose_body(data, betas)[0]
        np.testing.assert_allclose(smpl(betas=betas).vertices, expected, atol=1e-12)


def test_smplh_with_its_52_joints(tmp_path):
    arrays = fakes.random_arrays(300, 16, fakes.SMPLH_PARENTS)
    smpl = SMPL(fakes.write_npz(tmp_path / "model.npz", arrays), dtype="float64")
    pose = np.random.default_rng(0).normal(0.0, 0.5, (2, 156))
    output = smpl(pose=pose)
    assert output.joints.shape == (2, 52, 3)
    expected = pose_body(smpl.model_data, pose=pose[1].reshape(52, 3))
    for ours, true in zip(output, expected, strict=True):
        np.testing.assert_allclose(ours[1], true, atol=1e-10)


def test_layers_of_one_body_share_its_arrays_and_graphs():
    data = small_body(seed=5)
    smpl = SMPL(data, vertex_ids=[3, 4])
    expected = smpl().vertices.numpy()
    graph = smpl._posed.pose_matrices._graph
    assert SMPL(data, vertex_ids=[3, 4])._posed is smpl._posed
    for other in ({"num_betas": 4}, {"vertex_ids": [4, 3]}, {"dtype": "float64"}):
        assert SMPL(data, **{"vertex_ids": [3, 4], **other})._posed is not smpl._posed
    np.testing.assert_array_equal(SMPL(data, vertex_ids=[3, 4])().vertices, expected)
    assert smpl._posed.pose_matrices._graph is graph is not None
    # They go with the last layer.
    gone = weakref.ref(smpl._posed)
    del smpl, graph
    gc.collect()
    assert gone() is None


def test_what_the_layer_tells_of_its_body():
    smpl = SMPL(BODY)
    assert smpl.parents == SMPL_24.parents
    assert smpl.num_betas == 10
    assert smpl.faces is BODY.faces
    assert smpl.model_data is BODY
    assert smpl.weights == []


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: SMPL(BODY)(betas=np.zeros((2, 11))),
            r"betas must have shape \[\.\.\., 10\], got",
        ),
        (
            lambda: SMPL(BODY)(pose=np.zeros((2, 23, 3))),
            r"pose must have shape \[\.\.\., 24, 3\] or \[\.\.\., 72\] or \[\.\.\., 24, 3, 3\], "
            r"got \(2, 23, 3\)",
        ),
        (lambda: SMPL(BODY)(translation=np.zeros(2)), r"translation must .*got \(2,\)"),
        (lambda: SMPL(BODY, num_betas=11), r"num_betas: expected 1\.\.10"),
        (lambda: SMPL(BODY, vertex_ids=[3, 200]), r"vertex_ids: expected 0\.\.199.* got 200"),
        (lambda: SMPL(gender="other"), "gender"),
    ],
)
def test_mistakes_are_named_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def functional_model(*layers):
    """A model of all that the layers give; the second layer's outputs are called vertices_1."""
    sizes = {"betas": 10, "pose": 72, "translation": 3}
    inputs = {name: keras.Input((size,), name=name) for name, size in sizes.items()}
    outputs = {}
    for index, smpl in enumerate(layers):
        output = smpl(**inputs)._asdict()
        if smpl.vertex_ids == ():
            del output["vertices"]
        outputs.update({f"{name}_{index}" if index else name: output[name] for name in output})
    return keras.Model(inputs, outputs)


def test_functional_model_knows_its_shapes():
    output = SMPL(BODY)(betas=keras.Input((10,)), pose=keras.Input((72,)))
    shapes = [tensor.shape for tensor in output]
    assert shapes == [(None, 200, 3), (None, 24, 3), (None, 24, 3, 3)]
    frames = SMPL(BODY)(betas=keras.Input((1, 10)), pose=keras.Input((7, 72)))
    assert frames.vertices.shape == (None, 7, 200, 3)


def test_layer_trains_what_stands_before_it():
    inputs = keras.Input((4,))
    numbers = keras.layers.Dense(82)(inputs)
    joints = SMPL(BODY, vertex_ids=[])(betas=numbers[:, :10], pose=numbers[:, 10:]).joints
    model = keras.Model(inputs, joints)
    model.compile(keras.optimizers.Adam(0.03), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(8, 4)), rng.normal(size=(8, 24, 3))
    history = model.fit(*pairs, epochs=4, verbose=0).history["loss"]
    assert history[-1] < 0.98 * history[0]


def test_saved_model_names_its_body_and_holds_none_of_it(tmp_path):
    model = functional_model(SMPL(BODY))
    path = tmp_path / "model.keras"
    model.save(path)
    assert path.stat().st_size < 50_000
    parameters = {**random_parameters(), "pose": random_parameters()["pose"].reshape(4, 72)}
    loaded = keras.saving.load_model(path)
    for name, tensor in loaded(parameters).items():
        np.testing.assert_array_equal(tensor, model(parameters)[name])


def test_saved_model_finds_the_file_of_its_body(tmp_path):
    file = fakes.write_npz(tmp_path / "body.npz", fakes.random_arrays(60))
    smpl = SMPL(file, vertex_ids=[3, 4])
    config = smpl.get_config()
    rest = smpl().vertices
    del smpl
    gc.collect()
    np.testing.assert_array_equal(SMPL.from_config(config)().vertices, rest)


def test_saved_model_finds_its_body_under_another_name(tmp_path):
    file = fakes.write_npz(tmp_path / "SMPL_NEUTRAL.npz", fakes.random_arrays(60))
    config = SMPL(file).get_config()
    gc.collect()
    kept = load_model_data(file.rename(tmp_path / "basicmodel_neutral.npz"))
    assert SMPL.from_config(config).model_data is kept


def test_a_loaded_functional_model_keeps_the_names_of_a_dict(tmp_path):
    """As the docstring says: of a tuple Keras keeps none."""
    pose = keras.Input((72,))
    body = SMPL(BODY)(pose=pose)
    for given, kind in ((body, list), (body._asdict(), dict)):
        keras.Model(pose, given).save(tmp_path / "model.keras")
        assert type(keras.saving.load_model(tmp_path / "model.keras")(tf.zeros([1, 72]))) is kind


def test_saved_model_finds_the_open_body():
    config = SMPL(gender="male", vertex_ids=[5]).get_config()
    assert config["model"]["name"] == "open_body" and config["model"]["gender"] == "male"
    assert SMPL.from_config(config).model_data is load_model_data(gender="male")


@pytest.mark.slow  # test_conformance.py's public names are what importing smpl_tf registers
def test_saved_model_loads_where_smpl_tf_was_only_imported(tmp_path):
    path = tmp_path / "model.keras"
    functional_model(SMPL(vertex_ids=[3])).save(path)
    program = (
        "import keras, smpl_tf\n"
        f"assert keras.saving.load_model({str(path)!r}).output['vertices'].shape == (None, 1, 3)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_saved_model_refuses_another_body_and_asks_for_a_lost_one(tmp_path):
    file = fakes.write_npz(tmp_path / "body.npz", fakes.random_arrays(60))
    config = SMPL(file).get_config()
    gc.collect()
    fakes.write_npz(file, fakes.random_arrays(60, seed=1))
    with pytest.raises(ValueError, match="body.npz contains another one"):
        SMPL.from_config(config)
    file.unlink()
    with pytest.raises(ValueError, match=r"cannot be read: .*no such file.* Load it with"):
        SMPL.from_config(config)
    elsewhere = fakes.write_npz(tmp_path / "moved" / "body.npz", fakes.random_arrays(60))
    kept = load_model_data(elsewhere)
    assert SMPL.from_config(config).model_data is kept

    config = SMPL(small_body(seed=9)).get_config()
    gc.collect()
    with pytest.raises(ValueError, match="made in memory") as error:
        SMPL.from_config(config)
    assert "\n" not in str(error.value)


def test_exported_model_takes_any_batch_and_converts_to_tflite(tmp_path):
    model = functional_model(
        SMPL(BODY), SMPL(BODY, vertex_ids=[3, 150]), SMPL(BODY, vertex_ids=[])
    )
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported")).serve
    lite = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "exported")).convert()
    with pytest.warns(UserWarning, match="tf.lite.Interpreter is deprecated"):
        run_lite = tf.lite.Interpreter(model_content=lite).get_signature_runner()
    for count in (1, 5):
        parameters = random_parameters(leading=(count,))
        parameters["pose"] = parameters["pose"].reshape(count, 72)
        parameters = {name: value.astype(np.float32) for name, value in parameters.items()}
        expected = model(parameters)
        lite_output = run_lite(**parameters)
        assert expected["vertices_1"].shape == (count, 2, 3)
        for name, tensor in served(parameters).items():
            np.testing.assert_allclose(tensor, expected[name], atol=1e-6)
            np.testing.assert_allclose(lite_output[name], expected[name], atol=1e-5)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("broken_value", [np.nan, np.inf])
def test_a_broken_rotation_reaches_what_follows_its_joint_alone(mode, broken_value):
    parameters = random_parameters(leading=(3,))
    layer = SMPL(BODY, dtype="float64")
    pose = layer
    if mode != "eager":
        pose = tf.function(lambda **given: layer(**given), jit_compile=mode == "xla")
    parameters = {name: tf.constant(value) for name, value in parameters.items()}
    whole = pose(**parameters)
    elbow = SMPL_24.names.index("left_elbow")
    rotations = parameters["pose"].numpy()
    rotations[1, elbow, 2] = broken_value
    found = pose(**{**parameters, "pose": tf.constant(rotations)})

    below = {elbow}
    for joint, parent in enumerate(SMPL_24.parents):
        below |= {joint} if parent in below else set()
    expected = np.zeros((3, 24), bool)
    expected[1, sorted(below)] = True
    np.testing.assert_array_equal(np.isnan(found.global_rotations).all((-2, -1)), expected)
    vertices = np.zeros((3, 200), bool)
    vertices[1] = BODY.weights[:, sorted(below)].any(axis=1)
    assert 0 < vertices[1].sum() < 200
    np.testing.assert_array_equal(np.isnan(found.vertices).all(-1), vertices)
    expected[1, elbow] = False  # its own place depends on its parents alone
    np.testing.assert_array_equal(np.isnan(found.joints).all(-1), expected)
    for ours, true in zip(found[1:], whole[1:], strict=True):
        kept = np.isfinite(ours)
        np.testing.assert_allclose(ours[kept], true[kept], rtol=0, atol=1e-12)
    assert np.isfinite(found.vertices).sum() == (~vertices).sum() * 3
    others = [0, 2]
    np.testing.assert_allclose(
        found.vertices.numpy()[others], whole.vertices.numpy()[others], rtol=0, atol=1e-12
    )


def test_a_broken_rotation_leaves_the_gradients_of_other_bodies():
    parameters = random_parameters(leading=(2,))
    layer = SMPL(BODY, dtype="float64")

    def gradient(pose):
        pose = tf.constant(pose)
        with tf.GradientTape() as tape:
            tape.watch(pose)
            vertices = layer(pose=pose, betas=parameters["betas"]).vertices
            loss = tf.reduce_sum(vertices[0] ** 2)
        return tape.gradient(loss, pose).numpy()[0]

    broken = parameters["pose"].copy()
    broken[1, 5] = np.nan
    np.testing.assert_allclose(gradient(broken), gradient(parameters["pose"]), atol=1e-12)


@pytest.mark.slow
def test_a_thousand_batch_sizes_trace_once_and_leak_nothing():
    smpl = SMPL(vertex_ids=[])
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.3, [1000, 24, 3]).astype(np.float32)

    def call(count):
        smpl(betas=tf.zeros([count, 10]), pose=pose[:count])

    sizes = rng.permutation(1000) + 1
    call(sizes[0])
    graph = smpl._posed.pose_axis_angles._graph
    for count in sizes[:500]:  # oneDNN keeps its kernels of the last thousand shapes
        call(count)
    gc.collect()
    objects, memory = len(gc.get_objects()), resident_megabytes()
    for count in sizes[500:]:
        call(count)
    gc.collect()
    assert smpl._posed.pose_axis_angles._graph is graph
    assert len(gc.get_objects()) - objects < 500  # fewer than one a call
    assert resident_megabytes() - memory < 150  # 250 kB a call: SMPL's arrays alone have 20 MB


def resident_megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
