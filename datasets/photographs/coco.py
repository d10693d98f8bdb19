"""COCO's people: boxes and 17 keypoints, as annotations or as a detector's results.

COCO counts pixels from the corner of the first one, as `smpl_tf.camera` does. A crowd (`iscrowd`)
is many people in one annotation without keypoints, and is ignored here. A picture has the number
of a licence in the table at the start of the file.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.photographs import masks
from datasets.photographs.annotations import FARTHEST, AnnotatedPicture, existing, person_of_points
from datasets.sources import BadItemError, SourceError
from smpl_tf import bounds, json_files
from smpl_tf.errors import one_line
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import (
    BLAZEPOSE_33,
    COCO_17,
    HALPE_26,
    MHR_70,
    MPI_INF_28,
    SMPL_22,
    SMPL_24,
)

# Skeletons that are written in COCO's format, recognised by their number of keypoints.
_BY_COUNT = {
    len(skeleton): skeleton
    for skeleton in (COCO_17, SMPL_22, SMPL_24, HALPE_26, MPI_INF_28, BLAZEPOSE_33, MHR_70)
}

_PERSON = ("person", "people", "human", "pedestrian")  # names of the category of people
# The errors that these functions raise on files that are damaged or in another format.
DAMAGED = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError),
    *(OverflowError, RecursionError),
)


def annotations_by_picture(
    content: Mapping[str, Any],
) -> tuple[dict[str, list[Mapping[str, Any]]], Counter[str]]:
    """Groups the annotations of people by picture, in the order of the file.

    Args:
      content: of an annotation file.

    Returns:
      file_name of every picture of the file -> its people without crowds; and reason -> number of
      annotations that were left out.

    Raises:
      Exception: one of DAMAGED, if the file has another format.
    """
    images = [(image["id"], _name(image)) for image in content["images"]]
    names = dict(images)
    for what, values in (("image id", [one[0] for one in images]), ("file_name", names.values())):
        twice = next((one for one, count in Counter(values).items() if count > 1), None)
        if twice is not None:
            raise ValueError(
                f"{what} {short(twice)} occurs twice: whose people are meant? Give each picture "
                "one entry, with its folder in the file_name"
            )
    kinds = {kind["id"]: str(kind["name"]) for kind in content.get("categories") or ()}
    people: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names.values()}
    left_out: Counter[str] = Counter()
    for annotation in content["annotations"]:
        category = annotation.get("category_id")
        kind = kinds.get(category, "person")
        if kinds and category is not None and category not in kinds:
            left_out[f"of category {short(category)}, which is not among its categories"] += 1
        elif kind.strip().casefold() not in _PERSON:
            left_out[f"of category {short(kind)}"] += 1
        elif annotation.get("iscrowd"):
            left_out["that are crowds"] += 1
        elif annotation["image_id"] not in names:
            raise ValueError(
                f"an annotation is of image {short(annotation['image_id'])}, which is not among "
                "its images"
            )
        else:
            people[names[annotation["image_id"]]].append(annotation)
    return people, left_out


def _name(image: Mapping[str, Any]) -> str:
    """Returns the name of a picture."""
    name = image["file_name"]
    if not isinstance(name, str) or not name:
        raise ValueError(f"expected a file_name, got {short(name)}")
    return name


def short(value: Any) -> str:
    """Returns the first characters of a value for a message."""
    return repr(value)[:60]


def person(annotation: Mapping[str, Any]) -> FoundPerson:
    """Reads one person.

    Args:
      annotation: an annotation or a result. A box without a size, or not finite, is unknown.

    Raises:
      Exception: one of DAMAGED, if it has another format.
    """
    box = annotation.get("bbox")
    if box is not None:
        if np.shape(box) != (4,):
            raise ValueError(f"expected a bbox of 4 numbers, got {box}")
        left, top, width, height = np.asarray(box, float)
        box = np.array([left, top, left + width, top + height])
        if not (np.abs(box) <= FARTHEST).all() or min(width, height) <= 0:
            box = None
    points = np.reshape(np.asarray(annotation.get("keypoints") or [0.0] * 51, float), (-1, 3))
    if len(points) not in _BY_COUNT:
        counts = ", ".join(f"{count} ({one.name})" for count, one in _BY_COUNT.items())
        raise ValueError(f"expected {counts} keypoints, got {len(points)}")
    # 2: visible, 1: hidden but annotated, 0: not annotated. Results have scores here.
    return person_of_points(_BY_COUNT[len(points)], points[:, :2], points[:, 2] / 2, box=box)


class COCO:
    """COCO's annotated photographs, or any others in its format.

    Args:
      source: a JSON file of annotations, or the folder of `annotations/` and the pictures.
      split: such as "val2017"; None: the only one, or val2017 if there are several.
      licenses: numbers of the allowed licences; empty: any or none.

    Raises:
      SourceError: the annotations are missing, in another format, or have none of the licences.
    """

    def __init__(self, source: Path, split: str | None = None, licenses: Sequence[int] = ()):
        self.annotations = _annotations_file(source, split)
        self._folders = _picture_folders(self.annotations)
        try:
            content = json_files.read(self.annotations, bounds.MOST_JSON_BYTES)
            self._people, _ = annotations_by_picture(content)
            self._images = {str(image["file_name"]): image for image in content["images"]}
            names = {one["id"]: str(one["name"]) for one in content.get("licenses") or ()}
        except DAMAGED as error:
            reason = one_line(error).removeprefix(f"{self.annotations}: ")[:200]
            raise SourceError(
                f"{self.annotations}: expected COCO's annotations of people "
                f"({type(error).__name__}: {reason})"
            ) from error
        if licenses:
            _check_licenses(self.annotations, licenses, names)
            wanted = {n for n, one in self._images.items() if one.get("license") in licenses}
            self._people = {n: people for n, people in self._people.items() if n in wanted}

    def items(self) -> Sequence[str]:
        """Lists the pictures with people."""
        return [name for name, people in self._people.items() if people]

    def read(self, item: str) -> AnnotatedPicture:
        """Reads the people of one picture.

        Raises:
          BadItemError: the picture is missing, or an annotation is damaged.
        """
        path = existing([folder / item for folder in self._folders])
        if path is None:
            raise BadItemError(
                f"no such picture in {self._folders[-1]} or next to the annotations"
            )
        try:
            people = [self._person(item, one) for one in self._people[item]]
            return AnnotatedPicture(path, people)
        except DAMAGED as error:
            raise BadItemError(f"damaged annotation ({error})") from error

    def _person(self, item: str, annotation: Mapping[str, Any]) -> FoundPerson:
        """Returns the person with the mask."""
        segmentation = annotation.get("segmentation")
        if not segmentation:
            return person(annotation)
        height, width = (int(self._images[item][side]) for side in ("height", "width"))
        mask = masks.decode(segmentation, height, width)
        return dataclasses.replace(person(annotation), mask=mask)


def _check_licenses(path: Path, wanted: Sequence[int], names: Mapping[int, str]) -> None:
    """Rejects licences that a file does not list."""
    unknown = [number for number in wanted if number not in names]
    if unknown:
        known = ", ".join(f"{number} ({name})" for number, name in names.items()) or "none"
        raise SourceError(f"{path}: has no licence {unknown[0]}; it lists {known}")


def _annotations_file(source: Path, split: str | None) -> Path:
    if source.is_file():
        return source
    named = [
        path
        for folder in (source / "annotations", source)
        for path in sorted(folder.glob(f"person_keypoints*{split or ''}.json"))
    ]
    usual = [path for path in named if path.stem.endswith("val2017")]
    if not named or (len(named) > 1 and len(usual) != 1):
        raise SourceError(
            f"{source}: expected one person_keypoints_{split or '*'}.json here or in "
            f"annotations/, got {len(named)}; give the file itself, or another split"
        )
    return named[0] if len(named) == 1 else usual[0]


def _picture_folders(annotations: Path) -> list[Path]:
    """Returns the possible folders of an annotation file's pictures."""
    here = annotations.parent
    root = here.parent if here.name == "annotations" else here
    split = annotations.stem.removeprefix("person_keypoints").removeprefix("_")
    return [here, root / "images" / split, root / "images", root, root / split]
