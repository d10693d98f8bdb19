"""No pickle crashes the process, runs anything, or takes memory or time without end."""

import io
import os
import pickle
import resource
import time
import zipfile

import numpy as np
import pytest

from smpl_tf import bounds
from smpl_tf.model_data import ModelFileError, load_model_data, unpickler
from tests.pickles import (
    EMPTY,
    array,
    build,
    call,
    chumpy,
    dict_of,
    dtype,
    from_buffer,
    list_of,
    name,
    nested,
    number,
    pickled,
    raw,
    scalar,
    sparse,
    text,
    truth,
    tuple_of,
)
from tests.smpl_tf import fake_model_files as fakes

POINTER = raw(b"AAAABBBB")
ONE = tuple_of(number(1))
F8 = dtype("f8")
MANY = 2_000_000_000


def field(kind: bytes, offset: int = 0) -> tuple[bytes, ...]:
    """The state of a type of one field."""
    fields = dict_of(a=tuple_of(kind, number(offset)))
    return EMPTY, tuple_of(text("a")), fields, number(8), number(1), number(0)


OBJECT_FIELD = dtype("V8", "|", *field(dtype("O8", "|")))
OBJECT_IN_NUMBER = dtype("f8", "<", *field(dtype("O8", "|")))
FAR_FIELD = dtype("f8", "<", *field(dtype("f8"), 1 << 40))
SUBARRAY = (
    *(tuple_of(dtype("f8"), tuple_of(number(1 << 40))), EMPTY, EMPTY),
    *(number(-1), number(-1), number(0)),
)
# Each makes a pointer of eight bytes, reads beyond what there is, or runs what the file says.
POINTERS = {
    "object field by frombuffer": from_buffer(POINTER, OBJECT_FIELD, ONE),
    "object field by scalar": scalar(OBJECT_FIELD, POINTER),
    "object field by state": array(ONE, OBJECT_FIELD, POINTER),
    "object field in a number": from_buffer(POINTER, OBJECT_IN_NUMBER, ONE),
    "field beyond the item": from_buffer(POINTER, FAR_FIELD, ONE),
    "subarray": from_buffer(POINTER, dtype("f8", "<", *SUBARRAY), ONE),
    "objects from bytes": from_buffer(POINTER, dtype("O8", "|"), ONE),
    "object from bytes": scalar(dtype("O8", "|"), POINTER),
    "objects from bytes by state": array(ONE, dtype("O8", "|"), POINTER),
    "longer item": scalar(
        dtype("f8", "<", *(EMPTY,) * 3, number(1 << 30), *[number(1)] * 2), POINTER
    ),
    "structured type": from_buffer(POINTER, dtype("O,O"), ONE),
    "type of a list": call(name("numpy", "dtype"), list_of(tuple_of(text("a"), text("O")))),
    "fewer objects": array(tuple_of(number(1000)), dtype("O8", "|"), list_of(number(1))),
    "fewer bytes": array(tuple_of(number(1 << 30)), F8, POINTER),
    "overflowing shape": array(tuple_of(number(1 << 62), number(4)), F8, raw(b"")),
    "negative shape": array(tuple_of(number(-1)), F8, POINTER),
    "a sparse matrix's own code": sparse(
        tuple_of(number(1 << 40), number(1)),
        array(ONE, F8, POINTER),
        array(ONE, dtype("i8"), raw(b"\xff" * 8)),
        array(tuple_of(number(2)), dtype("i8"), raw(bytes(8) + b"\1" + bytes(7))),
    ),
    "state of a class": build(name("chumpy.ch", "Ch"), tuple_of(EMPTY, dict_of(value=EMPTY))),
    "state of a dict": build(
        call(name("collections", "OrderedDict")), tuple_of(EMPTY, dict_of(keys=EMPTY))
    ),
    "state of an array that is built": build(
        array(ONE, F8, POINTER), tuple_of(number(1), ONE, F8, truth(False), POINTER)
    ),
    "a method of a stand-in": chumpy("ch.Ch", dict_of(value=name("numpy", "ndarray"))),
    "slots of a stand-in": chumpy("ch.Ch", tuple_of(EMPTY, dict_of(__class__=EMPTY))),
    "a layout of its own": build(
        call(name("scipy.sparse.csc", "csc_matrix")),
        dict_of(
            layout=name("numpy", "dtype"), _shape=ONE, data=EMPTY, indices=EMPTY, indptr=EMPTY
        ),
    ),
    "array that is never built": call(
        name("numpy.core.multiarray", "_reconstruct"),
        *(name("numpy", "ndarray"), tuple_of(number(0)), raw(b"b")),
    ),
    "a list that contains itself": b"]q\x00h\x00a",
    "two states": build(chumpy("ch.Ch", dict_of(x=number(1))), dict_of(x=number(2))),
}


def selects(levels):
    """Selects of selects, each of which needs the one before twice."""
    value = array(ONE, dtype("i8"), raw(bytes(8)))
    for level in range(levels):
        kept = value + b"q" + bytes([level])
        value = chumpy("reordering.Select", dict_of(a=kept, idxs=b"h" + bytes([level])))
    return value


