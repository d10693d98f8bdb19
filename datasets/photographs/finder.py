"""Finds the people of a picture: their points, depth and masks.

    from datasets.photographs.finder import LandmarkFinder

    finder = LandmarkFinder()
    people = finder(picture)  # [H, W, 3] uint8 RGB -> list of FoundPerson

`python -m datasets.photographs.models` fetches its networks.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from datasets.photographs import search
from datasets.photographs.detector import Detection, Detector
from datasets.photographs.interpreter import Network, load_network
from datasets.photographs.landmarks import LandmarkNetwork, Look
from datasets.photographs.models import find_models
from datasets.photographs.search import Sighting
from datasets.photographs.squares import Square, moved
from smpl_tf.found_person import FoundPerson

LEAST_PRESENCE = 0.5  # of the landmark network, for a person
_LEAST_DETECTION = 0.5
_LEAST_SCORE = 0.2  # of people who are not seen at the first look
# Where nobody is found otherwise, the detector is believed less.
_LEAST_IN_NEED, _MOST_IN_NEED = 0.2, 5
# From here on a person is taken as seen rightly at the first look.
_SURE_DETECTION, _SURE_PRESENCE, _SURE_SCORE = 0.7, 0.9, 0.5
_SAME_SQUARE = 0.1  # squares that differ less show the same
_SAME_SIGHT = 0.2  # and these will probably lead to the same
_SMALL = 0.5  # a person's square over the picture, below which others may be too small to see
_TILES = (0.55, 0.3)  # sides over the picture's


class LandmarkFinder:
    """Finds everybody in a picture with BlazePose's networks.

    It looks at the whole picture first. Where that is unsure (nobody, somebody seen badly, or
    small people) it also looks from farther away, turned, and into overlapping tiles.

    Args:
      model: the size of the landmark network, see `datasets.photographs.models.MODELS`.
      max_people: the best of them are given; None: all.
      thorough: whether to look everywhere; None: where the first look is unsure.
      masks: whether to give the people's masks.
      threads: of the CPU.
      networks: detector and landmark network instead of the fetched ones.

    Raises:
      ValueError: there is no such model.
      ModelsMissingError: the networks were not fetched.
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
        """Finds the people of a picture.

        Args:
          picture: `[H, W, 3]` uint8 RGB, upright.

        Returns:
          The people, the best seen first.

        Raises:
          ValueError: the picture is none.
        """
        return [self.person(look, picture) for look in self.looks(picture)]

    def person(self, look: Look, picture: np.ndarray) -> FoundPerson:
        """Returns a look as a `FoundPerson`."""
        return look.person(self.source, *(picture.shape[:2] if self.masks else ()))

    def looks(self, picture: np.ndarray) -> list[Look]:
        """Finds the people of a picture as `__call__` does, and returns the looks at them."""
        check_picture(picture)
        size = picture.shape[0], picture.shape[1]
        detections = self.detect(picture, [search.whole(*size)])
        people = search.distinct(self._follow(picture, detections, ()))
        thorough = self.thorough
        if thorough is None:
            thorough = not _is_sure(detections, people, size)
        if thorough:
            people = self._search(picture, people, detections)
        return [person.look for person in people[: self.max_people]]

    def look(self, picture: np.ndarray, square: Square) -> Look | None:
        """Looks at the person in a square, and again where that leads; None: nobody is there."""
        first = self._look(picture, square)
        looks = [first]
        if moved(first.next_square, square) >= _SAME_SQUARE:
            looks.insert(0, self._look(picture, first.next_square))
        return next((look for look in looks if look.presence >= LEAST_PRESENCE), None)

    def detect(self, picture: np.ndarray, squares: Iterable[Square]) -> list[Detection]:
        """Runs the detector in squares of a picture; the surest detections first."""
        found = [d for square in squares for d in self._detect(picture, square, _LEAST_IN_NEED)]
        return sorted(found, key=lambda detection: -detection.score)

    def _search(
        self, picture: np.ndarray, people: list[Sighting], detections: list[Detection]
    ) -> list[Sighting]:
        """Looks everywhere."""
        size = picture.shape[0], picture.shape[1]
        squares = [search.whole(*size, margin=1.5)]
        if self.thorough or not people or any(person.score < _SURE_SCORE for person in people):
            squares += search.turned(*size)
        squares += search.tiles(*size, _TILES[0])
        rounds = [squares]
        if self.thorough or _smallest(people, size) < _SMALL * _TILES[0]:
            rounds.append(search.tiles(*size, _TILES[1]))
        for squares in rounds:
            more = self.detect(picture, squares)
            people = search.distinct([*people, *self._follow(picture, more, people)])
            detections = detections + more
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
        """Looks at whom the detector sees, except where somebody was looked at already."""
        squares = [square for look, _ in people for square in (look.square, look.next_square)]
        sightings = []
        for detection in detections:
            if detection.score < least or any(
                moved(detection.square, square) < _SAME_SIGHT for square in squares
            ):
                continue
            squares.append(detection.square)
            look = self.look(picture, detection.square)
            if look is not None:
                squares += [look.square, look.next_square]
                sightings.append(Sighting(look, detection.score))
        return sightings


def check_picture(picture: np.ndarray) -> None:
    """Refuses what is no RGB picture."""
    if (
        picture.ndim != 3
        or picture.shape[-1] != 3
        or picture.dtype != np.uint8
        or not picture.size
    ):
        raise ValueError(
            f"Expected a picture [H, W, 3] uint8 RGB, got {list(picture.shape)} {picture.dtype}."
        )


def _smallest(people: Sequence[Sighting], size: tuple[int, int]) -> float:
    """The side of the smallest person's square over the picture's, 0 without people."""
    return min((look.square.side for look, _ in people), default=0.0) / max(size)


def _is_sure(
    detections: Iterable[Detection], people: Sequence[Sighting], size: tuple[int, int]
) -> bool:
    """Whether the first look saw everybody rightly."""
    return (
        bool(people)
        and all(not _LEAST_DETECTION <= d.score < _SURE_DETECTION for d in detections)
        and all(look.presence >= _SURE_PRESENCE for look, _ in people)
        and all(person.score >= _SURE_SCORE for person in people)
        and _smallest(people, size) >= _SMALL
    )
