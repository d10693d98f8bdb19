"""Makes Examples of synthetic people, and TFRecords of them."""

import concurrent.futures
import dataclasses
import functools
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from datasets import example as example_lib
from datasets import manifests, pipelines, records
from datasets.bodies import OPEN_BODY, Bodies, MissingBodyError
from datasets.frames import RecordError
from datasets.splits import Split, open_split
from datasets.synthetic import appearance, backgrounds, loose_clothes, people, scenes
from smpl_tf import part_cut, pictures
from smpl_tf.camera import Camera
from smpl_tf.model_data import SMPLModelData
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.rasterizer import label_map, rasterize

DATASET = "synthetic"
PEOPLE_PER_SHARD = 256
# Increased whenever the same config gives other Examples, so that old data are not reused.
_VERSION = 1
# Bodies are posed in fixed blocks, so that a person's bytes do not depend on how the work is
# divided.
_BLOCK = 16
_SHARES = ("loose_share", "hard_light_share", "near_share", "blur_share", "background_share")
_NEAREST, _FARTHEST = 1.8, 6.0  # metres, of a near camera
# In larger pictures edges are smooth enough with one sample per pixel.
_LARGEST_SUPERSAMPLED = 256


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """Everything that the synthetic Examples depend on."""

    seed: int = 0
    image_size: int = 128  # pixels, square
    occluder_share: float = 0.15  # fraction of people behind an occluder
    translation_jitter: float = 0.0  # metres, standard deviation of x and y; NBF's copies: ~0.13
    # The people's bodies: female and male if given, otherwise neutral. Their betas in the neutral
    # space, which NBF trains on, are known if the neutral body is given.
    bodies: Bodies = people.OPEN_BODIES
    # Folder of shards with poses: those of the split of the same name, or of train if it is the
    # only one; None: everyday activities.
    poses: str | None = None
    # How 12 and fewer parts are cut: at the bones, which the shipped networks know, or as NBF's.
    part_cut: str = part_cut.BONES_CUT
    # What makes them more like people in photographs, each for a share of them; the others, and
    # the same person without it, do not change.
    loose_share: float = 0.0  # clothes and hair that stand off the body
    hard_light_share: float = 0.0  # a lamp like the sun or a flash
    near_share: float = 0.0  # a camera 1.8 to 6 m away; NBF's is 20 m away
    blur_share: float = 0.0  # motion blur
    backgrounds: str | None = None  # folder of photographs ...
    background_share: float = 1.0  # ... that are behind so many, where it is given

    def __post_init__(self) -> None:
        """Rejects values that give no picture, no person in it, or incomparable bodies."""
        for name, low, high in (
            ("seed", 0, 2**32 - 1),
            ("image_size", 16, 4096),
            ("occluder_share", 0, 1),
            *((name, 0, 1) for name in _SHARES),
            ("translation_jitter", 0, 0.3),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"synthetic {name} must lie in [{low}, {high}], got {getattr(self, name)}"
                )
        if self.part_cut not in part_cut.CUTS:
            raise ValueError(
                f"synthetic part_cut must be one of {part_cut.CUTS}, got {self.part_cut!r}"
            )
        if self.backgrounds is not None:
            backgrounds.fingerprint(self.backgrounds)  # of one photograph at least
        given = self.bodies.given
        if not given:
            raise MissingBodyError("synthetic people need a body: neutral, or female and male")
        if OPEN_BODY in given and len(set(given)) > 1:
            raise ValueError(
                f"synthetic people use either the open body or your own files, not both; got "
                f"neutral={self.bodies.neutral}, female={self.bodies.female}, "
                f"male={self.bodies.male}"
            )

    @property
    def genders(self) -> tuple[str, ...]:
        """The genders of the people."""
        return people.genders_of(self.bodies)


