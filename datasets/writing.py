"""Writes your own Examples as shards for trainings."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from datasets import example as example_lib
from datasets import manifests, records
from datasets.frames import RecordError
from datasets.manifests import Manifest
from smpl_tf import SMPLModelData, load_model_data, pictures
from smpl_tf.model_data import require_smpl

_PER_SHARD = 256
_BODY = {"smpl/pose", "smpl/betas", "smpl/translation"}


def write(
    directory: str | Path,
    split: str,
    examples: Iterable[Mapping[str, Any]],
    *,
    bodies: Mapping[str, SMPLModelData | str | Path | None] | None = None,
    name: str = "own",
    overwrite: bool = False,
) -> Manifest:
    """Writes Examples as a split for `load` and the trainings.

    Args:
      directory: folder of the shards, created if missing.
      split: its name, such as "train", "val" or "test".
      examples: dicts with some of the keys of `EXAMPLE_FEATURES`, at least "id"; missing features
        are unknown, and given ones are valid unless their `.../valid` key says otherwise. Instead
        of "image/encoded" and "parts/encoded" they may have "image" `[H, W, 3]` uint8 RGB and
        "parts" `[H, W]` uint8.
      bodies: gender -> the body that the SMPL parameters belong to, or its file; None as a body:
        the open body. Examples without SMPL parameters need none.
      name: of the data set.
      overwrite: whether to replace a split of the same name.

    Returns:
      The manifest of the split.

    Raises:
      RecordError: the split already exists, or there is no Example.
      ValueError: an Example has unknown keys, wrong shapes, an id that another one has, or SMPL
        parameters of a gender without a body.

    Example:
      >>> import tempfile
      >>> import numpy as np
      >>> import datasets
      >>> people = [{"id": str(i), "image": np.zeros([32, 32, 3], np.uint8)} for i in range(3)]
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     datasets.write(folder, "train", people).count
      3
    """
    directory = str(directory)
    path = manifests.path_of(directory, split)
    if tf.io.gfile.exists(path) and not overwrite:
        raise RecordError(
            f"{path}: the split already exists; choose another folder, or overwrite=True"
        )
    tf.io.gfile.makedirs(directory)
    fingerprints = {
        gender: (
            require_smpl(
                body if isinstance(body, SMPLModelData) else load_model_data(body, gender)
            )
        ).fingerprint
        for gender, body in (bodies or {}).items()
    }
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(path)  # first, so that half-replaced shards do not belong to a split
    with records.being_written(directory, split):
        shards: list[manifests.Shard] = []
        ids: set[str] = set()
        completed = (complete(example) for example in examples)
        while chunk := list(itertools.islice(completed, _PER_SHARD)):
            writer = records.ShardWriter(directory, split, len(shards))
            for example in chunk:
                _check(example, ids, fingerprints)
                writer.write(example_lib.encode(example))
            shards.append(writer.close(len(chunk)))
        if not shards:
            raise RecordError(f"{path}: got no Example")
        manifest = Manifest(
            dataset=name,
            split=split,
            num_items=len(ids),
            items_per_shard=_PER_SHARD,
            bodies=fingerprints,
            config={"written_by": "datasets.write"},
            shards=tuple(shards),
        )
        manifests.write(path, manifest)
        _remove_surplus(directory, split, len(shards))
        return manifest


def complete(example: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the missing features of an Example.

    Args:
      example: see `write`.

    Returns:
      A dict with every key of `EXAMPLE_FEATURES`.

    Raises:
      ValueError: a picture has another shape or type, or a key is unknown.
    """
    given = dict(example)
    for key, shape in (("image", "H, W, 3"), ("parts", "H, W")):
        if key in given:
            pixels = np.asarray(given.pop(key))
            if pixels.dtype != np.uint8 or pixels.shape[2:] != ((3,) if key == "image" else ()):
                got = f"{list(pixels.shape)} {pixels.dtype}"
                raise ValueError(f"{key}: expected uint8 [{shape}], got {got}")
            if key == "image":
                height, width = pixels.shape[:2]
                given = {"image/height": height, "image/width": width, **given}
            given[f"{key}/encoded"] = pictures.encode(pixels, ".png")
    if "image/encoded" in given and not {"image/height", "image/width"} <= given.keys():
        height, width = tf.io.decode_image(given["image/encoded"]).shape[-3:-1]
        given |= {"image/height": height, "image/width": width}
    full = example_lib.blank() | given
    for key, feature in example_lib.EXAMPLE_FEATURES.items():
        stem = key.removesuffix("/valid")
        known = stem in given or f"{stem}/encoded" in given
        known |= stem == "smpl" and given.keys() >= _BODY
        if key != stem and known and key not in given:
            full[key] = np.ones(feature.shape, feature.dtype)
    return full


def _check(example: Mapping[str, Any], ids: set[str], fingerprints: Mapping[str, str]) -> None:
    name = example["id"].decode() if isinstance(example["id"], bytes) else str(example["id"])
    if not name or name in ids:
        raise ValueError(f"id {name!r}: expected a unique id for each Example")
    ids.add(name)
    gender = example_lib.GENDERS[int(example["smpl/gender"])]
    if int(example["smpl/valid"]) and gender not in fingerprints:
        raise ValueError(
            f"{name}: has SMPL parameters of the {gender} body; give it in bodies, or None there "
            "for the open body"
        )


def _remove_surplus(directory: str, split: str, count: int) -> None:
    """Removes the shards of a larger split that this one replaced."""
    for path in tf.io.gfile.glob(os.path.join(directory, f"{split}-*.tfrecord")):
        number = os.path.basename(path).removeprefix(f"{split}-").removesuffix(".tfrecord")
        if number.isdigit() and int(number) >= count:
            tf.io.gfile.remove(path)
