"""Human3.6M from its official CDF files and videos.

Layout: `metadata.xml`, and per subject `MyPoseFeatures/D3_Positions_mono/<stem>.<camera>.cdf` or
`MyPoseFeatures/D3_Positions/<stem>.cdf`, `Videos/<stem>.<camera>.mp4`, and if wanted the official
boxes, `MySegmentsMat/ground_truth_bb/<stem>.<camera>.mat`.

Corrections: irregular names are looked up in the table of `metadata.xml`; millimetres become
  metres; pictures are undistorted, so that the camera is an exact pinhole camera; the capture (and
  box) of three sequences of S9, which is 20 cm off, is moved; one corrupt video is skipped.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import cdflib
import h5py
import numpy as np

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import sources, videos
from datasets.bodies import Bodies, Fits, PosedBodies
from datasets.human36m import metadata, smpl_parameters
from datasets.human36m.smpl_parameters import Clip
from datasets.sources import BadItemError, Inventory, Skip, SourceError
from smpl_tf import file_kinds, hdf5_files
from smpl_tf.camera import Camera
from smpl_tf.skeleton import H36M_17, SMPL_24, shared_points

# NBF's splits; SMPLR trains on train and val together. The other subjects' capture is not public.
SPLITS = {"train": ("S1", "S5", "S6", "S7"), "val": ("S8",), "test": ("S9", "S11")}
_VIDEOS_PER_SUBJECT = 15 * 2 * 4

# The 17 of the 32 captured points, in the order of H36M_17.
_POINTS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
_SHIFTED = {("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1")}  # subject, stem
_SHIFT = np.array([-0.2, 0, 0])  # metres in the world, the correction
_CORRUPT = {("S11", "Directions", 2, "54138969")}
_FRAMES_PER_ITEM = 50  # pictures are large

# SMPL's and the captured limb joints differ by some centimetres; a larger distance is a failed
# fit.
_LARGEST_FIT_ERROR = 0.08  # metres, mean over the limbs after subtracting their mean offset
_SMPL_LIMBS, _CAPTURED_LIMBS = shared_points(SMPL_24, H36M_17)


def read_examples(
    root: str,
    split: str,
    bodies: Bodies | None = None,
    smpl_path: str | None = None,
    every: int = 10,
) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a split, see `Human36M`."""
    return sources.read_examples(Human36M(root, split, bodies, smpl_path, every))


class Stretch(NamedTuple):
    """An item: some frames of one video."""

    clip: Clip
    start: int
    stop: int

    def __str__(self) -> str:
        """The item's name."""
        clip = self.clip
        return f"{clip.subject}/{clip.action}-{clip.trial}/{clip.camera}/{self.start:06d}"


