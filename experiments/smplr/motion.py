"""Poses for SMPLR's endless motion: from the pose sampler, or from shards of any data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from datasets import pipelines
from datasets.frames import RecordError
from datasets.processes import map_in_order
from datasets.splits import Split
from datasets.synthetic import people
from experiments.runs.common import quiet_c
from smpl_tf.files import written_aside

# Where drawn poses are kept: a minute of work, the same for every run.
_FOLDER = Path("data/motion")
_CHUNK = 500
# The sampler's streams of chance; shards bring splits of their own.
_STREAMS = {"train": 0, "test": 1}


def pose_pool(values: flags.FlagValues, split: str | Split) -> np.ndarray:
    """Gathers the poses of a split.

    Args:
      values: the flags of the run.
      split: "train" or "test"; or, with --motion, that split of it, opened.

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


def sampled_poses(count: int, split: str, workers: int | None = None) -> np.ndarray:
    """Draws poses from the synthetic people's activities; how many workers draw does not matter.

    Args:
      count: how many.
      split: "train" or "test"; they share no stream of chance.
      workers: processes; None: one per core, 0: this process.

    Returns:
      float32 `[count, 24, 3]`, see `pose_pool`.
    """
    tasks = [
        (_STREAMS[split], start, min(_CHUNK, count - start)) for start in range(0, count, _CHUNK)
    ]
    chunks = []
    with tqdm(total=count, desc=f"poses ({split})", unit="pose") as bar, quiet_c():
        for poses in map_in_order(_draw_poses, tasks, workers):
            chunks.append(poses)
            bar.update(len(poses))
    return np.concatenate(chunks)


def _draw_poses(task: tuple[int, int, int]) -> np.ndarray:
    stream, start, count = task
    rng = np.random.default_rng([stream, start])
    drawn = [people.draw(rng, translation_jitter=0.0) for _ in range(count)]
    return people.choose_poses(drawn)[1].astype(np.float32)


def shard_poses(folder: str, split: str | Split) -> np.ndarray:
    """Reads the poses of a converted data set, such as AMASS.

    Args:
      folder: of the shards.
      split: its name, or the opened split.

    Returns:
      float32 `[M, 24, 3]`, see `pose_pool`.

    Raises:
      RecordError: the shards are missing or damaged, or hold no pose.
    """
    needed = ("smpl/pose", "smpl/valid")
    examples = pipelines.load(folder, split, features=needed, decode=False).batch(4096)
    poses = [batch["smpl/pose"][batch["smpl/valid"] > 0] for batch in examples.as_numpy_iterator()]
    poses = np.concatenate(poses)
    if not len(poses):
        name = split if isinstance(split, str) else split.name
        raise RecordError(f"{folder}: no Example of the split '{name}' has a pose")
    return poses
