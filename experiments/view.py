"""A body to learn on: sliders for every joint and every beta, in the browser.

    python -m experiments.view
    python -m experiments.view --parameters=results/photo.jpg/parameters.npz

Writes one page (runs/view.html unless --output says otherwise) and opens it. There is no server:
the page holds the body itself, works without a network, and may be passed on. A slider in focus
colours what it moves. --parameters shows a saved body, or plays a saved motion: `betas`, and
`pose` [24, 3] or [T, 24, 3], as predict.py writes them. Takes 8 seconds, most of it TensorFlow's
start.
"""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from absl import flags

from experiments.runs import common
from experiments.runs.common import UserError
from smpl_tf import array_files
from smpl_tf.errors import one_line

RANDOM_POSES = 60  # poses that the page draws from


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: where the flags are added.
    """
    to = {"flag_values": values}
    flags.DEFINE_string("output", "runs/view.html", "Page to write.", **to)
    flags.DEFINE_string("body_model", None, "A body model file; else the open body.", **to)
    flags.DEFINE_string("parameters", None, "parameters.npz of a body or motion.", **to)
    flags.DEFINE_bool("open", True, "Open the page in the browser.", **to)


def main(values) -> None:
    """Writes the page.

    Args:
      values: the flags.
    """
    given = _parameters(Path(values.parameters)) if values.parameters else None
    common.load_tensorflow()
    # Only now: these modules load TensorFlow.
    from experiments.pages import report
    from smpl_tf.model_data import load_model_data
    from smpl_tf.viewer import body_viewer

    if values.body_model:
        models = [load_model_data(values.body_model)]
    else:
        models = [load_model_data(gender=gender) for gender in ("neutral", "female", "male")]
    body = body_viewer.ViewedBody("Your body", np.zeros(10), _standing(), frame="model")
    if given is not None:
        genders = [model.gender for model in models]
        gender = given.pop("gender", None)
        own = genders.index(gender) if gender in genders else 0
        body = body_viewer.ViewedBody(Path(values.parameters).stem, **given, model=own)
    page = report.Page(
        title="What the parameters of a body do",
        lead=(
            "SMPL describes a body by its shape (betas), the rotation of each joint in its "
            "parent's frame (pose), and a place. Move a slider: what it acts on is coloured."
        ),
        viewer=body_viewer.body_viewer([body], *models, poses=_random_poses()),
    )
    output = Path(values.output)
    report.write(page, output)
    print(f"page    {output}")
    if values.open and not webbrowser.open(output.resolve().as_uri()):
        print("No browser was found here: open the page yourself.")


def _parameters(path: Path) -> dict[str, Any]:
    """Reads what predict.py writes.

    Raises:
      UserError: the file does not hold a body.
    """
    try:
        arrays = array_files.read_npz(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a damaged archive makes zipfile raise
        raise UserError(f"{path}: no .npz file ({one_line(error)})") from None
    missing = {"betas", "pose"} - set(arrays)
    if missing:
        raise UserError(
            f"{path}: expected the arrays betas and pose, found {', '.join(arrays) or 'none'}"
        )
    given = {"betas": arrays["betas"], "pose": arrays["pose"]}
    if "translation" in arrays:
        given["translation"] = arrays["translation"]
    if "frame_rate" in arrays:
        given["frame_rate"] = float(arrays["frame_rate"])
    if "gender" in arrays:
        given["gender"] = str(arrays["gender"])
    return given


def _standing() -> np.ndarray:
    """Arms beside the body: what people expect to see first."""
    from smpl_tf.skeleton import SMPL_24

    pose = np.zeros((24, 3))
    pose[SMPL_24.index("left_shoulder")] = 0, 0, -1.1
    pose[SMPL_24.index("right_shoulder")] = 0, 0, 1.1
    return pose


def _random_poses() -> np.ndarray:
    """Poses of everyday life [N, 24, 3]: those of the synthetic people, facing the reader."""
    from scipy.spatial.transform import Rotation

    from datasets.synthetic import people

    rng = np.random.default_rng(0)
    drawn = [people.draw(rng, translation_jitter=0) for _ in range(RANDOM_POSES)]
    _, poses = people.choose_poses(drawn)
    poses = poses.astype(np.float64)
    # From the camera's frame to the body's, and without the heading.
    roots = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(poses[:, 0])
    forward = roots.apply([0, 0, 1])
    heading = np.arctan2(forward[:, 0], forward[:, 2])
    poses[:, 0] = (Rotation.from_rotvec(-heading[:, None] * [0, 1, 0]) * roots).as_rotvec()
    return poses


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
