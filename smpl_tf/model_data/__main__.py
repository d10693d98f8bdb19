"""Describes a body model file, and converts it.

python -m smpl_tf.model_data FILE [--gender female] [--output x.h5]
"""

import argparse
import os
import sys

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from smpl_tf import text_files
from smpl_tf.errors import one_line
from smpl_tf.model_data import SMPLModelData, load_model_data, save_model_data


def describe(data: SMPLModelData) -> str:
    """Describes a body: its shapes, its name and fingerprint, and whether its numbers look right.

    Args:
      data: the body.

    Returns:
      Some lines of text.
    """
    height = np.ptp(data.v_template[:, 1])
    influences = (data.weights > 0.0).sum(axis=1).max()
    lines = [
        f"name         {data.name}",
        f"gender       {data.gender}",
        f"fingerprint  {data.fingerprint}",
        f"vertices     {data.num_vertices}",
        f"faces        {len(data.faces)}",
        f"joints       {data.num_joints}",
        f"betas        {data.num_betas}",
        f"landmarks    {len(data.landmarks)}",
    ]
    if data.extra_regressor is not None:
        lines.append(f"extra joints {len(data.extra_regressor)}")
    checks = {
        f"template is {height:.2f} m tall": 1.0 < height < 2.5,
        f"skinning weights sum to 1, at most {influences} per vertex": np.allclose(
            data.weights.sum(axis=1), 1.0, atol=1e-3
        ),
        "joint regressor's rows sum to 1": np.allclose(
            data.J_regressor.sum(axis=1), 1.0, atol=1e-3
        ),
        "faces name existing vertices": data.faces.min(initial=0) >= 0
        and data.faces.max(initial=-1) < data.num_vertices,
        "mesh is closed": _is_closed(data.faces),
    }
    lines += [
        f"{'ok  ' if passed else 'ODD '}         {check}" for check, passed in checks.items()
    ]
    return "\n".join(lines)


def _is_closed(faces):
    """Whether each edge of the mesh runs once in each direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = (np.unique(pairs, axis=0) for pairs in (edges, edges[:, ::-1]))
    return len(there) == len(edges) and np.array_equal(there, back)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m smpl_tf.model_data", description="Describe a body model file."
    )
    parser.add_argument("file", help="a body model: .pkl, .npz or .h5")
    parser.add_argument(
        "--gender",
        default="neutral",
        choices=("neutral", "female", "male"),
        help="which body of a file that holds all three",
    )
    parser.add_argument("--output", help="also convert it to this .h5 file")
    for stream in (sys.stdout, sys.stderr):
        text_files.tolerate_any_text(stream)
    arguments = parser.parse_args()
    try:
        data = load_model_data(arguments.file, arguments.gender)
        print(describe(data))
        if arguments.output:
            save_model_data(data, arguments.output)
            print(f"written to   {arguments.output}")
    except (ValueError, OSError) as error:
        print(one_line(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
