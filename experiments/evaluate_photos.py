"""Scores methods of finding people in photographs on annotated data: a public benchmark.

    python experiments/evaluate_photos.py --dataset=lspet --source=DIR --output=photo_scores
    python experiments/evaluate_photos.py --dataset=coco --source=DIR --method=finder,rest

--dataset is the format of DIR: lsp and lspet have joints.mat and images/, coco has
annotations/person_keypoints_*.json and its pictures, mpii has images/ and the release's .mat or
annot/*.json; npz is a file of your own with 2D and 3D joints (see
datasets/photographs/joint_files.py). PCKh@0.5 and PCK@0.2 are over the twelve limb joints, for the
largest person of each picture and for everybody; for people who are not found, no joint is correct
(rules: datasets/photographs/scores.py). The methods are in
experiments/prediction/photo_methods.py: finder is the landmark finder's own points (downloaded
by python -m datasets.photographs.models; its methods are left out without it), rest a body at rest
in the annotated box, nbf_parts the shipped NBF networks, nbf_parts_found the same on the detected
people.

Writes results.md, record.json, and index.html with the best, median and worst people by the first
method to --output. 60 photographs by the four default methods take 46 s of CPU time (AMD EPYC), 13
s of it the start and the page.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tqdm

from experiments.prediction import photo_methods
from experiments.runs import common
from experiments.runs.common import UsageError, UserError
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import git_commit, versions
from smpl_tf.files import write_json, write_text

DATASETS = ("lsp", "lspet", "coco", "mpii", "npz")
_MODELS = ("lite", "full", "heavy")
_NAMED = 10  # failures that are printed, one line each


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.enum("dataset", None, DATASETS, "Data set or file format of --source.")
    f.string("source", None, "Folder of the data set, or its annotation file.")
    f.string(
        "split", None, "Split, such as test (lsp), val2017 (coco), valid (mpii); default: all."
    )
    f.strings("method", photo_methods.DEFAULT, f"Of {', '.join(photo_methods.METHODS)}.")
    f.enum("finder_model", "full", _MODELS, "Size of the landmark finder's network.")
    f.integer("pictures", None, "Number of pictures to score, evenly spread (default: all).", 1)
    f.string("output", None, "Folder to write; created if it does not exist.")


def main(values) -> int:
    """Scores the methods.

    Args:
      values: the flags.

    Returns:
      1 if something could not be scored, else 0.
    """
    common.require(values, "dataset", "source", "output")
    unknown = [name for name in values.method if name not in photo_methods.METHODS]
    if unknown or not values.method:
        raise UsageError(
            f"--method={','.join(values.method)}: expected {', '.join(photo_methods.METHODS)}"
        )
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from experiments.pages import report
    from experiments.prediction import photo_page, photo_scores

    annotated = _open(values)
    items = _spread(annotated.items(), values.pictures)
    if not items:
        raise UserError(f"{values.source}: contains no annotated pictures")
    methods = _load(values)
    shown = tqdm.tqdm(items, desc="photographs", unit="picture", disable=None)
    evaluation = photo_scores.evaluate(annotated, shown, methods)
    for failure in evaluation.failures[:_NAMED]:
        print(f"evaluate_photos.py: {failure}", file=sys.stderr)
    if len(evaluation.failures) > _NAMED:
        more = len(evaluation.failures) - _NAMED
        print(f"evaluate_photos.py: {more} more are in record.json", file=sys.stderr)
    if not evaluation.pictures:
        raise UserError(f"{values.source}: none of {len(items)} pictures could be scored")
    title = f"Photographs of {values.dataset}"
    lead = (
        f"{evaluation.pictures} of {len(items)} photographs, {len(evaluation.people)} annotated "
        f"people; {len(evaluation.failures)} failures, {len(evaluation.unscored)} photographs in "
        "which nobody has enough joints to be scored."
    )
    table = photo_scores.table(evaluation)
    output = Path(values.output)
    record = {
        "dataset": values.dataset,
        "split": values.split,
        "finder_model": values.finder_model,
        "listed": len(items),
        **photo_scores.record_of(evaluation),
        "versions": versions(),
        "git_commit": git_commit(),
    }
    write_text(output / "results.md", f"# {title}\n\n{lead}\n\n{photo_scores.markdown(table)}\n")
    write_json(output / "record.json", record)
    report.write(photo_page.make_page(evaluation, title, lead), output / "index.html")
    print(f"{photo_scores.markdown(table)}\n\n{lead}")
    print(f"record  {output / 'record.json'}\npage    {output / 'index.html'}")
    return common.EXIT_ERROR if evaluation.failures else 0


def _open(values):
    """The annotated set."""
    from datasets.photographs.sets import open_set

    if values.dataset == "npz" and values.split is not None:
        raise UsageError(f"--split={values.split}: --dataset=npz has no splits; leave it out")
    return open_set(values.dataset, Path(values.source), values.split)


def _spread(items, count):
    """Returns `count` of the items, evenly spread; None: all."""
    if count is None or count >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _load(values):
    """Loads the methods; those without their networks are left out, with one line each."""
    from datasets.photographs.models import ModelsMissingError

    tools = photo_methods.Tools(values.finder_model)
    methods = {}
    for name in values.method:
        try:
            with common.quiet_c():
                methods[name] = photo_methods.METHODS[name](tools)
        except ModelsMissingError as error:
            print(f"evaluate_photos.py: {name} is left out: {error}", file=sys.stderr)
    if not methods:
        raise UserError("no method is left; download the detector's networks, or change --method")
    return methods


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