@dataclasses.dataclass(frozen=True)
class Human36M:
    """A split of Human3.6M; every picture has captured points, and SMPL where fits are given.

    Attributes:
      root: the folder of `metadata.xml` and the subjects.
      split: "train", "val" or "test".
      bodies: the neutral one is needed with `smpl_path`.
      smpl_path: SMPL parameters in one of the forms of `smpl_parameters`, or None.
      every: take every n-th frame, as NBF does; the videos have 50 frames per second.
    """

    dataset: ClassVar[str] = "human36m"

    root: str
    split: str
    bodies: Bodies | None = None
    smpl_path: str | None = None
    every: int = 10

    @property
    def genders(self) -> tuple[str, ...]:
        """See `Source`."""
        return () if self.smpl_path is None else ("neutral",)

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {
            "every": self.every,
            "smpl_parameters": self.smpl_path is not None,
            "part_cut": bodies_lib.PART_CUT,
        }

    def inventory(self) -> Inventory:
        """See `Source`."""
        clips = self._clips()
        there = sum(_video(Path(self.root), clip).exists() for clip in clips)
        official = _VIDEOS_PER_SUBJECT * len(SPLITS[self.split])
        return Inventory(there, official, "videos")

    def items(self) -> list[Stretch]:
        """See `Source`."""
        root, length = Path(self.root), _FRAMES_PER_ITEM * self.every
        return [
            Stretch(clip, start, min(start + length, num_frames))
            for clip in self._clips()
            if _video(root, clip).exists()
            for num_frames in [_num_frames(root, clip)]
            for start in range(0, num_frames, length)
        ]

    def read(self, item: Stretch) -> Iterator[dict[str, Any] | Skip]:
        """See `Source`."""
        clip, root = item.clip, Path(self.root)
        if (clip.subject, clip.action, clip.trial, clip.camera) in _CORRUPT:
            raise BadItemError("the official video is corrupt")
        studio = metadata.read(root).cameras[clip.subject, clip.camera]
        points = _capture(root, clip)
        # Capture and video may differ in length by a frame.
        stop = min(item.stop, len(points), videos.num_frames(_video(root, clip)))
        frames = np.arange(item.start, stop, self.every)
        points = points[frames]
        posed, known = self._pose(clip, frames, points, studio)
        boxes = _official_boxes(root, clip, frames)
        pictures = videos.read_frames(_video(root, clip), frames.tolist())
        for index, (frame, picture) in enumerate(zip(frames, pictures, strict=True)):
            height, width = picture.shape[:2]
            camera = Camera(studio.intrinsics, width, height)
            maps = _undistortion(root, clip.subject, clip.camera, width, height)
            points_2d = camera.project(points[index]).numpy()
            fields = bodies_lib.box_around(points_2d, width, height)
            if not fields:
                yield Skip("no person is visible")
                continue
            if boxes is not None:
                fields = _undistorted_box(boxes[index], maps) or fields
            if posed is not None and known[index]:
                labels = posed.labels(posed.rasterize(index, camera))
                fields |= posed.fields(index, camera)
                fields |= bodies_lib.label_fields(labels) if labels.any() else {}
            name = f"{clip.subject}/{clip.action}-{clip.trial}/{clip.camera}"
            yield (
                example_lib.blank()
                | {
                    "id": f"human36m/{name}/{frame:06d}",
                    "source": f"human36m/{name}",
                    "image/encoded": videos.encode_jpeg(videos.undistort(picture, maps)),
                    "h36m/3d": points[index],
                    "h36m/3d/valid": np.ones(17, np.int64),
                }
                | bodies_lib.camera_fields(camera)
                | fields
            )

    def _clips(self) -> list[Clip]:
        sources.check_split("Human3.6M", self.split, SPLITS)
        root = Path(self.root)
        stems = metadata.read(root).stems
        if not any((root / subject).is_dir() for subject in SPLITS[self.split]):
            raise SourceError(
                f"{root}: no folder {' or '.join(SPLITS[self.split])}; unpack the archives there"
            )
        return [
            Clip(subject, action, trial, camera, stem)
            for (subject, action, trial), stem in stems.items()
            if subject in SPLITS[self.split]
            for camera in metadata.CAMERAS
        ]

    def _pose(
        self, clip: Clip, frames: np.ndarray, points: np.ndarray, studio: metadata.StudioCamera
    ) -> tuple[PosedBodies | None, np.ndarray]:
        """Returns the fitted bodies in the camera frame, and the frames that have a good one."""
        if self.smpl_path is None or not len(frames):
            return None, np.zeros(len(frames), bool)
        parameters = smpl_parameters.find(self.smpl_path)(clip, frames)
        translation = parameters.translation
        placed = translation is not None
        bodies = self.bodies or Bodies()
        fits = Fits(
            gender="neutral",
            pose=parameters.pose,
            betas=parameters.betas,
            translation=np.zeros((len(frames), 3)) if translation is None else translation,
        )
        data = bodies.data("neutral")
        rotation = studio.rotation if placed else np.eye(3)
        shift = -studio.rotation @ studio.centre if placed else np.zeros(3)
        fits = bodies_lib.to_frame(fits, data, rotation, shift)
        posed = bodies_lib.pose_bodies(fits, bodies, vertices=True)
        gaps = points[:, _CAPTURED_LIMBS] - posed.joints[:, _SMPL_LIMBS]
        offset = gaps.mean(1, keepdims=True)
        error = np.linalg.norm(gaps - offset, axis=-1).mean(1)
        if not placed:  # move them to the captured limbs
            posed = posed.moved(offset[:, 0])
        return posed, parameters.known & (error < _LARGEST_FIT_ERROR)