def read_examples(
    config: SyntheticConfig, split: str, start: int, stop: int
) -> Iterator[dict[str, Any]]:
    """Yields synthetic Examples; a person depends only on config, split and index.

    Args:
      config: see SyntheticConfig.
      split: any name; different splits share no person.
      start: index of the first person.
      stop: index after the last.

    Yields:
      Examples, see `datasets.example`.
    """
    captured = None if config.poses is None else _captured(config.poses, split)
    for first in range(start - start % _BLOCK, stop, _BLOCK):
        block = range(first, first + _BLOCK)
        sources = [_sources(config.seed, split, index) for index in block]
        drawn = [
            people.draw(source[0], config.translation_jitter, config.genders, captured)
            for source in sources
        ]
        if config.near_share:
            drawn = [
                _nearer(person, source[2], config.near_share)
                for person, source in zip(drawn, sources, strict=True)
            ]
        bodies = people.pose_bodies(drawn, config.bodies)
        cameras = [_camera(config.image_size, person) for person in drawn]
        intrinsics = np.stack([camera.intrinsics for camera in cameras])
        joints_2d = cameras[0]._replace(intrinsics=intrinsics).project(bodies.joints).numpy()
        for row, index in enumerate(block):
            if start <= index < stop:
                yield _example(
                    config,
                    f"{split}/{index:07d}",
                    drawn[row],
                    bodies.person(row),
                    cameras[row],
                    joints_2d[row],
                    sources[row][1:],
                )


def generate(
    directory: str,
    split: str,
    count: int,
    config: SyntheticConfig,
    *,
    items_per_shard: int = PEOPLE_PER_SHARD,
    workers: int | None = None,
    progress: bool = True,
    pool: concurrent.futures.Executor | None = None,
) -> manifests.Manifest:
    """Writes a split of synthetic people, or reuses an existing one.

    Args:
      directory: folder of the shards, created if missing.
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
      RecordError: the folder has this split with another config, or is damaged.
      ModelFileError: a body cannot be read.
      ValueError: the bodies have different meshes.
    """
    manifest = manifests.Manifest(
        dataset=DATASET,
        split=split,
        num_items=count,
        items_per_shard=items_per_shard,
        bodies=fingerprints(config),
        config=described(config, split),
    )
    make_examples = functools.partial(read_examples, config, split)
    return records.write_shards(
        make_examples, manifest, directory, workers=workers, progress=progress, pool=pool
    )


def described(config: SyntheticConfig, split: str) -> dict[str, Any]:
    """Returns what the Examples of a split depend on, as JSON, except the bodies' fingerprints."""
    own = dataclasses.asdict(config)
    del own["bodies"]  # recorded by fingerprint instead of path
    if config.part_cut == part_cut.BONES_CUT:
        del own["part_cut"]  # as in data from before there was a choice
    own["poses"] = None if config.poses is None else _motion(config.poses, split).fingerprint
    for field in dataclasses.fields(config):  # people of before these options are the same
        if field.name in ("backgrounds", *_SHARES) and own[field.name] == field.default:
            del own[field.name]
    if config.backgrounds is not None:
        own["backgrounds"] = backgrounds.fingerprint(config.backgrounds)
    return {"version": _VERSION, **own}


def _motion(folder: str, split: str) -> Split:
    """The split of motion that gives the poses of a split."""
    names = {path.removesuffix(".manifest.json") for path in tf.io.gfile.listdir(folder)}
    return open_split(folder, split if split in names else "train")


@functools.lru_cache(maxsize=2)
def _captured(folder: str, split: str) -> np.ndarray:
    """Poses `[M, 24, 3]` of a split of motion."""
    examples = pipelines.load(
        folder, _motion(folder, split), features=("smpl/pose", "smpl/valid"), decode=False
    )
    batches = examples.batch(4096).as_numpy_iterator()
    poses = [batch["smpl/pose"][batch["smpl/valid"] > 0] for batch in batches]
    if not sum(map(len, poses)):
        raise RecordError(f"{folder}: no Example has a pose; expected motion as AMASS or BVH")
    return np.concatenate(poses)


def fingerprints(config: SyntheticConfig) -> dict[str, str]:
    """Reads the bodies before anybody is drawn.

    Returns:
      Gender -> fingerprint.

    Raises:
      ModelFileError: a body cannot be read.
      ValueError: the bodies have different meshes.
    """
    bodies = config.bodies
    found = bodies.fingerprints(config.genders)
    meshes = {gender: bodies.data(gender).num_vertices for gender in found}
    if len(set(meshes.values())) > 1:
        raise ValueError(f"synthetic people's bodies have different meshes: vertices of {meshes}")
    return found


def _sources(seed: int, split: str, index: int) -> list[np.random.Generator]:
    """The three random generators of a person: for body, picture, and realism."""
    key = np.random.SeedSequence([seed, zlib.crc32(split.encode()), index])
    return [np.random.default_rng(child) for child in key.spawn(3)]


