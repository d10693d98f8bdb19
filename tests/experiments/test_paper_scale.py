"""Every paper-scale flag file on fake trees of the real layout: built, fed, two optimiser steps.

The trees go through our own converter with bodies in the layout of the official files. Pictures,
backbones and batches are small; all else is as the file says.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from datasets import scenery
from datasets.splits import open_split
from experiments import convert_dataset
from experiments.nbf import data as nbf_data
from experiments.nbf import networks as nbf_networks
from experiments.nbf import stages
from experiments.nbf.flags import define_run_flags as define_nbf_flags
from experiments.runs import common, epochs
from experiments.smplr import data as smplr_data
from experiments.smplr import networks, training
from experiments.smplr.flags import POINT_STAGES
from experiments.smplr.flags import define_run_flags as define_smplr_flags
from smpl_tf import load_model_data
from smpl_tf.model_data import save_model_data
from smplr import PointBody
from tests.datasets import fake_human36m, fake_pascal_voc, fake_surreal, fake_up3d
from tests.experiments.conftest import made_once

pytestmark = pytest.mark.slow

GENDERS = ("neutral", "female", "male")
FLAG_FILES = [
    file
    for file in sorted((common.REPOSITORY / "experiments/flags").glob("*_t[1-6]*.cfg"))
    + sorted((common.REPOSITORY / "experiments/flags").glob("*up3d*.cfg"))
    + sorted((common.REPOSITORY / "experiments/flags").glob("nbf_segmentation_*.cfg"))
    + sorted((common.REPOSITORY / "experiments/flags").glob("nbf_human36m.cfg"))
    if "small" not in file.stem and "\n--run=" not in file.read_text()
]
FLAG_FILES = sorted({*FLAG_FILES})
# Data sets whose parts a segmenter found hold what their source holds, cut out.
SEGMENTED = {"data/up3d_": "up3d", "data/human36m_refinenet": "human36m"}
NBF_TOY = ("--backbone=small", "--backbone_weights=none", "--input_size=32", "--segmenter=small")
SMPLR_TOY = ("--image_size=64", "--stacks=1", "--width=16", "--steps_per_epoch=2")


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Converted data, and the bodies, which differ from the open ones by their fingerprint."""

    def make(root):
        for gender in GENDERS:
            body = load_model_data(gender=gender)
            moved = dataclasses.replace(body, v_template=body.v_template + 1e-5)
            save_model_data(moved, root / f"{gender}.h5")
        raw = {name: root / "raw" / name for name in ("up3d", "surreal", "human36m", "voc")}
        for folder in raw.values():
            folder.mkdir(parents=True)
        sources = {
            "up3d": fake_up3d.write(raw["up3d"]),
            "surreal": fake_surreal.write(raw["surreal"]),
            "human36m": fake_human36m.write(raw["human36m"]),
            "pascal_voc": fake_pascal_voc.write(raw["voc"]),
        }
        fits = []
        for key in fake_human36m.STEMS:
            for camera in (0, 3):
                fake_human36m.write_mosh(raw["human36m"], key, camera)
        fits = [f"--smpl_parameters={raw['human36m'] / 'neutrSMPL_H3.6'}"]
        bodies = [f"--{gender}_body={root / gender}.h5" for gender in GENDERS]
        for name, source in sources.items():
            for split in ("train", "val", "test"):
                options = {"human36m": [*fits, "--every=5"], "pascal_voc": []}.get(name, [])
                arguments = ["convert_dataset.py", f"--dataset={name}", f"--source={source}"]
                arguments += [f"--output={root / name}", f"--split={split}", *options]
                arguments += ["--allow_incomplete", "--workers=0", *bodies]
                status = common.run(convert_dataset.main, convert_dataset.define_flags, arguments)
                assert status == 0 or (name, split) in NOT_THERE, (name, split)

    return made_once(tmp_path_factory, "paper_scale_trees", make)


# Splits that the fake trees do not have.
NOT_THERE = {("human36m", "val"), ("pascal_voc", "test")}


def located(values, trees):
    """Puts the fake trees in the place of the flag file's folders."""

    def here(folder):
        for start, name in SEGMENTED.items():
            folder = f"data/{name}" if folder.startswith(start) else folder
        return str(trees / folder.removeprefix("data/").removesuffix("_18k"))

    for name in ("data", "motion", "voc"):
        if name in values and values[name].value:
            values[name].value = ",".join(map(here, values[name].value.split(",")))
    splits = {"val": "test"} if "human36m" in values.data else {}  # the fake tree has no S8
    values.train_splits = [s for s in values.train_splits if s not in splits]
    values.test_split = splits.get(values.test_split, values.test_split)


