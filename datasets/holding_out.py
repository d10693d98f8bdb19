"""Test splits for data sets without official splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from datasets.sources import SourceError

SPLITS = ("train", "test")


def part_of(names: Sequence[str], share: float | None, split: str, root: str) -> list[str]:
    """Returns the items of a split, drawn at random by their names.

    Args:
      names: of all items.
      share: fraction of them that is "test"; None: all are "train".
      split: "train" or "test".
      root: of the data set, for the message.

    Returns:
      The names of the split, in their order.

    Raises:
      SourceError: there is no such split.
    """
    if split not in SPLITS or (share is None and split != "train"):
        raise SourceError(
            f"{root}: has no split '{split}' of its own, only train; held_out=0.2 makes a fifth "
            "the split test"
        )
    if share is None:
        return list(names)
    by_chance = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    test = set(by_chance[: round(share * len(names))])
    return [name for name in names if (name in test) == (split == "test")]
