"""Evaluates a finished SMPLR run anew, or networks of several runs joined to one model.

    python experiments/evaluate_smplr.py --run=runs/smplr_pose_shape
    python experiments/evaluate_smplr.py --run=runs/smplr_pose_shape --peers=256
    python experiments/evaluate_smplr.py --flagfile=experiments/flags/smplr_t1_stitched.cfg
    python experiments/evaluate_smplr.py --run=runs/smplr_pose --real_clip=.../00449

--peers=N puts the closed-form fit, Gauss-Newton steps from there and 200 steps of gradient descent
through SMPL beside the networks: accuracy on the same N bodies, clean, noisy and with points
missing, and bodies per second of CPU time. --parts joins an hourglass, an autoencoder and both
regressors (a row of the paper's Table 1) and keeps them in the folder of --run_name as one model,
like a run of --stage=end_to_end. --real_clip=DIR asks instead how well Ω turns the joints of a
real SMPL body, on a sequence of the authors' (CLOTH3D++, info_body.mat): degrees, leaf joints
apart, as no point observes their twist.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments import common
from experiments.flag_definer import FlagDefiner
from experiments.run_folder import RunFolder, write_json
from experiments.smplr_flags import define_run_flags

# What may differ from the run that is evaluated.
_CHANGEABLE = (
    *(
        "data",
        "test_split",
        "motion",
        "test_bodies",
        "test_noise",
        "noise_scale",
        "missing_rate",
        "parts",
    ),
    *("batch_size", "female_body", "male_body", "neutral_body"),
)


def define_flags(values) -> None:
    """Adds the script's flags and those of a run; with `--run`, only some may differ from it.

    Args:
      values: where the flags are added.
    """
    define_run_flags(values)
    f = FlagDefiner(values)
    f.string("run", None, "Folder of a finished run; unset: the networks of --parts, joined.")
    f.integer("peers", 0, "Bodies that are also given to the peers; 0: none.", 0)
    f.string("noisy_run", None, "Folder of a run trained on noise, to stand among the peers.")
    f.string("real_clip", None, "Folder of a sequence with info_body.mat, for Ω's rotations.")
    f.string("output", None, "Folder to write; unset: evaluation in --run or in --run_name.")


def main(values) -> None:
    """Evaluates and reports.

    Args:
      values: the flags.
    """
    common.load_tensorflow(values.deterministic)
    # Only now: these modules load TensorFlow.
    from experiments import (
        report,
        smplr_clip,
        smplr_evaluation,
        smplr_motion,
        smplr_report,
        smplr_runs,
    )

    if values.run:
        run = RunFolder.existing(values.run)
        run_values = smplr_runs.flags_of(run)
        for name in _CHANGEABLE:
            if values[name].present:
                run_values[name].value = values[name].value
        model, _ = smplr_runs.load_model(run)
    else:
        run, run_values = RunFolder(Path(values.runs_dir) / values.run_name), values
        run_values.stage = "end_to_end"
        model = smplr_runs.build_model(run_values)
        smplr_runs.keep_joined(run, model, run_values)
    output = Path(values.output) if values.output else run.path / "evaluation"
    if values.real_clip:
        poses = smplr_motion.pose_pool(run_values, "test")
        found = smplr_clip.measure(model, values.real_clip, poses)
        print(f"\n{smplr_clip.table(found)}\n")
        write_json(output / "real_clip.json", run.make_record(run_values, {"metrics": found}))
        print(f"record  {output / 'real_clip.json'}")
        return
    evaluation = smplr_evaluation.evaluate(model, run_values)
    record = smplr_evaluation.make_record(run, run_values, evaluation, model)
    print(f"\n{smplr_evaluation.table(record)}\n")
    if values.peers:
        from experiments import smplr_peers

        models = {"networks": model}
        if values.noisy_run:
            noisy = RunFolder.existing(values.noisy_run)
            models["networks, trained on noise"] = smplr_runs.load_model(noisy)[0]
        record["peers"] = smplr_peers.compare(models, run_values, values.peers)
        print(f"{smplr_peers.table(record['peers'])}\n")
    write_json(output / "record.json", record)
    report.write(smplr_report.make_page(run_values, evaluation, record), output / "index.html")
    print(f"record  {output / 'record.json'}\npage    {output / 'index.html'}")


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
