"""A sequence's fit as files of motion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.prediction.fitted_page import upward
from smpl_tf import SMPL, SMPLModelData, bvh, mesh_io
from smpl_tf.directions import shortest_rotation
from smpl_tf.files import written_aside
from smpl_tf.rotations import matrix_to_axis_angle
from smplr.point_fitting import PointFit


def write(fit: PointFit, bodies: Sequence[SMPLModelData], frame_rate: float, output: Path) -> None:
    """Writes motion.glb and motion.bvh, y up.

    Args:
      fit: of arrays, one person over time.
      bodies: one, or a female and a male one.
      frame_rate: frames per second.
      output: the folder.
    """
    body = bodies[int(len(bodies) > 1 and fit.gender[0] > 0)]
    upright = shortest_rotation(upward(fit), np.array([0.0, 1.0, 0.0]))
    poses = fit.pose.copy()
    poses[:, 0] = matrix_to_axis_angle(upright @ fit.rotations[:, 0]).numpy()
    rest = SMPL(body, vertex_ids=[])(betas=fit.betas[0]).joints.numpy()
    # The body turns about its pelvis, not about the origin.
    places = fit.joints[:, 0] @ upright.T - rest[0]
    output.mkdir(parents=True, exist_ok=True)
    with written_aside(output / "motion.glb") as aside:
        mesh_io.write_animated_glb(aside, body, fit.betas[0], poses, places, frame_rate)
    with written_aside(output / "motion.bvh") as aside:
        bvh.write_bvh(aside, poses, places, rest, frame_rate)
