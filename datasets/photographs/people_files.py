"""Who is in which picture, as pose detectors and annotators write it down: COCO and OpenPose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.photographs import coco
from datasets.photographs.annotations import person_of_points
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import OPENPOSE_25

_LEAST_SCORE = 0.3  # of a detected person
_LEAST_CONFIDENCE = 0.1  # of one of OpenPose's keypoints
_OPENPOSE_ENDING = "_keypoints"


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
        OpenPose's files. In COCO's form the number of keypoints says whose they are: 17 COCO, 22
        or 24 SMPL, 26 Halpe (AlphaPose), 28 MPI-INF-3DHP, 33 BlazePose, 70 SAM 3D Body.

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
        except coco.DAMAGED as error:
            raise ValueError(
                f"{file}: neither COCO annotations or results nor OpenPose's form "
                f"({type(error).__name__}: {error})"
            ) from error
    return GivenPeople(people)


def _people_of(content: Any, file: Path) -> Iterator[tuple[str, FoundPerson | None]]:
    if isinstance(content, list):
        for result in content:
            if result.get("category_id", 1) == 1 and result.get("score", 1) >= _LEAST_SCORE:
                yield _coco_name(result["image_id"]), coco.person(result)
    elif "annotations" in content:
        for path, annotations in coco.annotations_by_picture(content).items():
            name = Path(path).name
            yield name, None
            for annotation in annotations:
                yield name, coco.person(annotation)
    else:
        name = file.stem.removesuffix(_OPENPOSE_ENDING)
        yield name, None
        for person in content["people"]:
            points = np.reshape(np.asarray(person["pose_keypoints_2d"], float), (-1, 3))
            if len(points) != len(OPENPOSE_25):
                raise ValueError(f"expected 25 keypoints of BODY_25, got {len(points)}")
            confidences = points[:, 2]
            yield (
                name,
                person_of_points(OPENPOSE_25, points[:, :2], confidences, _LEAST_CONFIDENCE),
            )


def _coco_name(image: str | int) -> str:
    """A picture's name, or its number, from which COCO makes its names."""
    return Path(image).name if isinstance(image, str) else f"#{int(image)}"