def copies(count):
    """One megabyte, of which many arrays are made."""
    size = 1 << 20
    made = array(tuple_of(number(size)), dtype("b1", "|"), b"h\x01")
    return list_of(raw(bytes(size)) + b"q\x01", *[made] * count)


# Each is a few kilobytes, and took minutes or gigabytes.
BOMBS = {
    "nested lists": nested(9, 10),
    "nested tuples": nested(9, 10, tuple_of),
    "nested tuple as a key": b"}" + nested(60, 2, tuple_of) + b"Ns",
    "scalar": call(name("numpy.core.multiarray", "scalar"), dtype(f"V{MANY}", "|")),
    "text": call(name("numpy.core.multiarray", "scalar"), dtype(f"U{MANY // 4}")),
    "nothing, many times": array(tuple_of(number(MANY)), dtype("S0", "|"), raw(b"")),
    "selects": selects(200),
    "copies": copies(3000),
    "sparse": sparse(
        tuple_of(number(MANY), number(MANY)),
        *(array(tuple_of(number(0)), F8, raw(b"")) for _ in range(3)),
    ),
    "many sparse": list_of(
        *[
            sparse(
                tuple_of(number(1 << 25), number(1)),
                array(tuple_of(number(0)), F8, raw(b"")),
                array(tuple_of(number(0)), dtype("i8"), raw(b"")),
                array(tuple_of(number(2)), dtype("i8"), raw(bytes(16))),
            )
        ]
        * 20
    ),
    "far place of the memory": b"]r\xff\xff\xff\xfe",
    "deep": b"]" * 200_000 + b"a" * 199_999,
    "long number": b"\x8b" + (1 << 20).to_bytes(4, "little") + b"\x7f" * (1 << 20),
    "long text, many times": list_of(text("x" * 100_000), *[text("")] * 30_000),
    "claimed length": b"\x8e" + (1 << 62).to_bytes(8, "little") + b"x",
}


def body_with(value: bytes, name: str = "v_template") -> bytes:
    """The pickle of a body, one of whose arrays is something else."""
    arrays = fakes.random_arrays(30)
    rest = {
        key: array(tuple_of(*map(number, one.shape)), dtype(one.dtype.str[1:]), raw(one.tobytes()))
        for key, one in arrays.items()
    }
    return pickled(dict_of(**{**rest, name: value}))


@pytest.fixture
def bounded():
    """Fails a test that takes more than some seconds or a gigabyte."""
    start = resource.getrusage(resource.RUSAGE_SELF)
    yield
    end = resource.getrusage(resource.RUSAGE_SELF)
    assert end.ru_utime - start.ru_utime < 10
    assert end.ru_maxrss - start.ru_maxrss < 1 << 20  # kB


def test_the_hand_written_body_is_read(tmp_path):
    arrays = fakes.random_arrays(30)
    vertices = arrays["v_template"]
    content = raw(vertices.tobytes())
    shape = tuple_of(number(30), number(3))
    for value in (
        array(shape, F8, content),
        from_buffer(content, F8, shape),
        array(shape, dtype("f8", ">"), raw(vertices.astype(">f8").tobytes())),
        chumpy("ch.Ch", dict_of(x=array(shape, F8, content), _cache=b"}")),
        list_of(*[list_of(*[b"F%r\n" % float(x) for x in row]) for row in vertices]).replace(
            b"np.float64(", b""
        ),
    ):
        (tmp_path / "x.pkl").write_bytes(body_with(value))
        np.testing.assert_array_equal(load_model_data(tmp_path / "x.pkl").v_template, vertices)


