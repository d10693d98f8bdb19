"""Reads and atomically writes small files, on any file system that TensorFlow knows."""

from __future__ import annotations

import tensorflow as tf

from smpl_tf import bounds, file_kinds
from smpl_tf.files import full_disk_named


def read(path: str) -> bytes:
    """Reads a file.

    Args:
      path: of the file, on a disk or such as gs://bucket/name.

    Returns:
      Its content.

    Raises:
      OSError: on a disk, it does not exist or is a folder, pipe or device.
      ValueError: it is larger than MOST_SIDE_FILE_BYTES.
      tf.errors.OpError: it cannot be read.
    """
    if "://" not in path:
        file_kinds.check_ordinary(path)
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read(bounds.MOST_SIDE_FILE_BYTES + 1)
    bounds.check(len(content), bounds.MOST_SIDE_FILE_BYTES, "bytes")
    return content


def write(path: str, content: str | bytes) -> None:
    """Writes a file that is complete as soon as it has its final name.

    Args:
      path: of the file, on a disk or such as gs://bucket/name.
      content: text, or bytes.

    Raises:
      OSError: the disk is full; the file is named.
      tf.errors.OpError: it cannot be written.
    """
    aside = f"{path}.writing"
    mode = "wb" if isinstance(content, bytes) else "w"
    with full_disk_named(path), tf.io.gfile.GFile(aside, mode) as file:
        file.write(content)
    tf.io.gfile.rename(aside, path, overwrite=True)
