"""HumanEva-I: four people in a studio, seen by three colour cameras, with motion capture.

Layout: `S{1,2,3}/Image_Data/<action>_1_(C1).avi`, `S*/Calibration_Data/C1.cal`, and the motion
capture as VideoPose3D's MATLAB script converts it:
`converted_15j/{Train,Validate}/S1/<action>_1.mat` (the original needs the MATLAB release code).
Only trial 1 has both; S4 and trial 2 have no public ground truth.

Corrections: capture and video are synchronised; millimetres become metres in the camera frame;
  pictures are undistorted; lost markers (NaN or 0) become invalid points.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import matlab, sources, videos
from datasets.bodies import Bodies
from datasets.sources import BadItemError, Inventory, Skip, SourceError
from smpl_tf import file_kinds
from smpl_tf.camera import Camera
from smpl_tf.skeleton import H36M_17

OFFICIAL_COUNT = 15  # sequences of each split: 3 subjects, 5 actions
CAMERAS = ("C1", "C2", "C3")
_FOLDERS = {"train": "Train", "val": "Validate"}

# (subject, action) -> last captured frame of the validation part and of the training part. Frames
# count from 1; the validation part begins at frame 5 since the video's first frames repeat. Source
# of this and the next table: VideoPose3D.
_ENDS = {
    **{("S1", action): ends for action, ends in {
        "Walking": (590, 1203), "Jog": (367, 740), "ThrowCatch": (473, 945),
        "Gestures": (395, 801), "Box": (385, 789)}.items()},
    **{("S2", action): ends for action, ends in {
        "Walking": (438, 876), "Jog": (398, 795), "ThrowCatch": (550, 1128),
        "Gestures": (500, 901), "Box": (382, 734)}.items()},
    **{("S3", action): ends for action, ends in {
        "Walking": (448, 939), "Jog": (401, 842), "ThrowCatch": (493, 1027),
        "Gestures": (533, 1102), "Box": (512, 1021)}.items()},
}  # fmt: skip
_FIRST_FRAME = 5

# (subject, action) -> by how many frames each camera's video is ahead of the capture.
_VIDEO_OFFSETS = {
    **{("S1", action): offsets for action, offsets in {
        "Walking": (82, 81, 82), "Jog": (51, 51, 50), "ThrowCatch": (61, 61, 60),
        "Gestures": (45, 45, 44), "Box": (57, 57, 56)}.items()},
    **{("S2", action): offsets for action, offsets in {
        "Walking": (115, 115, 114), "Jog": (100, 100, 99), "ThrowCatch": (127, 127, 127),
        "Gestures": (122, 122, 121), "Box": (119, 119, 117)}.items()},
    **{("S3", action): offsets for action, offsets in {
        "Walking": (80, 80, 80), "Jog": (65, 65, 65), "ThrowCatch": (79, 79, 79),
        "Gestures": (83, 83, 82), "Box": (1, 1, 1)}.items()},
}  # fmt: skip
_DAMAGED = {("S3", "ThrowCatch")}  # its capture

# The point of H36M_17 for each of the 15; the head's centre has no counterpart (and the head
# marker of S3's Walking slipped to the chest).
_TO_H36M = {
    0: "pelvis_h36m",
    1: "neck_h36m",  # the thorax
    2: "left_shoulder",
    3: "left_elbow",
    4: "left_wrist",
    5: "right_shoulder",
    6: "right_elbow",
    7: "right_wrist",
    8: "left_hip_h36m",
    9: "left_knee",
    10: "left_ankle",
    11: "right_hip_h36m",
    12: "right_knee",
    13: "right_ankle",
}


def read_examples(root: str, split: str, every: int = 1) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a split, see `HumanEva`."""
    return sources.read_examples(HumanEva(root, split, every))


class Clip(NamedTuple):
    """An item: the frames of a split in one sequence and one camera."""

    subject: str
    action: str
    camera: str

    def __str__(self) -> str:
        """The item's name."""
        return f"{self.subject}/{self.action}_1_({self.camera})"


