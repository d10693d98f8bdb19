"""What is thrown at each reader: whole files, damaged by seed; and which exceptions are ours."""

import csv
import functools
import io
import json
import pickle
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import h5py
import numpy as np
import tensorflow as tf
from absl import flags
from PIL import Image
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from datasets import conversion, manifests, pipelines, records
from datasets import example as example_lib
from datasets.photographs import people_files
from datasets.splits import open_split
from experiments.nbf import data as nbf_data
from experiments.nbf import flags as nbf_flags
from experiments.prediction import point_files
from experiments.runs import checkpoints
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks
from nbf import FittingNetwork
from smpl_tf import pictures
from smpl_tf.model_data import ModelFileError, load_model_data, save_model_data
from smpl_tf.open_body import data_file
from smpl_tf.skeleton import COCO_17, OPENPOSE_25, SMPL_24
from smplr import SMPLR
from tests.datasets.tiny import numbered_example, tiny_manifest
from tests.fuzz import grammar, picture_grammar
from tests.fuzz.mutations import damaged_arrays, damaged_bytes, damaged_json
from tests.small_body import small_body
from tests.smpl_tf import fake_model_files


class Kind(NamedTuple):
    """One reader and what it is given.

    Attributes:
      make: folder, random numbers -> the damaged file, or the folder that holds it.
      read: reads it to its end.
      errors: that it may raise.
    """

    make: Callable[[Path, random.Random], Path]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...]


# Records ---------------------------------------------------------------------------------------


@functools.cache
def _serialized() -> list[bytes]:
    return [example_lib.encode(numbered_example(index)) for index in range(3)]


def _split(folder: Path, shard: bytes, count: int = 3) -> Path:
    """A finished split of one shard, whose manifest knows its size but not its content."""
    file = "train-00000.tfrecord"
    (folder / file).write_bytes(shard)
    described = manifests.Shard(file, count, len(shard), "0" * 64, 3)
    manifest = manifests.to_json(tiny_manifest(3, 3, shards=(described,)))
    (folder / "train.manifest.json").write_text(manifest)
    return folder


def _framed(folder: Path, messages) -> bytes:
    path = folder / "framed"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in messages:
            writer.write(one)
    return path.read_bytes()


def make_shard(folder, chance):
    whole = _framed(folder, _serialized())
    if chance.random() < 0.1:  # a length whose checksum is right
        length = struct.pack("<Q", chance.choice((0, 1, 2**28, 2**33, 2**62, 2**64 - 1)))
        checksum = struct.pack("<I", masked_crc32c(length))
        return _split(folder, whole + length + checksum + chance.randbytes(40))
    return _split(folder, damaged_bytes(whole, chance))


def make_example(folder, chance):
    messages = list(_serialized())
    messages[1] = damaged_bytes(messages[1], chance)
    return _split(folder, _framed(folder, messages))


def make_features(folder, chance):
    """Sound frames and messages, whose features are not those of an Example."""
    message = tf.train.Example.FromString(_serialized()[1])
    features = message.features.feature
    for name in chance.sample(sorted(features), chance.choice((1, 1, 3))):
        kind = chance.randrange(4)
        if kind == 0:
            del features[name]
        elif kind == 1:
            features[name].Clear()
            values = chance.choice(([], [b""], [chance.randbytes(40)] * 3))
            features[name].bytes_list.value.extend(values)
        elif kind == 2:
            features[name].Clear()
            features[name].int64_list.value.extend([chance.choice((-1, 2**62))] * 3)
        else:
            features[name].Clear()
            features[name].float_list.value.extend([float("nan")] * chance.randrange(80))
    picture = chance.choice(("image/encoded", "parts/encoded"))
    if chance.random() < 0.5 and features[picture].bytes_list.value:
        whole = features[picture].bytes_list.value[0]
        damaged = chance.choice((make_png_bomb(), damaged_bytes(whole, chance)))
        features[picture].bytes_list.value[0] = damaged
    messages = [_serialized()[0], message.SerializeToString()]
    return _split(folder, _framed(folder, messages), chance.choice((1, 2, 2, 2, 3)))


def make_manifest(folder, chance):
    _split(folder, _framed(folder, _serialized()))
    path = folder / "train.manifest.json"
    if chance.random() < 0.3:
        path.write_bytes(damaged_bytes(path.read_bytes(), chance))
    else:
        path.write_bytes(damaged_json(json.loads(path.read_text()), chance))
    return folder


