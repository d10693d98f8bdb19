"""Trains one stage of SMPLR and evaluates it on held-out people.

    python experiments/train_smplr.py --flagfile=experiments/flags/smplr_pose.cfg

Stages: hourglass (picture to points), dae (noisy to clean points), pose (points to rotations),
shape (points to betas and gender), pose_shape (both through SMPL) and end_to_end (the hourglass
with the others frozen behind it). A later stage starts from the networks of earlier runs in
--networks. Points come from endless motion, pictures from the shards of --data.

Writes runs/<run_name>/: flags.cfg, checkpoints/, tensorboard/, model.keras, report/index.html and
record.json. If it is killed, the same command continues from the last checkpoint and gives the
same results. Times and expected scores are in the flag files.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common, training
from experiments.smplr.flags import define_run_flags
from smpl_tf.files import write_json

# What --help lists first.
FIRST_FLAGS = (
    *("data", "run_name", "stage", "epochs", "steps_per_epoch"),
    *("batch_size", "learning_rate", "networks", "neutral", "skeleton"),
)


def main(values) -> None:
    """Trains and evaluates.

    Args:
      values: the flags.
    """
    with training.opened(values) as opened:
        # Imported late: these modules load TensorFlow.
        from experiments.pages import report
        from experiments.runs import epochs
        from experiments.smplr import evaluation as smplr_evaluation
        from experiments.smplr import page
        from experiments.smplr import training as smplr_training

        run = opened.run
        record = run.read_record()
        if not record:
            model, state, split = smplr_training.train(opened, values)
        if not opened.is_chief:
            return
        if record:
            print(f"{run.path} is finished (--overwrite trains again)")
        else:
            evaluation = smplr_evaluation.evaluate(model, values, split)
            record = smplr_evaluation.make_record(run, values, evaluation, model, state)
            if split is not None:  # a stage that learns from pictures
                record |= epochs.metrics_by_set(
                    values,
                    lambda other: smplr_evaluation.make_record(
                        run, values, smplr_evaluation.evaluate(model, values, other), model
                    ),
                )
            report.write(page.make_page(values, evaluation, record), run.report)
            write_json(run.record_file, record)
        print(f"\n{smplr_evaluation.table(record)}\n")
        print(f"record  {run.record_file}\npage    {run.report}")
        print(f"model   {run.model_file}")


if __name__ == "__main__":
    sys.exit(common.run(main, define_run_flags, resumes=True))
