"""Reads `metadata.xml` of Human3.6M's release code: names of files, and cameras."""

import functools
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from datasets.sources import SourceError
from smpl_tf import file_kinds

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
# The names of the actions 2..16; the files' names differ between subjects.
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog"),
    "WalkTogether",
)
_FIRST_ACTION = 2  # 1 is calibration ("_ALL")
_NUM_SUBJECTS = 11
_ROWS = 32  # rows of the table of names below its header; later rows are other data
_NUMBERS = 4 * _NUM_SUBJECTS * 6 + 4 * 9


class StudioCamera(NamedTuple):
    """One camera as placed for one subject; x_camera = rotation (x_world - centre)."""

    intrinsics: np.ndarray  # [3, 3] pixels
    radial: np.ndarray  # k1, k2, k3
    tangential: np.ndarray  # p1, p2
    rotation: np.ndarray  # [3, 3]
    centre: np.ndarray  # [3] metres, world

    def distortion(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Applies the lens distortion of the release code to normalised coordinates.

        The tangential terms are half of OpenCV's on the diagonal.
        """
        squared = x * x + y * y
        radial = np.polynomial.polynomial.polyval(squared, [1, *self.radial])
        p1, p2 = self.tangential
        scale = radial + p1 * y + p2 * x
        return x * scale + p2 * squared, y * scale + p1 * squared


class Metadata(NamedTuple):
    """The parts of `metadata.xml` that readers need.

    Attributes:
      stems: (subject, action, trial) -> name of its files without camera and ending; a subject is
        like "S1", an action one of ACTIONS, a trial 1 or 2.
      cameras: (subject, camera) -> StudioCamera.
    """

    stems: dict[tuple[str, str, int], str]
    cameras: dict[tuple[str, str], StudioCamera]


@functools.lru_cache
def read(root: Path) -> Metadata:
    """Reads `metadata.xml`.

    Args:
      root: of the data set.

    Returns:
      Names and cameras.

    Raises:
      SourceError: the file is missing or not as released.
    """
    places = (root / "metadata.xml", root / "Release-v1.2" / "metadata.xml")
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise SourceError(f"{places[0]}: not found; it comes in code-v1.2.zip of Human3.6M's site")
    try:
        tree = ET.fromstring(file_kinds.read_bytes(path))
        rows = [[cell.text for cell in row] for row in tree.iterfind("mapping/*")]
        numbers = re.findall(r"[-+.\deE]+", tree.findtext("w0", ""))
    except (ET.ParseError, TypeError) as error:
        raise SourceError(f"{path}: not Human3.6M's metadata ({error}); get it again") from error
    if len(numbers) != _NUMBERS or len(rows) <= _ROWS:
        raise SourceError(
            f"{path}: expected {_NUMBERS} numbers in w0 and {_ROWS} rows of names, got "
            f"{len(numbers)} and {len(rows) - 1}; download it again"
        )
    return Metadata(_stems(rows), _cameras(np.array(numbers, np.float64)))


def _stems(rows):
    subjects = rows[0][2:]
    stems = {}
    for action, trial, *names in rows[1 : _ROWS + 1]:
        if int(action) >= _FIRST_ACTION:
            key = ACTIONS[int(action) - _FIRST_ACTION], int(trial)
            stems.update({(who, *key): name for who, name in zip(subjects, names, strict=True)})
    return stems


def _cameras(numbers):
    poses = numbers[: -4 * 9].reshape(4, _NUM_SUBJECTS, 6)
    lenses = numbers[-4 * 9 :].reshape(4, 9)
    cameras = {}
    for name, own_poses, (fx, fy, cx, cy, *lens) in zip(CAMERAS, poses, lenses, strict=True):
        for subject, pose in enumerate(own_poses, start=1):
            cameras[f"S{subject}", name] = StudioCamera(
                intrinsics=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
                radial=np.array(lens[:3]),
                tangential=np.array(lens[3:]),
                rotation=Rotation.from_euler("XYZ", pose[:3]).as_matrix(),
                centre=pose[3:] / 1000,
            )
    return cameras
