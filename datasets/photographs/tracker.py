"""Tracks the people in a video.

    tracker = PersonTracker(LandmarkFinder(max_people=4))
    for frame in frames:  # [H, W, 3] uint8 RGB
        for track, person in tracker(frame):
            ...

A person's points determine the square to search in the next frame, so that the detector is needed
only for new people and for lost ones.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from datasets.photographs.finder import LandmarkFinder, check_picture
from datasets.photographs.landmarks import Look
from datasets.photographs.search import Sighting, same_person
from datasets.photographs.squares import moved
from smpl_tf.found_person import FoundPerson

# A lost person is recognised if the squares differ by less than this, per frame of absence.
_REACH_PER_FRAME, _LONGEST_REACH = 0.3, 1.0
_BETTER = 0.2  # margin by which a new score must exceed a track's to replace its result


class TrackedPerson(NamedTuple):
    """A person in a frame, with its track.

    Attributes:
      track: the person's number, from 0; constant over frames and never reused.
      person: as found in this frame.
    """

    track: int
    person: FoundPerson


@dataclasses.dataclass
class _Track:
    number: int
    seen: Sighting  # the latest; its detection score is that of the last detection
    absent: int = 0  # frames since then


class PersonTracker:
    """Finds the people in each frame of one video, and tracks them.

    Args:
      finder: finds people in pictures.
      every: frames between two searches for new people.
      patience: frames for which a lost person is remembered.

    Raises:
      ValueError: a number is too small.
    """

    def __init__(self, finder: LandmarkFinder, every: int = 10, patience: int = 15):
        if every < 1 or patience < 0:
            raise ValueError(
                f"Expected every >= 1 and patience >= 0, got every={every}, patience={patience}."
            )
        self._finder = finder
        self._every = every
        self._patience = patience
        self._tracks: list[_Track] = []
        self._frame = 0
        self._next_number = 0

    def __call__(self, picture: np.ndarray) -> list[TrackedPerson]:
        """Finds the people in the next frame.

        Args:
          picture: `[H, W, 3]` uint8 RGB.

        Returns:
          The people in this frame, in the order of their numbers.

        Raises:
          ValueError: the array is not a picture.
        """
        check_picture(picture)
        self._continue(picture)
        if self._frame % self._every == 0:
            self._take_up(self._finder.sightings(picture))
        elif not self._tracks or any(track.absent for track in self._tracks):
            self._take_up(self._finder.sightings(picture, thorough=False))
        self._frame += 1
        self._tracks = [track for track in self._tracks if track.absent <= self._patience]
        present = sorted((t for t in self._tracks if not t.absent), key=lambda t: t.number)
        return [TrackedPerson(t.number, self._finder.person(t.seen, picture)) for t in present]

    def _continue(self, picture):
        """Finds each person in the square from the last frame's points."""
        present: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: (track.absent, track.number)):
            look = self._finder.look(picture, track.seen.look.next_square)
            if look is None:
                track.absent += 1
                continue
            if any(same_person(look, other.seen.look) for other in present):
                # Another track shows the same person; the older track keeps it.
                track.absent += 1
                continue
            track.seen, track.absent = track.seen._replace(look=look), 0
            present.append(track)

    def _take_up(self, sightings):
        """Assigns new people to lost tracks nearby, or to new tracks."""
        for sighting in sightings:
            look = sighting.look
            present = [track for track in self._tracks if not track.absent]
            same = next((t for t in present if same_person(look, t.seen.look)), None)
            if same is not None:
                if look.score > same.seen.look.score + _BETTER:
                    same.seen = sighting
                continue
            most = self._finder.max_people
            if most is not None and len(present) >= most:
                continue
            track = self._lost_near(look)
            if track is None:
                track = _Track(self._next_number, sighting)
                self._next_number += 1
                self._tracks.append(track)
            track.seen, track.absent = sighting, 0

    def _lost_near(self, look: Look) -> _Track | None:
        """Returns the nearest lost track that this person may belong to."""

        def way(track):
            return moved(look.square, track.seen.look.next_square)

        lost = [track for track in self._tracks if track.absent]
        near = [t for t in lost if way(t) < min(_REACH_PER_FRAME * t.absent, _LONGEST_REACH)]
        return min(near, key=way, default=None)
