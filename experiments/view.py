"""Shows an interactive body in the browser, with sliders for every joint and every beta.

    python -m experiments.view
    python -m experiments.view --parameters=results/photo.jpg/person_1/parameters.npz

Writes one page (runs/view.html, or --output) and opens it. There is no server: the page contains
the body, works offline, and can be shared. A slider in focus colours the part that it moves.
--parameters shows saved bodies or plays a saved motion: a parameters.npz of predict.py or fit.py,
or a file of AMASS, SMPL-X (as GMR reads), smplcodec, HMR, SPIN or ROMP. Takes 8 seconds, most of
it TensorFlow's start.
"""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from absl import flags

from experiments.runs import common
from experiments.runs.common import UserError

if TYPE_CHECKING:
    from smpl_tf import SMPLModelData
    from smpl_tf.viewer.body_viewer import ViewedBody

RANDOM_POSES = 60  # poses for the button of random poses


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    to = {"flag_values": values}
    flags.DEFINE_string("output", "runs/view.html", "HTML file to write.", **to)
    flags.DEFINE_string("body_model", None, "Body model file (default: the open body).", **to)
    flags.DEFINE_string(
        "parameters", None, "File of a body or motion to show (parameters.npz, AMASS, ...).", **to
    )
    flags.DEFINE_bool("open", True, "Open the page in the browser.", **to)


def main(values) -> None:
    """Writes the page.

    Args:
      values: the flags.
    """
    if values.parameters and not Path(values.parameters).is_file():
        raise UserError(f"{values.parameters}: no such file; give one with --parameters")
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from experiments.pages import report
    from smpl_tf.model_data import load_model_data
    from smpl_tf.viewer import body_viewer

    if values.body_model:
        models = [load_model_data(values.body_model)]
    else:
        models = [load_model_data(gender=gender) for gender in ("neutral", "female", "male")]
    if values.parameters:
        bodies = _saved(Path(values.parameters), models)
    else:
        bodies = [body_viewer.ViewedBody("Your body", np.zeros(10), _standing(), frame="model")]
    page = report.Page(
        title="The parameters of a body",
        lead=(
            "SMPL describes a body by its shape (betas), the rotation of each joint in its "
            "parent's frame (pose), and a position. Move a slider: what it moves is coloured."
        ),
        viewer=body_viewer.body_viewer(bodies, *models, poses=_random_poses()),
    )
    output = Path(values.output)
    report.write(page, output)
    print(f"page    {output}")
    if values.open and not webbrowser.open(output.resolve().as_uri()):
        print("No browser was found here: open the page yourself.")


def _saved(path: Path, models: Sequence[SMPLModelData]) -> list[ViewedBody]:
    """Returns the bodies of a file for the page."""
    from smpl_tf import motion_files
    from smpl_tf.viewer.body_viewer import ViewedBody

    genders = [model.gender for model in models]
    motions = motion_files.read_motions(path)
    bodies = []
    for number, motion in enumerate(motions, start=1):
        own = genders.index(motion.gender) if motion.gender in genders else 0
        if motion.frame == "z_up":
            motion = motion_files.in_frame(motion, "model", models[own])
        bodies.append(
            ViewedBody(
                f"{path.stem} {number}" if motions[1:] else path.stem,
                motion.betas,
                motion.pose,
                motion.translation,
                motion.frame,
                motion.frame_rate,
                model=own,
            )
        )
    return bodies


def _standing() -> np.ndarray:
    """Returns a pose with hanging arms, a natural first view."""
    from smpl_tf.skeleton import SMPL_24

    pose = np.zeros((24, 3))
    pose[SMPL_24.index("left_shoulder")] = 0, 0, -1.1
    pose[SMPL_24.index("right_shoulder")] = 0, 0, 1.1
    return pose


def _random_poses() -> np.ndarray:
    """Returns everyday poses [N, 24, 3] of the synthetic people, facing the reader."""
    from scipy.spatial.transform import Rotation

    from datasets.synthetic import people

    rng = np.random.default_rng(0)
    drawn = [people.draw(rng, translation_jitter=0) for _ in range(RANDOM_POSES)]
    _, poses = people.choose_poses(drawn)
    poses = poses.astype(np.float64)
    # From the camera's frame to the body's, without the heading.
    roots = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(poses[:, 0])
    forward = roots.apply([0, 0, 1])
    heading = np.arctan2(forward[:, 0], forward[:, 2])
    poses[:, 0] = (Rotation.from_rotvec(-heading[:, None] * [0, 1, 0]) * roots).as_rotvec()
    return poses


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