def read_split(folder):
    for _ in records.read_examples(str(folder), "train"):
        pass
    records.diagnose(str(folder), "train")


def read_pipeline(folder):
    """As the training scripts read."""
    split = open_split(str(folder), "train")
    with nbf_data.naming_damage(split):
        for _ in pipelines.load(str(folder), split, seed=0):
            pass


# Body models -----------------------------------------------------------------------------------


@functools.cache
def _arrays() -> dict[str, np.ndarray]:
    return fake_model_files.random_arrays(num_vertices=60)


@functools.cache
def _whole_models(folder: Path) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    files = {
        "v1.pkl": lambda path: fake_model_files.write_official_pickle(path, _arrays()),
        "hmr.pkl": lambda path: fake_model_files.write_hmr_pickle(path, _arrays()),
        "new.pkl": lambda path: fake_model_files.write_modern_pickle(path, _arrays()),
        "own.h5": lambda path: save_model_data(small_body(60), path),
    }
    for name, write in files.items():
        write(folder / name)
    return {name: (folder / name).read_bytes() for name in files}


def make_model_bytes(folder, chance):
    name, data = chance.choice(list(_whole_models(folder.parent / "models").items()))
    path = folder / f"body{Path(name).suffix}"
    path.write_bytes(damaged_bytes(data, chance))
    return path


def make_model_npz(folder, chance):
    path = folder / "body.npz"
    packed = damaged_arrays(_arrays(), chance)
    path.write_bytes(damaged_bytes(packed, chance) if chance.random() < 0.3 else packed)
    return path


def make_open_body(folder, chance):
    """A file in the open body's own layout."""
    rng = np.random.default_rng(0)
    body = small_body(60)
    weights = np.zeros((60, 24))
    weights[np.arange(60), rng.integers(0, 24, 60)] = 1
    shared = {"faces": body.faces, "parents": body.parents, "weights": weights}
    shared |= {"vertex_mirror": np.arange(60), "landmarks": {"nose": 3}}
    names = ("v_template", "shapedirs", "posedirs", "J_regressor")
    path = folder / "open.npz"
    data_file.write(path, shared, {"neutral": {name: getattr(body, name) for name in names}})
    with np.load(path) as file:
        packed = damaged_arrays(dict(file), chance)
    path.write_bytes(damaged_bytes(packed, chance) if chance.random() < 0.3 else packed)
    return path


def make_model_pickle(folder, chance):
    """A sound pickle, in which arrays, sparse matrices or names are not what they should be."""
    contents = dict(_arrays())
    regressor = fake_model_files.sparse(contents["J_regressor"])
    kind = chance.randrange(6)
    name = chance.choice(list(contents))
    if kind == 0:
        field = chance.choice(("indices", "indptr", "data"))
        values = getattr(regressor, field).copy()
        values[chance.randrange(len(values))] = chance.choice((-1, 2**30, -(2**31)))
        setattr(regressor, field, values)
    elif kind == 1:
        regressor._shape = chance.choice(((24, 2**30), (2**31, 2**31), (-1, 60), (24,), (0, 0)))
    elif kind == 2:
        contents[name] = chance.choice((None, "x", [1, [2]], {}, object, np.zeros((0, 3))))
    elif kind == 3:
        contents[name] = _Call(np.ndarray, (chance.choice((2**28, 2**33, 2**40)),))
    elif kind == 4:
        contents[name] = np.array([None, "x", [1]], object)
    else:
        contents[name] = _Call(chance.choice((eval, print, np.load, bytearray)), ("2**40",))
    path = folder / "body.pkl"
    path.write_bytes(pickle.dumps({**contents, "J_regressor": regressor}, chance.choice((2, 4))))
    return path


