"""Fits bodies to the people in photographs and videos, and writes files for other programs.

    python experiments/predict.py photo.jpg
    python experiments/predict.py photos/ clip.mp4 --output=predicted --mesh=obj

Inputs are files, folders, patterns, videos and camera numbers, in any size and format. People are
found by the landmark finder if its networks are installed, otherwise by the body part segmenter
(one person), or given with --people as boxes and joints in COCO's or OpenPose's format. Writes to
--output: index.html with the bodies in 3D, and a folder per picture: overlay.jpg, and for each
person parameters.npz, joints.json, side.png, parts.png if a segmenter was used, and the meshes of
--mesh; for a video overlay.mp4, and for each person smoothed parameters.npz, motion.glb and
motion.bvh. An input that fails is reported in one line, the others are processed, and the exit
status is 1. A table of times by stage is printed at the end.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tqdm
from absl import flags

from experiments.prediction import inputs
from experiments.runs import common, shipped_runs
from experiments.runs.common import UsageError, UserError
from experiments.runs.flag_definer import FlagDefiner

MESH_FORMATS = ("obj", "ply", "glb")
METHODS = ("auto", "nbf", "smplr", "fit", "parts")
GENDERS = ("neutral", "female", "male")
FINDER_MODELS = ("auto", "lite", "full", "heavy")
# Read by experiments.runs.common.
POSITIONAL_FLAG = "images"
FIRST_FLAGS = ("images", "output", "people", "method", "mesh", "refine", "fov", "step", "frames")
_CAMERA_FRAMES = 300  # frames of a camera without --frames
_PICTURES = (
    "The slider shows the photograph through the bodies; a click opens a picture full size. "
    "Found points: the person's left is red, the right blue, smaller where less visible. From the "
    "side: seen from the picture's right edge, the photographer to the left. From above: the "
    "photographer at the lower edge. “Turn in 3D” shows everybody of a picture together. A red "
    "frame marks bodies that the audit does not trust."
)
_MAY_BE_MISSED = "In a crowd, people who overlap, are cut off or are small may be missed."
_NAMED = 10  # unused pictures of --people that are listed


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    flags.DEFINE_multi_string(
        "images",
        None,
        "Files, folders, patterns or a camera number; --images= may be left out.",
        flag_values=values,
    )
    f.string("output", "predicted", "Folder to write; created if it does not exist.")
    f.string(
        "run",
        None,
        "Run folder of an NBF fitting network or a full SMPLR model (default: shipped).",
    )
    f.string(
        "segmentation_run",
        None,
        "Run folder of the part segmenter (default: shipped; none with --run).",
    )
    f.string("body_model", None, "Body model file of the run, if it was moved.")
    f.string(
        "people",
        None,
        "Who is where: a JSON file of boxes or joints, or a folder of OpenPose files.",
    )
    f.strings("mesh", [], f"Mesh formats to write, separated by commas: {','.join(MESH_FORMATS)}.")
    f.enum(
        "method",
        "auto",
        METHODS,
        "nbf: a network, from found 2D points and mask; smplr: networks, from found 3D points; "
        "fit: optimisation to found 3D points; parts: a network, from body parts, without the "
        "landmark finder; auto: nbf if the finder was downloaded, else parts.",
    )
    f.bool(
        "refine",
        None,
        "Move each body to the found points (default: yes), or with --method=parts to the found "
        "body parts (default: no).",
    )
    f.number(
        "fov",
        None,
        "Field of view across the diagonal, degrees (default: as EXIF says, else 55).",
        179.0,
    )
    f.enum("gender", None, GENDERS, "Gender of the body with --method=fit (default: neutral).")
    f.enum(
        "finder_model",
        "auto",
        FINDER_MODELS,
        "Size of the landmark finder's network; auto: the best installed.",
    )
    f.integer("step", 1, "Process every N-th frame of a video.", 1)
    f.integer("frames", None, "Maximum number of frames (default: all; 300 for a camera).", 1)


def main(values) -> int:
    """Fits bodies to all people.

    Args:
      values: the flags.

    Returns:
      1 if an input failed, else 0.
    """
    common.require(values, "images")
    unknown = sorted(set(values.mesh) - set(MESH_FORMATS))
    if unknown:
        raise UsageError(f"--mesh={','.join(unknown)}: expected {', '.join(MESH_FORMATS)}")
    if values.run or values.segmentation_run:
        shipped_runs.chosen_runs(values)  # a missing run is reported before TensorFlow is loaded
    found, failures = inputs.find(values.images)
    if not found:
        raise UserError("; ".join(failures))
    common.load_tensorflow()
    with common.working_in(output := Path(values.output)):
        return _predict(values, found, failures, output)


def _predict(values, found, failures, output) -> int:
    """Fits bodies to all people, in a locked folder."""
    # Imported late: these modules load TensorFlow.
    from datasets.photographs import people_files
    from experiments.pages import report
    from experiments.prediction import methods, one_picture, one_video
    from experiments.prediction.stopwatch import Stopwatch
    from smpl_tf.viewer import body_viewer

    report.check_replaceable(output / "index.html")
    people = people_files.read(Path(values.people)) if values.people else None
    stopwatch = Stopwatch(*one_picture.STAGES)
    chosen = methods.choose(values, stopwatch)
    predictor, audited = chosen.predictor, chosen.audited
    if chosen.remark:
        print(f"predict.py: {chosen.remark}", file=sys.stderr)
    tools = one_picture.Tools(
        *(predictor, people, values.mesh, output, stopwatch, chosen.finder, chosen.lens)
    )
    results = []
    for line in inputs.passed_over(values.images):
        print(f"predict.py: {line}", file=sys.stderr)
    for item in tqdm.tqdm(found, desc="predict", unit="input", disable=None):
        try:
            if item.kind == "picture":
                results.append(one_picture.predict_picture(item, tools))
            else:
                most = values.frames or (_CAMERA_FRAMES if item.kind == "camera" else None)
                results.append(one_video.predict_video(item, tools, values.step, most))
        except Exception as error:  # a failed input does not affect the others
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            words = common.describe(error, values)
            own = isinstance(error, common.EXPECTED) and str(item.path) in words
            failures.append(words if own or item.name in words else f"{item.path}: {words}")
    failures += _unused(people)
    for failure in failures:
        print(f"predict.py: {failure}", file=sys.stderr)
    bodies = [body for result in results for body in result.bodies]
    shown = [person for result in results for person in result.people]
    models = [body.model_data for body in predictor.bodies]
    page = report.Page(
        title="Bodies in pictures",
        lead=(
            f"{len(results)} of {len(found)} inputs, {len(bodies)} people, fitted by "
            f"{chosen.words}. {_MAY_BE_MISSED if shown and not values.people else ''}"
        ),
        warning=_warning(audited) if bodies else "",
        failures=failures,
        viewer=body_viewer.body_viewer(bodies, *models) if bodies else "",
        groups=[report.Group("People", shown, _PICTURES)] * bool(shown)
        + _trust(audited) * bool(bodies),
    )
    report.write(page, output / "index.html")
    for line in _gains(results):
        print(line)
    pictures = sum(result.pictures for result in results)
    if pictures:
        print(f"\n{stopwatch.table(pictures, 'pictures')}\n")
    print(f"{len(results)} of {len(found)} inputs done\npage    {output / 'index.html'}")
    return common.EXIT_ERROR if failures else 0


def _warning(audited) -> str:
    """Returns the limitations of the results for the reader."""
    if audited is None:
        return (
            "Expected distances are perpendicular to the view, at the person's depth, from the "
            "visibility of the joints and the body's distance to them. They rank "
            "bodies by reliability; if a "
            "photograph is harder than the training, true errors are larger. Errors of the depth "
            "are unknown."
        )
    return (
        "Expected errors are mean distances of the joints in 3D, learnt on held-out people of the "
        "set that the networks learnt from. If pictures differ from those, as photographs do "
        "from synthetic people, true errors may be larger."
    )


def _trust(audited) -> list:
    """Returns the page's group about the accuracy of expected errors."""
    from experiments.pages import calibration_plot, report

    if audited is None:
        return []
    test = audited.test
    caption = (
        f"{test['people']} held-out people, not used for the calibration: rank correlation of "
        f"expected and true error {test['rank_correlation']:.2f}; mean error "
        f"{test['mean_error_mm']:.0f} mm, {test['worst_tenth_expected_mm']:.0f} mm in the tenth "
        "with the largest expected errors"
    )
    plot = report.picture("one dot per person", calibration_plot.plot(audited.tested).pixels, True)
    return [report.Group("Accuracy of the expected errors", [report.Person(caption, [plot])])]


def _unused(people) -> list[str]:
    """Returns a line for each picture of --people that was not an input."""
    names = people.unused() if people else []
    lines = [f"{name}: is in --people, but not an input" for name in names[:_NAMED]]
    if len(names) > _NAMED:
        lines.append(f"{len(names) - _NAMED} more pictures of --people are not inputs")
    return lines


def _gains(results) -> list[str]:
    """Returns the mean improvement by the refinement."""
    lines = []
    for kind in ("points", "parts"):
        gains = [gain for result in results for gain in result.gains if gain.kind == kind]
        if gains:
            before, after = np.mean([[gain.before, gain.after] for gain in gains], axis=0)
            mean = gains[0]._replace(before=before, after=after)
            lines.append(f"refined {len(gains)} people: {mean}")
    return lines


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