def two_steps(model, batches):
    before = [weight.numpy() for weight in model.trainable_variables]
    history = model.fit(batches, steps_per_epoch=2, epochs=1, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"][0]) and history["loss"][0] > 0
    changed = zip(before, model.trainable_variables, strict=True)
    assert any((old != new.numpy()).any() for old, new in changed)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(common.REPOSITORY)
    keras.backend.clear_session()


def read(file, define, *toy):
    values = flags.FlagValues()
    define(values)
    values(["", f"--flagfile={file}", *toy, "--batch_size=2", "--workers=0"])
    return values


def named(prefix):
    files = [file for file in FLAG_FILES if file.stem.startswith(prefix)]
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


@named("nbf_")
def test_an_nbf_flag_file_is_fed_and_trained(file, trees):
    values = read(file, define_nbf_flags, *NBF_TOY, f"--body_model={trees / 'neutral.h5'}")
    values.crop_size = 64  # of what is cut already too: the fake trees are whole pictures
    values.crop_by = "fit"
    located(values, trees)
    if "human36m" in values.data:
        split = open_split(values.data, "train")
        read_data = epochs.OpenedData(epochs.mixture([[split]]), split, split, {}, [split])
    else:
        read_data = epochs.open_splits(values, {})
    body = nbf_networks.load_body(values)
    for split in read_data.every:
        nbf_data.check_body_of(split, body)
        with pytest.raises(common.UserError, match="body"):
            nbf_data.check_body_of(split, load_model_data())
    stage = stages.stage_of(values)
    network = stage.build(values, body)
    stage.compile(network, values, 4)
    if values.share_3d > 0.5:
        stage.prepare(network, values, read_data.train)
    batches, _ = nbf_data.training_batches(values, read_data.train, 0, stage.feed(values))
    two_steps(network, batches)


@pytest.fixture
def earlier(monkeypatch):
    """Networks of earlier runs are new ones: what is tried here is that the row runs."""

    def some(values, within=()):
        del within
        points = 41 if values.landmarks else 23
        made = {
            "autoencoder": networks.DenoisingAutoencoder(points),
            "pose_regressor": networks.PoseRegressor(points),
            "shape_regressor": networks.ShapeRegressor(points),
            "hourglass": networks.StackedHourglass(
                image_size=64, num_stacks=1, width=16, num_points=points
            ),
        }
        wanted = networks.NETWORKS_OF_STAGE[values.stage]
        return {name: made[name] for name in wanted} if values.networks else {}

    def hourglass(values):
        points = 41 if values.landmarks else 23
        model = networks.StackedHourglass(image_size=64, num_stacks=1, width=16, num_points=points)
        return model, values_folder[0]

    # The fake pictures are small, and so are the things in them.
    monkeypatch.setattr(scenery, "_LEAST_AREA", 50)
    values_folder = []
    monkeypatch.setattr(networks, "earlier_networks", some)
    monkeypatch.setattr(networks, "earlier_hourglass", hourglass)
    return values_folder


@named("smplr_")
def test_an_smplr_flag_file_is_fed_and_trained(file, trees, earlier, tmp_path):
    if file.stem == "smplr_t1_stitched":
        pytest.skip("joins networks, trains none")
    earlier.append(tmp_path)
    given = [f"--{gender}_body={trees / gender}.h5" for gender in GENDERS]
    values = read(file, define_smplr_flags, *SMPLR_TOY, *given)
    located(values, trees)
    body = PointBody(networks.bodies(values), dtype="float32")
    model = networks.build_model(values)
    networks.compile_model(model, values, 4)
    if values.stage in POINT_STAGES:
        bodies, _ = smplr_data.training_bodies(values, body, 0)
        batches = bodies.map(lambda b: smplr_data.inputs_and_targets(b, values.stage))
        two_steps(model, batches)
        held_out = next(iter(smplr_data.held_out_bodies(values, body)))
        assert tf.reduce_all(tf.math.is_finite(held_out["points"]))
        return
    sets = [
        [open_split(folder, name) for name in values.train_splits]
        for folder in epochs.data_folders(values)
    ]
    train = epochs.mixture(sets)
    for split in train.splits:
        networks.check_bodies_of(split, body.bodies)
        smplr_data.check_known_bodies(split, body)
        others = [load_model_data(gender=one.gender) for one in body.bodies]
        with pytest.raises(common.UserError, match="its betas belong to"):
            networks.check_bodies_of(split, others)
    batches, _ = smplr_data.training_pictures(values, body, train, 0)
    batches = batches.map(lambda b: (b["pictures"], training.picture_targets(b, values)))
    two_steps(model, batches)


def test_gendered_bodies_on_neutral_fits_are_refused_before_training(trees):
    body = PointBody([load_model_data(gender=gender) for gender in GENDERS[1:]], dtype="float32")
    with pytest.raises(common.UserError, match="no Example .* female or male betas; .*--neutral"):
        smplr_data.check_known_bodies(open_split(str(trees / "human36m"), "train"), body)