class _Call:
    def __init__(self, function, arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def make_model_h5(folder, chance):
    """A sound HDF5 file, in which datasets are not what they should be."""
    path = folder / "body.h5"
    path.write_bytes(_whole_models(folder.parent / "models")["own.h5"])
    with h5py.File(path, "r+") as file:
        for name in chance.sample(sorted(file), chance.choice((1, 1, 2))):
            kind = chance.randrange(5)
            shape = file[name].shape
            del file[name]
            if kind == 0:
                # Declared, never written: a few bytes of file.
                size = chance.choice((10**6, 10**9, 10**13))
                file.create_dataset(name, (size,), "f8", chunks=(10**6,), compression="gzip")
            elif kind == 1:
                file.create_dataset(name, data=np.full(shape, b"x"))
            elif kind == 2:
                file.create_group(name)
            elif kind == 3:
                file[name] = h5py.SoftLink(chance.choice(("/nowhere", f"/{name}")))
            else:
                file.create_dataset(name, shape[::-1], chance.choice(("f2", "i8", "?")))
    return path


def read_model(path):
    load_model_data(path)


# Weights ---------------------------------------------------------------------------------------


@functools.cache
def _network() -> FittingNetwork:
    network = FittingNetwork("small", 16, head="flatten", body=small_body())
    network.compile("adam", loss="mse")
    return network


@functools.cache
def _whole_checkpoint(folder: Path) -> tuple[bytes, dict]:
    network = _network()
    network.optimizer.build(network.trainable_variables)
    checkpoints.save(folder, 3, network, {"history": {}, "seconds": 1.0, "body": "abc"})
    state = json.loads((folder / "epoch_0003.json").read_text())
    return (folder / "epoch_0003.weights.h5").read_bytes(), state


def make_checkpoint(folder, chance):
    weights, state = _whole_checkpoint(folder.parent / "checkpoint")
    damage = chance.random()
    (folder / "epoch_0003.weights.h5").write_bytes(
        damaged_bytes(weights, chance) if damage < 0.7 else weights
    )
    text = json.dumps(state).encode()
    if damage > 0.85:
        text = damaged_bytes(text, chance)
    elif damage > 0.6:
        text = damaged_json(state, chance)
    (folder / "epoch_0003.json").write_bytes(text)
    return folder


def read_checkpoint(folder):
    checkpoints.restore(checkpoints.latest(folder), _network())


@functools.cache
def _whole_model_file(folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    SMPLR().save(folder / "model.keras")
    return (folder / "model.keras").read_bytes()


def make_keras_file(folder, chance):
    data = _whole_model_file(folder.parent / "smplr")
    (folder / "model.keras").write_bytes(damaged_bytes(data, chance))
    (folder / "flags.cfg").write_text("--stage=pose_shape\n")
    return folder


def read_keras_file(folder):
    networks.load_model(RunFolder(folder))


# Pictures --------------------------------------------------------------------------------------


@functools.cache
def _whole_pictures() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    image = Image.fromarray(cv2.resize(rng.integers(0, 255, (6, 5, 3), np.uint8), (40, 32)))
    files = {}
    for ending, options in (
        *(("png", {}), ("jpeg", {"exif": _exif()}), ("gif", {}), ("bmp", {}), ("webp", {})),
        *(("tiff", {}), ("tiff", {"compression": "tiff_lzw"}), ("jpeg", {"progressive": True})),
    ):
        file = io.BytesIO()
        image.save(file, ending, **options)
        files[f"{len(files)}.{ending}"] = file.getvalue()
    sixteen = np.arange(32 * 40, dtype=np.uint16).reshape(32, 40) * 50
    files["16.png"] = cv2.imencode(".png", sixteen)[1].tobytes()
    return files


def _exif():
    exif = Image.Exif()
    exif[274] = 6
    return exif


def make_picture(folder, chance):
    name, data = chance.choice(list(_whole_pictures().items()))
    path = folder / f"picture.{name.split('.')[1]}"
    bombs = (make_png_bomb, make_text_bomb, make_gif_bomb)
    path.write_bytes(
        chance.choice(bombs)() if chance.random() < 0.03 else damaged_bytes(data, chance)
    )
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


@functools.cache
def make_png_bomb() -> bytes:
    """900 million pixels in a few kilobytes."""
    return _png(30_000, 30_000, _chunk(b"IDAT", zlib.compress(bytes(2_000_000), 9)))


@functools.cache
def make_text_bomb() -> bytes:
    """A comment of 300 MB in a small picture."""
    squeezed = zlib.compressobj(9)
    data = b"".join(squeezed.compress(bytes(10_000_000)) for _ in range(30)) + squeezed.flush()
    return _png(32, 32, _chunk(b"zTXt", b"comment\x00\x00" + data))


@functools.cache
def make_gif_bomb() -> bytes:
    """A canvas of four billion pixels."""
    return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF0, 0, 0) + bytes(6) + b"\x3b"


# People and points -----------------------------------------------------------------------------


@functools.cache
def _whole_people() -> list:
    keypoints = [float(value) for value in range(51)]
    annotation = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 30, 40], "keypoints": keypoints}
    return [
        {
            "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 48}],
            "annotations": [{**annotation, "id": 1, "iscrowd": 0}],
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.names)}],
        },
        [{**annotation, "score": 0.9}, {"image_id": "b.jpg", "bbox": [0, 0, 5, 5]}],
        {"version": 1.3, "people": [{"pose_keypoints_2d": [0.5] * 3 * len(OPENPOSE_25)}]},
    ]


