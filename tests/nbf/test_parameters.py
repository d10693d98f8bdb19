import numpy as np
import pytest
import tensorflow as tf

from nbf import parameters
from tests.nbf.people import people


def test_splitting_parameters_undoes_joining():
    rng = np.random.default_rng(0)
    betas = rng.normal(size=(2, 3, 10)).astype(np.float32)
    matrices = rng.normal(size=(2, 3, 24, 3, 3)).astype(np.float32)
    joined = parameters.join_parameters(betas, matrices)
    assert joined.shape == (2, 3, parameters.NUM_PARAMETERS)
    np.testing.assert_array_equal(joined[..., 10:19], matrices[..., 0, :, :].reshape(2, 3, 9))
    split = parameters.split_parameters(joined)
    np.testing.assert_array_equal(split[0], betas)
    np.testing.assert_array_equal(split[1], matrices)


def test_statistics_are_those_of_the_known_people():
    valid = np.array([1, 1, 0, 1, 1, 1, 1, 1])
    shaped = np.array([1, 0, 1, 1, 1, 1, 1, 1])
    example = people(**{"smpl/valid": valid, "smpl/neutral_betas/valid": shaped})
    example = {key: example[key] for key in parameters.STATISTICS_FEATURES}
    dataset = tf.data.Dataset.from_tensor_slices(example)
    true = parameters.parameter_targets(people()).numpy()
    for batched in (dataset, dataset.batch(3)):
        mean, deviation = parameters.parameter_statistics(batched)
        known = true[valid > 0]
        np.testing.assert_allclose(mean[10:], known[:, 10:].mean(0), atol=1e-5)
        np.testing.assert_allclose(deviation[10:], known[:, 10:].std(0), atol=1e-4)
        known = true[valid * shaped > 0]
        np.testing.assert_allclose(mean[:10], known[:, :10].mean(0), atol=1e-5)


def test_statistics_of_an_endless_dataset_are_refused():
    example = {key: people()[key] for key in parameters.STATISTICS_FEATURES}
    endless = tf.data.Dataset.from_tensor_slices(example).repeat()
    with pytest.raises(ValueError, match="^examples: expected one epoch.*never ends; load it"):
        parameters.parameter_statistics(endless.batch(3))
    assert parameters.parameter_statistics(endless.take(8))[0].shape == (226,)


def test_statistics_of_nobody_are_refused():
    example = people(**{"smpl/valid": np.zeros(8, np.int64)})
    example = {key: example[key] for key in parameters.STATISTICS_FEATURES}
    with pytest.raises(ValueError, match="No Example of the training set has SMPL parameters"):
        parameters.parameter_statistics(tf.data.Dataset.from_tensor_slices(example).batch(8))
