"""Fits SMPL bodies to 3D points of any named skeleton, and writes parameters, meshes and a page.

    python experiments/fit.py --points=joints.npz --skeleton=h36m_17 --output=fitted
    python experiments/fit.py --points=joints.csv --skeleton=coco_17 --unit=mm --output=fitted
    python experiments/fit.py --points=joints.npz --sequence --frame_rate=50 --output=moving

--points is an NPZ, NPY, JSON or CSV file (formats: experiments/prediction/point_files.py) of one
or many people; missing points are NaN, null or empty. For a result of HMR, SPIN or ROMP, or an
AMASS file, the points of its bodies are used, posed with --body_model. Writes parameters.npz, the
first meshes, in the axes of the points, and index.html with the bodies in 3D to --output. With
--sequence the bodies are one person over time: one vector of betas, a smooth motion, motion.glb
and motion.bvh with y up, and a page that plays. A thousand bodies take some five seconds of CPU
time; TensorFlow's start and the first call take ten.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.prediction import point_files
from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import RunFolder

GENDERS = ("neutral", "female", "male", "nearer")
# Copies of `smpl_tf.skeleton_points.SKELETONS` and `smplr.point_fitting.METHODS`, whose modules
# load TensorFlow.
SKELETONS = (
    *("smplr_42", "smpl_24", "smpl_22", "lsp_14", "h36m_17", "coco_17", "openpose_25", "up_91"),
    *("blazepose_33", "halpe_26", "mhr_70", "mpi_inf_28"),
)
METHODS = ("auto", "closed_form", "optimise", "denoise", "networks")


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.string(
        "points", None, "File of 3D points (.npz, .npy, .json, .csv) or of body parameters (.npz)."
    )
    f.string("output", None, "Folder to write; created if it does not exist.")
    f.enum("skeleton", "smplr_42", SKELETONS, "Skeleton (joint convention) of the input points.")
    f.enum("unit", "m", tuple(point_files.METRES), "Unit of the points.")
    f.enum("method", "auto", METHODS, "Fitting method; auto: chosen by the noise of the points.")
    f.string(
        "run", None, "Run folder of SMPLR's networks; denoise and networks need it, auto uses it."
    )
    f.bool("sequence", False, "The bodies are one person over time: one shape, a smooth motion.")
    f.number("frame_rate", 30.0, "Frames per second of --sequence.")
    f.bool("camera_axes", False, "The points are in camera axes (x right, y down, z away).")
    f.enum(
        "gender",
        "neutral",
        GENDERS,
        "Gender of the body; nearer: the better fit of female and male.",
    )
    f.string("body_model", None, "Body model file (default: the open body).")
    f.enum("mesh", "glb", ("glb", "obj", "ply"), "File format of the meshes.")
    f.integer("meshes", 10, "Number of bodies to write meshes and pictures of.", 0)


def main(values) -> None:
    """Reads points, fits bodies, writes the results.

    Args:
      values: the flags.
    """
    common.require(values, "points", "output")
    if values.method in ("denoise", "networks") and not values.run:
        raise common.UsageError(f"--method={values.method} needs --run=FOLDER, a run with Ω and Ψ")
    if values.sequence and values.method not in ("auto", "optimise"):
        raise common.UsageError(f"--sequence fits by optimise, not by --method={values.method}")
    if values.sequence and values.run:
        raise common.UsageError("--sequence uses no networks; leave --run out")
    if values.sequence and not values.frame_rate:
        raise common.UsageError("--frame_rate=0: expected the frames per second of --sequence")
    run = RunFolder.existing(values.run, "SMPLR") if values.run else None
    output = Path(values.output)
    written = output / "parameters.npz"
    if written.exists() and os.path.exists(values.points) and written.samefile(values.points):
        raise common.UserError(
            f"{values.points}: would be replaced by the result; choose another --output"
        )
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from experiments.pages import report
    from experiments.prediction import fitted_bodies, fitted_motion, fitted_page
    from smpl_tf.skeleton_points import find_skeleton
    from smplr.point_fitting import UnitError

    report.check_replaceable(output / "index.html")
    skeleton = find_skeleton(values.skeleton)
    given = point_files.read(Path(values.points), skeleton, values.unit, values.body_model)
    for note in given.notes:
        print(f"fit.py: {values.points}: {note}", file=sys.stderr)
    networks, bodies = fitted_bodies.load(values, run)
    try:
        fit = fitted_bodies.fit(given, skeleton, values, networks, bodies)
    except UnitError as error:
        remedy = f" Give --unit={error.unit}." if error.unit else ""
        raise common.UserError(f"{error}{remedy}") from None
    with common.working_in(output):
        fitted_bodies.write_parameters(fit, given, skeleton, output / "parameters.npz")
        if values.sequence:
            fitted_motion.write(fit, bodies, values.frame_rate, output)
        people = fitted_page.draw(fit, given, skeleton, bodies, values, output)
        page = output / "index.html"
        fitted_page.write_page(fit, given, skeleton, bodies, people, values, page)
    print(f"{fitted_bodies.table(fit, given, skeleton)}\n")
    if values.sequence:
        print(f"motion      {output / 'motion.glb'}, {output / 'motion.bvh'}")
    print(f"parameters  {output / 'parameters.npz'}\npage        {output / 'index.html'}")


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
