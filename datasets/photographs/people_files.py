"""Who is in which picture, as pose detectors and annotators write it down: COCO and OpenPose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import COCO_17, OPENPOSE_25, Skeleton

_LEAST_SCORE = 0.3  # of a detected person
_LEAST_CONFIDENCE = 0.1  # of one of OpenPose's keypoints
_OPENPOSE_ENDING = "_keypoints"
# What a file of another form, or a damaged one, makes `_people_of` raise.
_DAMAGED = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError),
    *(OverflowError, RecursionError),
)


class GivenPeople:
    """The people of many pictures, and which pictures have not been asked for.

    Args:
      people: name of a picture -> its people. The name may lack its ending; "#12" is every name
        that ends in that number, as COCO's do; a frame of a video is `<video>_<12 digits>`, as
        OpenPose names it.
    """

    def __init__(self, people: Mapping[str, Sequence[FoundPerson]]):
        self._people = dict(people)
        self._unused = dict.fromkeys(people)

    def of_picture(self, name: str) -> Sequence[FoundPerson] | None:
        """The people of a picture, by its file name; None if it is not in the files."""
        stem = Path(name).stem
        number = re.search(r"(?:^|_)0*(\d+)$", stem)
        for key in (name, stem, number and f"#{number[1]}"):
            if key in self._people:
                self._unused.pop(key, None)
                return self._people[key]
        return None

    def of_frame(self, video: str, frame: int) -> Sequence[FoundPerson] | None:
        """The people of one frame of a video, by the video's file name and the frame's index."""
        key = f"{Path(video).stem}_{frame:012d}"
        self._unused.pop(key, None)
        return self._people.get(key)

    def unused(self) -> list[str]:
        """Names of the pictures that nobody asked for."""
        return [name.removeprefix("#") for name in self._unused]


def read(path: Path) -> GivenPeople:
    """Reads boxes and joints of people.

    Args:
      path: a JSON file of COCO annotations, of COCO results or of OpenPose, or a folder of
        OpenPose's files.

    Returns:
      The people of each picture.

    Raises:
      ValueError: the file is not there, or is none of these.
    """
    if path.is_dir():
        files = sorted(path.glob(f"*{_OPENPOSE_ENDING}.json"))
        if not files:
            raise ValueError(f"{path}: expected OpenPose's files, *{_OPENPOSE_ENDING}.json; none")
    elif path.is_file():
        files = [path]
    else:
        raise ValueError(
            f"{path}: no such file or folder; expected a JSON file or a folder of them"
        )
    people: dict[str, list[FoundPerson]] = {}
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            for name, person in _people_of(content, file):
                people.setdefault(name, [])
                if person:
                    people[name].append(person)
        except _DAMAGED as error:
            raise ValueError(
                f"{file}: neither COCO annotations or results nor OpenPose's form "
                f"({type(error).__name__}: {error})"
            ) from error
    return GivenPeople(people)


def _people_of(content: Any, file: Path) -> Iterator[tuple[str, FoundPerson | None]]:
    if isinstance(content, list):
        for result in content:
            if result.get("category_id", 1) == 1 and result.get("score", 1) >= _LEAST_SCORE:
                yield _coco_name(result["image_id"]), _coco_person(result)
    elif "annotations" in content:
        names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
        kinds = {kind["id"]: kind["name"] for kind in content.get("categories", ())}
        for name in names.values():
            yield name, None
        for annotation in content["annotations"]:
            if kinds.get(annotation.get("category_id"), "person") == "person":
                if not annotation.get("iscrowd"):
                    yield names[annotation["image_id"]], _coco_person(annotation)
    else:
        name = file.stem.removesuffix(_OPENPOSE_ENDING)
        yield name, None
        for person in content["people"]:
            points = np.reshape(np.asarray(person["pose_keypoints_2d"], float), (-1, 3))
            if len(points) != len(OPENPOSE_25):
                raise ValueError(f"expected 25 keypoints of BODY_25, got {len(points)}")
            yield (
                name,
                _person(OPENPOSE_25, points[:, :2], points[:, 2], _LEAST_CONFIDENCE),
            )


def _coco_name(image: str | int) -> str:
    """A picture's name, or its number, from which COCO makes its names."""
    return Path(image).name if isinstance(image, str) else f"#{int(image)}"


def _coco_person(annotation: Mapping[str, Any]) -> FoundPerson:
    box = annotation.get("bbox")
    if box is not None:
        if np.shape(box) != (4,):
            raise ValueError(f"expected a bbox of 4 numbers, got {box}")
        left, top, width, height = np.asarray(box, float)
        box = np.array([left, top, left + width, top + height])
    points = np.reshape(np.asarray(annotation.get("keypoints") or [0.0] * 51, float), (-1, 3))
    if len(points) != len(COCO_17):
        raise ValueError(f"expected 17 keypoints, got {len(points)}")
    # 2: visible, 1: hidden but marked, 0: not marked. Results have scores there.
    return _person(COCO_17, points[:, :2], points[:, 2] / 2, 0.0, box)


def _person(
    skeleton: Skeleton,
    points: np.ndarray,
    visibility: np.ndarray,
    least: float,
    box: np.ndarray | None = None,
) -> FoundPerson:
    known = visibility > least
    return FoundPerson(
        box=box,
        skeleton=skeleton,
        points_2d=np.where(known[:, None], points, np.nan),
        visibility=np.where(known, np.clip(visibility, 0, 1), 0),
    )
