r"""Evaluates a trained NBF run from its newest checkpoint, and writes a record and a page.

    python experiments/evaluate_nbf.py --run=runs/nbf_quickstart
    python experiments/evaluate_nbf.py --run=runs/nbf_fitting_small_segmented \
        --segmentation_run=runs/nbf_segmentation_small

With --segmentation_run both stages are chained: the segmenter finds the parts of pictures, and
these are fitted; record and page are then written to `chained` in --run instead of `evaluation`.

--data and --split choose other people than the run's test split; their results go to a folder with
their name, such as `evaluation_humaneva_val`. --protocol also scores the measured joints of
HumanEva-I and Human3.6M. Next to the page are figure_4.png, people of every quarter of the errors,
and of chained stages figure_3.png, fits over the quality of their parts.

    python experiments/evaluate_nbf.py --flagfile=experiments/flags/nbf_t5_humaneva.cfg

500 people of 64 x 64 pixels take 14 seconds of CPU time, half of which is TensorFlow's start.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.nbf import flags as nbf_flags
from experiments.runs import common, shipped_runs
from experiments.runs.run_folder import RunFolder
from smpl_tf.files import write_bytes, write_json

# Flags that may differ from those of the evaluated run.
_CHANGEABLE = ("data", "body_model", "crop_by", "protocol", "joint_regressor")


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    nbf_flags.define_evaluation_flags(values)


def main(values) -> None:
    """Evaluates and reports.

    Args:
      values: the flags.
    """
    common.require(values, "run")
    run = RunFolder.existing(values.run, "NBF")
    segmentation = values.segmentation_run and RunFolder.existing(values.segmentation_run, "NBF")
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from datasets.splits import open_split
    from experiments.nbf import chained_evaluation, networks, segmenters, stages
    from experiments.nbf import page as nbf_report
    from experiments.pages import report
    from experiments.runs import checkpoints
    from smpl_tf import pictures

    changed = {name: values[name].value for name in _CHANGEABLE}
    run_values = networks.flags_of(run, test_split=values.split, **changed)
    split = open_split(run_values.data, run_values.test_split)
    trained = checkpoints.facts_of_record(run.read_record() or {})
    if segmentation is None:
        stage = stages.stage_of(run_values)
        network = stage.load(run, values.body_model)
        evaluation = stage.evaluate(network, run_values, split)
        record = stage.make_record(run, run_values, network, trained, evaluation)
        page = stage.make_page(run_values, network, evaluation, record)
    else:
        network = networks.load_network(run, values.body_model)
        model = segmenters.join_stages(segmenters.load_segmenter(segmentation), network)
        evaluation = chained_evaluation.evaluate(model, run_values, split)
        record = chained_evaluation.make_record(
            run, run_values, model, trained, evaluation, segmentation
        )
        page = chained_evaluation.make_page(run_values, model, evaluation, record)
    name = "chained" if segmentation else "evaluation"
    name += named_people(run_values, networks.flags_of(run))
    output = Path(values.output or shipped_runs.results_of(run) / name)
    write_json(output / "record.json", record)
    report.write(page, output / "index.html")
    figures = nbf_report.pictures_of(page) if run_values.stage == "fitting" else {}
    for name, pixels in figures.items():
        write_bytes(output / name, pictures.encode(pixels, ".png"))
    print(f"{page.table}\n")
    print(f"record  {output / 'record.json'}\npage    {output / 'index.html'}")


def named_people(values, own) -> str:
    """Separates results on other people from those on the run's own test split.

    Args:
      values: the flags of the evaluation.
      own: those of the run.

    Returns:
      What is added to the name of the folder; nothing for the run's own.
    """
    names = []
    if Path(values.data) != Path(own.data):
        names += [Path(folder).name for folder in values.data.split(",")]
    if values.test_split != own.test_split:
        names.append(values.test_split)
    return "".join(f"_{name}" for name in names)


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
