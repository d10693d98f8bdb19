"""Files built from the rules of their format, with odd values in every place that takes one.

Damage to sound files (`mutations`) hardly ever gives what a format allows and nobody writes; these
are whole files of their format, most of which mean nothing.
"""

import io
import json
import random
import zipfile
from pathlib import Path

import numpy as np

from smpl_tf.skeleton import SMPL_24
from tests import pickles as p
from tests.smpl_tf import fake_model_files

_NUMBERS = (0, 1, -1, 2, 3, 24, 60, 255, 2**31 - 1, 2**31, 2**40, 2**63, -(2**63), 10**30)
_TYPES = (
    *("f8", "f4", "i4", "u1", "b1", "O8", "S8", "U2", "V8", "c16", "M8[s]", "S0", "U500000000"),
    *("V2000000000", "O,O", "f8,O", "(1000000000,)f8", "nonsense", ""),
)
_NAMES = (
    *(("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct")),
    *(("numpy.core.multiarray", "scalar"), ("numpy._core.numeric", "_frombuffer")),
    *(("chumpy.ch", "Ch"), ("chumpy.reordering", "Select"), ("scipy.sparse.csc", "csc_matrix")),
    *(("collections", "OrderedDict"), ("_codecs", "encode"), ("__builtin__", "set")),
    *(("copy_reg", "_reconstructor"), ("__builtin__", "object"), ("builtins", "bytes")),
    *(("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("numpy", "load")),
)
_CALLS = (b"R", b"\x81", b"b", b"a", b"s", b"0", b"2", b"Q", b"o", b"\x92", b"\x90", b"\x85")


class Pickles:
    """Random pickles: values of every kind inside each other.

    Args:
      chance: random numbers.
    """

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.places = 0

    def value(self, depth: int = 4) -> bytes:
        """A value of some kind; some are remembered, and some are remembered ones."""
        chance = self.chance
        if self.places and chance.random() < 0.1:
            return b"h" + bytes([chance.randrange(self.places)])
        simple = (self.number, self.text, self.raw, lambda: p.EMPTY, self.name)
        nested = (
            *(self.array, self.array, self.array, self.buffer, self.scalar, self.dtype),
            *(self.call, self.built, self.chumpy, self.sparse, self.container, self.odd),
        )
        if depth <= 0 or chance.random() < 0.2:
            made = chance.choice(simple)()
        else:
            made = chance.choice(nested)(depth - 1)
        if self.places < 250 and chance.random() < 0.2:
            made += b"q" + bytes([self.places])
            self.places += 1
        return made

    def number(self) -> bytes:
        chance = self.chance
        return p.number(chance.choice(_NUMBERS) if chance.random() < 0.5 else chance.randrange(9))

    def text(self) -> bytes:
        return p.text(self.chance.choice(("", "a", "latin1", "<", "|", "C", "x" * 3000, "é\n")))

    def raw(self) -> bytes:
        return p.raw(self.chance.randbytes(self.chance.choice((0, 1, 8, 8, 16, 64))))

    def name(self) -> bytes:
        return p.name(*self.chance.choice(_NAMES))

    def shape(self) -> bytes:
        chance = self.chance
        if chance.random() < 0.7:
            return p.tuple_of(*map(p.number, chance.choice(((1,), (2,), (8,), (2, 4), ()))))
        return p.tuple_of(*(self.number() for _ in range(chance.choice((0, 1, 2, 3, 40)))))

    def dtype(self, depth: int = 1) -> bytes:
        chance = self.chance
        if chance.random() < 0.5:
            return p.dtype(chance.choice(("f8", "i8", "b1", "O8")), chance.choice("<>=|"))
        kind = chance.choice(_TYPES)
        if chance.random() < 0.4:
            return p.dtype(kind)
        fields = p.dict_of(a=p.tuple_of(p.dtype("O8", "|"), self.number()))
        state = [
            chance.choice((p.EMPTY, p.tuple_of(p.dtype("f8"), p.tuple_of(self.number())))),
            chance.choice((p.EMPTY, p.tuple_of(p.text("a")))),
            chance.choice((p.EMPTY, fields)),
            *(self.number() for _ in range(3)),
        ]
        return p.dtype(kind, chance.choice("<>=|?"), *state[: chance.choice((1, 6, 6, 6))])

    def array(self, depth: int = 1) -> bytes:
        content = self.value(depth) if self.chance.random() < 0.3 else self.raw()
        return p.array(self.shape(), self.dtype(), content)

    def buffer(self, depth: int = 1) -> bytes:
        return p.from_buffer(self.raw(), self.dtype(), self.shape())

    def scalar(self, depth: int = 1) -> bytes:
        return p.scalar(self.dtype(), self.raw())

    def call(self, depth: int) -> bytes:
        arguments = (self.value(depth) for _ in range(self.chance.randrange(4)))
        return self.name() + p.tuple_of(*arguments) + self.chance.choice((b"R", b"\x81"))

    def built(self, depth: int) -> bytes:
        return p.build(self.value(depth), self.value(depth))

    def chumpy(self, depth: int) -> bytes:
        cls = self.chance.choice(("ch.Ch", "reordering.Select"))
        names = ("x", "a", "idxs", "preferred_shape", "value", "__class__", "_state")
        chosen = self.chance.sample(names, self.chance.randrange(len(names)))
        return p.chumpy(cls, p.dict_of(**{name: self.value(depth) for name in chosen}))

    def sparse(self, depth: int) -> bytes:
        chance = self.chance
        arrays = (self.array() if chance.random() < 0.8 else self.value(depth) for _ in range(3))
        return p.sparse(self.shape(), *arrays)

    def container(self, depth: int) -> bytes:
        values = [self.value(depth) for _ in range(self.chance.randrange(4))]
        return self.chance.choice((p.list_of, p.tuple_of))(*values)

    def odd(self, depth: int) -> bytes:
        """Operations where they do not belong, and values that are endless when written out."""
        chance = self.chance
        if chance.random() < 0.3:
            make = chance.choice((p.list_of, p.tuple_of))
            return p.nested(chance.choice((3, 9, 60)), chance.choice((2, 10)), make)
        return self.value(depth) + self.value(depth) + chance.choice(_CALLS)


def _kept(array: np.ndarray) -> bytes:
    shape = p.tuple_of(*map(p.number, array.shape))
    return p.array(shape, p.dtype(array.dtype.str[1:]), p.raw(array.tobytes()))


def make_pickle(folder: Path, chance: random.Random) -> Path:
    """A body with a note of any kind, or of which one to three arrays are something else."""
    arrays = fake_model_files.random_arrays(30)
    made = Pickles(chance)
    # A key that no body needs lets the rest be read.
    odd = chance.sample(sorted(arrays), chance.choice((0, 0, 1, 3))) or ["note"]
    contents = {name: _kept(array) for name, array in arrays.items()}
    contents |= {name: made.value() for name in odd}
    path = folder / "body.pkl"
    path.write_bytes(p.pickled(p.dict_of(**contents)))
    return path


def make_npz(folder: Path, chance: random.Random) -> Path:
    """An archive of which some members have odd headers, pickles or names."""
    path = folder / "body.npz"
    with zipfile.ZipFile(path, "w", chance.choice((0, 8))) as archive:
        for name, array in fake_model_files.random_arrays(30).items():
            file = io.BytesIO()
            if chance.random() < 0.7:
                np.lib.format.write_array(file, array)
            else:
                shape = tuple(chance.choice(_NUMBERS) for _ in range(chance.randrange(4)))
                kinds = ("|O", "<f8", "|V8", "<U9", [("a", "<f8"), ("b", "O")])
                described = {
                    "descr": chance.choice(kinds),
                    "fortran_order": chance.random() < 0.5,
                    "shape": chance.choice((array.shape, shape, ())),
                }
                np.lib.format.write_array_header_2_0(file, described)
                whole = Pickles(chance).value()
                file.write(chance.choice((p.pickled(whole), array.tobytes(), b"")))
            ending = chance.choice((".npy",) * 9 + ("",))
            archive.writestr(f"{name}{ending}", file.getvalue())
    return path


def json_value(chance: random.Random, depth: int = 3):
    """Any value that JSON can hold."""
    if depth <= 0 or chance.random() < 0.5:
        return chance.choice(
            (*(None, True, 0, 1, -1, 2**63, 10**300, 1e308, float("nan"), float("inf")), *_TEXTS)
        )
    if chance.random() < 0.5:
        return [json_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(_TEXTS): json_value(chance, depth - 1) for _ in range(3)}


_TEXTS = ("", "a", "a.jpg", "s1/0001.png", "s2\\0001.png", "../..", "/", "person", "\x00", "é")


def _sometimes(chance, value):
    return json_value(chance) if chance.random() < 0.02 else value


def make_coco(folder: Path, chance: random.Random) -> Path:
    """COCO's annotations or results, any field of which may be any value."""

    def person():
        points = [
            chance.choice((0, 1.5, 1e9, None)) for _ in range(chance.choice((51, 51, 50, 0)))
        ]
        fields = {
            "image_id": chance.choice((1, 2, 2, 1, "a.jpg")),
            "category_id": chance.choice((1, 1, 1, 0, 2)),
            "bbox": [
                chance.choice((0, 1, 9.5, -3, 1e300)) for _ in range(chance.choice((4, 4, 3)))
            ],
            "keypoints": points,
            "score": chance.choice((0.1, 0.3, 0.9, None)),
            "iscrowd": chance.choice((0, 0, 1)),
        }
        return {name: _sometimes(chance, v) for name, v in fields.items() if chance.random() < 0.9}

    people = [_sometimes(chance, person()) for _ in range(chance.randrange(5))]
    whole = people
    if chance.random() < 0.6:
        images = [
            _sometimes(chance, {"id": _sometimes(chance, n), "file_name": chance.choice(_TEXTS)})
            for n in range(1, chance.choice((1, 3, 4)))
        ]
        kinds = [{"id": n, "name": chance.choice(("person", "Person", "dog"))} for n in (1, 2)]
        whole = {"images": images, "annotations": people, "categories": _sometimes(chance, kinds)}
    mark = chance.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le"))
    (folder / "people.json").write_bytes(json.dumps(_sometimes(chance, whole)).encode(mark))
    return folder / "people.json"


def make_openpose(folder: Path, chance: random.Random) -> Path:
    """A folder of OpenPose's files."""
    for number in range(chance.randrange(4)):
        people = [
            _sometimes(chance, {"pose_keypoints_2d": [chance.random() for _ in range(75)]})
            for _ in range(chance.randrange(3))
        ]
        name = chance.choice(("a", "clip_000000000003", "", str(number)))
        content = json.dumps(_sometimes(chance, {"people": _sometimes(chance, people)}))
        (folder / f"{name}_keypoints.json").write_text(content)
    return folder


def make_table(folder: Path, chance: random.Random) -> Path:
    """A table of points: separators, headers and cells as programs of all kinds write them."""
    separator, decimal = chance.choice((",", ";", "\t", " ")), chance.choice(".,")
    columns = [f"{name}_{axis}" for name in SMPL_24.names for axis in "xyz"]
    columns = chance.sample(columns, chance.choice((72, 72, 3, 1)))
    columns += chance.sample(("frame", "time", "", "left_nkee_x", columns[0]), chance.randrange(3))
    cells = ("0", "1.5", "-2", "", "nan", "inf", "1e400", "up", '"1', "é")

    def cell():
        return (chance.choice(cells) if chance.random() < 0.01 else "0.25").replace(".", decimal)

    rows = [columns] * chance.choice((1, 1, 0, 2))
    rows += [[cell() for _ in columns] for _ in range(chance.randrange(4))]
    if rows and chance.random() < 0.1:
        rows[-1] = rows[-1][:-1]
    text = chance.choice(("\n", "\r\n", "\r")).join(separator.join(row) for row in rows)
    path = folder / "points.csv"
    path.write_bytes(text.encode(chance.choice(("utf-8", "utf-8-sig", "latin1", "utf-16"))))
    return path


def make_side_file(folder: Path, chance: random.Random) -> Path:
    """A run's flags, record and audit, a checkpoint's state: fields and values of any kind."""
    state = {"people": 3, "seconds": 1.0, "history": {}, "data": {}, "body": "abc", "flags": {}}
    record = {n: _sometimes(chance, v) for n, v in state.items() if chance.random() < 0.95}
    sound = ("--stage=fitting", "--seed=1", "# a", "", "--nomirror", "--epochs=3")
    odd = ("--later=2", "--flagfile=/etc/passwd", "--help", "--", "--seed=x", "-v", "seed", "\x00")
    lines = [chance.choice(odd if chance.random() < 0.1 else sound) for _ in range(3)]
    (folder / "flags.cfg").write_text("\n".join(lines))
    (folder / "record.json").write_text(json.dumps(_sometimes(chance, record)))
    (folder / "epoch_0001.json").write_text(json.dumps(_sometimes(chance, record)))
    (folder / "epoch_0001.weights.h5").touch()
    skip = {"shard": 0, "item": "a", "reason": "b", "lost": True}
    skip = {n: _sometimes(chance, v) for n, v in skip.items() if chance.random() < 0.95}
    (folder / "train.skipped.jsonl").write_text(json.dumps(skip))
    return folder
