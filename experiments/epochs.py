"""Epochs of whole batches, the same for a training that is resumed."""

from __future__ import annotations

import tensorflow as tf

from experiments.common import UserError


def steps_per_epoch(count: int, batch_size: int, data: str) -> int:
    """How many whole batches a training set fills.

    Args:
      count: Examples of the set.
      batch_size: Examples per batch.
      data: the set's folder, for the message.

    Returns:
      The number of batches.

    Raises:
      UserError: there are fewer Examples than a batch holds.
    """
    if count < batch_size:
        raise UserError(
            f"{data}: {count} training Examples do not fill a batch; "
            f"lower --batch_size={batch_size}"
        )
    return count // batch_size


def whole_batches(examples: tf.data.Dataset, count: int, batch_size: int) -> tf.data.Dataset:
    """Batches endless Examples so that no batch reaches into the next epoch.

    The Examples that do not fill a last batch are left out; so a resumed run has the same batches.

    Args:
      examples: epoch after epoch, `count` Examples each.
      count: Examples per epoch.
      batch_size: Examples per batch.

    Returns:
      The dataset of batches.
    """
    used = count // batch_size * batch_size
    whole = examples.enumerate().filter(lambda i, _: i % count < used)
    return whole.map(lambda _, example: example).batch(batch_size, drop_remainder=True)
