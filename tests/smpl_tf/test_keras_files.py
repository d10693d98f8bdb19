"""A `.keras` file builds only what networks need, and no more weights than it holds."""

import io
import json
import os
import resource
import zipfile

import h5py
import keras
import numpy as np
import pytest

from smpl_tf import keras_files
from smplr import DenoisingAutoencoder, PoseRegressor

MANY = 2_000_000_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The members of a small network's file."""
    path = tmp_path_factory.mktemp("whole") / "model.keras"
    DenoisingAutoencoder(5).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, members, **changed):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, **changed}.items():
            archive.writestr(name, content)
    return path


def dense(**settings):
    """The configuration of a Keras network of one layer."""
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="x")])
    config = keras.saving.serialize_keras_object(network)
    config["config"]["layers"][1]["config"] |= settings
    return config


def layer(cls, module="keras.layers", **config):
    one = {"module": module, "class_name": cls, "config": config, "registered_name": None}
    return {**dense(), "config": {"name": "x", "layers": [one]}}


def h5(make):
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        make(opened)
    return file.getvalue()


CONFIGS = {
    "many units": (dense(units=MANY), "declares 2e"),
    "as many units as a setting may be": (
        {
            **dense(),
            "config": {
                "name": "x",
                "layers": [layer("Dense", units=8000)["config"]["layers"][0]],
                "build_input_shape": [None, 8000],
            },
            "build_config": {"input_shape": [None, 8000]},
        },
        "weights, of which the file holds",
    ),
    "Lambda": (layer("Lambda", function="x"), "Lambda, which none of our networks"),
    "reads a file": (
        layer("StringLookup", vocabulary="/etc/passwd"),
        "StringLookup, which none of our networks",
    ),
    "loads a program": (
        layer("TFSMLayer", filepath="/tmp/x"),
        "TFSMLayer, which none of our networks",
    ),
    "a function of Python": (
        layer("system", module="os"),
        "os.system, which none of our networks",
    ),
    "a function by reference": (
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "x"},
        "os.system, which none of our networks",
    ),
    "a function of Keras": (
        {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        "keras.utils.get_file, which none of our networks",
    ),
    "a lambda": ({"class_name": "__lambda__", "config": {"value": "x"}}, "__lambda__, which no"),
    "a tensor": ({"class_name": "__numpy__", "config": {"value": [1]}}, "__numpy__, which no"),
    "weights from a file of its own": (
        {
            "module": "smplr.denoising_autoencoder",
            "class_name": "DenoisingAutoencoder",
            "registered_name": "smplr>DenoisingAutoencoder",
            "config": {"num_points": 5, "backbone_weights": "/etc/passwd"},
        },
        "names a file of weights; a saved network holds its own",
    ),
    "deep": ([[[]]], None),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_hostile_configurations_are_refused_before_they_are_built(tmp_path, whole, what):
    config, message = CONFIGS[what]
    text = json.dumps(config)
    if what == "deep":
        text, message = "[" * 100_000 + "]" * 100_000, "levels"
    path = write(tmp_path / "model.keras", whole, **{"config.json": text})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=message) as error:
        DenoisingAutoencoder.from_pretrained(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 18  # kB


def sparse(file):
    file.create_dataset("x", (1 << 26,), "f4", chunks=(1 << 20,), compression="gzip")


WEIGHTS = {
    "another file's dataset": (
        lambda file: file.__setitem__("x", h5py.ExternalLink("/tmp/other.h5", "x")),
        "a link to another object",
    ),
    "a soft link": (lambda file: file.__setitem__("x", h5py.SoftLink("/y")), "is a link"),
    "another file's bytes": (
        lambda file: file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]),
        "stored in another file, which is not read",
    ),
    "a virtual dataset": (
        lambda file: file.create_virtual_dataset("x", h5py.VirtualLayout((4,), "f4")),
        "stored in another file, which is not read",
    ),
    "never written": (sparse, "weights in [0-9]+ bytes"),
    "large": (lambda file: file.create_dataset("x", (MANY,), "f4", chunks=(8,)), "numbers"),
}


@pytest.mark.parametrize("what", WEIGHTS)
def test_hostile_weights_are_refused_before_they_are_read(tmp_path, whole, what):
    make, message = WEIGHTS[what]
    path = write(tmp_path / "model.keras", whole, **{"model.weights.h5": h5(make)})
    with pytest.raises(ValueError, match=message) as error:
        DenoisingAutoencoder.from_pretrained(path)
    assert "\n" not in str(error.value)
    (tmp_path / "x.weights.h5").write_bytes(h5(make))
    with pytest.raises(ValueError, match=message):
        keras_files.check_weights(tmp_path / "x.weights.h5")


def test_a_fifo_as_external_storage_does_not_hang(tmp_path, whole):
    os.mkfifo(tmp_path / "fifo")

    def make(file):
        file.create_dataset("x", (4,), "u1", external=[(str(tmp_path / "fifo"), 0, 4)])

    path = write(tmp_path / "model.keras", whole, **{"model.weights.h5": h5(make)})
    with pytest.raises(ValueError, match="stored in another file"):
        DenoisingAutoencoder.from_pretrained(path)


def test_other_members_and_packed_weights_are_refused(tmp_path, whole):
    path = write(tmp_path / "model.keras", whole, **{"assets/vocabulary.txt": "x"})
    with pytest.raises(ValueError, match="holds 'assets/vocabulary.txt'"):
        DenoisingAutoencoder.from_pretrained(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in whole.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="is compressed; Keras"):
        DenoisingAutoencoder.from_pretrained(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in whole.items():
            archive.writestr(name, content, zipfile.ZIP_LZMA if name == "config.json" else None)
    with pytest.raises(ValueError, match="config.json is compressed by method 14, expected"):
        DenoisingAutoencoder.from_pretrained(path)


def test_sound_networks_are_loaded_and_keras_is_left_as_it_was(tmp_path, whole):
    add_weight = keras.layers.Layer.add_weight
    for network in (DenoisingAutoencoder(5), PoseRegressor(5)):
        network.save(tmp_path / "model.keras")
        loaded = type(network).from_pretrained(tmp_path / "model.keras")
        for one, other in zip(loaded.weights, network.weights, strict=True):
            np.testing.assert_array_equal(one, other)
    assert keras.layers.Layer.add_weight is add_weight
    with pytest.raises(ValueError, match="no more"):
        with keras_files.checked(tmp_path / "model.keras"):
            raise ValueError("no more")
    assert keras.layers.Layer.add_weight is add_weight
