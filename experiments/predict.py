"""Fits bodies to photographs, and writes parameters, overlays and a page.

    python experiments/predict.py --run=runs/nbf_quickstart --images=DIR --output=DIR

Takes every picture of a folder: any size, JPEG, PNG, grey, transparent, turned by its EXIF tag;
one person each, who should fill most of the height. --output gets a folder per picture
(parameters.npz, overlay.png, side.png) and index.html. A picture that does not decode is named,
the others are done, and the exit status is 1. Ten pictures take 9 seconds of CPU time, most of it
TensorFlow's start.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tqdm
from absl import flags

from experiments import common, pictures
from experiments.common import UserError
from experiments.run_folder import RunFolder


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: where the flags are added.
    """
    to = {"flag_values": values}
    flags.DEFINE_string("run", None, "Folder of the run, such as runs/nbf_quickstart.", **to)
    flags.DEFINE_string("images", None, "Folder of pictures.", **to)
    flags.DEFINE_string("output", None, "Folder to write, made if need be.", **to)
    flags.DEFINE_string("body_model", None, "Where the run's body model file lies now.", **to)


def main(values) -> int:
    """Fits a body to every picture.

    Args:
      values: the flags.

    Returns:
      1 if a picture could not be read, else 0.
    """
    common.require(values, "run", "images", "output")
    run = RunFolder.existing(values.run)
    paths = pictures.find(Path(values.images))
    output = Path(values.output)
    common.load_tensorflow()
    # Only now: these modules load TensorFlow.
    from experiments import nbf_prediction, nbf_runs, report

    run_values = nbf_runs.flags_of(run, body_model=values.body_model)
    network, _ = nbf_runs.restore_network(run, run_values)
    predictor = nbf_prediction.Predictor(network, run_values.input_map)
    if predictor.warning:
        print(predictor.warning)
    people, failures = [], []
    for path in tqdm.tqdm(paths, desc="predict", unit="picture", disable=None):
        try:
            pixels = pictures.read(path)
        except UserError as error:
            failures.append(str(error))
            continue
        people.append(nbf_prediction.write(predictor.predict(pixels), output / path.name))
    for failure in failures:
        print(f"predict.py: {failure}", file=sys.stderr)
    page = report.Page(
        title="Bodies in photographs",
        lead=f"{len(people)} of {len(paths)} pictures of {values.images}, with {values.run}.",
        warning=predictor.warning,
        failures=failures,
        groups=[report.Group("People", people)] if people else [],
    )
    report.write(page, output / "index.html")
    print(f"{len(people)} of {len(paths)} pictures done\npage    {output / 'index.html'}")
    return common.EXIT_ERROR if failures else 0


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
