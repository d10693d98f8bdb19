"""People with 3D joints in one `.npz` file, a format for annotations of any data set.

    pictures      [N] text: the person's picture, a path from the folder of the file
    joint_names   [J] text: as `smpl_tf.skeleton` names joints, such as left_knee
    joints_2d     [N, J, 2] pixels of the file
    joints_3d     [N, J, 3] metres, camera axes (x right, y down, z away), any origin
    visibility    [N, J] 0 to 1

Unknown joints are NaN; `joints_3d` and `visibility` may be left out. Pixels follow the rule of
`smpl_tf.camera`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.photographs.annotations import AnnotatedPicture, person_of_points
from datasets.sources import BadItemError, SourceError
from smpl_tf import array_files
from smpl_tf.skeleton import Skeleton

_WANTED = ("pictures", "joint_names", "joints_2d", "joints_3d", "visibility")


class JointFile:
    """The people of a joint file.

    Args:
      source: the file.

    Raises:
      SourceError: it is missing, or has another format.
    """

    def __init__(self, source: Path):
        self.source = source
        try:
            arrays = array_files.read_npz(source, _WANTED)
            self._skeleton = Skeleton(source.name, tuple(str(n) for n in arrays["joint_names"]))
            if "c" in {array.dtype.kind for array in arrays.values()}:
                raise TypeError("complex numbers")
            self._joints = np.asarray(arrays["joints_2d"], np.float32)
            joints_3d = arrays.get("joints_3d")
            self._joints_3d = None if joints_3d is None else np.asarray(joints_3d, np.float32)
            visibility = np.asarray(arrays.get("visibility", 1), np.float32)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise SourceError(
                f"{source}: expected an .npz file with pictures, joint_names and joints_2d "
                f"({type(error).__name__}: {error})"
            ) from error
        count = len(self._joints), len(self._skeleton)
        known = np.float32(np.isfinite(self._joints).all(-1))
        self._visibility: np.ndarray = visibility if "visibility" in arrays else known
        pictures = arrays.get("pictures", np.empty(0, str))
        for name, array, shape in (
            ("pictures", pictures, count[:1]),
            ("joints_2d", self._joints, (*count, 2)),
            ("visibility", self._visibility, count),
            ("joints_3d", self._joints_3d, (*count, 3)),
        ):
            if array is not None and array.shape != shape:
                raise SourceError(
                    f"{source}: expected {name} {list(shape)}, got {list(array.shape)}"
                )
        self._people: dict[str, list[int]] = {}
        for number, picture in enumerate(pictures):
            self._people.setdefault(str(picture), []).append(number)

    def items(self) -> Sequence[str]:
        """Lists the pictures."""
        return list(self._people)

    def read(self, item: str) -> AnnotatedPicture:
        """Reads the people of one picture.

        Raises:
          BadItemError: the picture is missing, or no person has a known joint.
        """
        path = self.source.parent / item
        if not path.is_file():
            raise BadItemError(f"no such picture in {self.source.parent}")
        people = [
            person_of_points(
                self._skeleton,
                self._joints[number],
                self._visibility[number],
                points_3d=None if self._joints_3d is None else self._joints_3d[number],
            )
            for number in self._people[item]
        ]
        if not any(person.visibility.any() for person in people):
            raise BadItemError("no person has a known joint")
        return AnnotatedPicture(path, people)
