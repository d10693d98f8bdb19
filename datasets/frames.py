"""The framing of TFRecord files: a length, its checksum, the data and the data's checksum."""

from collections.abc import Iterator

import tensorflow as tf

from smpl_tf import bounds

RECORD_OVERHEAD = 16  # bytes around a record: its length and two checksums


class RecordError(ValueError):
    """Records are missing, damaged or of another kind; the message names file and remedy."""


def read(path: str) -> Iterator[tuple[int, bytes]]:
    """Reads a file of records in order.

    Args:
      path: the file.

    Yields:
      Offset and bytes of each record.

    Raises:
      RecordError: names the offset of the first damaged record.
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

    TensorFlow detects damaged lengths by their checksums. But a forged length can have a correct
    checksum, and TensorFlow crashes if it is larger than the memory.

    Args:
      path: the file.

    Raises:
      RecordError: names the offset of the first impossible length.
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
    """Computes the checksum of TFRecord's framing, for a few bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
