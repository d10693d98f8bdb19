import keras
import numpy as np
import pytest
import tensorflow as tf

from nbf import FittingLoss, FittingNetwork, parameters, targets
from nbf.optimizers import paper_optimizer
from smpl_tf import BodyNotFoundError, load_model_data
from tests.nbf.people import people

SIZE = 32


def small_network(**options):
    keras.utils.set_random_seed(0)
    return FittingNetwork(
        **{"backbone": "small", "input_size": SIZE, "head": "flatten", **options}
    )


def batch(input_map="parts_12", **options):
    return targets.fitting_targets(people(), input_map=input_map, input_size=SIZE, **options)


@pytest.fixture(scope="module")
def network():
    return small_network()


def test_outputs_have_the_shapes_of_a_body(network):
    inputs, _ = batch()
    shapes = {name: tuple(value.shape) for name, value in network(inputs).items()}
    assert shapes == {
        "parameters": (8, 226),
        "betas": (8, 10),
        "global_rotations": (8, 24, 3, 3),
        "joints_3d": (8, 24, 3),
        "joints_2d": (8, 24, 2),
    }


@pytest.mark.parametrize("special", [True, False])
def test_rotations_are_orthogonal_and_proper_where_asked(special):
    network = small_network(special_rotations=special)
    network.mean_parameters.assign(tf.random.stateless_normal([226], seed=[1, 2]))
    matrices = network.mean_pose(batch()[0])["global_rotations"].numpy()
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(-1, -2), np.tile(np.eye(3), (8, 24, 1, 1)), atol=1e-5
    )
    determinants = np.linalg.det(matrices)
    assert np.all(determinants > 0) if special else np.any(determinants < 0)


def test_true_parameters_give_true_joints_and_no_loss(network):
    inputs, true = batch()
    outputs = network.pose(true["parameters"], inputs)
    terms = FittingLoss().terms(true, outputs)
    for name, value in terms.items():
        np.testing.assert_allclose(value, 0.0, atol=1e-4, err_msg=name)


def test_mean_pose_shows_the_mean_parameters_to_everyone():
    mean = parameters.parameter_targets(people()).numpy()[3]
    network = small_network(mean_parameters=mean)
    inputs, true = batch()
    outputs = network.mean_pose(inputs)
    np.testing.assert_allclose(outputs["parameters"], np.tile(mean, (8, 1)))
    np.testing.assert_allclose(outputs["joints_3d"][5], true["joints_3d"][3], atol=1e-5)


def test_nbf_translation_and_camera_are_the_default(network):
    inputs, _ = batch()
    outputs = network(inputs["input_map"])
    expected = {
        "input_map": inputs["input_map"],
        "translation": np.tile(np.float32([0.0, 0.115, 20.3]), (8, 1)),
        "intrinsics": np.tile(targets.NBF_INTRINSICS, (8, 1, 1)),
    }
    np.testing.assert_allclose(outputs["joints_2d"], network(expected)["joints_2d"], atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "size", "head", "features"),
    [("vgg16", 64, "pool", 512), ("small", 64, "flatten", 16 * 128)],
)
def test_the_regressor_is_one_layer_of_226(backbone, size, head, features):
    network = FittingNetwork(backbone=backbone, input_size=size, head=head)
    counted = network.encoder.count_params() + (features + 1) * 226 + 226  # + the means
    assert network.count_params() == counted


def test_landmarks_are_predicted_on_request():
    inputs, true = batch(landmarks=91)
    network = small_network(landmarks=91)
    outputs = network.pose(true["parameters"], inputs)
    assert outputs["landmarks_3d"].shape == (8, 91, 3)
    terms = FittingLoss(loss_points=91).terms(true, outputs)
    np.testing.assert_allclose(terms["L_3D"], 0.0, atol=1e-5)
    np.testing.assert_allclose(terms["L_2D"], 0.0, atol=1e-5)
    with pytest.raises(ValueError, match="loss_points=14: the network predicts 91 landmarks; "):
        FittingLoss(loss_points=14).terms(true, outputs)


