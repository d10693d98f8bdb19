"""Samples many poses of the synthetic people's activities."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from datasets.processes import map_in_order
from datasets.synthetic import people
from experiments.runs.common import quiet_c

_CHUNK = 500
# The sampler's random streams; shards have their own splits.
_STREAMS = {"train": 0, "test": 1}


def sampled_poses(count: int, split: str, workers: int | None = None) -> np.ndarray:
    """Samples poses of the synthetic people's activities, independent of the number of workers.

    Args:
      count: number of poses.
      split: "train" or "test"; they have separate random streams.
      workers: processes; None: one per core, 0: this process.

    Returns:
      float32 `[count, 24, 3]`, axis-angles, parent-relative, the root's in camera
      axes.
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
