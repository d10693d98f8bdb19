"""Builds the open body: `python -m smpl_tf.open_body.build --output open_body.npz`.

Needs scikit-image (`pip install neural-body-fitting[build_body]`). Two minutes on an idle core.
The same versions of NumPy, SciPy and scikit-image give the same file; others may move vertices by
rounding errors or even reorder them, so the shipped file is never replaced: checkpoints contain
its fingerprint.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from smpl_tf.open_body import data_file, landmarks, meshing, pose_blends, shape_space, skinning
from smpl_tf.open_body.anatomy import MEAN, REFERENCE
from smpl_tf.open_body.implicit_surface import ImplicitBody
from smpl_tf.skeleton import SMPL_24

SEED = 2018
PEOPLE = 160  # sampled per sex


def fit(
    samples: Mapping[str, tuple[np.ndarray, np.ndarray]],
    faces: np.ndarray,
    mirror: np.ndarray,
    weights: np.ndarray,
    seeds: Iterator[np.random.SeedSequence],
    bar: tqdm,
) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """Fits the bodies of both sexes and of all people together.

    Args:
      samples: for "male" and "female" meshes `[N, V, 3]` and joints `[N, 24, 3]`, metres.
      faces: `[F, 3]`. mirror: `[V]`. weights: `[V, 24]`.
      seeds: iterator of three `numpy.random.SeedSequence`.
      bar: progress bar, advanced by one for each body.

    Returns:
      `shared` and `bodies` as `data_file.write` takes them.
    """
    pooled = zip(samples["male"], samples["female"], strict=True)
    meshes, rigs = (np.concatenate(arrays) for arrays in pooled)
    samples = {**samples, "neutral": (meshes, rigs)}
    bodies = {}
    for gender in data_file.GENDERS:
        bar.set_description(f"{gender} body")
        meshes, rigs = samples[gender]
        template, shapedirs = shape_space.principal_components(meshes, faces, mirror)
        regressor = shape_space.joint_regressor(meshes, rigs, mirror)
        rng = np.random.default_rng(next(seeds))
        bodies[gender] = {
            "v_template": template,
            "shapedirs": shapedirs,
            "posedirs": pose_blends.pose_blend_shapes(
                template, regressor @ template, weights, mirror, rng
            ),
            "J_regressor": regressor,
        }
        bar.update()
    template, regressor = (bodies["neutral"][key] for key in ("v_template", "J_regressor"))
    shared = {
        "faces": faces,
        "parents": np.array(SMPL_24.parents),
        "vertex_mirror": mirror,
        "weights": weights,
        "landmarks": landmarks.place_landmarks(template, regressor @ template, weights, mirror),
    }
    return shared, bodies


def build(
    people: int = PEOPLE, progress: bool = True
) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """Makes the body's arrays from the numbers in this package alone.

    Args:
      people: how many to sample per sex.
      progress: whether to show a bar.

    Returns:
      `shared` and `bodies` as `data_file.write` takes them.
    """
    bar = tqdm(total=2 * people + 4, desc="mesh", unit="step", disable=not progress)
    body = ImplicitBody(REFERENCE)
    vertices, faces, mirror = meshing.mesh(body)
    weights = skinning.skinning_weights(
        vertices, faces, mirror, body.joints, body.physique.stature
    )
    bar.update()

    def watched(people_to_draw):
        for deviations in people_to_draw:
            yield deviations
            bar.update()

    seeds = iter(np.random.SeedSequence(SEED).spawn(5))
    samples = {}
    for sex, mean in MEAN.items():
        bar.set_description(f"{sex} people")
        mean_mesh, _ = shape_space.reshape(vertices, weights, mirror, REFERENCE, mean, steps=3)
        samples[sex] = shape_space.sample_people(
            mean_mesh, weights, mirror, mean, people, np.random.default_rng(next(seeds)), watched
        )
    result = fit(samples, faces, mirror, weights, seeds, bar)
    bar.close()
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    try:
        import skimage.measure  # noqa: F401
    except ImportError:
        sys.exit(
            "building the open body needs scikit-image: "
            "pip install 'neural-body-fitting[build_body]'"
        )
    try:
        data_file.write(options.output, *build())
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
