"""Seeded damage: to bytes, to JSON values, and to the arrays of NumPy archives."""

import copy
import io
import json
import random
import struct
import zipfile

import numpy as np

# What length and shape fields are overwritten with.
_LENGTHS = (
    0,
    1,
    127,
    128,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**64 - 1,
)
_VALUES = (
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**400, -1e308, 1e309, float("nan"), float("-inf")),
    *("", "x", "1", "\x00", "\ud800", "../../etc/passwd", "é" * 1000),
    *([], {}, [[]], [None] * 3, {"": None}, [[1, 2], [3]]),
)


def damaged_bytes(data: bytes, chance: random.Random) -> bytes:
    """Damages bytes in one to four places, or cuts them off."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not data:
            return bytes(chance.randbytes(chance.randrange(64)))
        at = chance.randrange(len(data))
        # Headers decide more than what follows them.
        if chance.random() < 0.5:
            at = chance.randrange(min(len(data), 256))
        length = min(len(data) - at, chance.choice((1, 2, 4, 16, 256)))
        kind = chance.randrange(8)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            data[at : at + length] = chance.randbytes(length)
        elif kind == 3:
            form = chance.choice(("<I", ">I", "<Q", ">Q", "<H", ">H", "B"))
            size = struct.calcsize(form)
            value = struct.pack(form, chance.choice(_LENGTHS) % 2 ** (8 * size))
            data[at : at + size] = value
        elif kind == 4:
            del data[at : at + length]
        elif kind == 5:
            data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))
        elif kind == 6:
            data[at : at + length] = bytes(length)
        else:
            other = chance.randrange(len(data))
            data[at : at + length] = data[other : other + length]
    return bytes(data)


def damaged_json(value, chance: random.Random) -> bytes:
    """Replaces, removes or repeats one to three values anywhere in a JSON value."""
    value = copy.deepcopy(value)
    for _ in range(chance.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            break
        holder, key = chance.choice(places)
        kind = chance.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.extend(holder[:5] * 50)
        elif kind == 2 and isinstance(holder, dict):
            holder[str(key) + "_"] = holder.pop(key)
        elif kind == 3:
            holder[key] = [holder[key]]
        else:
            holder[key] = copy.deepcopy(chance.choice(_VALUES))
    text = json.dumps(value)
    if chance.random() < 0.05:
        depth = chance.choice((100, 5000, 200_000))
        text = (
            text.replace("null", "[" * depth + "]" * depth, 1) if "null" in text else "[" * depth
        )
    return text.encode(errors="surrogatepass")


def _places(value):
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(inner)


def damaged_arrays(arrays: dict[str, np.ndarray], chance: random.Random) -> bytes:
    """Writes a NumPy archive, of which one to three arrays or headers are damaged."""
    arrays = dict(arrays)
    for _ in range(chance.choice((1, 1, 2, 3))):
        name = chance.choice(list(arrays))
        array = np.asarray(arrays[name])
        kind = chance.randrange(8)
        if kind == 0:
            del arrays[name]
        elif kind == 1 and array.size:
            arrays[name] = array.reshape(-1)[: chance.randrange(array.size)]
        elif kind == 2 and array.size and array.dtype.kind in "iuf":
            array = array.copy()
            extremes = (np.iinfo if array.dtype.kind in "iu" else np.finfo)(array.dtype)
            odd = (extremes.min, extremes.max, 0)
            array.reshape(-1)[chance.randrange(array.size)] = chance.choice(odd)
            arrays[name] = array
        elif kind == 3:
            dtypes = ("U7", "S3", "c16", "?", "M8[s]", "u1", "f2", "i8", "V3")
            arrays[name] = np.zeros(array.shape, chance.choice(dtypes))
        elif kind == 4 and array.dtype.kind == "f":
            arrays[name] = array * np.nan
        elif kind == 5:
            arrays[name] = np.array(chance.choice(_LENGTHS[:8]))
        elif kind == 6:
            arrays[name] = array[None] if array.ndim else np.zeros((0, 0))
        else:
            arrays[name] = array.T if array.ndim > 1 else np.append(array, array)
        if not arrays:
            break
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", chance.choice((0, 8))) as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
            content = file.getvalue()
            if chance.random() < 0.05:
                content = _damaged_header(content, chance)
            archive.writestr(f"{name}.npy", content)
    return packed.getvalue()


def _damaged_header(content: bytes, chance: random.Random) -> bytes:
    """Writes another shape or type into the header of a .npy file, whose length stays."""
    shape = chance.choice(
        ("(99999999999,)", "(-1,)", "(1<<9,)", "(2147483648, 2147483648)", "(3, 'x')", "()")
    )
    dtype = chance.choice(("|O", "<f8", "<U99999999", "|V0", "<m8[Y]", "not a type"))
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    size = struct.unpack("<H", content[8:10])[0]
    return content[:10] + header.ljust(size)[:size] + content[10 + size :]
