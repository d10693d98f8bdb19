"""The weights that ship with the library: small enough, whole, and of use on people unseen."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import synthetic
from datasets.example import decode, encode, parse
from experiments.runs.run_folder import RunFolder
from experiments.runs.shipped_runs import PRETRAINED
from nbf import (
    FittingNetwork,
    NeuralBodyFitting,
    SmallSegmenter,
    point_targets,
    pretrained,
    targets,
)
from nbf.metrics import confusion, iou
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
