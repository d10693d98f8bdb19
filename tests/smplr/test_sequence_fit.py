"""fit_sequence: one shape over time, gaps bridged, noise smoothed and exact points kept."""

import numpy as np
import pytest

from smpl_tf import SMPL
from smplr import fit_sequence
from smplr.sequence_fit import smoothed

RATE = 30.0


@pytest.fixture(scope="module")
def truth():
    """Joints of a person whose arm swings, metres, `[12, 24, 3]`."""
    times = np.arange(12) / RATE
    pose = np.zeros((12, 24, 3))
    pose[:, 16, 2] = 0.5 * np.sin(4 * times)
    place = np.stack([times, 0 * times, 3 + 0 * times], axis=-1)
    return SMPL()(betas=np.linspace(1, -1, 10), pose=pose, translation=place).joints.numpy()


@pytest.mark.slow
def test_gaps_are_bridged_with_one_shape(truth):
    points = truth.copy()
    points[5:7] = np.nan
    fit = fit_sequence(points, "smpl_24", RATE)
    assert (fit.betas.numpy() == fit.betas.numpy()[0]).all()
    errors = np.linalg.norm(fit.joints - truth, axis=-1)
    assert errors.mean() < 0.005 and errors[5:7].mean() < 0.02


@pytest.mark.parametrize(
    ("shape", "rate", "message"),
    [((24, 3), 30, "one person over time"), ((2, 24, 3), 0, "frame_rate must be positive")],
)
def test_mistakes_are_named(truth, shape, rate, message):
    with pytest.raises(ValueError, match=message):
        fit_sequence(np.resize(truth, shape), "smpl_24", rate)


def test_smoothing_removes_noise_bridges_gaps_and_keeps_lines():
    rng = np.random.default_rng(0)
    line = np.stack([np.linspace(0, 1, 60), np.linspace(1, 3, 60)], axis=-1)
    weights = np.ones(60)
    np.testing.assert_allclose(smoothed(line, weights, 1e-3), line, atol=1e-9)
    noisy = line + rng.normal(0, 0.1, line.shape)
    after = np.abs(smoothed(noisy, weights, 1e-3) - line).mean()
    assert after < 0.4 * np.abs(noisy - line).mean()
    weights[20:30], holed = 0, line.copy()
    holed[20:30] = 7.0
    np.testing.assert_allclose(smoothed(holed, weights, 1e-3), line, atol=1e-6)


def test_smoothing_keeps_what_accelerates_as_people_do():
    times = np.arange(60) / RATE
    swing = np.stack([0.3 * np.sin(6 * times), 0.3 * np.cos(6 * times)], axis=-1)
    kept = smoothed(swing, np.ones(60), 10.8 / RATE**2)
    np.testing.assert_allclose(kept[5:-5], swing[5:-5], atol=0.002)
