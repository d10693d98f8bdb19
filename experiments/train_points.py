"""Trains NBF's network for photographs, whose input is 2D points with visibility, and a mask.

    python experiments/train_points.py --flagfile=experiments/flags/nbf_photographs.cfg

Generates people in any pose with their outlines if they are missing (data/point_people), then
writes runs/<run_name>/: flags.cfg, model.keras, checkpoints/, tensorboard/ and record.json. If it
is killed, the same command continues from the last checkpoint and gives the same results. Time and
expected scores are in the flag file.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.nbf.point_flags import define_run_flags
from experiments.runs import common, training
from smpl_tf.files import write_json


def main(values) -> None:
    """Trains and evaluates.

    Args:
      values: the flags.
    """
    with training.opened(values) as opened:
        # Imported late: these modules load TensorFlow.
        from experiments.nbf import point_training

        run = opened.run
        record = run.read_record()
        if record and run.model_file.exists():
            print(f"{run.path} is finished (--overwrite trains again)")
        else:
            network = point_training.train(opened, values)
            if not opened.is_chief:
                return
            measured = point_training.evaluate(network, values)
            record = point_training.make_record(run, values, network, measured)
            write_json(run.record_file, record)
        print(f"\n{point_training.table(record)}\n")
        print(f"record  {run.record_file}\nmodel   {run.model_file}")


if __name__ == "__main__":
    sys.exit(common.run(main, define_run_flags, resumes=True))
