"""What a reader of raw data gives to the converters: a list of items, and Examples of each item.

An item is what is read, or fails, as a whole: a picture, a clip, a stretch of a video. Items are
small and picklable, their list is cheap to make and always in the same order; so any process can
read any item, and a conversion can stop between two of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from datasets.bodies import Bodies


class SourceError(ValueError):
    """A raw tree is not as it was distributed; one line says what is missing and what to do."""


class BadItemError(Exception):
    """An item cannot be used; the message is the reason."""


class Skip(NamedTuple):
    """Stands in a reader's output for an Example that cannot be made of one frame."""

    reason: str


class Inventory(NamedTuple):
    """How much of a data set is there, in the unit in which its authors count."""

    found: int
    official: int | None  # None: the authors give no number
    unit: str  # plural


class Source(Protocol):
    """A split of a raw data set on disk; picklable. Nobody sets its attributes."""

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
        """Where the bodies of its SMPL parameters are; None if it has none."""

    @property
    def genders(self) -> tuple[str, ...]:
        """The genders of the bodies that it cannot do without."""

    def config(self) -> dict[str, Any]:
        """Returns the options its Examples depend on, as JSON."""

    def inventory(self) -> Inventory:
        """Counts what is there, and what its authors say there is.

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
          BadItemError: nothing of the item can be used. Whatever a damaged file makes its decoder
            raise counts the same.
        """


def check_split(dataset: str, split: str, splits: Iterable[str]) -> None:
    """Refuses a split that a data set does not have.

    Raises:
      SourceError: it does not have it.
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
      BadItemError: the first bad item; `conversion.convert` goes on instead, and lists it.
    """
    for item in source.items():
        for example in source.read(item):
            if not isinstance(example, Skip):
                yield example
