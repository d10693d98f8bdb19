"""A folder of photographs without labels, labelled by the landmark finder."""

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
    """The photographs below a folder, with the detector's results.

    Args:
      source: the folder.
      model: the size of the finder's landmark network.

    Raises:
      SourceError: the folder does not exist or has no picture.
      ModelsMissingError: the detector's networks were not downloaded.
    """

    def __init__(self, source: Path, model: str = "full"):
        find_models(model)  # raises before any picture is read
        if not source.is_dir():
            raise SourceError(f"{source}: no such folder; expected a folder of photographs")
        self.source = source
        self.model = model
        self._names = sorted(
            path.relative_to(source).as_posix()
            for path in source.rglob("*")
            if path.suffix.lower() in pictures.ENDINGS and path.is_file()
        )
        if not self._names:
            raise SourceError(
                f"{source}: contains no photograph; expected {', '.join(pictures.ENDINGS)}"
            )

    def items(self) -> Sequence[str]:
        """Lists the photographs, folders first."""
        return self._names

    def read(self, item: str) -> AnnotatedPicture:
        """Finds the people of one photograph; their points are pixels of the upright file.

        Raises:
          BadItemError: it is not a picture, or nobody is found in it.
        """
        path = self.source / item
        photograph = read_photograph(path)
        found = _finder(self.model)(photograph.pixels)
        if not found:
            raise BadItemError("the landmark finder finds nobody")
        if photograph.scale != 1:
            found = [person.scaled(1 / photograph.scale) for person in found]
        return AnnotatedPicture(path, found, photograph)


@functools.lru_cache(maxsize=1)
def _finder(model: str) -> LandmarkFinder:
    return LandmarkFinder(model, threads=1)