def test_all_vertices_are_predicted_and_compared_on_request():
    inputs, true = batch(landmarks="mesh")
    network = small_network(landmarks="mesh")
    outputs = network.pose(true["parameters"], inputs)
    assert outputs["landmarks_3d"].shape == (*true["landmarks_2d_valid"].shape, 3) == (8, 6890, 3)
    loss = FittingLoss(loss_points="mesh")
    np.testing.assert_allclose(loss.terms(true, outputs)["L_3D"], 0.0, atol=1e-5)
    moved = {**outputs, "landmarks_3d": outputs["landmarks_3d"] + [0.0, 0.03, 0.04]}
    np.testing.assert_allclose(loss.terms(true, moved)["L_3D"], 0.05, atol=1e-5)
    with pytest.raises(ValueError, match="loss_points=mesh: the network predicts 91 landmarks"):
        loss.terms(true, small_network(landmarks=91).pose(true["parameters"], inputs))
    with pytest.raises(ValueError, match="a mesh has no such point"):
        FittingLoss(loss_points="mesh", center_2d="hips")


def test_eight_people_are_learnt_by_heart():
    mean = parameters.parameter_targets(people()).numpy().mean(0)
    network = small_network(mean_parameters=mean)
    steps = 60
    network.compile(
        paper_optimizer(steps, learning_rate=5e-3, beta_1=0.9), FittingLoss(weight_decay=0.0)
    )
    network.optimizer.build(network.trainable_variables)  # so that the step is traced once
    inputs, true = batch()
    data = tf.data.Dataset.from_tensors((inputs, true)).repeat()
    history = network.fit(
        data, steps_per_epoch=steps // 2, epochs=2, shuffle=False, verbose=0
    ).history
    assert list(history) == ["L_2D", "L_3D", "L_lat", "err_joints3d_mm", "loss", "pa_mpjpe_mm"]
    outputs = network(inputs, training=False)
    terms = FittingLoss().terms(true, outputs)
    baseline = FittingLoss().terms(true, network.mean_pose(inputs))
    for name in terms:
        assert terms[name] < 0.1 * baseline[name], name


@pytest.mark.parametrize("eager", [True, False])
def test_joint_errors_without_labels_are_unknown_rather_than_zero(eager):
    network = small_network()
    network.compile(keras.optimizers.SGD(1e-3), FittingLoss(), run_eagerly=eager)
    names = ["err_joints3d_mm", "pa_mpjpe_mm"]
    for share, known in ((0.0, False), (1.0, True)):
        found = network.test_on_batch(*batch(share_3d=share), return_dict=True)
        assert np.isfinite(found["loss"])
        assert [bool(np.isfinite(found[name])) for name in names] == [known, known]
        network.reset_metrics()


def one_person(inputs, true):
    return tf.nest.map_structure(lambda tensor: tensor[:1], (inputs, true))


def nobody(inputs, true):
    """All background, and no label of any kind."""
    empty = {name: tf.zeros_like(v) if "valid" in name else v for name, v in true.items()}
    return inputs | {"input_map": -tf.ones_like(inputs["input_map"])}, empty


@pytest.fixture(scope="module")
def trained_before():
    """One network for all who take a step with it."""
    network = small_network()
    network.compile(keras.optimizers.SGD(1e-3), FittingLoss(), run_eagerly=True)
    return network


@pytest.mark.parametrize(
    ("make", "terms_at_zero"),
    [
        (lambda: one_person(*batch()), set()),
        (lambda: batch(share_3d=0.0), {"L_lat", "L_3D"}),
        (lambda: one_person(*batch(share_3d=0.0)), {"L_lat", "L_3D"}),
        (lambda: nobody(*batch()), {"L_lat", "L_3D", "L_2D"}),
    ],
    ids=["one person", "no 3D labels", "one person without 3D labels", "nobody"],
)
def test_a_batch_that_lacks_something_trains_on_the_rest(make, terms_at_zero, trained_before):
    network = trained_before
    network.reset_metrics()
    results = network.train_on_batch(*make(), return_dict=True)
    unknown = {"err_joints3d_mm", "pa_mpjpe_mm"} if "L_3D" in terms_at_zero else set()
    assert {name for name, value in results.items() if np.isnan(value)} == unknown, results
    assert {name for name in ("L_lat", "L_3D", "L_2D") if results[name] == 0.0} == terms_at_zero
    assert all(np.all(np.isfinite(weight)) for weight in network.get_weights())


