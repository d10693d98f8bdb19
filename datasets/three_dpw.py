"""3DPW: people in the wild, filmed by a moving telephone, with SMPL parameters.

Layout: `imageFiles/<sequence>/image_%05d.jpg`, `sequenceFiles/{train,validation,test}/*.pkl`.

Corrections: the parameters are in the world frame and are converted to each frame's camera; the
  root rotates about its rest position, not the origin. Some betas have 300 entries, of which the
  first ten are used. `img_frame_ids` are not the pictures' numbers; these are the indices of the
  arrays.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import sources
from datasets.bodies import Bodies, Fits
from datasets.sources import BadItemError, Inventory, Skip, SourceError
from smpl_tf import file_kinds, pictures
from smpl_tf.camera import Camera
from smpl_tf.model_data import unpickler

OFFICIAL_COUNTS = {"train": 24, "val": 12, "test": 24}  # sequences, as released
_FOLDERS = {"train": "train", "val": "validation", "test": "test"}
_GENDERS = {"f": "female", "m": "male"}
_FRAMES_PER_ITEM = 50  # pictures are large


def read_examples(root: str, split: str, bodies: Bodies, every: int = 1) -> Iterator[dict]:
    """Yields the Examples of a split, see `ThreeDPW`."""
    return sources.read_examples(ThreeDPW(root, split, bodies, every))


class Stretch(NamedTuple):
    """An item: some frames of a sequence, with all people in them."""

    sequence: str
    start: int
    stop: int

    def __str__(self) -> str:
        """The item's name."""
        return f"{self.sequence}/{self.start:05d}"


@dataclasses.dataclass(frozen=True)
class ThreeDPW:
    """A split of 3DPW, with the frames of its evaluation; one Example per frame and person.

    Those are the frames with a trusted camera in which OpenPose found the person.

    Attributes:
      root: the folder that holds `imageFiles` and `sequenceFiles`.
      split: "train", "val" or "test".
      bodies: the female and male ones are needed.
      every: take every n-th frame.
    """

    dataset: ClassVar[str] = "three_dpw"
    genders: ClassVar[tuple[str, ...]] = ("female", "male")

    root: str
    split: str
    bodies: Bodies
    every: int = 1

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {"every": self.every, "part_cut": bodies_lib.PART_CUT}

    def inventory(self) -> Inventory:
        """See `Source`."""
        sequences = _sequences(Path(self.root), self.split)
        return Inventory(len(sequences), OFFICIAL_COUNTS[self.split], "sequences")

    def items(self) -> list[Stretch]:
        """See `Source`."""
        length = _FRAMES_PER_ITEM * self.every
        return [
            Stretch(name, start, min(start + length, num_frames))
            for name, num_frames in _sequences(Path(self.root), self.split).items()
            for start in range(0, num_frames, length)
        ]

    def read(self, item: Stretch) -> Iterator[dict[str, Any] | Skip]:
        """See `Source`."""
        sequence = _load(Path(self.root), self.split, item.sequence)
        frames = np.arange(item.start, item.stop, self.every)
        people = [self._pose(sequence, person, frames) for person in range(len(sequence["poses"]))]
        folder = Path(self.root) / "imageFiles" / item.sequence
        for index, frame in enumerate(frames):
            if not any(usable[index] for _, usable in people):
                continue
            encoded = file_kinds.read_bytes(folder / f"image_{frame:05d}.jpg")
            picture = pictures.decode(encoded)
            if picture is None:
                raise BadItemError(f"image_{frame:05d}.jpg does not decode")
            camera = Camera(sequence["cam_intrinsics"], picture.shape[1], picture.shape[0])
            rasters = [posed.rasterize(index, camera) for posed, _ in people]
            nearest = np.min([raster.depth for raster in rasters], axis=0)
            for person, (posed, usable) in enumerate(people):
                if not usable[index]:
                    continue
                seen = rasters[person].depth <= nearest  # people hide each other
                labels = np.where(seen, posed.labels(rasters[person]), 0).astype(np.uint8)
                if not labels.any():
                    yield Skip("no person is visible")
                    continue
                yield (
                    example_lib.blank()
                    | {
                        "id": f"three_dpw/{item.sequence}/{person}/{frame:05d}",
                        "source": f"three_dpw/{item.sequence}/{person}",
                        "image/encoded": encoded,
                    }
                    | bodies_lib.camera_fields(camera)
                    | bodies_lib.label_fields(labels)
                    | posed.fields(index, camera)
                )

    def _pose(self, sequence, person, frames):
        """Returns the posed body of a person, and the frames in which it may be used."""
        gender = _GENDERS[sequence["genders"][person]]
        pose = sequence["poses"][person][frames].reshape(-1, 24, 3)
        betas = np.tile(sequence["betas"][person][:10], (len(frames), 1))
        fits = Fits(gender, pose, betas, sequence["trans"][person][frames])
        to_camera = sequence["cam_poses"][frames]
        fits = bodies_lib.to_frame(
            fits, self.bodies.data(gender), to_camera[:, :3, :3], to_camera[:, :3, 3]
        )
        detected = sequence["poses2d"][person][frames].any((1, 2))
        usable = detected & (sequence["campose_valid"][person][frames] == 1)
        return bodies_lib.pose_bodies(fits, self.bodies, vertices=True), usable


@functools.lru_cache(maxsize=4)
def _load(root: Path, split: str, name: str) -> dict[str, Any]:
    with file_kinds.open_file(root / "sequenceFiles" / _FOLDERS[split] / f"{name}.pkl") as file:
        sequence = unpickler.load(file)
    for key in ("poses", "trans", "betas", "poses2d", "campose_valid"):
        sequence[key] = [np.float64(unpickler.to_plain(person)) for person in sequence[key]]
    for key in ("cam_poses", "cam_intrinsics"):
        sequence[key] = np.float64(sequence[key])
    return sequence


@functools.lru_cache
def _sequences(root: Path, split: str) -> dict[str, int]:
    """Sequence -> number of frames."""
    sources.check_split("3DPW", split, OFFICIAL_COUNTS)
    folder = root / "sequenceFiles" / _FOLDERS[split]
    if not folder.is_dir():
        raise SourceError(
            f"{folder}: no such folder; unpack sequenceFiles.zip and imageFiles.zip into {root}"
        )
    frames = {
        path.stem: len(list((root / "imageFiles" / path.stem).glob("image_*.jpg")))
        for path in sorted(folder.glob("*.pkl"))
    }
    # Without pictures there is one item, which cannot be read and gets listed.
    return {name: max(number, 1) for name, number in frames.items()}
