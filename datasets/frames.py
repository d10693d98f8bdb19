"""The frames in which TFRecord files hold their records: a length, its checksum, data, theirs."""

from collections.abc import Iterator

import tensorflow as tf

from smpl_tf import bounds

RECORD_OVERHEAD = 16  # bytes: its length and two checksums frame a record


class RecordError(ValueError):
    """Records that are missing, damaged or of another kind; the message names file and remedy."""


def read(path: str) -> Iterator[tuple[int, bytes]]:
    """Reads a file of records in order.

    Args:
      path: the file.

    Yields:
      Offset and bytes of each record.

    Raises:
      RecordError: naming the offset of the first that is damaged.
    """
    offset = 0
    check(path)
    iterator = tf.data.TFRecordDataset(path).as_numpy_iterator()
    while True:
        try:
            serialized = next(iterator)
        except StopIteration:
            return
        except tf.errors.DataLossError as error:
            raise RecordError(_corrupt(path, offset)) from error
        yield offset, serialized
        offset += len(serialized) + RECORD_OVERHEAD


def _corrupt(path: str, offset: int) -> str:
    return (
        f"{path}: corrupt record at offset {offset}; delete the shard and its manifest, then "
        "convert or generate again"
    )


def check(path: str) -> None:
    """Checks the lengths of all records, not their contents.

    TensorFlow sees that a length was damaged, by its checksum. But one that was made up has a
    right one, and TensorFlow crashes where it is larger than the memory.

    Args:
      path: the file.

    Raises:
      RecordError: naming the offset of the first that cannot be.
    """
    offset, size = 0, tf.io.gfile.stat(path).length
    with tf.io.gfile.GFile(path, "rb") as file:
        while offset < size:
            file.seek(offset)
            head = file.read(12)
            length, checksum = int.from_bytes(head[:8], "little"), head[8:]
            end = offset + RECORD_OVERHEAD + length
            if (
                end > size
                or length > bounds.MOST_RECORD_BYTES
                or _masked_crc32c(head[:8]) != int.from_bytes(checksum, "little")
            ):
                raise RecordError(_corrupt(path, offset))
            offset = end


def _masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord's frames, for a few bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
