"""The synthetic people that a run asks for by its flags."""

from __future__ import annotations

from absl import flags

from datasets import synthetic
from datasets.bodies import Bodies
from datasets.splits import Split
from datasets.synthetic.people import OPEN_BODIES
from experiments.runs.common import quiet_c


def generate(values: flags.FlagValues, bodies: Bodies = OPEN_BODIES) -> dict[str, Split]:
    """Makes the synthetic people that are asked for and not there yet.

    Args:
      values: the flags of the run.
      bodies: that the people have.

    Returns:
      Name -> split, of those that were asked for.

    Raises:
      RecordError: the folder holds other data.
    """
    config = synthetic.SyntheticConfig(
        seed=values.synthetic_seed, image_size=values.synthetic_image_size, bodies=bodies
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
