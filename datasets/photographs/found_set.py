"""A folder of photographs without labels: the landmark finder labels it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from datasets.photographs.annotations import AnnotatedPicture, read_photograph
from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.models import find_models
from datasets.sources import BadItemError, SourceError
from smpl_tf import pictures


class FoundSet:
    """The photographs below a folder, as the landmark finder sees them.

    Args:
      source: the folder.
      model: the size of the finder's landmark network.

    Raises:
      SourceError: there is no such folder, or it holds no picture.
      ModelsMissingError: the finder's networks were not fetched.
    """

    def __init__(self, source: Path, model: str = "full"):
        find_models(model)  # before anything is read
        if not source.is_dir():
            raise SourceError(f"{source}: no such folder; expected one of photographs")
        self.source = source
        self.model = model
        self._names = sorted(
            path.relative_to(source).as_posix()
            for path in source.rglob("*")
            if path.suffix.lower() in pictures.ENDINGS and path.is_file()
        )
        if not self._names:
            raise SourceError(
                f"{source}: no photograph in it or below; expected {', '.join(pictures.ENDINGS)}"
            )

    def items(self) -> Sequence[str]:
        """Lists the photographs, folders first."""
        return self._names

    def read(self, item: str) -> AnnotatedPicture:
        """Finds the people of one photograph; their points are pixels of the upright file.

        Raises:
          BadItemError: it is no picture, or nobody is found in it.
        """
        path = self.source / item
        photograph = read_photograph(path)
        found = _finder(self.model)(photograph.pixels)
        if not found:
            raise BadItemError("the landmark finder sees nobody")
        if photograph.scale != 1:
            found = [person.scaled(1 / photograph.scale) for person in found]
        return AnnotatedPicture(path, found, photograph)


@functools.lru_cache(maxsize=1)
def _finder(model: str) -> LandmarkFinder:
    return LandmarkFinder(model, threads=1)
