"""Evaluates a finished SMPLR run, or networks of several runs joined to one model.

    python experiments/evaluate_smplr.py --run=runs/smplr_pose_shape
    python experiments/evaluate_smplr.py --run=runs/smplr_pose_shape --peers=256
    python experiments/evaluate_smplr.py --flagfile=experiments/flags/smplr_t1_stitched.cfg
    python experiments/evaluate_smplr.py --run=runs/smplr_pose --real_clip=.../00449

--peers=N compares the networks with the closed-form fit, Gauss-Newton steps from there, and 200
steps of gradient descent through SMPL: accuracy on the same N bodies, clean, noisy and with
missing points, and bodies per second of CPU time. --networks joins an hourglass, an autoencoder
and both regressors (a row of the paper's Table 1) and saves them in the folder of --run_name as
one model, like a run of --stage=end_to_end. --real_clip=DIR instead measures Ω's rotations for a
real SMPL body, on a sequence of the authors (CLOTH3D++, info_body.mat): in degrees, separately for
leaf joints, whose twist the points do not determine.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common, shipped_runs
from experiments.runs.run_folder import RunFolder
from experiments.smplr.flags import define_evaluation_flags as define_flags
from smpl_tf.files import write_json

# Flags that may differ from those of the evaluated run.
_CHANGEABLE = (
    *(
        "data",
        "test_split",
        "motion",
        "test_bodies",
        "test_noise",
        "noise_scale",
        "missing_rate",
        "networks",
    ),
    *("batch_size", "female_body", "male_body", "neutral_body"),
)

# What --help lists first.
FIRST_FLAGS = ("run", "data", "test_split", "output", "real_clip", "peers", "noisy_run")


def main(values) -> None:
    """Evaluates and reports.

    Args:
      values: the flags.
    """
    run = RunFolder.existing(values.run, "SMPLR") if values.run else None
    noisy = RunFolder.existing(values.noisy_run, "SMPLR") if values.noisy_run else None
    common.load_tensorflow(values.deterministic)
    # Imported late: these modules load TensorFlow.
    from experiments.pages import report
    from experiments.smplr import clip, motion, networks, page
    from experiments.smplr import evaluation as smplr_evaluation

    if run:
        run_values = networks.flags_of(run)
        for name in _CHANGEABLE:
            if values[name].present:
                run_values[name].value = values[name].value
        model, _ = networks.load_model(run)
    else:
        run, run_values = RunFolder(Path(values.runs_dir) / values.run_name), values
        run_values.stage = "end_to_end"
        model = networks.build_model(run_values)
        networks.keep_joined(run, model, run_values)
    output = Path(values.output) if values.output else shipped_runs.results_of(run) / "evaluation"
    if values.real_clip:
        poses = motion.pose_pool(run_values, "test")
        found = clip.measure(model, values.real_clip, poses)
        print(f"\n{clip.table(found)}\n")
        write_json(output / "real_clip.json", run.make_record(run_values, {"metrics": found}))
        print(f"record  {output / 'real_clip.json'}")
        return
    evaluation = smplr_evaluation.evaluate(model, run_values)
    record = smplr_evaluation.make_record(run, run_values, evaluation, model)
    print(f"\n{smplr_evaluation.table(record)}\n")
    if values.peers:
        from experiments.smplr import peers

        models = {"networks": model}
        if noisy:
            models["networks, trained on noise"] = networks.load_model(noisy)[0]
        record["peers"] = peers.compare(models, run_values, values.peers)
        print(f"{peers.table(record['peers'])}\n")
    write_json(output / "record.json", record)
    report.write(page.make_page(run_values, evaluation, record), output / "index.html")
    print(f"record  {output / 'record.json'}\npage    {output / 'index.html'}")


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
