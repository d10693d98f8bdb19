"""Selects frames so that any two kept poses differ by at least some distance.

The distance of two poses is the mean (or largest) distance of their joints relative to the root.
Both obey the triangle inequality, so the stored distances of each kept pose to a few pivot poses
rule out nearly all kept poses without comparing joints. The result is exactly that of comparing
every frame with every kept one.

Every n-th frame is an option of the readers themselves.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from datasets import whole_files
from smpl_tf import compiled, json_files

SMPLR_DISTANCE = 0.1  # metres; SMPLR 4.1
_NUM_PIVOTS = 16
# Numbers of kept poses at which new pivots are chosen among them.
_CHOOSE_PIVOTS_AT = (_NUM_PIVOTS, 32 * _NUM_PIVOTS, 1024 * _NUM_PIVOTS)
_ROUNDING = 1e-9  # metres; tolerance of the bound for rounding errors


class PoseSubset:
    """The poses kept so far, in the order of arrival.

    Args:
      distance: metres; a pose nearer than this to a kept one is dropped.
      largest: whether to use the largest distance of the joints instead of the mean.

    Source: SMPLR 4.1 keeps SURREAL's frames at least 100 mm apart, about 89 000; it does not say
      how joints are combined or which frame of a near pair is kept. Here it is the mean, and the
      earlier frame.
    """

    def __init__(self, distance: float = SMPLR_DISTANCE, largest: bool = False):
        """Starts with no pose."""
        self._distance, self._largest = distance, largest
        self._num_kept = 0
        self._poses, self._pivots = np.empty((0, 0, 3)), np.empty((0, 0, 3))
        self._to_pivots = np.empty((0, 0))
        self._last = 0  # the kept pose near the last dropped one

    def __len__(self) -> int:
        """Returns how many poses are kept."""
        return self._num_kept

    def add(self, joints: np.ndarray) -> np.ndarray:
        """Adds poses one after the other.

        Args:
          joints: [T, J, 3] metres, relative to the root, which is not included.

        Returns:
          [T] bool, whether each is kept.
        """
        joints = np.ascontiguousarray(joints, np.float64)
        if not len(self._poses):
            self._poses = np.empty((1024, *joints.shape[1:]))
            self._to_pivots = np.empty((1024, 0))
            self._pivots = np.empty((0, *joints.shape[1:]))
        kept = np.zeros(len(joints), np.bool_)
        for index, pose in enumerate(joints):
            to_pivots = _distances(pose, self._pivots, self._largest)
            near = _find_near(
                pose,
                to_pivots,
                self._poses,
                self._to_pivots,
                self._num_kept,
                self._last,
                self._distance,
                self._largest,
            )
            if near >= 0:
                self._last = near
            else:
                kept[index] = True
                self._keep(pose, to_pivots)
        return kept

    def _keep(self, pose, to_pivots):
        if self._num_kept == len(self._poses):
            self._poses = np.concatenate([self._poses, np.empty_like(self._poses)])
            self._to_pivots = np.concatenate([self._to_pivots, np.empty_like(self._to_pivots)])
        self._poses[self._num_kept] = pose
        self._to_pivots[self._num_kept] = to_pivots
        self._last = self._num_kept
        self._num_kept += 1
        if self._num_kept in _CHOOSE_PIVOTS_AT:
            self._choose_pivots()

    def _choose_pivots(self):
        """Chooses kept poses as pivots, each as far as possible from the previous ones."""
        poses = self._poses[: self._num_kept]
        to_pivots = np.empty((len(self._poses), _NUM_PIVOTS))
        chosen, nearest = [0], np.full(len(poses), np.inf)
        for column in range(_NUM_PIVOTS):
            distances = _distances(poses[chosen[-1]], poses, self._largest)
            to_pivots[: len(poses), column] = distances
            nearest = np.minimum(nearest, distances)
            chosen.append(int(nearest.argmax()))
        self._pivots, self._to_pivots = poses[chosen[:-1]].copy(), to_pivots


def save(path: str, frames: Mapping[str, Sequence[int]]) -> None:
    """Writes the kept frames of each clip.

    Args:
      path: of a JSON file.
      frames: clip -> frame numbers.
    """
    plain = {clip: [int(frame) for frame in kept] for clip, kept in frames.items()}
    whole_files.write(path, json.dumps(plain))


def load(path: str) -> dict[str, list[int]]:
    """Reads what `save` wrote.

    Raises:
      ValueError: it is damaged.
    """
    content = whole_files.read(path)
    try:
        frames = json_files.parse(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; delete it and convert again") from None
    if not isinstance(frames, dict) or not all(
        isinstance(kept, list) and all(type(frame) is int and frame >= 0 for frame in kept)
        for kept in frames.values()
    ):
        raise ValueError(f"{path}: expected frame numbers by clip; delete it and convert again")
    return frames


@compiled.njit()
def _distance(a, b, largest):
    total = 0.0
    for joint in range(a.shape[0]):
        x = a[joint, 0] - b[joint, 0]
        y = a[joint, 1] - b[joint, 1]
        z = a[joint, 2] - b[joint, 2]
        length = np.sqrt(x * x + y * y + z * z)
        total = max(total, length) if largest else total + length
    return total if largest else total / a.shape[0]


@compiled.njit()
def _distances(pose, others, largest):
    result = np.empty(len(others))
    for index in range(len(others)):
        result[index] = _distance(pose, others[index], largest)
    return result


@compiled.njit()
def _find_near(pose, to_pivots, poses, kept_to_pivots, num_kept, last, distance, largest):
    """Index of a kept pose nearer than `distance`, or -1."""
    # In a sequence, the kept pose near the last frame is often near this one, too.
    if num_kept > 0 and _distance(pose, poses[last], largest) < distance:
        return last
    # The distance of two poses is at least the difference of their distances to a pivot.
    bound = distance + _ROUNDING
    for index in range(num_kept):
        possible = True
        for pivot in range(len(to_pivots)):
            if abs(to_pivots[pivot] - kept_to_pivots[index, pivot]) > bound:
                possible = False
                break
        if possible and _distance(pose, poses[index], largest) < distance:
            return index
    return -1
