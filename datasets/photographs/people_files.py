"""Reads the people in pictures from files of pose detectors and annotators: COCO, OpenPose."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datasets.photographs import coco
from datasets.photographs.annotations import person_of_points
from smpl_tf import bounds, json_files
from smpl_tf.errors import one_line
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import OPENPOSE_25

_LEAST_SCORE = 0.3  # least score of a detected person
_LEAST_CONFIDENCE = 0.1  # least confidence of one of OpenPose's keypoints
_OPENPOSE_ENDING = "_keypoints"


class GivenPeople:
    """The people in many pictures, and the pictures that were not used yet.

    Args:
      people: name of a picture -> its people. The name may include folders and may lack the
        extension; "#12" matches every name that ends in that number, as COCO's do; a frame of a
        video is `<video>_<12 digits>`, as in OpenPose.
    """

    def __init__(self, people: Mapping[str, Sequence[FoundPerson]]):
        self._people = dict(people)
        self._unused = dict.fromkeys(people)
        self._taken: dict[str, str] = {}  # name -> the input that used its people
        self._by_last: dict[str, list[str]] = {}
        for name in people:
            self._by_last.setdefault(_parts(name)[-1], []).append(name)

    def of_picture(self, path: str | Path) -> Sequence[FoundPerson] | None:
        """Finds the people in a picture.

        Args:
          path: of the picture. If several names match, the one with most folders in common is
            chosen.

        Returns:
          Its people; None if the files do not contain it.

        Raises:
          ValueError: several names match equally, or another picture had this name.
        """
        stem = Path(path).stem
        number = re.search(r"(?:^|_)0*(\d+)$", stem)
        for last in (Path(path).name, stem, number and f"#{number[1]}"):
            if names := self._by_last.get(last or "", ()):
                return self._take(_nearest(names, path), path)
        return None

    def of_frame(self, video: str | Path, frame: int) -> Sequence[FoundPerson] | None:
        """Finds the people in one frame of a video.

        Args:
          video: path of the video.
          frame: its index.

        Returns:
          The people; None if the files do not contain the frame.

        Raises:
          ValueError: another video had this name.
        """
        key = f"{Path(video).stem}_{frame:012d}"
        return self._take(key, video) if key in self._people else None

    def unused(self) -> list[str]:
        """Names of the pictures that were not used."""
        return [name.removeprefix("#") for name in self._unused]

    def _take(self, name: str, path: str | Path) -> Sequence[FoundPerson]:
        first = self._taken.setdefault(name, str(path))
        if first != str(path):
            raise ValueError(
                f"{path}: the file of people names it {name.removeprefix('#')}, the same as "
                f"{first}; include the folders in the file"
            )
        self._unused.pop(name, None)
        return self._people[name]


def _parts(name: str | Path) -> tuple[str, ...]:
    """Splits a path into folders and file name, also with Windows' separators."""
    return PurePosixPath(str(name).replace("\\", "/")).parts or (str(name),)


def _nearest(names: Sequence[str], path: str | Path) -> str:
    """Returns the name with most folders in common with a path, from the end."""
    folders = _parts(str(path))[-2::-1]

    def shared(name: str) -> int:
        pairs = zip(_parts(name)[-2::-1], folders, strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

    most = max(map(shared, names))
    nearest = [name for name in names if shared(name) == most]
    if len(nearest) > 1:
        raise ValueError(
            f"{path}: {len(nearest)} pictures in the file of people match: "
            f"{', '.join(nearest[:3])}; give the common parent folder"
        )
    return nearest[0]


def read(path: Path) -> GivenPeople:
    """Reads boxes and joints of people.

    Args:
      path: a JSON file of COCO annotations, of COCO results or of OpenPose, or a folder of
        OpenPose's files. In COCO's format the number of keypoints determines the skeleton: 17
        COCO, 22 or 24 SMPL, 26 Halpe (AlphaPose), 28 MPI-INF-3DHP, 33 BlazePose, 70 SAM 3D Body.

    Returns:
      The people in each picture.

    Raises:
      ValueError: the file is missing, is none of these, or has no usable person.
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
    left_out: Counter[str] = Counter()
    for file in files:
        content = json_files.read(file, bounds.MOST_JSON_BYTES)
        try:
            for name, person in _people_of(content, file, left_out):
                people.setdefault(name, [])
                if person:
                    people[name].append(person)
        except coco.DAMAGED as error:
            kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
            raise ValueError(
                f"{file}: neither COCO annotations or results nor OpenPose's format "
                f"({kind}{one_line(error)[:200]})"
            ) from error
    if not any(people.values()):
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise ValueError(f"{path}: contains no usable person: {reasons or 'it lists no person'}")
    return GivenPeople(people)


def _people_of(
    content: Any, file: Path, left_out: Counter[str]
) -> Iterator[tuple[str, FoundPerson | None]]:
    if isinstance(content, list):
        for result in content:
            category = result.get("category_id", 1)
            score = result.get("score")
            if category != 1:
                left_out[f"of category {coco.short(category)} (COCO's person is 1)"] += 1
            elif score is not None and not score >= _LEAST_SCORE:
                left_out[f"with a score below {_LEAST_SCORE}"] += 1
            else:
                yield _coco_name(result["image_id"]), coco.person(result)
    elif "annotations" in content:
        pictures, others = coco.annotations_by_picture(content)
        left_out.update(others)
        for name, annotations in pictures.items():
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
    """Returns a picture's name or number; COCO makes names from numbers."""
    return image if isinstance(image, str) else f"#{int(image)}"
