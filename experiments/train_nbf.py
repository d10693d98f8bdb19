r"""Trains one of NBF's networks, evaluates it on held-out people, and writes a page about it.

    python experiments/train_nbf.py --flagfile=experiments/flags/nbf_quickstart.cfg
    python experiments/train_nbf.py --stage=segmentation \
        --flagfile=experiments/flags/nbf_segmentation_small.cfg

Generates the synthetic people if they are missing, then writes runs/<run_name>/: flags.cfg,
model.keras, checkpoints/, tensorboard/ (tensorboard --logdir=runs), record.json and
report/index.html. If it is killed, the same command continues from the last checkpoint and gives
the same results. Times and expected scores are in the flag files.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.nbf.flags import define_run_flags
from experiments.runs import common, training
from smpl_tf.files import write_json

# What --help lists first.
FIRST_FLAGS = (
    *("data", "run_name", "epochs", "stage", "batch_size"),
    *("learning_rate", "input_map", "body_model", "initial_run", "segmentation_run"),
)


def main(values) -> None:
    """Trains, evaluates and reports.

    Args:
      values: the flags.
    """
    with training.opened(values) as opened:
        # Imported late: these modules load TensorFlow.
        from datasets.splits import open_split
        from experiments.nbf import stages
        from experiments.nbf import training as nbf_training
        from experiments.pages import report
        from experiments.runs import epochs

        run, stage = opened.run, stages.stage_of(values)
        record = run.read_record()
        if record and run.model_file.exists():
            print(f"{run.path} is finished; its page is written again (--overwrite trains again)")
            network = stage.load(run, values.body_model)
            split = open_split(epochs.data_folders(values)[0], values.test_split)
        else:
            network, trained, split = nbf_training.train(opened, values, stage)
        if not opened.is_chief:
            return
        evaluation = stage.evaluate(network, values, split)
        if not record:
            record = stage.make_record(run, values, network, trained, evaluation)
            record |= epochs.metrics_by_set(
                values,
                lambda other: stage.make_record(
                    run, values, network, trained, stage.evaluate(network, values, other)
                ),
            )
            write_json(run.record_file, record)
        page = stage.make_page(values, network, evaluation, record)
        report.write(page, run.report)
        print(f"\n{page.table}\n")
        print(f"record  {run.record_file}\npage    {run.report}")


if __name__ == "__main__":
    sys.exit(common.run(main, define_run_flags, resumes=True))
