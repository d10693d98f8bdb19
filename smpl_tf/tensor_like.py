"""The type of arguments that may be tensors or arrays.

Annotations here follow one rule: a function converts its `TensorLike` arguments, and uses
`tf.Tensor` and `np.ndarray` without conversion.
"""

from typing import TypeAlias

import tensorflow as tf

# A tensor, a variable, a NumPy array, a number or nested sequences of numbers: everything that
# `tf.convert_to_tensor` and, outside a graph, `np.asarray` accept.
TensorLike: TypeAlias = tf.types.experimental.TensorLike
