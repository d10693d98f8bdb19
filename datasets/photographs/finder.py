"""Finds the people in a picture: their points, depth and masks.

    from datasets.photographs.finder import LandmarkFinder

    finder = LandmarkFinder()
    people = finder(picture)  # [H, W, 3] uint8 RGB -> list of FoundPerson

`python -m datasets.photographs.models` downloads its networks.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from datasets.photographs import search
from datasets.photographs.detector import Detection, Detector, intersection_over_union
from datasets.photographs.interpreter import Network, load_network
from datasets.photographs.landmarks import LEAST_PRESENCE, LandmarkNetwork, Look
from datasets.photographs.models import find_models
from datasets.photographs.repeated_looks import look_again
from datasets.photographs.search import Sighting
from datasets.photographs.squares import Square, moved
from smpl_tf.found_person import FoundPerson

_LEAST_DETECTION = 0.5
_LEAST_SCORE = 0.3  # least score of people after the first pass
# Least score if nobody is found otherwise.
_LEAST_IN_NEED, _MOST_IN_NEED = 0.2, 5
# From this score a person counts as found correctly in the first pass.
_SURE_DETECTION, _SURE_PRESENCE, _SURE_SCORE = 0.7, 0.9, 0.4
_SAME_SQUARE = 0.1  # squares that differ less show the same person
_SAME_SIGHT = 0.2  # and these probably lead to the same person
# Of a given box: what the detector sees, what an upright person's square would be, how sure such a
# sighting is, and how far box and points must agree.
_AROUND_BOX, _UPRIGHT_BOX, _UPRIGHT_IN_BOX, _LEAST_IN_BOX = 1.6, 1.25, 0.6, 0.2
_SMALL = 0.5  # a person's square over the picture, below which others may be too small to detect
_TILES = (0.55, 0.3, 0.17)  # sides over the picture's
_CLOSEST_IF_EMPTY = 0.3  # the smallest of them if nobody was found in the larger ones


class LandmarkFinder:
    """Finds all people in a picture with BlazePose's networks.

    It searches the whole picture first. If the result is unsure (nobody, a low score, or small
    people), it also searches the picture at a smaller scale, rotated, and in overlapping tiles. It
    looks at each person again at the end (`repeated_looks`).

    Args:
      model: the size of the landmark network, see `datasets.photographs.models.MODELS`.
      max_people: return only this many, the best; None: all.
      thorough: whether to search everywhere; None: if the first pass is unsure.
      masks: whether to return the people's masks.
      threads: CPU threads.
      networks: detector and landmark network instead of the downloaded ones.

    Raises:
      ValueError: there is no such model.
      ModelsMissingError: the networks were not downloaded.
    """

    def __init__(
        self,
        model: str = "full",
        *,
        max_people: int | None = None,
        thorough: bool | None = None,
        masks: bool = True,
        threads: int = 2,
        networks: tuple[Network, Network] | None = None,
    ):
        if networks is None:
            detector, landmarks = (load_network(path, threads) for path in find_models(model))
        else:
            detector, landmarks = networks
        self.source = f"found by BlazePose {model}"
        self.max_people = max_people
        self.thorough = thorough
        self.masks = masks
        self._detect = Detector(detector)
        self._look = LandmarkNetwork(landmarks)

    def __call__(self, picture: np.ndarray) -> list[FoundPerson]:
        """Finds the people in a picture.

        Args:
          picture: `[H, W, 3]` uint8 RGB, upright.

        Returns:
          The people, the best score first.

        Raises:
          ValueError: the array is not a picture.
        """
        return [
            self.person(self._looked_again(sighting, picture), picture)
            for sighting in self.sightings(picture)
        ]

    def person(self, sighting: Sighting, picture: np.ndarray) -> FoundPerson:
        """Returns a sighting in a picture, `[H, W, 3]`, as a `FoundPerson`."""
        size = picture.shape[:2] if self.masks else None
        return sighting.look.person(self.source, sighting.score, size)

    def sightings(self, picture: np.ndarray, thorough: bool | None = None) -> list[Sighting]:
        """Finds the people in a picture like `__call__`, and returns the networks' single results.

        Args:
          picture: `[H, W, 3]` uint8 RGB.
          thorough: overrides the finder's setting; None keeps it.
        """
        check_picture(picture)
        size = picture.shape[0], picture.shape[1]
        detections = self.detect(picture, [search.whole(*size)])
        people = search.distinct(self._follow(picture, detections, ()))
        thorough = self.thorough if thorough is None else thorough
        if thorough or (thorough is None and not _is_sure(detections, people, size)):
            people = self._search(picture, people, detections, everywhere=bool(thorough))
        return people[: self.max_people]

    def look(self, picture: np.ndarray, square: Square) -> Look | None:
        """Finds the person in a square, and again in the better square; None: nobody."""
        first = self._look(picture, square)
        looks = [first]
        if moved(first.next_square, square) >= _SAME_SQUARE:
            looks.insert(0, self._look(picture, first.next_square))
        return next((look for look in looks if look.presence >= LEAST_PRESENCE), None)

    def in_box(self, picture: np.ndarray, box: np.ndarray) -> FoundPerson | None:
        """Finds the person of a known box.

        The detector runs around the box first, since it finds the person's orientation; if it
        finds nobody, the person is assumed to be upright.

        Args:
          picture: `[H, W, 3]` uint8 RGB.
          box: `[4]` left, top, right, bottom, pixels.

        Returns:
          The person with the given box; None: nobody is found there.
        """
        check_picture(picture)
        box = np.asarray(box, np.float32)
        middle, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
        around = Square(float(middle[0]), float(middle[1]), _AROUND_BOX * side)
        sightings = self._follow(picture, self.detect(picture, [around]), ())
        if not sightings:
            look = self.look(picture, around._replace(side=_UPRIGHT_BOX * side))
            sightings = [] if look is None else [Sighting(look, _UPRIGHT_IN_BOX)]
        if not sightings:
            return None
        overlaps = [
            float(intersection_over_union(one.look.box(), box[None])[0]) for one in sightings
        ]
        best = int(np.argmax(overlaps))
        if overlaps[best] < _LEAST_IN_BOX:
            return None
        sighting = self._looked_again(sightings[best], picture)
        return dataclasses.replace(self.person(sighting, picture), box=box)

    def detect(self, picture: np.ndarray, squares: Iterable[Square]) -> list[Detection]:
        """Runs the detector in squares of a picture; highest scores first."""
        found = [d for square in squares for d in self._detect(picture, square, _LEAST_IN_NEED)]
        return sorted(found, key=lambda detection: -detection.score)

    def _looked_again(self, sighting: Sighting, picture: np.ndarray) -> Sighting:
        return sighting._replace(look=look_again(self._look, picture, sighting.look))

    def _search(
        self,
        picture: np.ndarray,
        people: list[Sighting],
        detections: list[Detection],
        everywhere: bool,
    ) -> list[Sighting]:
        """Searches smaller and smaller tiles, as long as that finds more people, or everywhere."""
        size = picture.shape[0], picture.shape[1]
        squares = [search.whole(*size, margin=1.5)]
        if everywhere or not people or any(one.score < _SURE_SCORE for one in people):
            squares += search.turned(*size)
        for share, closer in zip(_TILES, (*_TILES[1:], 0.0), strict=True):
            squares += search.tiles(*size, share)
            more = self.detect(picture, squares)
            seen = search.distinct(self._follow(picture, more, people))
            more_is_likely = (
                len(seen) > len(people) and _smallest(seen, size) < 2 * closer
                if seen
                else closer >= _CLOSEST_IF_EMPTY
            )
            people, detections, squares = seen, detections + more, []
            if not everywhere and not more_is_likely:
                break
        clear = [person for person in people if person.score >= _LEAST_SCORE]
        if clear:
            return clear
        in_need = sorted(detections, key=lambda detection: -detection.score)[:_MOST_IN_NEED]
        return search.distinct(self._follow(picture, in_need, (), _LEAST_IN_NEED))[:1]

    def _follow(
        self,
        picture: np.ndarray,
        detections: Iterable[Detection],
        people: Sequence[Sighting],
        least: float = _LEAST_DETECTION,
    ) -> list[Sighting]:
        """Adds newly detected people to those already found."""
        sightings = list(people)
        nobody: list[Square] = []
        for detection in detections:
            if detection.score < least or _near(detection.square, nobody):
                continue
            known = [
                i for i, one in enumerate(sightings) if _near(detection.square, one.look.squares)
            ]
            for i in known:  # the detector has a second opinion
                best = max(sightings[i].detection, detection.score)
                sightings[i] = sightings[i]._replace(detection=best)
            if known:
                continue
            look = self.look(picture, detection.square)
            if look is None:
                nobody.append(detection.square)
            else:
                sightings.append(Sighting(look, detection.score))
        return sightings


def check_picture(picture: np.ndarray) -> None:
    """Rejects arrays that are not RGB pictures."""
    rgb = picture.ndim == 3 and picture.shape[-1] == 3 and picture.dtype == np.uint8
    if not rgb or not picture.size:
        raise ValueError(
            f"Expected a picture [H, W, 3] uint8 RGB, got {list(picture.shape)} {picture.dtype}."
        )


def _near(square: Square, others: Iterable[Square]) -> bool:
    """Whether a square will probably lead to the same person as one of the others."""
    return any(moved(square, other) < _SAME_SIGHT for other in others)


def _smallest(people: Sequence[Sighting], size: tuple[int, int]) -> float:
    """Returns the smallest person's square over the picture's, 0 without people."""
    return min((look.square.side for look, _ in people), default=0.0) / max(size)


def _is_sure(
    detections: Sequence[Detection], people: Sequence[Sighting], size: tuple[int, int]
) -> bool:
    """Whether the first pass found everybody correctly."""
    return (
        bool(people)
        and all(not _LEAST_DETECTION <= d.score < _SURE_DETECTION for d in detections)
        and all(look.presence >= _SURE_PRESENCE for look, _ in people)
        and all(person.score >= _SURE_SCORE for person in people)
        and _smallest(people, size) >= _SMALL
    )
