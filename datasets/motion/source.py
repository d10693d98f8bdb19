"""Freely available motion as a data set: SMPL poses without pictures.

    bvh       any folder of .bvh files: CMU's conversions, 100STYLE, LAFAN1, Rokoko, your own
    acclaim   folders of .amc files, each next to the .asf of its person, as distributed by CMU
    aist      AIST++'s `motions/*.pkl`, which contain SMPL's parameters

Units, axes, names and rest poses of BVH and ASF are detected (`retargeting`). The people's shape
is unknown: the betas are zero, and `smpl/betas/valid` is 0.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from datasets import bodies as bodies_lib
from datasets import holding_out
from datasets.bodies import Bodies, Fits
from datasets.motion.acclaim import read_acclaim
from datasets.motion.bvh import read_bvh
from datasets.motion.retargeting import retarget
from datasets.motion.skeleton_motion import SkeletonMotion
from datasets.sources import BadItemError, Inventory, SourceError
from smpl_tf import file_kinds
from smpl_tf.model_data import unpickler

SETS = {"bvh": ".bvh", "acclaim": ".amc", "aist": ".pkl"}
FRAMES_PER_SECOND = 30  # approximately; more frames would be nearly equal
_AIST_RATE = 60.0
_TO_CAMERA = np.diag([1.0, -1.0, -1.0])  # y up, z to the viewer -> y down, z away
_MOST_ERROR = 0.05  # metres, mean over joints and frames; 3 mm for a correctly matched skeleton


@dataclasses.dataclass(frozen=True)
class Motion:
    """A split of a folder of motions; an item is a file.

    Attributes:
      dataset: one of SETS.
      root: the folder.
      split: "train" or "test".
      bodies: the neutral body is needed.
      every: take every n-th frame; None: about 30 a second.
      held_out: fraction of the files that is "test", drawn by their names; None: all are "train".
    """

    genders: ClassVar[tuple[str, ...]] = ("neutral",)

    dataset: str
    root: str
    split: str
    bodies: Bodies
    every: int | None = None
    held_out: float | None = None

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {"every": self.every, "held_out": self.held_out}

    def inventory(self) -> Inventory:
        """See `Source`."""
        return Inventory(len(_files(self.root, SETS[self.dataset])), None, "motions")

    def items(self) -> list[str]:
        """See `Source`; an item is a file's path from the root."""
        files = _files(self.root, SETS[self.dataset])
        return holding_out.part_of(files, self.held_out, self.split, self.root)

    def read(self, item: str) -> Iterator[dict[str, Any]]:
        """See `Source`."""
        path = Path(self.root) / item
        if self.dataset == "aist":
            pose, places, step = self._aist(path)
        else:
            motion = read_bvh(path) if self.dataset == "bvh" else _acclaim(path)
            pose, places, step = self._retargeted(motion)
        fits = Fits("neutral", pose, np.zeros((len(pose), 10)), places, betas_valid=False)
        yield from bodies_lib.motion_examples(
            fits, self.bodies, _TO_CAMERA, f"{self.dataset}/{item}", step
        )

    def _retargeted(self, motion: SkeletonMotion) -> tuple[np.ndarray, np.ndarray, int]:
        data = self.bodies.data("neutral")
        step = self._step(motion.frame_rate)
        found = retarget(motion.frames(step), data.J_regressor @ data.v_template)
        if found.errors.mean() > _MOST_ERROR:
            raise BadItemError(
                f"SMPL's joints stay {1000 * found.errors.mean():.0f} mm from its own: the "
                "skeleton cannot be matched"
            )
        return found.poses, found.translations, step

    def _aist(self, path: Path) -> tuple[np.ndarray, np.ndarray, int]:
        with file_kinds.open_file(path) as file:
            content = unpickler.load(file)
        arrays = {
            name: np.asarray(unpickler.to_plain(content[name]), np.float64)
            for name in ("smpl_poses", "smpl_trans", "smpl_scaling")
        }
        pose, places = arrays["smpl_poses"], arrays["smpl_trans"]
        if pose.ndim != 2 or pose.shape[1] != 72 or places.shape != (len(pose), 3):
            raise BadItemError(
                f"expected smpl_poses [T, 72] and smpl_trans [T, 3], got {list(pose.shape)} and "
                f"{list(places.shape)}"
            )
        step = self._step(_AIST_RATE)
        # Its people are scaled SMPL bodies, in centimetres.
        places = places / arrays["smpl_scaling"].ravel()[0]
        return pose.reshape(-1, 24, 3)[::step], places[::step], step

    def _step(self, frame_rate: float) -> int:
        return self.every or max(1, round(frame_rate / FRAMES_PER_SECOND))


def _acclaim(path: Path) -> SkeletonMotion:
    """Reads an .amc with the .asf of its person, whose name is the part before the number."""
    stem = path.stem.rpartition("_")[0] or path.stem
    candidates = [path.with_name(f"{stem}.asf"), *sorted(path.parent.glob("*.asf"))]
    known = [one for one in candidates if one.is_file()]
    if not known or (known[0].stem != stem and len(known) > 1):
        raise BadItemError(f"{stem}.asf, the skeleton of the motion, is not next to it")
    return read_acclaim(known[0], path)


@functools.lru_cache
def _files(root: str, ending: str) -> tuple[str, ...]:
    folder = Path(root)
    if not folder.is_dir():
        raise SourceError(f"{root}: no such folder; expected one of {ending} files")
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() == ending and path.is_file()
    )
    if not files:
        raise SourceError(f"{root}: contains no {ending} file")
    return tuple(files)