@dataclasses.dataclass(frozen=True)
class HumanEva:
    """A split of HumanEva-I; the 14 points that Human3.6M also has are in `h36m/3d`.

    Attributes:
      root: the folder of S1, S2, S3 and converted_15j.
      split: "train" or "val", the usual test split.
      every: take every n-th frame.
    """

    dataset: ClassVar[str] = "humaneva"
    genders: ClassVar[tuple[str, ...]] = ()
    bodies: ClassVar[Bodies | None] = None

    root: str
    split: str
    every: int = 1

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {"every": self.every}

    def inventory(self) -> Inventory:
        """See `Source`."""
        return Inventory(len(self._sequences()), OFFICIAL_COUNT, "sequences")

    def items(self) -> list[Clip]:
        """See `Source`."""
        return [
            Clip(*sequence, camera)
            for sequence in self._sequences()
            if sequence not in _DAMAGED
            for camera in CAMERAS
        ]

    def read(self, item: Clip) -> Iterator[dict[str, Any] | Skip]:
        """See `Source`."""
        rows = self._capture(item)
        first = _FIRST_FRAME if self.split == "val" else _ENDS[item[:2]][0]
        offset = _VIDEO_OFFSETS[item[:2]][CAMERAS.index(item.camera)] - 1
        calibration = _calibration(Path(self.root), item.subject, item.camera)
        points = rows @ calibration.rotation.T + calibration.translation
        known = np.isfinite(rows).all(-1) & rows.any(-1)
        chosen = range(0, len(rows), self.every)
        path = Path(self.root) / item.subject / "Image_Data"
        path /= f"{item.action}_1_({item.camera}).avi"
        pictures = videos.read_frames(path, [first + offset + row for row in chosen])
        for row, picture in zip(chosen, pictures, strict=True):
            if not known[row].any():
                yield Skip("no marker was seen")
                continue
            height, width = picture.shape[:2]
            camera = Camera(calibration.intrinsics, width, height)
            maps = _undistortion(Path(self.root), item.subject, item.camera, width, height)
            picture = videos.undistort(picture, maps)
            points_3d, valid = np.zeros((17, 3)), np.zeros(17, np.int64)
            for source, name in _TO_H36M.items():
                if known[row, source]:
                    points_3d[H36M_17.index(name)] = points[row, source] / 1000
                    valid[H36M_17.index(name)] = 1
            points_2d = camera.project(points_3d[valid > 0]).numpy()
            frame = first + row
            yield (
                example_lib.blank()
                | {
                    "id": f"humaneva/{item}/{frame:06d}",
                    "source": f"humaneva/{item}",
                    "image/encoded": videos.encode_jpeg(picture),
                    "h36m/3d": points_3d,
                    "h36m/3d/valid": valid,
                }
                | bodies_lib.camera_fields(camera)
                | bodies_lib.box_around(points_2d, width, height)
            )

    def _sequences(self) -> list[tuple[str, str]]:
        return _sequences(Path(self.root), self.split)

    def _capture(self, item: Clip) -> np.ndarray:
        """The captured points of a split, [N, 15, 3] millimetres in the world."""
        path = _capture_path(Path(self.root), self.split, item.subject, item.action)
        rows = np.float64(matlab.load(path)["poses_3d"])
        validated, trained = _ENDS[item[:2]]
        expected = validated - _FIRST_FRAME if self.split == "val" else trained - validated
        if rows.shape != (expected, 15, 3):
            raise BadItemError(
                f"{path.name}: poses_3d of shape {rows.shape} instead of ({expected}, 15, 3); "
                "convert it with the official critical update in place"
            )
        return rows


class Calibration(NamedTuple):
    """A `.cal` file; world to camera is rotation x + translation, millimetres."""

    intrinsics: np.ndarray  # [3, 3] pixels
    lens: tuple[float, ...]  # k1, k2, p1, p2, k3
    rotation: np.ndarray  # [3, 3]
    translation: np.ndarray  # [3]

    def distortion(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distorts normalised coordinates like the lens (the toolbox's and OpenCV's model)."""
        k1, k2, p1, p2, k3 = self.lens
        squared = x * x + y * y
        radial = 1 + squared * (k1 + squared * (k2 + squared * k3))
        return (
            x * radial + 2 * p1 * x * y + p2 * (squared + 2 * x * x),
            y * radial + 2 * p2 * x * y + p1 * (squared + 2 * y * y),
        )


@functools.lru_cache
def _calibration(root: Path, subject: str, camera: str) -> Calibration:
    folders = [path for path in (root / subject).iterdir() if path.is_dir()]
    folder = next((path for path in folders if path.name.lower() == "calibration_data"), None)
    if folder is None:
        raise BadItemError(f"{subject}: no folder Calibration_Data")
    numbers = np.array(
        file_kinds.read_bytes(folder / f"{camera}.cal").decode().split(), np.float64
    )
    if len(numbers) != 22:
        raise BadItemError(f"{camera}.cal has {len(numbers)} numbers instead of 22")
    fx, fy, cx, cy, skew = numbers[:5]
    return Calibration(
        intrinsics=np.array([[fx, skew * fx, cx], [0, fy, cy], [0, 0, 1]]),
        lens=tuple(numbers[5:10]),
        rotation=numbers[10:19].reshape(3, 3),
        translation=numbers[19:],
    )


@functools.lru_cache
def _undistortion(
    root: Path, subject: str, camera: str, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    calibration = _calibration(root, subject, camera)
    return videos.undistortion(calibration.intrinsics, calibration.distortion, width, height)


def _capture_path(root: Path, split: str, subject: str, action: str) -> Path:
    return root / "converted_15j" / _FOLDERS[split] / subject / f"{action}_1.mat"


@functools.lru_cache
def _sequences(root: Path, split: str) -> list[tuple[str, str]]:
    sources.check_split("HumanEva-I", split, _FOLDERS)
    if not (root / "converted_15j").is_dir():
        raise SourceError(
            f"{root}: no folder converted_15j; run VideoPose3D's ConvertHumanEva.m first and put "
            "its output next to S1, S2 and S3"
        )
    return [key for key in _ENDS if _capture_path(root, split, *key).exists()]
