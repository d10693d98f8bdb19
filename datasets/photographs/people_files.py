"""Who is in which picture, as pose detectors and annotators write it down: COCO and OpenPose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from smpl_tf.skeleton import COCO_17, OPENPOSE_25, SMPL_24, Skeleton, shared_points

_LEAST_SCORE = 0.3  # of a detected person
_LEAST_CONFIDENCE = 0.1  # of one of OpenPose's keypoints
_OPENPOSE_ENDING = "_keypoints"
# What a file of another form, or a damaged one, makes `_people_of` raise.
_DAMAGED = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError),
    *(OverflowError, RecursionError),
)


class GivenPerson(NamedTuple):
    """What is known of a person beforehand.

    Attributes:
      joints_2d: `[24, 2]` SMPL's joints, pixels; NaN where unknown.
      box: `[4]` x and y of the upper left corner, width, height, pixels; None if not given.
    """

    joints_2d: np.ndarray
    box: np.ndarray | None = None

    def scaled(self, factor: float) -> GivenPerson:
        """The same person in a picture of another size."""
        box = None if self.box is None else self.box * factor
        return GivenPerson(self.joints_2d * factor, box)


class GivenPeople:
    """The people of many pictures, and which pictures have not been asked for.

    Args:
      people: name of a picture -> its people. The name may lack its ending; "#12" is every name
        that ends in that number, as COCO's do; a frame of a video is `<video>_<12 digits>`, as
        OpenPose names it.
    """

    def __init__(self, people: Mapping[str, Sequence[GivenPerson]]):
        self._people = dict(people)
        self._unused = dict.fromkeys(people)

    def of_picture(self, name: str) -> Sequence[GivenPerson] | None:
        """The people of a picture, by its file name; None if it is not in the files."""
        stem = Path(name).stem
        number = re.search(r"(?:^|_)0*(\d+)$", stem)
        for key in (name, stem, number and f"#{number[1]}"):
            if key in self._people:
                self._unused.pop(key, None)
                return self._people[key]
        return None

    def of_frame(self, video: str, frame: int) -> Sequence[GivenPerson] | None:
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
    people: dict[str, list[GivenPerson]] = {}
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


def _people_of(content: Any, file: Path) -> Iterator[tuple[str, GivenPerson | None]]:
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
            yield name, _person(OPENPOSE_25, points, _LEAST_CONFIDENCE)


def _coco_name(image: str | int) -> str:
    """A picture's name, or its number, from which COCO makes its names."""
    return Path(image).name if isinstance(image, str) else f"#{int(image)}"


def _coco_person(annotation: Mapping[str, Any]) -> GivenPerson:
    box = annotation.get("bbox")
    if box is not None and np.shape(box) != (4,):
        raise ValueError(f"expected a bbox of 4 numbers, got {box}")
    points = np.reshape(np.asarray(annotation.get("keypoints") or [0.0] * 51, float), (-1, 3))
    if len(points) != len(COCO_17):
        raise ValueError(f"expected 17 keypoints, got {len(points)}")
    return _person(COCO_17, points, 0.0, box)


def _person(
    skeleton: Skeleton, points: np.ndarray, least: float, box: Sequence[float] | None = None
) -> GivenPerson:
    joints = np.full((len(SMPL_24), 2), np.nan)
    there, here = shared_points(skeleton, SMPL_24)
    joints[here] = np.where(points[there, 2:] > least, points[there, :2], np.nan)
    return GivenPerson(joints, None if box is None else np.asarray(box, float))
