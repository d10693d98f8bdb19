"""SURREAL: synthetic people with motion of the CMU mocap set, in clips of up to 100 frames.

Layout: `cmu/{train,val,test}/run{0,1,2}/<sequence>/<sequence>_c%04d{.mp4,_info.mat,_segm.mat}`.

Corrections: the rendered world is the mirror image of the SMPL bodies, so pictures, labels and 2D
  joints are mirrored back and the camera becomes a proper one; the root rotation is converted from
  the mocap frame, before `zrot`, to the camera. Clips of one frame lack a dimension in their .mat
  files. The official val split is a part of the test split: the ids differ, the clips are the
  same.

The joints are SURREAL's own: they come from a coarser regressor than SMPL's (surreal issue 10),
so the joints of the posed body differ from them by its offsets, at most a few centimetres.
"""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tqdm
from scipy.spatial.transform import Rotation

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import matlab, processes, sources, subsampling, videos, whole_files
from datasets.bodies import Bodies, Fits
from datasets.sources import BadItemError, Inventory, Skip, SourceError
from smpl_tf.camera import Camera

OFFICIAL_COUNTS = {"train": 55001, "val": 507, "test": 12528}  # clips, as released
WIDTH, HEIGHT = 320, 240  # pixels

# 60 mm lens, 32 mm sensor: SURREAL's code. Blender's pixels span [0, W]: our pixel rule.
INTRINSICS = np.array([[600.0, 0, WIDTH / 2], [0, 600.0, HEIGHT / 2], [0, 0, 1]])
# World (x towards the camera, y down) to camera, of the world whose picture is mirrored back.
_WORLD_TO_CAMERA = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
_MOCAP_TO_WORLD = Rotation.from_euler("x", 90, degrees=True)
_GENDERS = ("female", "male")

# Subjects 18 and 19 and sequence 143_21 have deformed shapes (SURREAL's README).
_MONSTERS = re.compile(r"(ung_)?(18_|19_|143_21(_|$))")