def test_weight_decay_is_part_of_the_loss():
    inputs, true = batch()
    network = small_network()
    losses = []
    for weight_decay in (0.0, 0.5):
        network.compile(loss=FittingLoss(weight_decay=weight_decay))
        losses.append(network.compute_loss(inputs, true, network(inputs)))
    kernels = [w for w in network.trainable_variables if w.path.endswith("kernel")]
    expected = 0.5 * sum(0.5 * (w.numpy() ** 2).sum() for w in kernels)
    np.testing.assert_allclose(losses[1] - losses[0], expected, rtol=1e-4)


def test_a_map_without_anybody_gives_a_finite_body(network):
    outputs = network(-tf.ones([1, SIZE, SIZE, 3]))
    assert all(np.all(np.isfinite(value)) for value in outputs.values())


def test_a_saved_network_comes_back_the_same(tmp_path, network):
    network.compile("adam", FittingLoss(joints_2d_weight=3.0))
    network.optimizer.build(network.trainable_variables)
    network.mean_parameters.assign(parameters.parameter_targets(people())[1])
    path = tmp_path / "network.keras"
    network.save(path)
    loaded = keras.saving.load_model(path)
    inputs, true = batch()
    np.testing.assert_allclose(
        loaded(inputs)["joints_3d"], network(inputs)["joints_3d"], atol=1e-5
    )
    assert loaded.loss.joints_2d_weight == 3.0
    assert FittingNetwork.from_pretrained(path).get_config() == network.get_config()


def test_an_exported_network_serves_the_same_bodies(tmp_path, network):
    network.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    inputs, _ = batch()
    outputs = served.serve({"input_map": inputs["input_map"]})
    np.testing.assert_allclose(
        outputs["joints_3d"], network(inputs["input_map"])["joints_3d"], atol=1e-4
    )


def test_another_body_is_refused_in_one_line(tmp_path, network):
    female, ours = load_model_data(gender="female"), load_model_data().fingerprint
    whole, weights = tmp_path / "network.keras", tmp_path / "network.weights.h5"
    network.save(whole)
    network.save_weights(weights)
    with pytest.raises(ValueError, match=f"network.keras: made with the body {ours}, not") as e:
        FittingNetwork.from_pretrained(whole, female)
    assert "\n" not in str(e.value)
    other = small_network(body=female)
    with pytest.raises(ValueError, match=f"weights.h5: made with the body {ours}, not") as e:
        other.load_weights(weights)
    assert "\n" not in str(e.value)


def test_no_array_of_the_body_is_a_weight(network):
    sizes = {weight.shape.num_elements() for weight in network.weights}
    body = network.body.model_data
    assert not sizes & {a.size for a in (body.v_template, body.shapedirs, body.J_regressor)}
    assert network.body.weights == []


