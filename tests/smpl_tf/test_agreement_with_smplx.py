"""The field's reference layer on the same file; skipped without `pip install -e '.[bench]'`."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import SMPL
from tests.smpl_tf import fake_model_files as fakes

torch = pytest.importorskip("torch")
smplx = pytest.importorskip("smplx")

COUNT = 3


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smplx")
    return fakes.write_modern_pickle(folder / "SMPL_NEUTRAL.pkl", fakes.random_arrays())


def parameters(angle):
    rng = np.random.default_rng(0)
    return {
        "betas": rng.normal(size=(COUNT, 10)).astype(np.float32),
        "pose": rng.normal(0.0, angle, (COUNT, 72)).astype(np.float32),
        "translation": rng.normal(size=(COUNT, 3)).astype(np.float32),
    }


def theirs(file, given, upstream):
    """Their vertices, joints, and the gradients of the vertices by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smplx.SMPL(str(file.parent), gender="neutral", batch_size=COUNT)
    inputs = {name: torch.tensor(value, requires_grad=True) for name, value in given.items()}
    pose = inputs["pose"]
    output = model(
        betas=inputs["betas"],
        global_orient=pose[:, :3],
        body_pose=pose[:, 3:],
        transl=inputs["translation"],
    )
    gradients = torch.autograd.grad(output.vertices, list(inputs.values()), torch.tensor(upstream))
    return (
        output.vertices.detach().numpy(),
        output.joints.detach().numpy()[:, :24],
        dict(zip(inputs, (gradient.numpy() for gradient in gradients), strict=True)),
    )


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_vertices_joints_and_gradients_agree(file, angle):
    given = parameters(angle)
    upstream = np.random.default_rng(1).normal(size=(COUNT, 6890, 3)).astype(np.float32)
    vertices, joints, gradients = theirs(file, given, upstream)
    inputs = {name: tf.constant(value) for name, value in given.items()}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        ours = SMPL(file)(**inputs)
    np.testing.assert_allclose(ours.vertices, vertices, atol=1e-5)
    np.testing.assert_allclose(ours.joints, joints, atol=1e-5)
    ours = tape.gradient(ours.vertices, inputs, output_gradients=upstream)
    for name, expected in gradients.items():
        largest = np.abs(expected).max()
        assert largest > 1.0, name
        np.testing.assert_allclose(ours[name], expected, atol=1e-4 * largest, err_msg=name)
