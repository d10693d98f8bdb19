"""A pickle interpreter, reduced to the operations that files of arrays need.

Python's own unpickler calls whatever a file names and lets it set any attribute of any object.
This one has only the operations below. Functions of `unpickler` decide which names exist, which
arguments they accept, and which state an object may get.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, NoReturn

from smpl_tf import bounds

_CHUNK = 1 << 20  # bytes at a time, so that a false length costs no more
_LONGEST_INTEGER = 16  # bytes; no body model contains longer numbers than 64 bits
_MARK = object()


class ForbiddenClassError(ValueError):
    """A pickle names or does something that no body model file needs."""


class Name(NamedTuple):
    """A class or function that a pickle names; `unpickler` decides what it means."""

    module: str
    name: str

    def __str__(self) -> str:
        """Returns the dotted name, as in an import."""
        return f"{self.module[:40]}.{self.name[:40]}"


class Unbuilt:
    """An array that a pickle has announced but not yet filled.

    Attributes:
      places: keys of the memo that refer to it, overwritten when it is built.
    """

    __slots__ = ("places",)

    def __init__(self) -> None:
        """Remembers no place yet."""
        self.places: list[int] = []


class _Source:
    """A file that is read in pieces, so that a false length allocates no memory."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.readline = file.readline

    def read(self, size: int) -> bytes:
        if size <= _CHUNK:
            return self._file.read(size)
        chunks = []
        while size > 0 and (chunk := self._file.read(min(size, _CHUNK))):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)


