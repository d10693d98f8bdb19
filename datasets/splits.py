"""An open split: its manifest is read and its shards are checked once.

Code that reads a split several times, such as a training, opens it once and passes it on. There is
no global cache: a split that is opened again is checked again.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence

from datasets import records
from datasets.manifests import Manifest


@dataclasses.dataclass(frozen=True)
class Split:
    """A finished split whose shards were complete when it was opened.

    Attributes:
      directory: folder of the shards.
      name: such as "train".
      manifest: its contents and shards.
    """

    directory: str
    name: str
    manifest: Manifest

    @property
    def count(self) -> int:
        """Number of Examples."""
        return self.manifest.count

    @property
    def files(self) -> list[str]:
        """Paths of the shards, in their order."""
        return [os.path.join(self.directory, shard.file) for shard in self.manifest.shards]

    @functools.cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the bytes of the shards."""
        digests = "".join(shard.sha256 for shard in self.manifest.shards)
        return hashlib.sha256(digests.encode()).hexdigest()[:16]


def open_split(directory: str, name: str, *, checksums: bool = False) -> Split:
    """Reads the manifest of a split and checks its shards.

    Args:
      directory: folder of the shards.
      name: of the split.
      checksums: whether to read every byte instead of comparing sizes only.

    Returns:
      The split.

    Raises:
      RecordError: see `records.check`.
    """
    return Split(directory, name, records.check(directory, name, checksums=checksums))


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Splits that are read together, each with its own amount of Examples per epoch.

    Attributes:
      splits: from any folders; a split may occur several times.
      amounts: Examples of each per epoch. A smaller split starts again within the epoch, a larger
        one continues in the next epoch.
    """

    splits: tuple[Split, ...]
    amounts: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of Examples per epoch."""
        return sum(self.amounts)

    @property
    def directory(self) -> str:
        """The folders, for messages."""
        return ", ".join(dict.fromkeys(split.directory for split in self.splits))

    @functools.cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the bytes and the amounts."""
        if len(self.splits) == 1:
            return self.splits[0].fingerprint
        parts = [f"{s.fingerprint}:{n}" for s, n in zip(self.splits, self.amounts, strict=True)]
        return hashlib.sha256(",".join(parts).encode()).hexdigest()[:16]


def mixture(sets: Sequence[Sequence[Split]], weights: Sequence[float] | None = None) -> Mixture:
    """Mixes data sets so that an epoch has as many Examples as all of them together.

    Args:
      sets: the splits of each data set, which share its weight in proportion to their sizes.
      weights: relative amount of each data set in an epoch; None: every Example once.

    Returns:
      The mixture.

    Raises:
      ValueError: the numbers of sets and weights differ, or a weight is not positive.
    """
    splits = [split for one in sets for split in one]
    sizes = [split.count for split in splits]
    if weights is None:
        return Mixture(tuple(splits), tuple(sizes))
    if len(weights) != len(sets) or min(weights) <= 0:
        raise ValueError(
            f"expected one positive weight for each of {len(sets)} data sets, got {list(weights)}"
        )
    shares = [
        weight / sum(weights) * split.count / max(sum(s.count for s in one), 1)
        for weight, one in zip(weights, sets, strict=True)
        for split in one
    ]
    amounts = [int(share * sum(sizes)) for share in shares]
    # The largest remainders are rounded up.
    left = [share * sum(sizes) - amount for share, amount in zip(shares, amounts, strict=True)]
    for index in sorted(range(len(left)), key=lambda i: -left[i])[: sum(sizes) - sum(amounts)]:
        amounts[index] += 1
    return Mixture(tuple(splits), tuple(amounts))
