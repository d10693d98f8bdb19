"""Synthetic people as a source of the converters: shards of any size, and a Beam pipeline.

`generator.generate` writes a fixed number of people per file, for trainings; millions of people
need larger files and several machines. The people are the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from datasets.bodies import Bodies
from datasets.sources import Inventory, Skip
from datasets.synthetic import generator
from datasets.synthetic.generator import SyntheticConfig

# People per item: half a second of work at 64 pixels, two at 256.
_PEOPLE_PER_ITEM = 64


@dataclasses.dataclass(frozen=True)
class SyntheticPeople:
    """A split of synthetic people, generated while it is read; see `datasets.sources.Source`.

    Attributes:
      options: that the people depend on.
      split: its name; different splits share no person.
      count: number of people.
    """

    options: SyntheticConfig
    split: str
    count: int

    @property
    def dataset(self) -> str:
        """See `Source`."""
        return generator.DATASET

    @property
    def root(self) -> str:
        """See `Source`; there is no raw tree."""
        return f"{self.count} synthetic people"

    @property
    def bodies(self) -> Bodies:
        """See `Source`."""
        return self.options.bodies

    @property
    def genders(self) -> tuple[str, ...]:
        """See `Source`."""
        return self.options.genders

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        return {**generator.described(self.options, self.split), "people": self.count}

    def inventory(self) -> Inventory:
        """See `Source`."""
        generator.fingerprints(self.options)  # bodies of one mesh, before anybody is drawn
        return Inventory(self.count, None, "people")

    def items(self) -> list[int]:
        """See `Source`; an item is the index of the first of 64 people."""
        return list(range(0, self.count, _PEOPLE_PER_ITEM))

    def read(self, item: int) -> Iterator[dict[str, Any] | Skip]:
        """See `Source`."""
        stop = min(item + _PEOPLE_PER_ITEM, self.count)
        yield from generator.read_examples(self.options, self.split, item, stop)
