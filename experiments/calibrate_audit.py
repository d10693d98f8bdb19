"""Learns on held-out people to predict the error of a fitted body from evidence.

    python experiments/calibrate_audit.py --run=RUN --segmentation_run=RUN

Fits the people of the split val like predict.py, in two passes from the pictures, and writes
audit.json to --run for predict.py: a map from `audit.Evidence` to the expected error, and the
threshold of doubt from which left and right are likely swapped. Results on the split test are in
the same file and, with a plot, in audit/index.html. 400 people of each split take four minutes of
CPU time.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tqdm

from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import RunFolder
from smpl_tf.files import write_json

_FLIPPED_MM = 50.0  # required margin by which a limb is nearer to the other side's truth


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.string("run", None, "Run folder of the fitting network.")
    f.string("segmentation_run", None, "Run folder of the segmenter.")
    f.string("data", None, "Folder of the data set's shards (default: the run's).")
    f.integer("people", 400, "Number of people to use from each split.", 24)


def main(values) -> None:
    """Calibrates, and tests the calibration.

    Args:
      values: the flags.
    """
    common.require(values, "run", "segmentation_run")
    run = RunFolder.existing(values.run, "NBF")
    segmentation = RunFolder.existing(values.segmentation_run, "NBF")
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from experiments.nbf import networks, segmenters
    from experiments.pages import report
    from nbf.prediction import audit, audit_calibration
    from nbf.prediction.bodies import NBFBodies
    from nbf.prediction.part_finder import PartFinder
    from nbf.prediction.predictor import Predictor

    run_values = networks.flags_of(run, data=values.data)
    network = networks.load_network(run)
    segmenter = segmenters.load_segmenter(segmentation)
    finder = PartFinder(segmenter)
    fit = NBFBodies(network, finder)
    predictor = Predictor(fit, fit.bodies, finder)
    learnt, tested = (
        _measure(predictor, run_values, split, values.people) for split in ("val", "test")
    )
    calibration = audit_calibration.calibrate(*(learnt[name] for name in _MEASURED))
    expected = calibration.expected_mm(tested["evidence"])
    record = {
        "run": run.path.name,
        "segmentation_run": segmentation.path.name,
        "networks": audit_calibration.fingerprint(network, segmenter),
        "evidence": list(audit.Evidence._fields),
        "calibration": calibration._asdict(),
        "people": len(learnt["evidence"]),
        "test": _test(calibration, tested, expected),
        "tested": {
            "expected_mm": expected.round(1).tolist(),
            "error_mm": tested["error_mm"].round(1).tolist(),
            "agreement": tested["evidence"][:, 0].round(3).tolist(),
        },
    }
    write_json(run.path / "audit.json", record)
    page = run.path / "audit" / "index.html"
    report.write(_page(record, tested), page)
    for name, value in record["test"].items():
        print(f"{name:36s} {value:.3g}")
    print(f"\nrecord  {run.path / 'audit.json'}\npage    {page}")


_MEASURED = ("evidence", "error_mm", "doubt", "flipped")


def _measure(predictor, values, split: str, count: int) -> dict[str, np.ndarray]:
    """Fits held-out people; returns evidence and errors, and doubt and swaps of limb pairs."""
    from datasets.splits import open_split
    from experiments.nbf import data as nbf_data
    from experiments.nbf.data import Feed
    from nbf.prediction import audit
    from nbf.prediction.part_finder import LIMBS

    features = ("image/encoded", "joints/3d", "smpl/translation", "smpl/valid")
    opened = open_split(values.data, split)
    nbf_data.check_body_of(opened, predictor.bodies[0].model_data)
    examples = nbf_data.held_out_examples(values, opened, Feed(features, None)).take(count)
    found = {name: [] for name in (*_MEASURED, "swapped")}
    for example in tqdm.tqdm(examples, desc=split, total=count, disable=None):
        pixels = example["image"].numpy()
        window = predictor.find(pixels)
        if window is None or not example["smpl/valid"].numpy():
            continue
        (person,) = predictor.fit([pixels], [window])
        (mirrored,) = predictor.fit_mirrored([pixels], [window])
        agreement = audit.agree(person, predictor.scheme)
        joints = person.person.joints_3d - person.person.translation
        true = (example["joints/3d"] - example["smpl/translation"]).numpy()
        found["evidence"].append(audit.gather(person, mirrored, agreement))
        found["error_mm"].append(1000 * np.linalg.norm(joints - true, axis=-1).mean())
        for limb in LIMBS:
            found["doubt"].append(person.view.doubt[limb])
            found["swapped"].append(agreement.swapped.get(limb, 0.0))
            found["flipped"].append(_is_flipped(joints, true, limb))
    return {name: np.array(measured) for name, measured in found.items()}


def _is_flipped(joints: np.ndarray, true: np.ndarray, limb: str) -> bool:
    """Whether a pair of limbs is nearer to the truth with left and right exchanged."""
    from smpl_tf.skeleton import SMPL_24

    names = {"arm": ("elbow", "wrist", "hand"), "leg": ("knee", "ankle", "foot")}[limb]
    here = SMPL_24.indices([f"{side}_{name}" for side in ("left", "right") for name in names])
    there = SMPL_24.mirror[here]
    plain = np.linalg.norm(joints[here] - true[here], axis=-1).mean()
    exchanged = np.linalg.norm(joints[there] - true[here], axis=-1).mean()
    return bool(1000 * (plain - exchanged) > _FLIPPED_MM)


def _test(calibration, tested: dict[str, np.ndarray], expected) -> dict[str, float]:
    """Tests the calibration on other people."""
    from scipy.stats import spearmanr

    from nbf.prediction import audit

    error = tested["error_mm"]
    alone = {
        f"rank_correlation_of_{name}": float(spearmanr(tested["evidence"][:, i], error).statistic)
        for i, name in enumerate(audit.Evidence._fields)
    }
    flipped = tested["flipped"]
    warned = audit.is_likely_flip(tested["swapped"], tested["doubt"], calibration)
    right = int((warned & flipped).sum())
    return {
        "people": len(error),
        "mean_error_mm": float(error.mean()),
        "mean_expected_error_mm": float(expected.mean()),
        "rank_correlation": float(spearmanr(expected, error).statistic),
        **alone,
        "mean_deviation_mm": float(np.abs(expected - error).mean()),
        "mean_deviation_of_a_constant_mm": float(np.abs(np.median(error) - error).mean()),
        "worst_tenth_expected_mm": _of_worst(expected, error),
        "flips": int(flipped.sum()),
        "flip_warnings": int(warned.sum()),
        "flip_precision": right / max(int(warned.sum()), 1),
        "flip_recall": right / max(int(flipped.sum()), 1),
    }


def _of_worst(expected: np.ndarray, error: np.ndarray) -> float:
    """The mean true error of the tenth of the people with the largest expected errors."""
    worst = np.argsort(-expected, kind="stable")[: max(1, len(error) // 10)]
    return float(error[worst].mean())


def _page(record, tested):
    """Makes the page with the calibration plot and the numbers."""
    from experiments.pages import report
    from experiments.pages.calibration_plot import plot

    pixels = plot(record["tested"]).pixels
    test = record["test"]
    rows = [[name.replace("_", " "), f"{value:.3g}"] for name, value in test.items()]
    return report.Page(
        title="Errors expected without the truth",
        lead=(
            f"Calibrated on {record['people']} people, tested on {test['people']} others, with "
            f"{record['run']} and {record['segmentation_run']}."
        ),
        headlines=[
            report.Headline(
                f"{test['rank_correlation']:.2f}", "rank correlation", "expected and true error"
            ),
        ],
        table=report.Table(["on held-out people", "value"], rows),
        plots=[report.picture("Expected and true error, person by person", pixels, True)],
    )


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
