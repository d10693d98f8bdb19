"""Pascal VOC 2012 without people: backgrounds and occluders.

Layout: `VOCdevkit/VOC2012/{JPEGImages,Annotations,SegmentationObject,ImageSets/...}`.

SMPLR takes the pictures that `person_*.txt` marks -1 and that have a `SegmentationObject` mask.
The masks are palette PNGs whose values are the objects in the order of the annotation; OpenCV and
TensorFlow would read the palette's colours or their luminance instead, so they are stored again as
plain grey PNGs.
"""

import dataclasses
import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from datasets import example as example_lib
from datasets import sources
from datasets.bodies import Bodies
from datasets.sources import BadItemError, Inventory, SourceError
from smpl_tf import file_kinds, pictures

OFFICIAL_COUNTS = {"train": 1464, "val": 1449}  # segmented pictures, as released
_UNCLEAR = 255  # borders of objects, and objects too hard to outline


def read_examples(root: str, split: str) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a split, see `PascalVOC`."""
    return sources.read_examples(PascalVOC(root, split))


@dataclasses.dataclass(frozen=True)
class PascalVOC:
    """The pictures without people of a split; an item is a picture.

    Attributes:
      root: `VOC2012`, or a folder above it.
      split: "train" or "val".
    """

    dataset: ClassVar[str] = "pascal_voc"
    genders: ClassVar[tuple[str, ...]] = ()
    bodies: ClassVar[Bodies | None] = None

    root: str
    split: str

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {}

    def inventory(self) -> Inventory:
        """See `Source`."""
        segmented = _ids(_folder(self.root), self.split)
        return Inventory(len(segmented), OFFICIAL_COUNTS[self.split], "segmented pictures")

    def items(self) -> list[str]:
        """See `Source`; an item is a picture's id."""
        folder = _folder(self.root)
        people = _people(folder)
        return [name for name in _ids(folder, self.split) if people.get(name, -1) == -1]

    def read(self, item: str) -> Iterator[dict[str, Any]]:
        """See `Source`."""
        folder = _folder(self.root)
        text = file_kinds.read_bytes(folder / "Annotations" / f"{item}.xml")
        annotation = ET.fromstring(text)
        names = [thing.findtext("name", "") for thing in annotation.findall("object")]
        if "" in names:
            raise BadItemError("an object without a name")
        if "person" in names:  # pictures that person_*.txt does not list
            raise BadItemError("shows a person")
        encoded = file_kinds.read_bytes(folder / "JPEGImages" / f"{item}.jpg")
        picture = pictures.decode(encoded)
        if picture is None:
            raise BadItemError(f"{item}.jpg does not decode")
        things = _things(folder / "SegmentationObject" / f"{item}.png")
        if things.shape != picture.shape[:2]:
            raise BadItemError(f"mask of {things.shape} for a picture of {picture.shape[:2]}")
        found = set(np.unique(things)) - {0, _UNCLEAR}
        if not found:
            raise BadItemError("no object in its mask")
        if max(found) > len(names):
            raise BadItemError(f"mask of {max(found)} objects, annotation of {len(names)}")
        yield example_lib.blank() | {
            "id": f"pascal_voc/{item}",
            "source": f"pascal_voc/{','.join(names)}",
            "image/encoded": encoded,
            "image/height": picture.shape[0],
            "image/width": picture.shape[1],
            "objects/encoded": pictures.encode(things, ".png"),
            "objects/valid": 1,
        }


def _things(path: Path) -> np.ndarray:
    if not path.exists():
        raise BadItemError(f"missing segmentation: {path.name}")
    with pictures.open_indexed(path) as image:
        if image.mode not in ("P", "L"):
            raise BadItemError(f"{path.name} has colours ({image.mode}) instead of numbers")
        return np.array(image, np.uint8)


@functools.lru_cache
def _folder(root: str) -> Path:
    for folder in (Path(root), Path(root) / "VOC2012", Path(root) / "VOCdevkit" / "VOC2012"):
        if (folder / "ImageSets" / "Segmentation").is_dir():
            return folder
    raise SourceError(
        f"{root}: no ImageSets/Segmentation here or in VOCdevkit/VOC2012/; "
        "give the folder into which VOCtrainval_11-May-2012.tar was unpacked"
    )


@functools.lru_cache
def _ids(folder: Path, split: str) -> list[str]:
    sources.check_split("Pascal VOC 2012", split, OFFICIAL_COUNTS)
    path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    return file_kinds.read_bytes(path).decode().split()


@functools.lru_cache
def _people(folder: Path) -> dict[str, int]:
    """Picture -> -1 without people, 0 only people that are hard to see, 1 a person."""
    path = folder / "ImageSets" / "Main" / "person_trainval.txt"
    lines = file_kinds.read_bytes(path).decode().splitlines()
    return {name: int(label) for name, label in map(str.split, lines)}
