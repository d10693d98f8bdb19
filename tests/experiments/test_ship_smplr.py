import io
import zipfile

import keras
import numpy as np
import pytest
from absl import flags

from experiments import ship_smplr
from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.run_folder import RunFolder
from experiments.runs.shipped_runs import PRETRAINED
from experiments.smplr import data as smplr_data
from experiments.smplr import evaluation, motion, networks
from experiments.smplr.flags import define_run_flags
from smpl_tf.files import write_json
from smplr import SMPLR, PointBody, ShapeRegressor, StackedHourglass


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
    with pytest.raises(UserError, match="too large for half precision; ship the run unchanged"):
        ship_smplr.halved((tmp_path / "large.keras").read_bytes())


@pytest.mark.slow
def test_an_end_to_end_run_is_copied_and_joined_again(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hourglass = StackedHourglass(image_size=64, num_stacks=1, width=8, bins=4, num_limbs=0)
    parts = {name: RunFolder(PRETRAINED / f"smplr_{name}") for name in ("pose_shape", "dae")}
    behind, autoencoder = (networks.load_model(run)[0] for run in parts.values())
    model = SMPLR(behind.pose_regressor, behind.shape_regressor, autoencoder, hourglass)

    def made(name, *folders):
        run = RunFolder(tmp_path / name)
        values = flags.FlagValues()
        define_run_flags(values)
        values(["", "--stage=end_to_end", f"--networks={','.join(str(f) for f in folders)}"])
        networks.keep_joined(run, model, values)
        write_json(run.record_file, {"stage": "end_to_end", "flags": {}})
        return run

    shipped = [run.path.relative_to(REPOSITORY) for run in parts.values()]
    run, copy = made("run", *shipped), RunFolder(tmp_path / "copy")
    answer = call(ship_smplr, f"--run={run.path}", f"--output={copy.path}")
    assert answer.status == 0, answer.err
    assert (copy.path / "model.keras").stat().st_size < 1e6
    joined, stage = networks.load_model(copy)
    assert stage == "end_to_end"
    picture = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    expected, found = model(picture), joined(picture)
    for name in ("points", "denoised", "rotations", "joints"):
        np.testing.assert_allclose(found[name], expected[name], atol=5e-3)

    # Behind networks that are not shipped the whole is copied, a file for each of the large ones.
    elsewhere = made("elsewhere", *shipped[:1], tmp_path / "run")
    answer = call(ship_smplr, f"--run={elsewhere.path}", f"--output={copy.path}")
    assert answer.status == 0, answer.err
    sizes = {path.name: path.stat().st_size for path in copy.path.glob("*.keras")}
    assert set(sizes) == {"model.keras", "autoencoder.keras", "hourglass.keras"}
    assert max(sizes.values()) < 10e6
    for whole in (networks.load_model(copy)[0], SMPLR.from_pretrained(copy.path)):
        found = whole(picture)
        for name in ("points", "denoised", "rotations", "joints"):
            np.testing.assert_allclose(found[name], expected[name], atol=5e-3)


def test_the_shipped_networks_keep_what_the_readme_promises(monkeypatch):
    body_run, dae_run = (RunFolder(PRETRAINED / f"smplr_{name}") for name in ("pose_shape", "dae"))
    poses = motion.sampled_poses(64, "test", workers=0)
    monkeypatch.setattr(motion, "pose_pool", lambda values, split: poses)
    model, _ = networks.load_model(body_run)
    errors = evaluation.evaluate(model, networks.flags_of(body_run)).errors
    assert errors["joints_23_mm"].mean() < 20
    assert errors["surface_mm"].mean() < 25

    values = networks.flags_of(dae_run)
    model, _ = networks.load_model(dae_run)
    body = PointBody(networks.bodies(values), dtype="float32")
    (batch,) = smplr_data.held_out_bodies(values, body)
    before, after = (
        np.linalg.norm(points - batch["points"], axis=-1).mean()
        for points in (batch["seen"], model(batch["seen"]))
    )
    assert 0.05 < before < 0.07
    assert after < 0.75 * before


@pytest.mark.slow
def test_the_shipped_networks_for_photographs_know_a_finders_points(monkeypatch):
    run = RunFolder(PRETRAINED / "smplr_photographs")
    for file in ("model.keras", "autoencoder.keras"):
        assert (run.path / file).stat().st_size < 10e6
    poses = motion.sampled_poses(64, "test", workers=0)
    monkeypatch.setattr(motion, "pose_pool", lambda values, split: poses)
    model, _ = networks.load_model(run)
    assert model.skeleton.name == "BlazePose-33"
    found = evaluation.evaluate(model, networks.flags_of(run))
    assert found.errors["joints_23_mm"].mean() < 0.6 * found.baseline["joints_23_mm"].mean()
    assert found.errors["joints_23_mm"].mean() < 130
    assert found.errors["pa_joints_mm"].mean() < 90