def _video(root: Path, clip: Clip) -> Path:
    return root / clip.subject / "Videos" / f"{clip.stem}.{clip.camera}.mp4"


def _capture_file(root: Path, clip: Clip) -> tuple[Path, bool]:
    """Returns the file of a clip's 3D points, and whether they are in the camera frame."""
    folder = root / clip.subject / "MyPoseFeatures"
    in_camera = folder / "D3_Positions_mono" / f"{clip.stem}.{clip.camera}.cdf"
    if in_camera.exists():
        return in_camera, True
    return folder / "D3_Positions" / f"{clip.stem}.cdf", False


def _num_frames(root: Path, clip: Clip) -> int:
    """Returns the number of captured frames; 1 if unreadable, so that the clip gets listed."""
    try:
        return _read_cdf(_capture_file(root, clip)[0]).varinq("Pose").Dim_Sizes[0]
    except Exception:  # the CDF reader raises many kinds of errors on damaged files
        return 1


def _capture(root: Path, clip: Clip) -> np.ndarray:
    """Returns the corrected captured points of a clip, [N, 17, 3] metres in the camera frame."""
    path, in_camera = _capture_file(root, clip)
    pose = np.float64(_read_cdf(path).varget("Pose"))
    if pose.ndim != 3 or pose.shape[0] != 1 or pose.shape[2] != 96:
        raise BadItemError(f"{path.name}: Pose has shape {pose.shape} instead of (1, N, 96)")
    points = pose[0].reshape(-1, 32, 3)[:, _POINTS] / 1000
    studio = metadata.read(root).cameras[clip.subject, clip.camera]
    if not in_camera:
        points = (points - studio.centre) @ studio.rotation.T
    if (clip.subject, clip.stem) in _SHIFTED:
        points = points + studio.rotation @ _SHIFT
    return points


def _official_boxes(root: Path, clip: Clip, frames: np.ndarray) -> np.ndarray | None:
    """Returns [T, 4] left, top, right, bottom in the distorted pictures, or None if missing."""
    name = f"{clip.stem}.{clip.camera}.mat"
    path = root / clip.subject / "MySegmentsMat" / "ground_truth_bb" / name
    if not path.exists() or (clip.subject, clip.stem) in _SHIFTED:
        return None
    file_kinds.check_ordinary(path)
    with h5py.File(path) as file:
        references = hdf5_files.dataset(file, "Masks")
        rows = np.minimum(frames, len(references) - 1)
        found = (hdf5_files.checked(file[references[row, 0]]) for row in rows)
        masks = (mask[()].T for mask in found)  # MATLAB stores columns first
        return np.array([bodies_lib.box_of(mask)["person/box"] for mask in masks]).reshape(-1, 4)


def _undistorted_box(box: np.ndarray, maps: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Returns the person's box in the undistorted picture; nothing if it is outside."""
    x, y = (places + 0.5 for places in maps)
    inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    return bodies_lib.box_of(inside) if inside.any() else {}


def _read_cdf(path: Path) -> cdflib.CDF:
    if not path.exists():
        raise BadItemError(f"{path.name}: not found")
    file_kinds.check_ordinary(path)
    return cdflib.CDF(path)


@functools.lru_cache
def _undistortion(
    root: Path, subject: str, camera: str, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    studio = metadata.read(root).cameras[subject, camera]
    return videos.undistortion(studio.intrinsics, studio.distortion, width, height)
