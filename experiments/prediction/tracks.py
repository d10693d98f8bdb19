"""Tracks people by the overlap of their squares in consecutive frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbf.prediction.windows import Window

_LEAST_OVERLAP = 0.3  # intersection over union
_REACH = 4  # frames before and after, of the running median
_LONGEST_GAP = 15  # frames without a person after which a new track begins


def link(frames: Sequence[Sequence[Window]]) -> list[dict[int, int]]:
    """Links the people in a video, the best overlaps first.

    Args:
      frames: the squares of each frame's people.

    Returns:
      A track per person, in the order of their first frames: frame -> index in its squares.
    """
    tracks: list[dict[int, int]] = []
    for index, squares in enumerate(frames):
        pairs = []
        for track in tracks:
            last = max(track)
            if index - last <= _LONGEST_GAP:
                before = frames[last][track[last]]
                pairs += [
                    (overlap(before, square), place, track) for place, square in enumerate(squares)
                ]
        free = set(range(len(squares)))
        for share, place, track in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
            if share >= _LEAST_OVERLAP and place in free and index not in track:
                track[index] = place
                free.remove(place)
        tracks += [{index: place} for place in sorted(free)]
    return tracks


def steadied(squares: Sequence[Window | None]) -> list[Window | None]:
    """Removes outliers from one person's squares, and fills short gaps, by a running median.

    Args:
      squares: of each frame; None where the person was not found.

    Returns:
      Squares of the same frames; None if nobody was found within `_REACH` frames.
    """
    steady: list[Window | None] = []
    for index in range(len(squares)):
        near = squares[max(0, index - _REACH) : index + _REACH + 1]
        seen = np.array([square for square in near if square is not None])
        if not len(seen):
            steady.append(None)
            continue
        # Centre and side vary independently; the corner depends on both.
        x, y = np.median(seen[:, :2] + seen[:, 2:] / 2, axis=0)
        side = np.median(seen[:, 2])
        steady.append(Window(*map(float, (x - side / 2, y - side / 2, side))))
    return steady


def overlap(a: Window, b: Window) -> float:
    """Intersection over union of two squares, 0 to 1."""
    width = min(a.left + a.side, b.left + b.side) - max(a.left, b.left)
    height = min(a.top + a.side, b.top + b.side) - max(a.top, b.top)
    both = max(width, 0.0) * max(height, 0.0)
    return both / (a.side**2 + b.side**2 - both)