def _nearer(person: people.Person, rng: np.random.Generator, share: float) -> people.Person:
    """Moves the camera to some people, and widens its view, so that they stay as large."""
    if rng.random() >= share:
        return person
    distance = np.exp(rng.uniform(np.log(_NEAREST), np.log(_FARTHEST)))
    translation = np.array([*person.translation[:2], distance], np.float32)
    return person._replace(translation=translation)


def _camera(size: int, person: people.Person) -> Camera:
    """The camera that shows a person, at its distance, at NBF's scale."""
    camera = nbf_camera(size)
    nearer = person.translation[2] / np.float32(NBF_TRANSLATION[2])
    focal = np.array([[nearer, 1, 1], [1, nearer, 1], [1, 1, 1]], np.float32)
    return camera._replace(intrinsics=camera.intrinsics * focal)


def _example(
    config: SyntheticConfig,
    name: str,
    person: people.Person,
    body: people.Posed,
    camera: Camera,
    joints_2d: np.ndarray,
    sources: list[np.random.Generator],
) -> dict[str, Any]:
    size = config.image_size
    picture, labels, box = _draw(config, person, body, camera, *sources)
    return example_lib.blank() | {
        "id": f"synthetic-{config.seed}/{name}",
        "source": f"synthetic/{person.doing[body.chosen]}",
        "labels/source": "rendered",
        "image/encoded": pictures.encode(picture, ".jpg"),
        "image/height": size,
        "image/width": size,
        "parts/encoded": pictures.encode(labels, ".png"),
        "parts/valid": 1,
        "person/box": box,
        "person/box/valid": 1,
        "smpl/pose": body.pose,
        "smpl/betas": person.betas,
        "smpl/betas/valid": 1,
        **_known("smpl/neutral_betas", body.neutral_betas, ()),
        "smpl/gender": example_lib.GENDERS.index(person.gender),
        "smpl/translation": person.translation,
        "smpl/valid": 1,
        "joints/3d": body.joints,
        "joints/3d/valid": np.ones(24, np.int64),
        "joints/2d": joints_2d,
        "joints/2d/valid": np.ones(24, np.int64),
        **_known("landmarks/3d", body.landmarks, (18,)),
        "camera/intrinsics": camera.intrinsics,
        "camera/valid": 1,
    }


def _known(key: str, value: np.ndarray | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """Returns a value and its validity; nothing if it is None."""
    return {} if value is None else {key: value, f"{key}/valid": np.ones(shape, np.int64)}


def _draw(config, person, body, camera, rng, further):
    """Returns picture [H, W, 3] and labels [H, W], uint8, and box [4] of the visible part."""
    data = config.bodies.data(person.gender)
    faces = _face_labels(data, config.part_cut)
    labels = label_map(rasterize(body.vertices, data.faces, camera), faces)
    outfit, light = appearance.draw_outfit(rng), appearance.draw_light(rng)
    samples = 2 if config.image_size <= _LARGEST_SUPERSAMPLED else 1
    seen = body.vertices
    if _happens(further, config.loose_share):
        looseness = loose_clothes.draw_looseness(further)
        seen = loose_clothes.loosened(seen, appearance.surface_of(data), outfit, looseness)
    if _happens(further, config.hard_light_share):
        light = appearance.harder(light, further)
    rgba = appearance.paint(seen, data, camera, outfit, light, samples)
    background = scenes.draw_background(rng, config.image_size)
    if config.backgrounds is not None and _happens(further, config.background_share):
        background = backgrounds.draw(further, config.backgrounds, config.image_size)
    picture = background * (1 - rgba[..., 3:]) + rgba[..., :3]
    if rng.random() < config.occluder_share:
        thing, where = scenes.draw_occluder(rng, labels > 0)
        picture[where], labels[where] = thing[where], 0
    if _happens(further, config.blur_share):
        picture = scenes.motion_blur(further, picture)
    rows, columns = np.nonzero(labels)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    return scenes.photograph(rng, picture), labels, box


def _happens(rng: np.random.Generator, share: float) -> bool:
    return share > 0 and rng.random() < share


@functools.lru_cache
def _face_labels(data: SMPLModelData, cut: str) -> np.ndarray:
    return part_cut.face_labels_of(data, cut)
