"""A split that has been opened: its manifest is read and its shards are checked once.

Whoever reads a split several times, such as a training, opens it and hands it on. Nothing is kept
globally: a split that is opened again is checked again.
"""

import dataclasses
import functools
import hashlib
import os

from datasets import records
from datasets.manifests import Manifest


@dataclasses.dataclass(frozen=True)
class Split:
    """A finished split whose shards were there and whole when it was opened.

    Attributes:
      directory: folder of the shards.
      name: such as "train".
      manifest: what it holds, of which shards.
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
      checksums: whether to read every byte too, rather than compare sizes.

    Returns:
      The split.

    Raises:
      RecordError: see `records.check`.
    """
    return Split(directory, name, records.check(directory, name, checksums=checksums))
