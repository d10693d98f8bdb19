import io
import zipfile

import keras
import numpy as np
import pytest

from experiments import ship_smplr, smplr_data, smplr_evaluation, smplr_motion, smplr_runs
from experiments.common import REPOSITORY, UserError
from experiments.run_folder import RunFolder
from smplr import PointBody, ShapeRegressor

PRETRAINED = REPOSITORY / "experiments" / "pretrained"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A compiled network and its `.keras` file."""
    network = ShapeRegressor(num_points=23)
    network.compile("adam", "mae", jit_compile=False)
    path = tmp_path_factory.mktemp("model") / "model.keras"
    network.save(path)
    return network, path


def test_a_halved_model_is_the_same_model_without_its_optimiser(saved, tmp_path):
    network, path = saved
    small = tmp_path / "small.keras"
    small.write_bytes(ship_smplr.halved(path.read_bytes()))
    assert small.stat().st_size < 0.55 * path.stat().st_size
    assert ship_smplr.halved(path.read_bytes()) == small.read_bytes()
    loaded = keras.saving.load_model(small)
    for one, other in zip(network.get_weights(), loaded.get_weights(), strict=True):
        assert other.dtype == np.float32
        np.testing.assert_array_equal(other, one.astype(np.float16))
    assert not loaded.compiled
    names = zipfile.ZipFile(io.BytesIO(small.read_bytes())).namelist()
    assert names == zipfile.ZipFile(path).namelist()


def test_weights_that_half_precision_cannot_hold_are_told(saved, tmp_path):
    network, _ = saved
    weights = network.get_weights()
    network.set_weights([*weights[:-1], np.full_like(weights[-1], 1e6)])
    network.save(tmp_path / "large.keras")
    network.set_weights(weights)
    with pytest.raises(UserError, match="larger than half precision goes; ship the run as it is"):
        ship_smplr.halved((tmp_path / "large.keras").read_bytes())


def test_the_shipped_networks_keep_what_the_readme_promises(monkeypatch):
    body_run, dae_run = (RunFolder(PRETRAINED / f"smplr_{name}") for name in ("pose_shape", "dae"))
    poses = smplr_motion.sampled_poses(64, "test", workers=0)
    monkeypatch.setattr(smplr_motion, "pose_pool", lambda values, split: poses)
    model, _ = smplr_runs.load_model(body_run)
    errors = smplr_evaluation.evaluate(model, smplr_runs.flags_of(body_run)).errors
    assert errors["joints_23_mm"].mean() < 20
    assert errors["surface_mm"].mean() < 25

    values = smplr_runs.flags_of(dae_run)
    model, _ = smplr_runs.load_model(dae_run)
    body = PointBody(smplr_runs.bodies(values), dtype="float32")
    (batch,) = smplr_data.held_out_bodies(values, body)
    before, after = (
        np.linalg.norm(points - batch["points"], axis=-1).mean()
        for points in (batch["seen"], model(batch["seen"]))
    )
    assert 0.05 < before < 0.07
    assert after < 0.75 * before
