"""Converts a body or a motion between the files of this library and those of other programs.

    python experiments/convert_motion.py --parameters=results/clip.mp4/person_1/parameters.npz \\
      --output=clip_amass.npz --format=amass
    python experiments/convert_motion.py --parameters=01_01_poses.npz --output=walk.bvh

Reads parameters.npz of predict.py and fit.py, AMASS, SMPL-X and smplcodec files, and the results
of HMR, SPIN and ROMP. Writes AMASS (SMPL+H), SMPL-X (the keys that GMR reads), smplcodec's .smpl,
BVH (--bvh_names=mixamo: Mixamo's names and a T-pose at rest) and GLB. The motion is moved to the
floor and starts at the origin, unless --noground is given. Takes 10 seconds, most of it
TensorFlow's start.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UserError
from experiments.runs.flag_definer import FlagDefiner

# Formats by the file ending of --output; .npz is ambiguous.
ENDINGS = {"amass": ".npz", "smplx": ".npz", "smpl": ".smpl", "bvh": ".bvh", "glb": ".glb"}
# The frame that readers of a format expect.
UP = {"amass": "z_up", "smplx": "z_up", "smpl": "model", "bvh": "model", "glb": "model"}


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.string(
        "parameters",
        None,
        "File of a body or motion to read (parameters.npz, AMASS, SMPL-X, .smpl, ...).",
    )
    f.string("output", None, "File to write: .npz, .smpl, .bvh or .glb.")
    f.enum(
        "format",
        "auto",
        ("auto", *ENDINGS),
        "Output format; auto: from the file ending (.npz: amass).",
    )
    f.enum(
        "up",
        "auto",
        ("auto", "y", "z"),
        "Axis that points up; auto: what readers of the format expect.",
    )
    f.integer("person", 1, "Number of the person, if the file holds several.", 1)
    f.bool("ground", True, "Move the motion onto the floor, above the origin.")
    f.enum("bvh_names", "smpl", ("smpl", "mixamo"), "Joint names in BVH; mixamo: T-pose at rest.")
    f.string(
        "body_model", None, "Body model file (default: the open body of the motion's gender)."
    )


def main(values) -> None:
    """Reads, converts and writes a motion.

    Args:
      values: the flags.
    """
    common.require(values, "parameters", "output")
    output = Path(values.output)
    kind = _format(values, output)
    if values.up == "z" and kind in ("bvh", "glb"):
        raise common.UsageError(f"--up=z: {kind} files always have y up; leave --up out")
    if not Path(values.parameters).is_file():
        raise UserError(f"{values.parameters}: no such file; give one with --parameters")
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from smpl_tf import load_model_data, motion_files

    motions = motion_files.read_motions(values.parameters)
    if values.person > len(motions):
        raise UserError(
            f"--person={values.person}: {values.parameters} has {len(motions)} people; give 1 to "
            f"{len(motions)}"
        )
    motion = motions[values.person - 1]
    body = load_model_data(values.body_model, motion.gender)
    frame = {"auto": UP[kind], "y": "model", "z": "z_up"}[values.up]
    motion = motion_files.in_frame(motion, frame, body)
    if values.ground:
        motion = motion_files.grounded(motion, body)
    output.parent.mkdir(parents=True, exist_ok=True)
    _write(output, kind, motion, body, values.bvh_names)
    print(f"{len(motion.pose)} frames at {motion.frame_rate:g} per second\nmotion  {output}")


def _format(values, output: Path) -> str:
    kinds = [kind for kind, ending in ENDINGS.items() if ending == output.suffix.lower()]
    if values.format == "auto":
        if not kinds:
            raise common.UsageError(
                f"--output={output}: expected a name ending in "
                f"{', '.join(dict.fromkeys(ENDINGS.values()))}"
            )
        return kinds[0]
    if values.format not in kinds:
        raise common.UsageError(
            f"--format={values.format} writes files ending in {ENDINGS[values.format]}, got "
            f"--output={output}"
        )
    return values.format


def _write(output: Path, kind: str, motion, body, names: str) -> None:
    from smpl_tf import bvh, mesh_io, motion_files
    from smpl_tf.model_data import shaped_vertices

    if kind == "bvh":
        joints = body.J_regressor @ shaped_vertices(body, motion.betas)
        bvh.write_bvh(
            *(output, motion.pose, motion.translation, joints),
            frame_rate=motion.frame_rate,
            names=names,
            rest="t_pose" if names == "mixamo" else "model",
        )
    elif kind == "glb":
        mesh_io.write_animated_glb(
            *(output, body, motion.betas, motion.pose, motion.translation),
            frame_rate=motion.frame_rate,
        )
    else:
        write = {
            "amass": motion_files.write_amass,
            "smplx": motion_files.write_smplx,
            "smpl": motion_files.write_smpl_codec,
        }
        write[kind](output, motion)


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