def make_people(folder, chance):
    whole = chance.choice(_whole_people())
    path = folder / chance.choice(("people.json", "a_keypoints.json"))
    if chance.random() < 0.3:
        path.write_bytes(damaged_bytes(json.dumps(whole).encode(), chance))
    else:
        path.write_bytes(damaged_json(whole, chance))
    return path


def make_points(folder, chance):
    points = np.random.default_rng(0).normal(size=(2, 24, 3))
    weights = np.ones((2, 24))
    ending = chance.choice(point_files.ENDINGS)
    path = folder / f"points{ending}"
    if ending == ".npz":
        data = damaged_arrays({"points": points, "weights": weights}, chance)
    elif ending == ".npy":
        file = io.BytesIO()
        np.save(file, points)
        data = damaged_bytes(file.getvalue(), chance)
    elif ending == ".json":
        data = damaged_json({"points": points.tolist(), "weights": weights.tolist()}, chance)
    else:
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow([f"{name}_{axis}" for name in SMPL_24.names for axis in "xyz"])
        writer.writerows(points.reshape(2, -1).round(3))
        data = damaged_bytes(file.getvalue().encode(), chance)
    path.write_bytes(damaged_bytes(data, chance) if chance.random() < 0.2 else data)
    return path


def read_points(path):
    point_files.read(path, SMPL_24, "m")


def read_run(folder):
    """Each of the files; the first that is refused is told last."""
    run = RunFolder(folder)
    needed = {**checkpoints.OF_TRAINING, "people": int, "data": dict, "body": str}
    values = flags.FlagValues()
    nbf_flags.define_run_flags(values)
    refused = []
    for read in (
        lambda: run.restore_flags(values),
        run.read_record,
        lambda: checkpoints.latest(folder, needed),
        lambda: conversion.SkipList(str(folder), "train", 1, 0),
    ):
        try:
            read()
        except (UserError, conversion.ConversionError) as error:
            refused.append(error)
    if refused:
        raise refused[0]


KINDS = {
    "shard": Kind(make_shard, read_split, (records.RecordError,)),
    "example": Kind(make_example, read_split, (records.RecordError,)),
    "features": Kind(make_features, read_split, (records.RecordError,)),
    "manifest": Kind(make_manifest, read_split, (records.RecordError,)),
    "pipeline": Kind(make_features, read_pipeline, (records.RecordError,)),
    "model_bytes": Kind(make_model_bytes, read_model, (ModelFileError,)),
    "model_npz": Kind(make_model_npz, read_model, (ModelFileError,)),
    "model_pickle": Kind(make_model_pickle, read_model, (ModelFileError,)),
    "model_h5": Kind(make_model_h5, read_model, (ModelFileError,)),
    "open_body": Kind(make_open_body, read_model, (ModelFileError,)),
    "checkpoint": Kind(make_checkpoint, read_checkpoint, (UserError,)),
    "keras_file": Kind(make_keras_file, read_keras_file, (UserError,)),
    "picture": Kind(make_picture, pictures.read, (pictures.PictureError,)),
    "people": Kind(make_people, people_files.read, (ValueError,)),
    "points": Kind(make_points, read_points, (UserError,)),
    "pickle_grammar": Kind(grammar.make_pickle, read_model, (ModelFileError,)),
    "npz_grammar": Kind(grammar.make_npz, read_model, (ModelFileError,)),
    "coco_grammar": Kind(grammar.make_coco, people_files.read, (ValueError,)),
    "openpose_grammar": Kind(grammar.make_openpose, people_files.read, (ValueError,)),
    "table_grammar": Kind(grammar.make_table, read_points, (UserError,)),
    "picture_grammar": Kind(picture_grammar.make, pictures.read, (pictures.PictureError,)),
    "side_files": Kind(grammar.make_side_file, read_run, (UserError, conversion.ConversionError)),
}
