"""Files of weights as PyTorch wrote them before 1.6, without PyTorch."""

import struct

import numpy as np

from tests import pickles

MAGIC = 0x1950A86A20F9469CFC6C
_KINDS = {"f": "FloatStorage", "i": "LongStorage"}


def tensor(array, key, strides=None, offset=0, kind=None, size=None):
    """What stands for an array: a call that names its storage."""
    strides = strides or [step // array.itemsize for step in array.strides]
    kind = kind or pickles.name("torch", _KINDS[array.dtype.kind])
    size = array.size if size is None else size
    storage = [pickles.text("storage"), kind, pickles.text(key), pickles.text("cpu")]
    storage += [pickles.number(size), pickles.EMPTY]
    return pickles.call(
        pickles.name("torch._utils", "_rebuild_tensor_v2"),
        pickles.tuple_of(*storage) + b"Q",  # BINPERSID
        pickles.number(offset),
        pickles.tuple_of(*map(pickles.number, array.shape)),
        pickles.tuple_of(*map(pickles.number, strides)),
        pickles.truth(False),
        pickles.call(pickles.name("collections", "OrderedDict")),
    )


def content(arrays, **changed):
    """The bytes of a file.

    Args:
      arrays: name -> array, float32 or int64; those that are transposed stay so.
      **changed: name, with _ for dots -> the pickle of its array, if it is to be another.
    """
    names = [*arrays]
    made = [
        pickles.text(name) + changed.get(name.replace(".", "_"), tensor(arrays[name], str(number)))
        for number, name in enumerate(names)
    ]
    start = pickles.call(pickles.name("collections", "OrderedDict"))
    parts = [pickles.number(MAGIC), pickles.number(1001), pickles.dict_of()]
    parts.append(start + b"(" + b"".join(made) + b"u")
    parts.append(pickles.list_of(*(pickles.text(str(i)) for i in range(len(names)))))
    data = b"".join(map(pickles.pickled, parts))
    for array in arrays.values():
        stored = array.ravel(order="K")  # as it lies in memory
        data += struct.pack("<q", stored.size) + stored.tobytes()
    return data


def random_arrays(shapes, seed=0):
    """Arrays of some shapes, the 4D ones as converted files have them: in another order."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes.items():
        if len(shape) == 4:
            last_first = rng.normal(size=(shape[2], shape[3], shape[1], shape[0]))
            arrays[name] = np.float32(last_first).transpose(3, 2, 0, 1)
        elif shape:
            arrays[name] = np.float32(rng.uniform(0.5, 1.5, shape))
        else:
            arrays[name] = np.array(7, np.int64)
    return arrays
