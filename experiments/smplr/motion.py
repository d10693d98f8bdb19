"""Poses for SMPLR's endless motion: from the pose sampler, or from shards of any data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from datasets import pipelines
from datasets.frames import RecordError
from datasets.splits import Split
from experiments.runs.pose_pool import sampled_poses
from smpl_tf.files import written_aside

# Cache of sampled poses, which take a minute and are equal for all runs.
_FOLDER = Path("data/motion")


def pose_pool(values: flags.FlagValues, split: str | Split) -> np.ndarray:
    """Returns the poses of a split.

    Args:
      values: the flags of the run.
      split: "train" or "test"; or, with --motion, its open split.

    Returns:
      Axis-angles, parent-relative, the root's in camera axes, float32 `[M, 24, 3]`.

    Raises:
      RecordError: the shards are missing or damaged.
    """
    if values.motion:
        return shard_poses(values.motion, split)
    count = {"train": values.motion_poses, "test": values.test_bodies}[split]
    path = _FOLDER / f"{split}_{count}.npy"
    if not path.exists():
        poses = sampled_poses(count, split, values.workers)
        with written_aside(path) as aside:
            np.save(aside, poses)
    return np.load(path)


def held_out_poses(values: flags.FlagValues) -> np.ndarray:
    """Returns the poses of the evaluation, at most --test_bodies.

    Args:
      values: the flags of the run.

    Returns:
      float32 `[M, 24, 3]`, see `pose_pool`; with --motion, evenly spread over its --test_split.

    Raises:
      RecordError: the shards are missing or damaged, or have no pose.
    """
    if not values.motion:
        return pose_pool(values, "test")
    poses = shard_poses(values.motion, values.test_split)
    kept = np.linspace(0, len(poses) - 1, min(values.test_bodies, len(poses)))
    return poses[kept.round().astype(int)]


def shard_poses(folder: str, split: str | Split) -> np.ndarray:
    """Reads the poses of a converted data set, such as AMASS.

    Args:
      folder: of the shards.
      split: its name, or the opened split.

    Returns:
      float32 `[M, 24, 3]`, see `pose_pool`.

    Raises:
      RecordError: the shards are missing or damaged, or have no pose.
    """
    needed = ("smpl/pose", "smpl/valid")
    examples = pipelines.load(folder, split, features=needed, decode=False).batch(4096)
    poses = [batch["smpl/pose"][batch["smpl/valid"] > 0] for batch in examples.as_numpy_iterator()]
    poses = np.concatenate(poses)
    if not len(poses):
        name = split if isinstance(split, str) else split.name
        raise RecordError(f"{folder}: no Example of the split '{name}' has a pose")
    return poses