def read_examples(root: str, split: str, bodies: Bodies) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a split, see `Surreal`."""
    return sources.read_examples(Surreal(root, split, bodies))


@dataclasses.dataclass(frozen=True)
class Surreal:
    """A split of SURREAL; an item is a clip. Clips of deformed bodies are left out.

    Attributes:
      root: the folder that holds `cmu`, or `cmu` itself.
      split: "train", "val" or "test".
      bodies: the female and male ones are needed.
      every: take every n-th frame of a clip, from the first.
      selection: file from `select_frames`: only its frames are taken, and `every` is ignored; None
        takes all.
    """

    dataset: ClassVar[str] = "surreal"
    genders: ClassVar[tuple[str, ...]] = ("female", "male")

    root: str
    split: str
    bodies: Bodies
    every: int = 1
    selection: str | None = None

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        if self.selection is None:
            return {"every": self.every}
        digest = hashlib.sha256(whole_files.read(self.selection)).hexdigest()
        return {"selection_sha256": digest}

    def inventory(self) -> Inventory:
        """See `Source`."""
        return Inventory(len(self._clips()), OFFICIAL_COUNTS[self.split], "clips")

    def items(self) -> list[str]:
        """See `Source`; an item is run0/<sequence>/<clip>."""
        clips = [clip for clip in self._clips() if not _MONSTERS.match(clip.split("/")[1])]
        if self.selection is None:
            return clips
        selected = _selected(self.selection)
        return [clip for clip in clips if selected.get(clip)]

    def read(self, item: str) -> Iterator[dict[str, Any] | Skip]:
        """See `Source`."""
        path = str(_folder(self.root) / self.split / item)
        clip = read_info(f"{path}_info.mat")
        frames: Sequence[int] = range(0, clip.num_frames, self.every)
        if self.selection is not None:
            frames = _selected(self.selection)[item]
        if not Path(f"{path}_segm.mat").exists():
            raise BadItemError(f"missing segmentation: {Path(path).name}_segm.mat")
        segmentation = matlab.load(f"{path}_segm.mat")
        posed = bodies_lib.pose_bodies(clip.fits(self.bodies), self.bodies, vertices=False)
        camera = Camera(INTRINSICS, WIDTH, HEIGHT)
        for frame, picture in zip(frames, videos.read_frames(f"{path}.mp4", frames), strict=True):
            labels = np.ascontiguousarray(segmentation[f"segm_{frame + 1}"][:, ::-1])
            if picture.shape != (HEIGHT, WIDTH, 3) or labels.shape != (HEIGHT, WIDTH):
                raise BadItemError(f"expected {WIDTH} x {HEIGHT} pixels, got {picture.shape}")
            if not labels.any():
                yield Skip("no person is visible")
                continue
            yield (
                example_lib.blank()
                | {
                    "id": f"surreal/{self.split}/{item}/{frame:03d}",
                    "source": f"surreal/{self.split}/{item}",
                    "image/encoded": videos.encode_jpeg(picture[:, ::-1]),
                }
                | bodies_lib.camera_fields(camera)
                | bodies_lib.label_fields(labels)
                | posed.fields(frame)
                | bodies_lib.joint_fields(clip.joints[frame], camera)
            )

    def _clips(self) -> list[str]:
        return _clips(_folder(self.root), self.split)


@dataclasses.dataclass(frozen=True)
class Clip:
    """The `_info.mat` of a clip of T frames, in the frame of the mirrored camera, float64."""

    gender: str
    pose: np.ndarray  # [T, 24, 3] axis-angles, root in the camera frame
    betas: np.ndarray  # [T, 10]
    joints: np.ndarray  # [T, 24, 3] metres

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.pose)

    def fits(self, bodies: Bodies) -> Fits:
        """Returns the SMPL parameters, translated so that the roots of body and clip agree."""
        root = bodies_lib.rest_root(bodies.data(self.gender), self.betas)
        translation = self.joints[:, 0] - root
        return Fits(self.gender, self.pose, self.betas, translation)


def read_info(path: str) -> Clip:
    """Reads a clip's `_info.mat` and mirrors it.

    Args:
      path: of the file.

    Returns:
      The clip.

    Raises:
      BadItemError: its 2D joints are not the projections of its 3D joints.
    """
    info = matlab.load(path)
    # A clip of one frame lacks its last axis.
    pose = np.float64(info["pose"]).reshape(24, 3, -1).transpose(2, 0, 1)
    world = np.float64(info["joints3D"]).reshape(3, 24, -1).transpose(2, 1, 0)
    stored_2d = np.float64(info["joints2D"]).reshape(2, 24, -1).transpose(2, 1, 0)
    betas = np.float64(info["shape"]).reshape(10, -1).T
    zrot = np.float64(info["zrot"]).reshape(-1)
    joints = (world - np.float64(info["camLoc"]).reshape(3)) @ _WORLD_TO_CAMERA.T

    projected = joints @ INTRINSICS.T
    projected = projected[..., :2] / projected[..., 2:]
    rounded = np.stack([WIDTH - projected[..., 0], projected[..., 1]], -1)
    if np.abs(rounded - stored_2d).max() > 0.51:
        raise BadItemError("joints2D are not the projections of joints3D")

    pose = pose.copy()
    in_world = _MOCAP_TO_WORLD * Rotation.from_euler("z", zrot[:, None])
    in_camera = Rotation.from_matrix(_WORLD_TO_CAMERA) * in_world
    pose[:, 0] = (in_camera * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    return Clip(_GENDERS[int(np.ravel(info["gender"])[0])], pose, betas, joints)


def select_frames(
    source: Surreal,
    path: str,
    distance: float = subsampling.SMPLR_DISTANCE,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> None:
    """Selects the frames of a split whose poses differ, see `subsampling.PoseSubset`.

    Args:
      source: the split; its `selection` is ignored.
      path: of the file to write, for `Surreal.selection`; an existing one of the same clips is
        kept.
      distance: metres.
      workers: processes that read clips; None = one per core, 0 = this process.
      progress: whether to show a bar.
    """
    source = dataclasses.replace(source, selection=None)
    items = source.items()
    if tf.io.gfile.exists(path) and _selected(path).keys() == set(items):
        return
    subset, frames = subsampling.PoseSubset(distance), {}
    results = processes.map_in_order(functools.partial(_poses, source), items, workers)
    bar = tqdm.tqdm(results, f"surreal {source.split} poses", len(items), disable=not progress)
    for item, poses in zip(items, bar, strict=True):
        # An unreadable clip is selected, so that the conversion lists it as bad.
        kept = np.flatnonzero(subset.add(poses)) * source.every if poses is not None else [0]
        frames[item] = [int(frame) for frame in kept]
        bar.set_postfix(kept=len(subset), refresh=False)
    subsampling.save(path, frames)
    _selected.cache_clear()


def _poses(source: Surreal, item: str) -> np.ndarray | None:
    """Joints [T, 23, 3] of a clip relative to the root, or None if it cannot be read."""
    try:
        joints = read_info(f"{_folder(source.root) / source.split / item}_info.mat").joints
    except Exception:  # readers raise many kinds of errors on damaged files
        return None
    return (joints[:, 1:] - joints[:, :1])[:: source.every]


@functools.lru_cache
def _selected(path: str) -> dict[str, list[int]]:
    return subsampling.load(path)


@functools.lru_cache
def _folder(root: str) -> Path:
    for folder in (Path(root), Path(root) / "cmu", Path(root) / "data" / "cmu"):
        if any((folder / split).is_dir() for split in OFFICIAL_COUNTS):
            return folder
    raise SourceError(
        f"{root}: no train, val or test here or in cmu/; "
        "give the folder into which SURREAL_v1.tar.gz was unpacked"
    )


@functools.lru_cache
def _clips(folder: Path, split: str) -> list[str]:
    sources.check_split("SURREAL", split, OFFICIAL_COUNTS)
    paths = (folder / split).glob("run[012]/*/*.mp4")
    return sorted(str(path.relative_to(folder / split).with_suffix("")) for path in paths)
