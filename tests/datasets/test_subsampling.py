"""The distance rule: the same as brute force, and fast enough for millions of frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import subsampling
from datasets.subsampling import PoseSubset


def brute_force(poses, distance, largest):
    kept = []
    for index, pose in enumerate(poses):
        lengths = np.linalg.norm(poses[kept] - pose, axis=-1)
        distances = lengths.max(1) if largest else lengths.mean(1)
        if not len(kept) or distances.min() >= distance:
            kept.append(index)
    return kept


def walks(rng, num_frames, num_joints, step):
    """Poses that change a little from frame to frame and now and then jump."""
    jumps = rng.random(num_frames) < 0.02
    size = np.where(jumps, 0.3, step)[:, None, None]
    moves = rng.normal(size=(num_frames, num_joints, 3)) * size
    poses = np.cumsum(moves, 0)
    return np.sin(poses)  # they stay within a metre and come back


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    num_joints=st.integers(1, 23),
    step=st.sampled_from([0.0, 0.01, 0.05, 0.3]),
    largest=st.booleans(),
    cuts=st.lists(st.integers(0, 700), max_size=3),
)
def test_it_is_brute_force_whatever_the_batches(seed, num_joints, step, largest, cuts):
    poses = walks(np.random.default_rng(seed), 700, num_joints, step)
    subset = PoseSubset(0.1, largest)
    kept = np.concatenate([subset.add(batch) for batch in np.split(poses, sorted(cuts))])
    np.testing.assert_array_equal(np.flatnonzero(kept), brute_force(poses, 0.1, largest))
    assert len(subset) == kept.sum()


def test_more_poses_than_pivots_are_chosen_for():
    poses = np.random.default_rng(0).uniform(-1, 1, (5000, 2, 3))
    kept = PoseSubset(0.15).add(poses)
    assert kept.sum() > 1000
    np.testing.assert_array_equal(np.flatnonzero(kept), brute_force(poses, 0.15, False))


def test_a_pose_at_just_the_distance_is_kept():
    poses = np.zeros((3, 2, 3))
    poses[1, :, 0], poses[2, :, 0] = 0.125, 0.0625  # exact in binary
    assert PoseSubset(0.125).add(poses).tolist() == [True, True, False]


@pytest.mark.parametrize("frames", [{"a/b": [0, 3], "c": []}])
def test_a_selection_is_read_as_written(tmp_path, frames):
    path = str(tmp_path / "selection.json")
    subsampling.save(path, {clip: np.array(kept, np.int64) for clip, kept in frames.items()})
    assert subsampling.load(path) == frames
