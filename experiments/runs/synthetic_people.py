"""The synthetic people that a run asks for by its flags."""

from __future__ import annotations

from absl import flags

from datasets import synthetic
from experiments.runs.common import quiet_c


def generate(values: flags.FlagValues) -> None:
    """Makes the synthetic people that are asked for and not there yet.

    Args:
      values: the flags of the run.

    Raises:
      RecordError: the folder holds other data.
    """
    config = synthetic.SyntheticConfig(
        seed=values.synthetic_seed, image_size=values.synthetic_image_size
    )
    for split in ("train", "val", "test"):
        count = values[f"synthetic_{split}"].value
        if count:
            with quiet_c():
                synthetic.generate(values.data, split, count, config, workers=values.workers)
