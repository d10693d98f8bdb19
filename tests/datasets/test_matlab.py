"""`.mat` files: what SciPy writes is read; what claims much, nests or is no array is refused."""

import resource
import struct
import zlib

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from datasets import matlab
from smpl_tf import bounds

MANY = 2_000_000_000


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(cls, sides, *rest, flags=0):
    return element(
        14,
        element(6, struct.pack("<II", cls | flags, 0))
        + element(5, struct.pack(f"<{len(sides)}i", *sides))
        + element(1, b"x")
        + b"".join(rest),
    )


def nested(levels):
    made = matrix(6, (1, 1), element(9, bytes(8)))
    for _ in range(levels):
        made = matrix(1, (1, 1), made)
    return made


def file_of(*elements):
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def packed(content):
    squeezed = zlib.compress(content, 9)
    return struct.pack("<II", 15, len(squeezed)) + squeezed


HOSTILE = {
    "claimed cells": (matrix(1, (MANY, 1)), "cells and fields"),
    "claimed structs": (
        matrix(2, (MANY, 1), element(5, struct.pack("<i", 8)), element(1, b"a".ljust(8))),
        "cells and fields",
    ),
    "structs without fields": (
        matrix(2, (MANY, 1), element(5, struct.pack("<i", 8)), element(1, b"")),
        "cells and fields",
    ),
    "claimed numbers": (matrix(6, (MANY, 1), element(9, bytes(8))), "bytes of arrays"),
    "fewer numbers": (matrix(6, (1000, 1), element(9, bytes(8))), "declares 1000 numbers"),
    "negative": (matrix(6, (-1, 1), element(9, bytes(8))), "not a list of sizes"),
    "deep": (nested(3000), "levels"),
    "function": (matrix(16, (1, 1)), "object of class 16"),
    "opaque": (matrix(17, (1, 1)), "object of class 17"),
    "sparse": (matrix(5, (MANY, MANY)), "a sparse array"),
    "bomb": (packed(matrix(9, (1 << 29, 1), element(2, bytes(1 << 29)))), "bytes"),
    "claimed element": (struct.pack("<II", 14, 1 << 31), "truncated"),
    "other element": (element(2, bytes(8)), "where a variable is expected"),
}


def test_claims_of_all_variables_count_together(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_MAT_BYTES", 10_000)
    some = {"a": np.zeros(750), "b": np.zeros(125)}
    scipy.io.savemat(tmp_path / "x.mat", some, do_compression=True)
    assert matlab.load(tmp_path / "x.mat")["a"].size == 750
    scipy.io.savemat(tmp_path / "x.mat", {**some, "c": np.zeros(750)}, do_compression=True)
    with pytest.raises(ValueError, match="bytes"):
        matlab.load(tmp_path / "x.mat")


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("is_packed", [False, True])
def test_claims_are_refused_before_there_is_memory_for_them(tmp_path, what, is_packed):
    content, message = HOSTILE[what]
    if is_packed and what not in ("bomb", "claimed element"):
        content = packed(content)
    (tmp_path / "x.mat").write_bytes(file_of(content))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=message) as error:
        matlab.load(tmp_path / "x.mat")
    assert "\n" not in str(error.value)
    if what != "bomb":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 17  # kB


@pytest.mark.parametrize("is_packed", [False, True])
def test_what_scipy_writes_is_read(tmp_path, is_packed):
    values = {
        **{f"a_{kind}": np.arange(6).astype(kind).reshape(2, 3) for kind in ("f8", "f4", "u1")},
        **{f"b_{kind}": np.arange(6).astype(kind).reshape(2, 3) for kind in ("i2", "i8", "?")},
        "complex": np.array([[1 + 2j]]),
        "text": "a word",
        "texts": np.array(["ab", "cd"]),
        "foreign": "äöü",
        "empty": np.zeros((0, 3)),
        "cells": np.array([[1, "x", np.zeros(2)]], object),
        "struct": {"a": 1.0, "b": {"c": np.arange(3)}},
    }
    scipy.io.savemat(tmp_path / "x.mat", values, do_compression=is_packed)
    read, expected = matlab.load(tmp_path / "x.mat"), scipy.io.loadmat(tmp_path / "x.mat")
    assert read.keys() == expected.keys() >= values.keys()
    for name, value in expected.items():
        assert repr(read[name]) == repr(value)


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB", bytes(200), b"\x89HDF\r\n\x1a\n" + bytes(300)]
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(ValueError, match="expected a .mat file"):
        matlab.load(tmp_path / "x.mat")