@pytest.mark.parametrize("what", [*POINTERS, *BOMBS])
@pytest.mark.parametrize("packed", [False, True], ids=["pickle", "npz"])
def test_hostile_states_and_bombs_are_refused(tmp_path, what, packed, bounded):
    value = {**POINTERS, **BOMBS}[what]
    path = tmp_path / ("x.npz" if packed else "x.pkl")
    if packed:  # an array of objects inside an archive
        fakes.write_npz(path, fakes.random_arrays(30))
        header = io.BytesIO()
        described = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(header, described)
        with zipfile.ZipFile(path) as old:
            members = {one: old.read(one) for one in old.namelist()}
        members["v_template.npy"] = header.getvalue() + pickled(value)
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
    else:
        path.write_bytes(body_with(value))
    with pytest.raises(ModelFileError) as error:
        load_model_data(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("name", ["f", "kintree_table", "weights"])
def test_a_long_text_in_place_of_numbers_is_not_copied(tmp_path, name, bounded):
    (tmp_path / "x.pkl").write_bytes(body_with(BOMBS["long text, many times"], name))
    with pytest.raises(ModelFileError, match="could not convert|contains"):
        load_model_data(tmp_path / "x.pkl")


@pytest.mark.parametrize("what", POINTERS)
def test_hostile_states_are_refused_where_nothing_looks_at_them(what):
    """Other readers take single values from a dict of many."""
    with pytest.raises(ValueError):
        value = unpickler.load(io.BytesIO(pickled(dict_of(a=POINTERS[what], b=number(1)))))
        unpickler.to_plain(value["a"])


@pytest.mark.parametrize("kind", ["f8,f8", "V8", "(2,)f8", "M8[ns]", "float64"])
def test_hostile_array_types_are_refused_by_name(kind):
    content = raw(np.zeros(1, kind).tobytes())
    with pytest.raises(unpickler.ForbiddenClassError, match="the array type"):
        unpickler.load(io.BytesIO(pickled(scalar(dtype(kind, "|"), content))))


def test_hostile_depth_is_refused_by_its_levels():
    def lists(depth):
        return io.BytesIO(b"]" * depth + b"a" * (depth - 1) + b".")

    unpickler.load(lists(bounds.MOST_DEPTH))
    with pytest.raises(ValueError, match="51 levels"):
        unpickler.load(lists(bounds.MOST_DEPTH + 1))


@pytest.mark.parametrize("program", [b"cos\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93."])
def test_a_name_that_is_not_known_is_refused_where_nothing_calls_it(program):
    with pytest.raises(unpickler.ForbiddenClassError, match=r"os\.system"):
        unpickler.load(io.BytesIO(program))
    with pytest.raises(unpickler.ForbiddenClassError, match="numpy.ndarray' as a value"):
        unpickler.load(io.BytesIO(b"cnumpy\nndarray\n."))


def test_a_persistent_id_is_refused():
    for program in (b"\x80\x02X\x01\x00\x00\x00xQ.", b"Px\n."):
        with pytest.raises(unpickler.ForbiddenClassError, match="persistent id"):
            unpickler.load(io.BytesIO(program))


def test_far_places_of_the_memory_take_no_memory(bounded):
    assert unpickler.load(io.BytesIO(b"\x80\x02]r\xff\xff\xff\xfej\xff\xff\xff\xfe.")) == []


def test_too_many_operations_are_refused(bounded):
    program = io.BytesIO(b"\x80\x02]" + b"0]" * 1_000_000 + b".")
    with pytest.raises(ValueError, match="more than 1048576 operations"):
        unpickler.load(program)


def test_a_sparse_matrix_is_bounded_by_its_shape_and_checked_by_its_indices():
    zeros = array(tuple_of(number(0)), F8, raw(b""))
    for columns, rows, message in ((1, (1 << 26) + 1, "numbers"), (1, -1, "not a pair of sizes")):
        shape = tuple_of(number(rows), number(columns))
        with pytest.raises(ValueError, match=message):
            unpickler.load(io.BytesIO(pickled(sparse(shape, zeros, zeros, zeros))))
    one = array(ONE, F8, raw(np.ones(1).tobytes()))
    starts = array(tuple_of(number(2)), dtype("i8"), raw(np.array([0, 1]).tobytes()))
    for row, fits in ((0, True), (1, True), (2, False), (-1, False)):
        place = array(ONE, dtype("i8"), raw(np.array([row]).tobytes()))
        shape = tuple_of(number(2), number(1))
        matrix = unpickler.load(io.BytesIO(pickled(sparse(shape, one, place, starts))))
        if fits:
            assert unpickler.to_plain(matrix)[row, 0] == 1
        else:
            with pytest.raises(ValueError, match="indices do not fit"):
                unpickler.to_plain(matrix)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pythons_own_is_read(protocol):
    """Whole numbers, texts and arrays of every plain type come back as they were."""
    arrays = [np.arange(6).astype(kind).reshape(2, 3) for kind in "?bBhHiIqQefd"]
    arrays += [np.arange(6.0).reshape(2, 3).T, np.zeros((0, 3)), np.array(["a", "bc"])]
    arrays += [np.array([b"a"]), np.array([None, [1, 2]], object), np.arange(3, dtype=">f4")]
    values = {
        "arrays": arrays,
        "scalars": [np.float64(2.5), np.int32(-3), np.bool_(True)],
        "plain": [1, -(2**40), 2**63, 1.5, True, None, "é", b"\xff\n'\\", (), (1,), (1, 2, 3, 4)],
    }
    read = unpickler.load(io.BytesIO(pickle.dumps(values, protocol)))
    for one, expected in zip(read["arrays"], arrays, strict=True):
        np.testing.assert_array_equal(one, expected)
        assert one.dtype == expected.dtype.newbyteorder("=")
    assert read["scalars"] == values["scalars"] and read["plain"] == values["plain"]


def test_protocol_zero_of_python_2_is_read():
    """Python 2 wrote bytes as quoted text, whatever they were."""
    numbers = np.arange(4.0) - 1.7
    quoted = repr(numbers.tobytes())[1:].encode("latin1")
    program = array(tuple_of(number(4)), F8, b"S" + quoted + b"\n")
    np.testing.assert_array_equal(unpickler.load(io.BytesIO(pickled(program))), numbers)


def test_a_large_body_is_read_in_seconds(tmp_path):
    path = fakes.write_official_pickle(tmp_path / "x.pkl", fakes.random_arrays(6890))
    start = time.process_time()
    load_model_data(path)
    assert time.process_time() - start < 5
    assert os.path.getsize(path) > 30_000_000
