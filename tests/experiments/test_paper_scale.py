"""Every flag file that is not small, on fake trees of the real layout: built, fed, two steps.

The trees go through our own converter with bodies in the layout of the official files. The
networks are those of the files: ResNets, RefineNet, DeepLab, five stacks. Pictures are small,
batches of pictures have two of them, as the trees hold no more; ImageNet's weights are left out,
for which a machine needs internet. All else is as the file says.
"""

import dataclasses
import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from tensorflow.python.framework import ops

from datasets import scenery
from datasets.splits import open_split
from experiments import convert_dataset
from experiments.nbf import (
    chained_evaluation,
    point_people,
    point_training,
    segmenters,
    stages,
)
from experiments.nbf import data as nbf_data
from experiments.nbf import networks as nbf_networks
from experiments.nbf.flags import define_evaluation_flags as define_nbf_evaluation_flags
from experiments.nbf.flags import define_run_flags as define_nbf_flags
from experiments.nbf.point_flags import define_run_flags as define_point_flags
from experiments.runs import common, epochs
from experiments.smplr import data as smplr_data
from experiments.smplr import evaluation as smplr_evaluation
from experiments.smplr import motion, networks, training
from experiments.smplr.flags import POINT_STAGES
from experiments.smplr.flags import define_evaluation_flags as define_smplr_evaluation_flags
from experiments.smplr.flags import define_run_flags as define_smplr_flags
from experiments.tables import nbf as nbf_tables
from experiments.tables import smplr as smplr_tables
from smpl_tf import load_model_data
from smpl_tf.model_data import save_model_data
from smplr import PointBody
from smplr import metrics as smplr_metrics
from tests.datasets import (
    fake_human36m,
    fake_humaneva,
    fake_pascal_voc,
    fake_surreal,
    fake_up3d,
)
from tests.experiments.conftest import made_once

pytestmark = pytest.mark.slow

GENDERS = ("neutral", "female", "male")
FOLDER = common.REPOSITORY / "experiments/flags"
FLAG_FILES = [file for file in sorted(FOLDER.glob("*.cfg")) if "small" not in file.stem]
EVALUATIONS = [f for f in FLAG_FILES if f.stem in (*nbf_tables.EVALUATED, *smplr_tables.EVALUATED)]
POINTS = [file for file in FLAG_FILES if file.stem.startswith("nbf_photographs")]
# Data sets whose parts a segmenter found hold what their source holds, cut out; a user's own
# photographs and synthetic people are any people.
STAND_INS = {
    "data/up3d_": "up3d",
    "data/human36m_refinenet": "human36m",
    "data/mine": "up3d",
    "data/synthetic": "synthetic",
}
NBF_SMALLER = ("--backbone_weights=none", "--input_size=64")
SMPLR_SMALLER = ("--image_size=64", "--steps_per_epoch=2", "--motion_poses=64", "--test_bodies=8")


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Converted data, and the bodies, which differ from the open ones by their fingerprint."""

    def make(root):
        for gender in GENDERS:
            body = load_model_data(gender=gender)
            moved = dataclasses.replace(body, v_template=body.v_template + 1e-5)
            save_model_data(moved, root / f"{gender}.h5")
        raw = {name: root / "raw" / name for name in ("up3d", "surreal", "human36m", "voc", "eva")}
        for folder in raw.values():
            folder.mkdir(parents=True)
        sources = {
            "up3d": fake_up3d.write(raw["up3d"]),
            "surreal": fake_surreal.write(raw["surreal"]),
            "human36m": fake_human36m.write(raw["human36m"], stems=fake_human36m.ALL_STEMS),
            "pascal_voc": fake_pascal_voc.write(raw["voc"]),
            "humaneva": fake_humaneva.write(raw["eva"]),
            "synthetic": None,
        }
        for key in fake_human36m.ALL_STEMS:
            for camera in (0, 3):
                fake_human36m.write_mosh(raw["human36m"], key, camera)
        fits = [f"--smpl_parameters={raw['human36m'] / 'neutrSMPL_H3.6'}"]
        bodies = [f"--{gender}_body={root / gender}.h5" for gender in GENDERS]
        further = {
            "human36m": [*fits, "--every=5"],
            "humaneva": ["--every=60"],
            "synthetic": ["--count=4", "--image_size=64"],
        }
        for name, source in sources.items():
            for split in ("train", "val", "test"):
                arguments = ["convert_dataset.py", f"--dataset={name}", *further.get(name, [])]
                arguments += [f"--output={root / name}", f"--split={split}", "--workers=0"]
                if source is not None:
                    arguments += [f"--source={source}", "--allow_incomplete"]
                arguments += bodies
                status = common.run(convert_dataset.main, convert_dataset.define_flags, arguments)
                assert status == 0 or (name, split) in NOT_THERE, (name, split)

    return made_once(tmp_path_factory, "paper_scale_trees", make)


# Splits that the fake trees do not have.
NOT_THERE = {
    *(("pascal_voc", "test"), ("humaneva", "train"), ("humaneva", "test")),
}


def located(values, trees):
    """Puts the fake trees in the place of the flag file's folders."""

    def here(folder):
        for start, name in STAND_INS.items():
            folder = f"data/{name}" if folder.startswith(start) else folder
        return str(trees / folder.removeprefix("data/").removesuffix("_18k"))

    for name in ("data", "motion", "voc"):
        if name in values and values[name].value:
            values[name].value = ",".join(map(here, values[name].value.split(",")))


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
    # TensorFlow keeps the gradient of each tf.custom_gradient in a graph for ever, and with it the
    # graph and its network: half a gigabyte for each flag file.
    kept = ops.gradient_registry._registry
    for name in [name for name in kept if name.startswith("CustomGradient-")]:
        del kept[name]
    gc.collect()