def run(
    file: IO[bytes],
    find: Callable[[str, str], Name],
    call: Callable[[Name, tuple, bool], Any],
    build: Callable[[Any, Any], Any],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Interprets one pickle.

    Args:
      file: open for binary reading. Python 2's byte strings are read as Latin-1.
      find: (module, name) -> the name, if it is known.
      call: (name, arguments, whether it creates an instance rather than calls a function) ->
        result.
      build: (object, state) -> the object with this state, which replaces the first.
      persistent: the name of an object outside of the pickle -> the object; None: there is none.

    Returns:
      The unpickled object.

    Raises:
      ForbiddenClassError: an unknown operation.
      ValueError: the pickle is damaged, or longer than MOST_PICKLE_OPERATIONS.
    """
    stack: list[Any] = []
    memory: dict[int, Any] = {}
    for count, (operation, argument) in enumerate(_operations(_Source(file))):
        if count >= bounds.MOST_PICKLE_OPERATIONS:
            raise bounds.TooLargeError(
                f"has more than {bounds.MOST_PICKLE_OPERATIONS} operations; files of arrays have "
                "some hundreds"
            )
        if operation in _VALUES:
            stack.append(_value(operation, argument))
        elif operation in _MAKERS:
            stack.append(_MAKERS[operation]())
        elif operation in _TUPLES:
            size = _TUPLES[operation]
            _need(stack, size)
            stack[len(stack) - size :] = [tuple(stack[len(stack) - size :])]
        elif operation in _FROM_ITEMS:
            items = _since_mark(stack)
            stack.append(_FROM_ITEMS[operation](items))
        elif operation in ("APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS"):
            _extend(stack, operation)
        elif operation in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in memory:
                raise ValueError("it names an object that it does not hold")
            stack.append(memory[argument])
        elif operation in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            _need(stack, 1)
            place = len(memory) if operation == "MEMOIZE" else argument
            memory[place] = stack[-1]
            if isinstance(stack[-1], Unbuilt):
                stack[-1].places.append(place)
        elif operation == "MARK":
            stack.append(_MARK)
        elif operation == "POP":
            _need(stack, 1)
            stack.pop()
        elif operation == "POP_MARK":
            _since_mark(stack)
        elif operation == "DUP":
            _need(stack, 1)
            stack.append(stack[-1])
        elif operation == "GLOBAL":
            stack.append(find(*argument.split(" ", 1)))
        elif operation == "STACK_GLOBAL":
            _need(stack, 2)
            name, module = stack.pop(), stack.pop()
            if not isinstance(name, str) or not isinstance(module, str):
                raise ValueError("a name that is not a text")
            stack.append(find(module, name))
        elif operation in ("REDUCE", "NEWOBJ"):
            _need(stack, 2)
            arguments, named = stack.pop(), stack.pop()
            if not isinstance(named, Name) or not isinstance(arguments, tuple):
                raise ForbiddenClassError(f"a call of a {type(named).__name__}")
            stack.append(call(named, arguments, operation == "NEWOBJ"))
        elif operation == "BUILD":
            _need(stack, 2)
            state, target = stack.pop(), stack.pop()
            built = build(target, state)
            if isinstance(target, Unbuilt):
                for place in target.places:
                    memory[place] = built
            stack.append(built)
        elif operation == "BINPERSID" and persistent is not None:
            _need(stack, 1)
            stack.append(persistent(stack.pop()))
        elif operation == "STOP":
            _need(stack, 1)
            return stack.pop()
        elif operation not in ("PROTO", "FRAME"):
            raise ForbiddenClassError(_FORBIDDEN.get(operation, f"the operation {operation}"))
    raise ValueError("truncated, or no pickle at all")


_VALUES = frozenset(
    {
        *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG"),
        *("LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE"),
        *("SHORT_BINUNICODE", "BINUNICODE8"),
    }
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MAKERS: dict[str, Callable[[], Any]] = {
    **{"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set},
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_OPERATIONS = {one.code: one for one in pickletools.opcodes}
_FORBIDDEN = {"PERSID": "a persistent id", "BINPERSID": "a persistent id"}


def _operations(source: Any) -> Iterator[tuple[str, Any]]:
    """Reads the operations and their arguments, up to STOP."""
    while code := source.read(1):
        described = _OPERATIONS.get(code.decode("latin1"))
        if described is None:
            raise ValueError(f"truncated, or no pickle at all ({code!r} is no operation)")
        argument = None
        try:
            if described.name == "STRING":  # pickletools reads only those that are ASCII
                argument = _quoted(source.readline())
            elif described.arg:
                argument = described.arg.reader(source)
        except ValueError as error:
            raise ValueError(f"truncated, or no pickle at all ({error})") from None
        yield described.name, argument


def _quoted(line: bytes) -> str:
    text = line.rstrip(b"\r\n")
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    return codecs.escape_decode(text[1:-1])[0].decode("latin1")


def _value(operation: str, argument: Any) -> Any:
    if operation in _CONSTANTS:
        return _CONSTANTS[operation]
    if isinstance(argument, int) and argument.bit_length() > 8 * _LONGEST_INTEGER:
        raise ValueError(f"a whole number of {argument.bit_length()} bits")
    return bytes(argument) if isinstance(argument, bytearray) else argument


def _need(stack: list[Any], size: int) -> None:
    """Rejects taking from an empty stack, or from below a mark."""
    if len(stack) < size or any(one is _MARK for one in stack[len(stack) - size :]):
        raise ValueError("takes more from its stack than there is")


def _since_mark(stack: list[Any]) -> list[Any]:
    for place in range(len(stack) - 1, -1, -1):
        if stack[place] is _MARK:
            items = stack[place + 1 :]
            del stack[place:]
            return items
    raise ValueError("goes back to a mark that is not there")


def _extend(stack: list[Any], operation: str) -> None:
    """Moves the items on the stack into the container below them."""
    if operation in ("APPENDS", "ADDITEMS", "SETITEMS"):
        items = _since_mark(stack)
    else:
        size = 1 if operation == "APPEND" else 2
        _need(stack, size + 1)
        items = stack[-size:]
        del stack[-size:]
    _need(stack, 1)
    container = stack[-1]
    if operation in ("SETITEM", "SETITEMS") and isinstance(container, dict):
        container.update(_dict_of(items))
    elif operation in ("APPEND", "APPENDS") and isinstance(container, list):
        container.extend(items)
    elif operation == "ADDITEMS" and isinstance(container, set):
        container.update(checked_key(item) for item in items)
    else:
        _refuse_container(container)


def _refuse_container(container: Any) -> NoReturn:
    raise ForbiddenClassError(f"items for a {type(container).__name__}")


def _dict_of(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("a key without a value")
    return {checked_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


_FROM_ITEMS: dict[str, Callable[[list[Any]], Any]] = {
    "TUPLE": tuple,
    "LIST": list,
    "DICT": _dict_of,
}


def checked_key(key: Any) -> Any:
    """Returns a key of a dict or set as it is.

    Args:
      key: from a pickle.

    Returns:
      The key.

    Raises:
      ForbiddenClassError: it is neither text nor number; hashing nested tuples can take forever.
    """
    if not isinstance(key, str | bytes | int | float | None):
        raise ForbiddenClassError(f"a {type(key).__name__} as a key")
    return key
