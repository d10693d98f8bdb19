"""Writes small files atomically, on any file system that TensorFlow knows."""

from __future__ import annotations

import tensorflow as tf

from smpl_tf.files import full_disk_named


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