def read(file, define, *smaller):
    values = flags.FlagValues()
    define(values)
    values(["", f"--flagfile={file}", *smaller])
    if "workers" in values:
        values.workers = 0
    return values


def named(prefix):
    others = {*EVALUATIONS, *POINTS}
    files = [f for f in FLAG_FILES if f.stem.startswith(prefix) and f not in others]
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


@named("nbf_")
def test_an_nbf_flag_file_is_fed_and_trained(file, trees):
    values = read(file, define_nbf_flags, *NBF_SMALLER, f"--body_model={trees / 'neutral.h5'}")
    values.batch_size, values.synthetic_train = 2, 0
    values.crop_size = 64  # of what is cut already too: the fake trees are whole pictures
    values.crop_by = "fit"
    located(values, trees)
    read_data = epochs.open_splits(values, {})
    body = nbf_networks.load_body(values)
    for split in read_data.every:
        nbf_data.check_body_of(split, body)
        if body is not None:
            with pytest.raises(common.UserError, match="body"):
                nbf_data.check_body_of(split, load_model_data())
    stage = stages.stage_of(values)
    network = stage.build(values, body)
    stage.compile(network, values, 4)
    if values.share_3d > 0.5:
        stage.prepare(network, values, read_data.train)
    batches, _ = nbf_data.training_batches(values, read_data.train, 0, stage.feed(values))
    two_steps(network, batches)


@pytest.mark.parametrize("file", POINTS, ids=lambda file: file.stem)
def test_a_flag_file_of_points_is_fed_and_trained(file, trees, tmp_path, monkeypatch):
    values = read(file, define_point_flags, f"--body_model={trees / 'neutral.h5'}")
    body = load_model_data(values.body_model)
    monkeypatch.setattr(point_people, "_FOLDER", tmp_path)
    monkeypatch.setattr(point_people, "_POSES", 16)
    monkeypatch.setattr(point_people, "_CHUNK", 8)
    people = point_people.load_people("train", 8, body, 0)
    network = point_training.build_network(values, body)
    assert network.body.model_data.fingerprint == body.fingerprint
    point_training.compile_network(network, values)
    batches = point_training.training_batches(
        people, point_training.point_body(network), values, 0
    )
    two_steps(network, batches)


