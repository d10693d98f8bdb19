"""Pickles written by hand, operation by operation: what no `pickle.dumps` would write."""

import struct

EMPTY = b"N"  # None


def pickled(value: bytes) -> bytes:
    """A whole pickle that leaves this value."""
    return b"\x80\x04" + value + b"."


def text(value: str) -> bytes:
    """A text."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def raw(value: bytes) -> bytes:
    """Bytes."""
    return b"B" + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    """A whole number, of any size."""
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(data)) + data


def truth(value: bool) -> bytes:
    """True or False."""
    return b"\x88" if value else b"\x89"


def tuple_of(*values: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(values) + b"t"


def list_of(*values: bytes) -> bytes:
    """A list."""
    return b"](" + b"".join(values) + b"e"


def dict_of(**values: bytes) -> bytes:
    """A dict."""
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def name(module: str, attribute: str) -> bytes:
    """A class or function."""
    return b"c" + f"{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    """What a function gives."""
    return function + tuple_of(*arguments) + b"R"


def build(target: bytes, state: bytes) -> bytes:
    """An object with a state."""
    return target + state + b"b"


def dtype(kind: str, order: str = "<", *state: bytes) -> bytes:
    """NumPy's type, with its official state or with another."""
    made = call(name("numpy", "dtype"), text(kind), truth(False), truth(True))
    rest = (EMPTY, EMPTY, EMPTY, number(-1), number(-1), number(0))
    return build(made, tuple_of(number(3), text(order), *(state or rest)))


def array(shape: bytes, kind: bytes, content: bytes) -> bytes:
    """NumPy's array, as protocols up to 4 write it."""
    start = call(
        name("numpy.core.multiarray", "_reconstruct"),
        *(name("numpy", "ndarray"), tuple_of(number(0)), raw(b"b")),
    )
    return build(start, tuple_of(number(1), shape, kind, truth(False), content))


def from_buffer(content: bytes, kind: bytes, shape: bytes) -> bytes:
    """NumPy's array, as protocol 5 writes it."""
    return call(name("numpy.core.numeric", "_frombuffer"), content, kind, shape, text("C"))


def scalar(kind: bytes, content: bytes) -> bytes:
    """NumPy's number."""
    return call(name("numpy.core.multiarray", "scalar"), kind, content)


def chumpy(cls: str, state: bytes) -> bytes:
    """An object of chumpy: "ch.Ch" or "reordering.Select"."""
    module, attribute = cls.split(".")
    return build(call(name(f"chumpy.{module}", attribute)), state)


def sparse(shape: bytes, data: bytes, indices: bytes, indptr: bytes) -> bytes:
    """SciPy's matrix."""
    state = {"_shape": shape, "data": data, "indices": indices, "indptr": indptr}
    return build(call(name("scipy.sparse.csc", "csc_matrix")), dict_of(**state))


def nested(levels: int, width: int, make=list_of) -> bytes:
    """Lists that hold one list `width` times, which holds one `width` times, and so on."""
    value = make(number(1))
    for level in range(levels):
        kept = value + b"q" + bytes([level])  # BINPUT
        value = make(kept, *[b"h" + bytes([level])] * (width - 1))  # BINGET
    return value
