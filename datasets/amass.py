"""AMASS: motion capture as SMPL+H parameters, without pictures.

Layout: `<data set>/<subject>/<sequence>_poses.npz` next to a `shape.npz` without motion; some
  archives unpack to `CMU/CMU/<subject>/…`. From the SMPL-X release, `*_stageii.npz`, the 22 joints
  that SMPL has too are read if a sequence does not exist as SMPL+H; its shape space is different,
  so the betas are zero.

Conversions: the world's z is up, our y points down the picture; the finger joints are left out and
SMPL's two hand joints are straight. The betas are SMPL+H's: close to SMPL's but not equal, hence
`smpl/betas/valid` is 0.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import sources
from datasets.bodies import Bodies, Fits
from datasets.sources import BadItemError, Inventory, SourceError
from smpl_tf import array_files

# The split of AMASS's authors by data set; later releases renamed some of the folders.
SPLITS = {
    "train": (
        *("CMU", "MPI_Limits", "PosePrior", "TotalCapture", "Eyes_Japan_Dataset", "ACCAD"),
        *("EyesJapanDataset", "KIT", "BML", "BMLhandball", "BMLmovi", "BMLrub", "EKUT"),
        # BMLrub's folder in the SMPL+H release.
        *("TCD_handMocap", "TCDHands", "BioMotionLab_NTroje"),
    ),
    "val": ("HumanEva", "MPI_HDM05", "HDM05", "SFU", "MPI_mosh", "MoSh"),
    "test": ("Transitions_mocap", "Transitions", "SSM_synced", "SSM"),
}
# World (z up) to a camera that looks along the world's y: x right, y down, z away.
_WORLD_TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_DEPTHS = ("*", "*/*")  # depths of subjects' folders: with and without the archive's folder
_BODY_JOINTS = 22  # of SMPL+H's 52 and SMPL-X's 55, the same as SMPL's first
_WIDTHS = {"poses": 156, "stageii": 165}  # of a pose: SMPL+H's, SMPL-X's


def read_examples(root: str, split: str, bodies: Bodies, every: int = 4) -> Iterator[dict]:
    """Yields the Examples of a split, see `AMASS`."""
    return sources.read_examples(AMASS(root, split, bodies, every))


@dataclasses.dataclass(frozen=True)
class AMASS:
    """A split of AMASS; an item is a sequence. Data sets outside the official split are not read.

    Attributes:
      root: the folder of the data sets.
      split: "train", "val" or "test".
      bodies: for the genders that occur.
      every: take every n-th frame; most sequences have 120 a second.
    """

    dataset: ClassVar[str] = "amass"
    genders: ClassVar[tuple[str, ...]] = ("female", "male")

    root: str
    split: str
    bodies: Bodies
    every: int = 4

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {"every": self.every, "betas": "SMPL+H"}

    def inventory(self) -> Inventory:
        """See `Source`."""
        return Inventory(len(self.items()), None, "sequences")

    def left_out(self) -> tuple[str, ...]:
        """Lists the folders that belong to none of the splits, one line each."""
        return _left_out(Path(self.root))

    def items(self) -> list[str]:
        """See `Source`; an item is <data set>/<subject>/<sequence>_poses or _stageii."""
        return _sequences(Path(self.root), self.split)

    def read(self, item: str) -> Iterator[dict[str, Any]]:
        """See `Source`."""
        path = Path(self.root) / f"{item}.npz"
        file = array_files.read_npz(path, ("poses", "trans", "betas", "gender"))
        poses, translation = np.float64(file["poses"]), np.float64(file["trans"])
        release = item.rpartition("_")[2]
        betas = np.float64(file["betas"][:10]) if release == "poses" else np.zeros(10)
        gender = _gender(file["gender"])
        if poses.shape[1:] != (_WIDTHS[release],):
            raise BadItemError(
                f"poses have shape {poses.shape} instead of (N, {_WIDTHS[release]})"
            )
        poses, translation = poses[:: self.every], translation[:: self.every]
        pose = np.zeros((len(poses), 24, 3))
        pose[:, :_BODY_JOINTS] = poses[:, : 3 * _BODY_JOINTS].reshape(-1, _BODY_JOINTS, 3)
        fits = Fits(gender, pose, np.tile(betas, (len(pose), 1)), translation, betas_valid=False)
        yield from bodies_lib.motion_examples(
            fits, self.bodies, _WORLD_TO_CAMERA, f"amass/{item}", self.every
        )


def _gender(value: np.ndarray) -> str:
    """Decodes b"female", "female" and the like."""
    text = value.item()
    text = text.decode() if isinstance(text, bytes) else str(text)
    if text not in example_lib.GENDERS:
        raise BadItemError(f"unknown gender {text!r}")
    return text


@functools.lru_cache
def _sequences(root: Path, split: str) -> list[str]:
    sources.check_split("AMASS", split, SPLITS)
    known = [name for names in SPLITS.values() for name in names]
    if not any((root / name).is_dir() for name in known):
        raise SourceError(
            f"{root}: contains none of AMASS's data sets; expected folders such as CMU/ or KIT/"
        )
    paths = [
        path
        for name in SPLITS[split]
        for depth in _DEPTHS
        for release in _WIDTHS
        for path in (root / name).glob(f"{depth}/*_{release}.npz")
    ]
    names = {str(path.relative_to(root).with_suffix("")) for path in paths}
    return sorted(
        name
        for name in names
        if not name.endswith("_stageii") or f"{name.removesuffix('_stageii')}_poses" not in names
    )


@functools.lru_cache
def _left_out(root: Path) -> tuple[str, ...]:
    known = {name for names in SPLITS.values() for name in names}
    lines = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        motions = sum(
            1
            for depth in _DEPTHS
            for release in _WIDTHS
            for _ in folder.glob(f"{depth}/*_{release}.npz")
        )
        if motions and folder.name not in known:
            lines.append(
                f"{folder.name}: {motions} sequences are in none of AMASS's official splits"
            )
    return tuple(lines)
