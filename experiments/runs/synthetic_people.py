"""The synthetic people of a run's flags."""

from __future__ import annotations

import contextlib

from absl import flags

from datasets import processes, synthetic
from datasets.bodies import Bodies
from datasets.splits import Split
from datasets.synthetic.generator import PEOPLE_PER_SHARD
from datasets.synthetic.people import OPEN_BODIES
from experiments.runs.common import quiet_c
from smpl_tf.part_cut import BONES_CUT


def generate(
    values: flags.FlagValues, bodies: Bodies = OPEN_BODIES, part_cut: str = BONES_CUT
) -> dict[str, Split]:
    """Generates the missing synthetic people.

    Args:
      values: the flags of the run.
      bodies: of the people.
      part_cut: of their parts, one of `smpl_tf.part_cut.CUTS`.

    Returns:
      Name -> split, for the requested splits.

    Raises:
      RecordError: the folder has other data.
    """
    config = synthetic.SyntheticConfig(
        seed=values.synthetic_seed,
        image_size=values.synthetic_image_size,
        bodies=bodies,
        part_cut=part_cut,
    )
    counts = {name: values[f"synthetic_{name}"].value for name in ("train", "val", "test")}
    counts = {name: count for name, count in counts.items() if count}
    made = {}
    # One pool for all splits, since a process takes seconds to start; it starts with its first
    # task.
    with quiet_c(), contextlib.ExitStack() as stack:
        pool = None
        if values.workers != 0:
            shards = sum(-(-count // PEOPLE_PER_SHARD) for count in counts.values())
            pool = stack.enter_context(processes.process_pool(values.workers, shards))
        for name, count in counts.items():
            manifest = synthetic.generate(
                values.data,
                name,
                count,
                config,
                workers=values.workers,
                pool=pool,
            )
            made[name] = Split(values.data, name, manifest)
    return made
