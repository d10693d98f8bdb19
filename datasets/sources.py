"""The interface of readers of raw data: a list of items, and Examples of each item.

An item is read, or fails, as a whole: a picture, a clip, a part of a video. Items are small and
picklable, and their list is cheap to make and always in the same order. So any process can read
any item, and a conversion can stop between two items.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from datasets.bodies import Bodies


class SourceError(ValueError):
    """A raw tree is not as distributed; one line says what is missing and what to do."""


class BadItemError(Exception):
    """An item cannot be used; the message is the reason."""


class Skip(NamedTuple):
    """Replaces an Example in a reader's output if a frame gives none."""

    reason: str


class Inventory(NamedTuple):
    """How much of a data set was found, in the authors' unit."""

    found: int
    official: int | None  # None: the authors do not give a number
    unit: str  # plural


class Source(Protocol):
    """A split of a raw data set on disk; picklable and read-only."""

    @property
    def dataset(self) -> str:
        """Its name."""

    @property
    def root(self) -> str:
        """The folder of the raw tree."""

    @property
    def split(self) -> str:
        """One of "train", "val" and "test"."""

    @property
    def bodies(self) -> Bodies | None:
        """The bodies of its SMPL parameters; None without SMPL parameters."""

    @property
    def genders(self) -> tuple[str, ...]:
        """The genders of the bodies that it needs."""

    def config(self) -> dict[str, Any]:
        """Returns the options that its Examples depend on, as JSON."""

    def inventory(self) -> Inventory:
        """Counts the data that were found, and returns the official number.

        Raises:
          SourceError: the tree is not as distributed.
        """

    def items(self) -> Sequence[Any]:
        """Lists the items of the split; `str` of an item names it.

        Raises:
          SourceError: the tree is not as distributed.
        """

    def read(self, item: Any) -> Iterator[dict[str, Any] | Skip]:
        """Yields the Examples of an item, and a Skip for each frame that gives none.

        Raises:
          BadItemError: the item cannot be used. Other errors of decoders on damaged files have the
            same effect.
        """


def check_split(dataset: str, split: str, splits: Iterable[str]) -> None:
    """Rejects a split that a data set does not have.

    Raises:
      SourceError: the split does not exist.
    """
    if split not in splits:
        raise SourceError(f"{dataset} has the splits {', '.join(splits)}; got '{split}'")


def read_examples(source: Source) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a source in the order of its items, without the frames it skips.

    Args:
      source: the split.

    Yields:
      Examples, see `datasets.example`.

    Raises:
      SourceError: the tree is not as distributed.
      BadItemError: the first bad item; `conversion.convert` lists it and continues instead.
    """
    for item in source.items():
        for example in source.read(item):
            if not isinstance(example, Skip):
                yield example