@pytest.fixture
def earlier(monkeypatch, tmp_path):
    """Networks of earlier runs are new ones: what is tried here is that the row runs."""

    def stacked(values):
        return networks.StackedHourglass(
            image_size=values.image_size,
            num_stacks=values.stacks,
            width=values.width,
            bins=values.bins,
            num_points=41 if values.landmarks else 23,
            num_limbs=4 if values.limbs else 0,
        )

    def some(values, within=()):
        del within
        points = 41 if values.landmarks else 23
        skeleton = values.skeleton if values.noise == "finder" else None
        make = {
            "autoencoder": lambda: networks.DenoisingAutoencoder(points, skeleton=skeleton),
            "pose_regressor": lambda: networks.PoseRegressor(points),
            "shape_regressor": lambda: networks.ShapeRegressor(points),
            "hourglass": lambda: stacked(values),
        }
        wanted = {*networks.NETWORKS_OF_STAGE[values.stage]}
        wanted |= {"autoencoder"} if values.denoise else set()
        return {name: make[name]() for name in wanted} if values.networks else {}

    # The fake pictures are small, and so are the things in them.
    monkeypatch.setattr(scenery, "_LEAST_AREA", 50)
    monkeypatch.setattr(motion, "_FOLDER", tmp_path)
    monkeypatch.setattr(networks, "earlier_networks", some)
    monkeypatch.setattr(networks, "earlier_hourglass", lambda values: (stacked(values), tmp_path))


@named("smplr_")
def test_an_smplr_flag_file_is_fed_and_trained(file, trees, earlier):
    given = [f"--{gender}_body={trees / gender}.h5" for gender in GENDERS]
    values = read(file, define_smplr_flags, *SMPLR_SMALLER, *given)
    if values.stage not in POINT_STAGES:
        values.batch_size, values.synthetic_train = 2, 0
    located(values, trees)
    body = PointBody(networks.bodies(values), dtype="float32")
    opened = {load_model_data(gender=one.gender).fingerprint for one in body.bodies}
    assert not opened & {one.fingerprint for one in body.bodies}
    model = networks.build_model(values)
    networks.compile_model(model, values, 4)
    if values.stage in POINT_STAGES:
        bodies, _ = smplr_data.training_bodies(values, body, 0)
        trained = values.stage, values.train_autoencoder
        batches = bodies.map(lambda b: smplr_data.inputs_and_targets(b, *trained))
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


def evaluations(prefix):
    files = [file for file in EVALUATIONS if file.stem.startswith(prefix)]
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


@evaluations("nbf_")
def test_an_evaluation_of_both_nbf_stages_runs(file, trees):
    own = read(file, define_nbf_evaluation_flags)
    body = f"--body_model={trees / 'neutral.h5'}"
    stem = own.run.removeprefix("runs/")
    values = read(FOLDER / f"{stem}.cfg", define_nbf_flags, *NBF_SMALLER, body)
    of_parts = own.segmentation_run.removeprefix("runs/")
    segmenting = read(FOLDER / f"{of_parts}.cfg", define_nbf_flags, *NBF_SMALLER)
    for name in ("data", "crop_by", "protocol"):
        values[name].value = own[name].value
    values.crop_size, values.batch_size = 64, 2
    located(values, trees)
    network = nbf_networks.build_network(values, nbf_networks.load_body(values))
    segmenter = stages.SEGMENTATION.build(segmenting, None)
    both = segmenters.join_stages(segmenter, network)
    found = chained_evaluation.evaluate(both, values, open_split(values.data, own.split))
    # Joints that HumanEva measured, too, and of Human3.6M those of the fits.
    assert found.ids and np.isfinite(found.metrics["measured_pa_mpjpe_mean_mm"])
    assert np.isfinite(found.betas).all()


@evaluations("smplr_")
def test_an_evaluation_of_smplr_runs(file, trees, earlier):
    given = [f"--{gender}_body={trees / gender}.h5" for gender in GENDERS]
    own = read(file, define_smplr_evaluation_flags, *SMPLR_SMALLER, *given)
    if own.run:
        trained = FOLDER / f"{own.run.removeprefix('runs/')}.cfg"
        values = read(trained, define_smplr_flags, *SMPLR_SMALLER, *given)
        values.data, values.test_split = own.data, own.test_split
        assert values.test_split == "test"
    else:
        values = own
        values.stage = "end_to_end"
    values.batch_size = 2
    located(values, trees)
    found = smplr_evaluation.evaluate(networks.build_model(values), values)
    errors = smplr_metrics.summary(found.errors)
    assert np.isfinite([errors["joints_16_mm"], errors["seen_joints_16_mm"]]).all()
    assert np.isfinite(errors["surface_mm"])


def test_gendered_bodies_on_neutral_fits_are_refused_before_training(trees):
    body = PointBody([load_model_data(gender=gender) for gender in GENDERS[1:]], dtype="float32")
    with pytest.raises(common.UserError, match="no Example .* female or male betas; .*--neutral"):
        smplr_data.check_known_bodies(open_split(str(trees / "human36m"), "train"), body)
