"""MPII Human Pose: several people per picture, 16 points, as MATLAB's structs or as JSON.

    mpii_human_pose_v1_u12_1.mat    the release; its test pictures have no annotation, so they are
                                    not listed
    annot/valid.json, train.json    a list of people {image, joints, joints_vis}, as later methods
                                    have divided the training pictures
    images/015601864.jpg

In the release a point is hidden but annotated if `is_visible` is 0, which may be a number, a text,
empty or missing; a person may have no points at all (only a head box). Points of the JSON with
`joints_vis` 0 are unknown. Coordinates count from 1 in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from smpl_tf import bounds, json_files
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import MPII_16

_RELEASE = "mpii_human_pose_v1_u12_1.mat"


class MPII:
    """The annotated photographs of MPII.

    Args:
      source: the folder of `images/`, with the release's `.mat` or with `annot/`; or one of these
        files.
      split: "train" or "valid" of the JSON files; None: the release, otherwise valid.

    Raises:
      SourceError: the annotation file is missing or has another format.
    """

    def __init__(self, source: Path, split: str | None = None):
        self.annotations = _annotations_file(source, split)
        here = self.annotations.parent
        self._folders = [here / "images", here.parent / "images", here]
        read = _read_release if self.annotations.suffix == ".mat" else _read_json
        try:
            self._people = read(self.annotations)
        except Exception as error:  # SciPy raises many kinds of errors on damaged files
            raise SourceError(
                f"{self.annotations}: expected MPII's annotations "
                f"({type(error).__name__}: {error})"
            ) from error

    def items(self) -> Sequence[str]:
        """Lists the annotated pictures."""
        return list(self._people)

    def read(self, item: str) -> AnnotatedPicture:
        """Reads the people of one picture.

        Raises:
          BadItemError: the picture is missing, or nothing usable is annotated.
        """
        path = existing([folder / item for folder in self._folders])
        if path is None:
            raise BadItemError(f"no such picture in {self._folders[0]}")
        of_json = self.annotations.suffix == ".json"
        try:
            people = [(_json_person if of_json else _person)(one) for one in self._people[item]]
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            raise BadItemError(f"damaged annotation ({error})") from error
        people = [person for person in people if person.visibility.any()]
        if not people:
            raise BadItemError("no person is annotated")
        return AnnotatedPicture(path, people)


def has_release(source: Path) -> bool:
    """Whether a folder contains the release's `.mat`."""
    return any((folder / _RELEASE).is_file() for folder in (source, source / "annot"))


def _annotations_file(source: Path, split: str | None) -> Path:
    if source.is_file():
        return source
    candidates = [] if split else [source / _RELEASE, source / "annot" / _RELEASE]
    names = [f"{split or 'valid'}.json", f"mpii_{split or 'val'}.json"]
    candidates += [f / name for f in (source / "annot", source) for name in names]
    path = existing(candidates)
    if path is None:
        expected = ", ".join(str(one.relative_to(source)) for one in candidates)
        raise SourceError(f"{source}: expected one of {expected}; give the folder or the file")
    return path


def _read_json(path: Path) -> dict[str, list[Any]]:
    people: dict[str, list[Any]] = {}
    for person in json_files.read(path, bounds.MOST_JSON_BYTES):
        people.setdefault(person["image"], []).append(person)
    return people


def _json_person(annotation: Mapping[str, Any]) -> FoundPerson:
    points = np.asarray(annotation["joints"], float)
    visibility = np.asarray(annotation["joints_vis"], float)
    if points.shape != (16, 2) or visibility.shape != (16,):
        raise ValueError(f"expected 16 joints, got {points.shape} and {visibility.shape}")
    return person_of_points(MPII_16, points + ONE_BASED, visibility)


def _read_release(path: Path) -> dict[str, list[Any]]:
    """Name of a training picture -> its structs `annorect`."""
    (release,) = _structs(matlab.load(path)["RELEASE"])
    pictures = _structs(release["annolist"])
    is_training = np.ravel(release["img_train"])
    if len(is_training) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures, but {len(is_training)} entries of img_train")
    people: dict[str, list[Any]] = {}
    for picture, training in zip(pictures, is_training, strict=True):
        if training:
            (image,) = _structs(picture["image"])
            people.setdefault(str(np.ravel(image["name"])[0]), []).extend(
                _structs(_field(picture, "annorect"))
            )
    return people


def _person(annotation: Any) -> FoundPerson:
    points = np.zeros((len(MPII_16), 2))
    visibility = np.zeros(len(MPII_16))
    for marked in _structs(_field(annotation, "annopoints")):
        for point in _structs(_field(marked, "point")):
            place = int(_number(point, "id", -1))
            if not 0 <= place < len(MPII_16):
                raise ValueError(f"expected points with id 0 to 15, got {place}")
            points[place] = [_number(point, axis, np.nan) for axis in "xy"]
            visibility[place] = HIDDEN if _number(point, "is_visible", 1) == 0 else 1
    return person_of_points(MPII_16, points + ONE_BASED, visibility)


def _structs(value: Any) -> list[Any]:
    """Returns the structs of an array, [] if it is empty or missing."""
    is_struct = isinstance(value, np.ndarray | np.void) and value.dtype.names
    return list(np.ravel(value)) if is_struct else []


def _field(struct: Any, name: str) -> Any:
    """Returns a field of a struct; None if it is missing."""
    return struct[name] if name in (struct.dtype.names or ()) else None


def _number(struct: Any, name: str, default: float) -> float:
    """Reads a field that is a number, a number as text, empty or missing."""
    value = _field(struct, name)
    if value is None or not np.size(value):
        return default
    return float(np.ravel(value)[0])