def test_mixed_precision_keeps_the_geometry_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = small_network()
    finally:
        keras.config.set_dtype_policy("float32")
    inputs, true = batch()
    outputs = network(inputs)
    assert {value.dtype for value in outputs.values()} == {tf.float32}
    exact = network.pose(true["parameters"], inputs)["joints_2d"]
    np.testing.assert_allclose(exact, true["joints_2d"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_training_runs_under_xla(policy):
    keras.config.set_dtype_policy(policy)
    try:
        network = small_network()
        network.compile(keras.optimizers.SGD(1e-3), FittingLoss(), jit_compile=True)
        results = network.train_on_batch(*batch(), return_dict=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(results["loss"])


def test_misuse_is_answered_in_one_line(network):
    with pytest.raises(ValueError, match=r"expected shape \[B, 32, 32, 3\], got \(1, 64, 64, 3\)"):
        network(tf.zeros([1, 64, 64, 3]))
    network.compile(loss="mse")
    with pytest.raises(ValueError, match=r"expected loss=FittingLoss\(...\), got 'mse'"):
        network.compute_loss(*batch(), network(batch()[0]))
    config = network.get_config()
    config["body"] |= {"path": "/nowhere/body.pkl", "fingerprint": "of nobody"}
    with pytest.raises(BodyNotFoundError, match="/nowhere/body.pkl: no such file.* keep it while"):
        FittingNetwork.from_config(config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet18"}, "Unknown backbone 'resnet18': expected one of small"),
        ({"head": "max"}, "head='max': expected one of pool, flatten"),
        ({"landmarks": 24}, r"landmarks=24: expected 14 \(LSP's\), 91 \(UP's\) or 'mesh'"),
        (
            {"mean_parameters": np.zeros(10)},
            r"mean_parameters: expected shape \(226,\), got \(10,\)",
        ),
    ],
)
def test_unknown_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small_network(**options)


def own_encoder(size=SIZE, channels=3, level="c5"):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((size, size, channels))
    features = keras.layers.Conv2D(4, 4, strides=4, activation="relu", name="finer")(inputs)
    coarser = keras.layers.Conv2D(8, 2, strides=2, activation="relu", name="coarser")(features)
    return keras.Model(inputs, {"c4": features, level: coarser})


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_encoder_of_ones_own_trains_and_comes_back_from_files(tmp_path, jit_compile):
    network = small_network(backbone=own_encoder())
    network.compile(keras.optimizers.SGD(1e-3), FittingLoss(), jit_compile=jit_compile)
    network.optimizer.build(network.trainable_variables)
    before = network.encoder.get_layer("coarser").kernel.numpy()
    inputs, true = batch()
    data = tf.data.Dataset.from_tensors((inputs, true))
    history = network.fit(data, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.any(network.encoder.get_layer("coarser").kernel.numpy() != before)
    path = tmp_path / "network.keras"
    network.save(path)
    for load in (keras.saving.load_model, FittingNetwork.from_pretrained):
        loaded = load(path)
        np.testing.assert_allclose(
            loaded(inputs)["joints_3d"], network(inputs)["joints_3d"], atol=1e-5
        )
        assert [layer.name for layer in loaded.encoder.layers] == [
            layer.name for layer in network.encoder.layers
        ]


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (lambda: own_encoder(level="last"), "^backbone: expected a name, .* with the level c5"),
        (lambda: keras.Sequential(), "^backbone: expected a name, or a functional keras.Model"),
        (lambda: 50, "^backbone: expected a name, or a functional .*, got 50 with"),
        (
            lambda: own_encoder(size=64),
            r"^backbone: expected a model of one input map \(None, 32, 32, 3\), got one of \(None,"
            r" 64, 64, 3\)",
        ),
    ],
)
def test_an_encoder_without_the_levels_or_of_another_size_is_refused(backbone, message):
    with pytest.raises(ValueError, match=message):
        small_network(backbone=backbone())


def test_sample_weights_are_refused(network):
    network.compile("sgd", FittingLoss(), run_eagerly=True)
    with pytest.raises(ValueError, match="^sample_weight: expected None, .* `<name>_valid`"):
        network.train_on_batch(*batch(), sample_weight=np.ones(8))


def test_the_learning_rate_falls_as_the_paper_says():
    optimizer = paper_optimizer(100)
    assert optimizer.beta_1 == 0.5
    schedule = optimizer._learning_rate
    for step, expected in ((0, 4e-5), (50, 4e-5 * 0.5**0.9), (100, 0.0), (120, 0.0)):
        np.testing.assert_allclose(schedule(step), expected, rtol=1e-5)
