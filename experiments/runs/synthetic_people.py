"""The synthetic people that a run asks for by its flags."""

from __future__ import annotations

from absl import flags

from datasets import synthetic
from datasets.splits import Split
from experiments.runs.common import quiet_c


def generate(values: flags.FlagValues) -> dict[str, Split]:
    """Makes the synthetic people that are asked for and not there yet.

    Args:
      values: the flags of the run.

    Returns:
      Name -> split, of those that were asked for.

    Raises:
      RecordError: the folder holds other data.
    """
    config = synthetic.SyntheticConfig(
        seed=values.synthetic_seed, image_size=values.synthetic_image_size
    )
    made = {}
    for name in ("train", "val", "test"):
        count = values[f"synthetic_{name}"].value
        if count:
            with quiet_c():
                manifest = synthetic.generate(
                    values.data, name, count, config, workers=values.workers
                )
            made[name] = Split(values.data, name, manifest)
    return made
