"""The type of an argument that may be a tensor or an array.

Annotations here follow one rule: `TensorLike` is converted by the function that takes it,
`tf.Tensor` and `np.ndarray` are used as they are.
"""

from typing import TypeAlias

import tensorflow as tf

# A tensor, a variable, a NumPy array, a number or nested sequences of numbers: whatever both
# `tf.convert_to_tensor` and, outside a graph, `np.asarray` accept.
TensorLike: TypeAlias = tf.types.experimental.TensorLike
