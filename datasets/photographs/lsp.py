"""Leeds Sports Pose and its extension: one person per picture, 14 points in `joints.mat`.

    joints.mat           LSP: joints [3, 14, 2000]; LSPET: [14, 3, 10000]; both layouts are read
    images/im0001.jpg    LSP; im00001.jpg in LSPET; .png next to joints.mat in the release of high
                         resolution

The third number of a point is 1 where it is hidden in LSP, and 1 where it is visible in LSPET,
whose other points were not annotated and have meaningless coordinates. LSP's hidden points are
annotated. Coordinates count from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets import matlab
from datasets.photographs.annotations import (
    HIDDEN,
    ONE_BASED,
    AnnotatedPicture,
    existing,
    person_of_points,
)
from datasets.sources import BadItemError, SourceError
from smpl_tf.skeleton import LSP_14

SPLITS = {"train": range(1000), "test": range(1000, 2000)}  # of LSP; LSPET is training data


class LSP:
    """The photographs of LSP or LSPET.

    Args:
      source: the folder of `joints.mat`.
      split: "train" or "test" of LSP; None: all.
      extended: whether this is LSPET.

    Raises:
      SourceError: `joints.mat` is missing, damaged, or of the other set; or the split does not
        exist.
    """

    def __init__(self, source: Path, split: str | None = None, extended: bool = False):
        self.source = source
        self.extended = extended
        self._joints = _read_joints(source / "joints.mat")
        flags = self._joints[:, :, 2]
        if flags.size and (flags.mean() < 0.5 if extended else flags.mean() > 0.5):
            raise SourceError(
                f"{source / 'joints.mat'}: {flags.mean():.0%} of the points are marked with 1; "
                f"expected {'most' if extended else 'few'} in {'LSPET' if extended else 'LSP'}: "
                f"read it as {'LSP' if extended else 'LSPET'}"
            )
        self._numbers = self._of_split(split)

    def items(self) -> Sequence[str]:
        """Lists the pictures by their names without ending."""
        digits = 5 if self.extended else 4
        return [f"im{number + 1:0{digits}}" for number in self._numbers]

    def read(self, item: str) -> AnnotatedPicture:
        """Reads the person of one picture.

        Raises:
          BadItemError: the picture is missing, or no point is annotated.
        """
        folders = (self.source / "images", self.source)
        path = existing([f / f"{item}{end}" for f in folders for end in (".jpg", ".png")])
        if path is None:
            raise BadItemError(f"no {item}.jpg or {item}.png in {folders[0]} or next to it")
        points = self._joints[int(item.removeprefix("im")) - 1]
        if self.extended:
            visibility = points[:, 2]
        else:
            visibility = np.where(points[:, 2] > 0, HIDDEN, 1.0)
        person = person_of_points(LSP_14, points[:, :2] + ONE_BASED, visibility)
        if not person.visibility.any():
            raise BadItemError("no point is annotated")
        return AnnotatedPicture(path, [person])

    def _of_split(self, split: str | None) -> Sequence[int]:
        if split is None:
            return range(len(self._joints))
        whole = len(self._joints) == 2000 and not self.extended
        if split not in SPLITS or not whole:
            raise SourceError(
                f"{self.source}: no split {split!r} of {len(self._joints)} pictures; only the "
                "2000 pictures of LSP have splits, train and test: leave it out"
            )
        return SPLITS[split]


def _read_joints(path: Path) -> np.ndarray:
    """`[N, 14, 3]`, whichever the layout."""
    try:
        joints = np.asarray(matlab.load(path)["joints"], np.float64)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; give the folder with joints.mat") from None
    except Exception as error:  # SciPy raises many kinds of errors on damaged files
        raise SourceError(f"{path}: expected a .mat file with `joints` ({error})") from error
    if joints.ndim == 2:  # MATLAB drops the last axis of a single picture
        joints = joints[..., None]
    if joints.ndim == 3 and joints.shape[:2] == (3, 14):
        return joints.transpose(2, 1, 0)
    if joints.ndim == 3 and joints.shape[:2] == (14, 3):
        return joints.transpose(2, 0, 1)
    raise SourceError(
        f"{path}: expected joints [3, 14, N] or [14, 3, N], got {list(joints.shape)}"
    )
