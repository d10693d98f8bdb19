"""Photographs with 2D labels as a data set: annotated, or labelled by the landmark finder.

NBF found that many pictures with 2D labels and few with 3D labels suffice. Camera and SMPL body
are unknown here; annotated joints near SMPL's twelve limb joints are `joints/2d`, all known points
of LSP's fourteen are `lsp/2d`. `labels/source` is the origin of the labels.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from datasets import holding_out
from datasets.bodies import Bodies
from datasets.photographs import coco, mpii
from datasets.photographs.annotations import AnnotatedSet
from datasets.photographs.examples import example_of
from datasets.photographs.found_set import FoundSet
from datasets.photographs.sets import open_set
from datasets.sources import BadItemError, Inventory, Skip, SourceError

PHOTOS = "photos"
SETS = ("coco", "lsp", "lspet", "mpii", PHOTOS)
# Set -> our split -> the authors' name of it.
_OWN_SPLITS: dict[str, dict[str, str]] = {
    "coco": {"train": "train2017", "val": "val2017"},
    "lsp": {"train": "train", "test": "test"},
    "mpii": {"train": "train", "val": "valid"},
}
_OFFICIAL = {("lsp", "train"): 1000, ("lsp", "test"): 1000, ("lspet", "train"): 10000}


@dataclasses.dataclass(frozen=True)
class Photographs:
    """A split of a set of photographs; an item is a picture, an Example one of its people.

    Attributes:
      dataset: one of SETS.
      root: the folder of the set, or its file of annotations.
      split: "train", "val" or "test", if the set has it.
      held_out: fraction of the pictures that is "test" instead of "train", drawn by their names;
        None: the official splits.
      licenses: numbers of the allowed licences of COCO's pictures; empty: any.
      model: size of the landmark finder's network, for "photos".
    """

    genders: ClassVar[tuple[str, ...]] = ()
    bodies: ClassVar[Bodies | None] = None

    dataset: str
    root: str
    split: str
    held_out: float | None = None
    licenses: tuple[int, ...] = ()
    model: str = "full"

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        options: dict[str, Any] = {"held_out": self.held_out}
        if self.dataset == PHOTOS:
            options["finder"] = self.model
        if self.licenses:
            options["licenses"] = sorted(self.licenses)
        return options

    def inventory(self) -> Inventory:
        """See `Source`."""
        official = None
        if self.held_out is None or self.dataset == "lspet":
            official = _OFFICIAL.get((self.dataset, "train" if self.held_out else self.split))
        return Inventory(len(self._set().items()), official, "pictures")

    def items(self) -> list[str]:
        """See `Source`; an item is a picture's name."""
        names = list(self._set().items())
        if self.held_out is None:
            return names
        return holding_out.part_of(names, self.held_out, self.split, self.root)

    def read(self, item: str) -> Iterator[dict[str, Any] | Skip]:
        """See `Source`."""
        found = self._set().read(item)
        photograph = found.read()
        for number, person in enumerate(found.people):
            mask = person.mask
            if mask is not None and mask.shape != (photograph.height, photograph.width):
                raise BadItemError(
                    f"annotated for {mask.shape[1]} x {mask.shape[0]} pixels, the file has "
                    f"{photograph.width} x {photograph.height}"
                )
            example = example_of(person, photograph.pixels, photograph.scale)
            if not isinstance(example, Skip):
                example |= {
                    "id": f"{self.dataset}/{item}/{number}",
                    "source": f"{self.dataset}/{item}",
                }
            yield example

    def _set(self) -> AnnotatedSet:
        return _open(self.dataset, self.root, self._own_split(), self.licenses, self.model)

    def _own_split(self) -> str | None:
        """The authors' name of the split; None: all pictures."""
        if self.held_out is not None:
            return None
        own = _OWN_SPLITS.get(self.dataset, {})
        if not own or Path(self.root).is_file():
            holding_out.part_of((), None, self.split, self.root)  # there is only train
            return None
        if self.split not in own:
            raise SourceError(
                f"{self.dataset} has the splits {', '.join(own)}; got '{self.split}' "
                "(held_out=0.2 would keep a fifth of the pictures for test)"
            )
        if self.dataset == "mpii" and self.split == "train" and mpii.has_release(Path(self.root)):
            return None  # all its annotations are for training
        return own[self.split]


@functools.lru_cache(maxsize=4)
def _open(
    dataset: str, root: str, split: str | None, licenses: Sequence[int], model: str
) -> AnnotatedSet:
    if dataset == PHOTOS:
        return FoundSet(Path(root), model)
    if dataset == "coco":
        return coco.COCO(Path(root), split, licenses)
    return open_set(dataset, Path(root), split)
