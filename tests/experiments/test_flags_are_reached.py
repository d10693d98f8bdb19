"""Flags of training and evaluation are set by a flag file or a test; the papers' options act."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from datasets import synthetic, transforms
from datasets.manifests import Manifest, Shard
from datasets.splits import Split
from experiments import evaluate_smplr
from experiments.nbf import flags as nbf_flags
from experiments.nbf import networks as nbf_networks
from experiments.nbf import point_flags
from experiments.runs import epochs, synthetic_people
from experiments.runs.common import REPOSITORY, UserError
from experiments.smplr import data as smplr_data
from experiments.smplr import flags as smplr_flags
from experiments.smplr import networks as smplr_networks

DEFINE = {
    "train_nbf": nbf_flags.define_run_flags,
    "evaluate_nbf": nbf_flags.define_evaluation_flags,
    "train_points": point_flags.define_run_flags,
    "train_smplr": smplr_flags.define_run_flags,
    "evaluate_smplr": smplr_flags.define_evaluation_flags,
}


def read(define, *arguments):
    values = flags.FlagValues()
    define(values)
    values(["", *arguments])
    return values


@pytest.mark.parametrize("script", DEFINE)
def test_every_flag_is_set_somewhere(script):
    set_by = [*(REPOSITORY / "experiments/flags").glob("*.cfg")]
    set_by += [*(REPOSITORY / "tests").rglob("*.py")]
    text = "\n".join(file.read_text("utf-8") for file in set_by)
    written = {*re.findall(r"--(?:no)?([a-z][a-z_0-9]*)", text), *re.findall(r"--([a-z_]+)", text)}
    written |= {f"{gender}_body" for gender in ("neutral", "female", "male")}  # by f-strings
    names = {*read(DEFINE[script])}
    assert len(names) > 8 and names - written == set()


@pytest.mark.parametrize(
    "flag",
    [
        *("--parameters_loss=tukey", "--parameters_scale=0.3", "--projected_rotations"),
        *("--joints_3d_loss=geman_mcclure", "--joints_3d_scale=0.2", "--loss_points=91"),
        *("--joints_2d_loss=squared_euclidean", "--joints_2d_scale=0.1", "--center_2d=hips"),
    ],
)
def test_a_flag_of_nbfs_losses_shapes_them(flag):
    name, _, given = flag.removeprefix("--").partition("=")
    config = nbf_networks.loss(read(nbf_flags.define_run_flags, flag)).get_config()
    default = nbf_networks.loss(read(nbf_flags.define_run_flags)).get_config()
    assert str(config.pop(name)) == (given or "True") != str(default.pop(name))
    assert config == default


def test_rotations_and_encoder_of_nbf_are_as_asked(monkeypatch):
    asked = {}
    monkeypatch.setattr(nbf_networks, "FittingNetwork", lambda **options: asked.update(options))
    for flag, given in (("--frozen_backbone", True), ("--nofrozen_backbone", False)):
        nbf_networks.build_network(read(nbf_flags.define_run_flags, flag), None)
        assert asked["frozen_backbone"] is given
    for flag, given in (("--nospecial_rotations", False), ("--special_rotations", True)):
        values = read(nbf_flags.define_run_flags, flag)
        nbf_networks.build_network(values, None)
        assert asked["special_rotations"] is given


def test_the_seed_and_the_cut_of_synthetic_people_are_handed_on(monkeypatch):
    made = []
    monkeypatch.setattr(synthetic, "generate", lambda *of, **how: made.append(of[3]))
    values = read(
        nbf_flags.define_run_flags,
        *("--synthetic_seed=7", "--synthetic_part_cut=nbf", "--synthetic_test=1", "--workers=0"),
    )
    synthetic_people.generate(values, part_cut=values.synthetic_part_cut)
    assert (made[0].seed, made[0].part_cut) == (7, "nbf")


def losses(*arguments):
    return smplr_networks._losses(read(smplr_flags.define_run_flags, *arguments))[0]


@pytest.mark.parametrize(
    ("flag", "key", "value"),
    [
        ("--volume_height=density", "height", "density"),
        ("--limb_profile=released", "limb_profile", "released"),
        ("--centred_grid", "centred", True),
        ("--volume_entropy=volume", "entropy", "volume"),
    ],
)
def test_a_flag_of_the_volumes_shapes_their_targets(flag, key, value):
    config = losses("--stage=hourglass", flag)["volumes"].get_config()
    default = losses("--stage=hourglass")["volumes"].get_config()
    assert config.pop(key) == value != default.pop(key)
    assert config == default


def test_flags_of_point_losses_weigh_them():
    assert losses("--stage=dae", "--bone_weight=0").bone_weight == 0
    shape = losses("--stage=shape", "--shape_regularizer=0.5")["shape"]
    assert shape.regularizer == 0.5


def test_flags_of_smplr_reach_its_networks(monkeypatch):
    asked = {}

    def model(**options):
        asked.update(options)
        return type("Model", (), dict.fromkeys(smplr_networks.NETWORKS_OF_STAGE["end_to_end"]))()

    for name in ("PoseRegressor", "ShapeRegressor"):
        monkeypatch.setattr(smplr_networks, name, lambda *of, **how: None)
    for name in ("SMPLR", "StackedHourglass"):
        monkeypatch.setattr(smplr_networks, name, model)
    given = ("--project_rotations", "--gender_mode=blend", "--neutral")
    smplr_networks.build_model(read(smplr_flags.define_run_flags, *given))
    assert asked["project_rotations"] and asked["gender_mode"] == "blend"
    assert [body.gender for body in asked["bodies"]] == ["neutral"]
    given = ("--stage=hourglass", "--centred_grid", "--prior_bias", "--volume_height=density")
    smplr_networks.build_model(read(smplr_flags.define_run_flags, *given))
    assert asked["centred"] and asked["prior_height"] == "density"


def test_an_autoencoder_to_denoise_with_is_asked_for():
    with pytest.raises(UserError, match="needs a trained autoencoder"):
        smplr_networks.build_model(read(smplr_flags.define_run_flags, "--denoise"))


def test_pictures_are_turned_as_far_as_the_flag_says(monkeypatch):
    turned = []
    monkeypatch.setattr(transforms, "chain", lambda *steps: steps)
    monkeypatch.setattr(transforms, "random_rotate", lambda *of: turned.append(of[2]))
    monkeypatch.setattr(smplr_data.scenery, "made_up", lambda *of: None)
    steps = smplr_data.augmentation(
        read(smplr_flags.define_run_flags, "--augment", "--rotation_deg=90")
    )
    steps[1]({}, None)
    np.testing.assert_allclose(turned, np.pi / 2)


@pytest.mark.parametrize("noise", ["uniform", "gaussian"])
def test_noise_and_missing_points(noise):
    keras.utils.set_random_seed(0)
    points = tf.zeros([256, 41, 3])
    values = read(smplr_flags.define_run_flags, f"--noise={noise}", "--missing_rate=0.25")
    seen = smplr_data.with_noise({"points": points}, tf.constant([0, 1]), values)["seen"].numpy()
    assert np.isnan(seen).any(-1).mean() == pytest.approx(0.25, abs=0.05)
    # Of one number of one point: a Gaussian has tails, uniform noise an end at sqrt(3) deviations.
    largest = np.nanmax(np.abs(seen), 0) / np.nanstd(seen, 0)
    assert (np.median(largest) > 2.2) == (noise == "gaussian")


def test_sets_are_mixed_by_their_shares(monkeypatch):
    def opened(folder, name):
        shards = (Shard("a", 100, 0, folder, 100),)
        return Split(folder, name, Manifest("set", name, 100, 1, {}, {}, shards))

    monkeypatch.setattr(epochs, "open_split", opened)
    values = read(nbf_flags.define_run_flags, "--data=a,b", "--mix=0.7,0.3")
    assert epochs.open_splits(values, {}).train.amounts == (140, 60)
    values = read(nbf_flags.define_run_flags, "--data=a,b", "--mix=1")
    with pytest.raises(UserError, match="--mix=1 with --data=a,b: expected one positive weight"):
        epochs.open_splits(values, {})


def test_every_set_of_a_mixture_is_measured(monkeypatch, capsys):
    there = {"b/test.manifest.json"}  # c has no test split
    monkeypatch.setattr(epochs.tf.io.gfile, "exists", lambda path: path in there)
    monkeypatch.setattr(epochs, "open_split", lambda folder, name: Split(folder, name, None))
    values = read(nbf_flags.define_run_flags, "--data=a,b,c")
    found = epochs.metrics_by_set(values, lambda split: {"metrics": {split.directory: 1.25}})
    assert found == {"metrics_by_set": {"b": {"b": 1.25}}}
    assert capsys.readouterr().out == "b: b 1.25\n"
    values = read(nbf_flags.define_run_flags, "--data=a")
    assert epochs.metrics_by_set(values, None) == {}


def test_a_run_to_compare_with_must_be_there():
    values = read(smplr_flags.define_evaluation_flags, "--noisy_run=/nowhere")
    with pytest.raises(UserError, match="/nowhere"):
        evaluate_smplr.main(values)
