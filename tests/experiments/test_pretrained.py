"""The weights that ship with the library: small enough, whole, and of use on people unseen."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import synthetic
from datasets.example import decode, encode, parse
from experiments.runs.run_folder import RunFolder
from experiments.runs.shipped_runs import PRETRAINED
from experiments.smplr import data as smplr_data
from nbf import (
    FittingNetwork,
    NeuralBodyFitting,
    SmallSegmenter,
    point_targets,
    pretrained,
    targets,
)
from nbf.metrics import confusion, iou
from smplr import SMPLR, PointBody
from tests.nbf import point_people

SEGMENTATION = PRETRAINED / "nbf_segmentation_small"
FITTING = PRETRAINED / "nbf_fitting_small_segmented"
POINTS = PRETRAINED / pretrained.NAMES[pretrained.POINTS]


@pytest.fixture(scope="module")
def people():
    """A batch of synthetic people that no training has seen."""
    config = synthetic.SyntheticConfig(seed=77, image_size=128)
    examples = [
        decode(parse(encode(example)))
        for example in synthetic.read_examples(config, "unseen", 0, 8)
    ]
    return {key: tf.stack([one[key] for one in examples]) for key in examples[0]}


@pytest.fixture(scope="module")
def both():
    """Both stages in one model."""
    return NeuralBodyFitting(SmallSegmenter.from_pretrained(), FittingNetwork.from_pretrained())


@pytest.mark.parametrize("folder", [SEGMENTATION, FITTING, POINTS], ids=lambda folder: folder.name)
def test_a_shipped_run_is_small_and_has_its_record(folder):
    assert (folder / "model.keras").stat().st_size < 10e6
    record = RunFolder(folder).read_record()
    assert record["run"] == folder.name
    assert record["metrics"]
    assert not (folder / "tensorboard").exists()


def test_unseen_people_are_segmented_and_fitted(both, people):
    inputs, true = targets.picture_targets(people, input_size=both.segmenter.input_size)
    _, parts = targets.segmentation_targets(people, 12, both.segmenter.input_size)
    fitted = both(inputs)
    counts = confusion(parts["labels"], tf.argmax(fitted["logits"], -1), 13)
    assert np.nanmean(iou(tf.reduce_sum(counts, 0))[1:]) > 0.6

    def error(joints):
        return np.linalg.norm(joints - true["joints_3d"], axis=-1).mean()

    mean_pose = both.fitting.mean_pose({**fitted, **inputs})
    assert error(fitted["joints_3d"]) < 0.45 * error(mean_pose["joints_3d"])


def test_unseen_people_are_fitted_to_their_points_with_and_without_a_mask():
    network = FittingNetwork.from_pretrained(pretrained.POINTS)
    inputs, true = point_targets.point_targets(
        point_people.people(), point_people.body(), network.input_size, tf.constant([8, 1]), None
    )

    def error(predicted):
        return np.linalg.norm(predicted["joints_3d"] - true["joints_3d"], axis=-1).mean()

    rest = error(network.mean_pose(inputs))
    assert error(network(inputs)) < 0.5 * rest
    assert error(network(point_targets.without_mask(inputs))) < 0.5 * rest


@pytest.mark.slow
def test_unseen_people_have_points_and_bodies_by_smplr(people):
    folder = PRETRAINED / "smplr_small"
    for file in ("model.keras", "autoencoder.keras", "hourglass.keras"):
        assert (folder / file).stat().st_size < 10e6
    assert RunFolder(folder).read_record()["metrics"]["seen_joints_23_mm"] > 0
    model = SMPLR.from_pretrained("smplr_small")
    size = model.hourglass.input.shape[1]
    every = [{key: value[i] for key, value in people.items()} for i in range(len(people["id"]))]
    cut = [smplr_data.cropped(one, size) for one in every]
    batch = {key: tf.stack([one[key] for one in cut]) for key in cut[0]}
    truth = smplr_data.with_bodies(batch, PointBody(model.body.bodies))
    found = model(truth["pictures"])

    def error(points):
        return np.linalg.norm(points - truth["points"], axis=-1).mean()

    mean = error(np.mean(truth["points"], axis=0, keepdims=True))
    body = tf.concat([found["joints"], found["landmarks"]], axis=1)
    assert error(found["points"]) < 0.7 * mean
    assert error(found["denoised"]) < 0.7 * mean
    assert error(body) < 0.75 * mean
