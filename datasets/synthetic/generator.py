"""Makes Examples of synthetic people, and TFRecords of them."""

import concurrent.futures
import dataclasses
import functools
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from datasets import example as example_lib
from datasets import manifests, records
from datasets.synthetic import appearance, people, scenes
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.parts import face_labels
from smpl_tf.rasterizer import label_map, rasterize

# Raised whenever the same config would give other Examples: old data are then not reused.
_VERSION = 1
# Bodies are posed in blocks of fixed composition, so that a person's bytes do not depend on how
# the work is divided.
_BLOCK = 16
# Above this size edges are smooth enough with one sample per pixel.
_LARGEST_SUPERSAMPLED = 256


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """What the synthetic Examples depend on."""

    seed: int = 0
    image_size: int = 128  # pixels, square
    occluder_share: float = 0.15  # share of the people with something in front of them
    translation_jitter: float = 0.0  # metres, standard deviation of x and y; NBF's copies: ~0.13

    def __post_init__(self) -> None:
        """Refuses what would give no picture, or nobody in it."""
        for name, low, high in (
            ("seed", 0, 2**32 - 1),
            ("image_size", 16, 4096),
            ("occluder_share", 0, 1),
            ("translation_jitter", 0, 0.3),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"synthetic {name} must lie in [{low}, {high}], got {getattr(self, name)}"
                )


def read_examples(
    config: SyntheticConfig, split: str, start: int, stop: int
) -> Iterator[dict[str, Any]]:
    """Yields synthetic Examples; a person depends on config, split and index alone.

    Args:
      config: see SyntheticConfig.
      split: any name; different splits share no person.
      start: index of the first person.
      stop: index after the last.

    Yields:
      Examples, see `datasets.example`.
    """
    for first in range(start - start % _BLOCK, stop, _BLOCK):
        block = range(first, first + _BLOCK)
        sources = [_sources(config.seed, split, index) for index in block]
        drawn = [people.draw(source[0], config.translation_jitter) for source in sources]
        bodies = people.pose_bodies(drawn)
        joints_2d = nbf_camera(config.image_size).project(bodies.joints).numpy()
        for row, index in enumerate(block):
            if start <= index < stop:
                yield _example(
                    config,
                    f"{split}/{index:07d}",
                    drawn[row],
                    people.Bodies(*(field[row] for field in bodies)),
                    joints_2d[row],
                    sources[row][1],
                )


def generate(
    directory: str,
    split: str,
    count: int,
    config: SyntheticConfig,
    *,
    items_per_shard: int = 256,
    workers: int | None = None,
    progress: bool = True,
    pool: concurrent.futures.Executor | None = None,
) -> manifests.Manifest:
    """Writes a split of synthetic people, or reuses it if it is there.

    Args:
      directory: folder of the shards, made if need be.
      split: its name.
      count: number of people.
      config: see SyntheticConfig.
      items_per_shard: people per file.
      workers: processes, see `records.write_shards`; the bytes do not depend on their number.
      progress: whether to show a progress bar.
      pool: processes for several splits, see `records.write_shards`.

    Returns:
      The manifest.

    Raises:
      RecordError: the folder holds this split of another config, or is damaged.
    """
    manifest = manifests.Manifest(
        dataset="synthetic",
        split=split,
        num_items=count,
        items_per_shard=items_per_shard,
        bodies={
            gender: people.body_of(gender).fingerprint for gender in (*people.GENDERS, "neutral")
        },
        config={"version": _VERSION, **dataclasses.asdict(config)},
    )
    make_examples = functools.partial(read_examples, config, split)
    return records.write_shards(
        make_examples, manifest, directory, workers=workers, progress=progress, pool=pool
    )


def _sources(seed: int, split: str, index: int) -> list[np.random.Generator]:
    """Two sources of chance of one person: for the body, and for the picture."""
    key = np.random.SeedSequence([seed, zlib.crc32(split.encode()), index])
    return [np.random.default_rng(child) for child in key.spawn(2)]


def _example(
    config: SyntheticConfig,
    name: str,
    person: people.Person,
    body: people.Bodies,
    joints_2d: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    size = config.image_size
    picture, labels, box = _draw(config, person, body, rng)
    return example_lib.blank() | {
        "id": f"synthetic-{config.seed}/{name}",
        "source": f"synthetic/{person.doing[body.chosen]}",
        "image/encoded": _encoded(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95]),
        "image/height": size,
        "image/width": size,
        "parts/encoded": _encoded(".png", labels),
        "parts/valid": 1,
        "person/box": box,
        "person/box/valid": 1,
        "smpl/pose": body.pose,
        "smpl/betas": person.betas,
        "smpl/betas/valid": 1,
        "smpl/neutral_betas": body.neutral_betas,
        "smpl/neutral_betas/valid": 1,
        "smpl/gender": example_lib.GENDERS.index(people.GENDERS[person.gender]),
        "smpl/translation": person.translation,
        "smpl/valid": 1,
        "joints/3d": body.joints,
        "joints/3d/valid": np.ones(24, np.int64),
        "joints/2d": joints_2d,
        "joints/2d/valid": np.ones(24, np.int64),
        "landmarks/3d": body.landmarks,
        "landmarks/3d/valid": np.ones(18, np.int64),
        "camera/intrinsics": nbf_camera(size).intrinsics,
        "camera/valid": 1,
    }


def _draw(config, person, body, rng):
    """Picture [H, W, 3] and labels [H, W], uint8; box [4] around the visible part."""
    camera = nbf_camera(config.image_size)
    gender = people.GENDERS[person.gender]
    data = people.body_of(gender)
    labels = label_map(rasterize(body.vertices, data.faces, camera), _face_labels(gender))
    outfit, light = appearance.draw_outfit(rng), appearance.draw_light(rng)
    samples = 2 if config.image_size <= _LARGEST_SUPERSAMPLED else 1
    rgba = appearance.paint(
        body.vertices, person.gender, config.image_size, outfit, light, samples
    )
    background = scenes.draw_background(rng, config.image_size)
    picture = background * (1 - rgba[..., 3:]) + rgba[..., :3]
    if rng.random() < config.occluder_share:
        thing, where = scenes.draw_occluder(rng, labels > 0)
        picture[where], labels[where] = thing[where], 0
    rows, columns = np.nonzero(labels)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    return scenes.photograph(rng, picture), labels, box


@functools.cache
def _face_labels(gender: str) -> np.ndarray:
    return face_labels(people.body_of(gender))


def _encoded(extension: str, picture: np.ndarray, options: Sequence[int] = ()) -> bytes:
    return cv2.imencode(extension, picture, list(options))[1].tobytes()
