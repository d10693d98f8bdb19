"""Training and evaluation data of SMPLR's stages: noisy points of endless motion, pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from datasets import pipelines, scenery, transforms
from datasets.splits import Mixture, Split, open_split
from experiments.runs.common import UserError
from experiments.runs.epochs import ALONE, steps_per_epoch, whole_batches
from experiments.smplr import motion, networks
from experiments.smplr.flags import AUGMENTATIONS
from smpl_tf.files import written_aside
from smpl_tf.rotations import axis_angle_to_matrix
from smpl_tf.skeleton_points import find_skeleton
from smplr import PointBody, noise, targets
from smplr.bones import observed_points, split_points
from smplr.finder_noise import finder_noise
from smplr.model import weighted_points
from smplr.motion import MotionConfig, motion_batches
from smplr.point_model import PointModel, posed_points

_NOISE = {
    "uniform": noise.uniform_noise,
    "gaussian": noise.gaussian_noise,
    "structured": noise.structured_noise,
}
# Random streams next to the one that the seed itself starts.
_NOISE_STREAM = 1 << 20
_PREDICTION_BATCH = 16
PICTURE_FEATURES = (
    *targets.BODY_FEATURES,
    *("image/encoded", "joints/3d", "joints/3d/valid", "camera/intrinsics", "camera/valid"),
)
# Features that show the person's region, to replace the scene behind.
_MASK_FEATURES = ("parts/encoded", "parts/valid", "image/height", "image/width")
_MADE_UP = 200  # number of scenes and of objects without Pascal VOC

Batch = Mapping[str, tf.Tensor]


def motion_config(values: flags.FlagValues) -> MotionConfig:
    """Returns the variation of the motion.

    Args:
      values: the flags of the run.

    Returns:
      The configuration.
    """
    yaw = values.yaw_deviation_deg
    return MotionConfig(
        exchange_rate=values.exchange_rate,
        pose_deviation=np.deg2rad(values.pose_deviation_deg),
        yaw_deviation=None if yaw < 0 else np.deg2rad(yaw),
        pitch_deviation=np.deg2rad(values.pitch_deviation_deg),
        roll_deviation=np.deg2rad(values.roll_deviation_deg),
        any_roll_rate=values.any_roll_rate,
        disturbed_rate=values.disturbed_rate,
        beta_deviation=values.beta_deviation,
    )


def with_noise(
    batch: Batch, seed: tf.Tensor, values: flags.FlagValues, kind: str | None = None
) -> Batch:
    """Adds a stage's noisy input to true bodies.

    Args:
      batch: from `motion_batch`; with `seen` if an hourglass predicted the points, and for the
        noise of a detector with the points of its skeleton.
      seed: int `[2]`.
      values: the flags of the run.
      kind: of noise; None: as in the training.

    Returns:
      The batch with `seen`, `[N, P, 3]`: points with noise, flattened and NaN if missing,
      according to the flags; without landmarks if the run has none. A detector's also have
      `weights`, `[N, P]`.
    """
    points, seen = batch["points"], batch.get("seen", batch["points"])
    seeds = tf.unstack(tf.random.split(seed, 2))
    if (kind or values.noise) == "finder":
        skeleton = find_skeleton(values.skeleton)
        seen, weights = finder_noise(seen, skeleton, seeds[0], values.noise_scale)
        return {**batch, "seen": seen, "weights": weights}
    if values.bone_deviation_deg:
        deviation = np.deg2rad(values.bone_deviation_deg)
        # A third stream; the other two are used by runs without this flag.
        third = tf.random.fold_in(seed, 2)
        seen = noise.foreign_bones(seen, batch["rotations"], third, deviation)
    add_noise = _NOISE.get(kind or values.noise)
    if add_noise:
        seen = add_noise(seen, seeds[0], values.noise_scale)
    if values.lift_2d:
        seen = noise.without_depth(seen)
    if values.missing_rate:
        seen = noise.missing_points(seen, seeds[1], values.missing_rate)
    if not values.landmarks:
        seen = split_points(seen)[0]
    return {**batch, "points": points, "seen": seen}


def training_bodies(
    values: flags.FlagValues, body: PointBody, first_batch: int
) -> tuple[tf.data.Dataset, Split | None]:
    """Makes endless batches of bodies with noisy points; they depend only on seed and number.

    Args:
      values: the flags of the run.
      body: the bodies.
      first_batch: number of the first batch of a resumed training.

    Returns:
      A dataset of results of `with_noise`, and the split of its people; None for the pose sampler.
    """
    source = None
    if values.noise == "hourglass":
        people, source = seen_by_hourglass(values, body, "train")
        bodies = _reshuffled(people, values, first_batch)
    else:
        source = open_split(values.motion, "train") if values.motion else None
        pool = motion.pose_pool(values, source or "train")
        bodies = motion_batches(
            pool, body, values.batch_size, values.seed, motion_config(values), first_batch
        )
    numbered = tf.data.Dataset.zip(tf.data.Dataset.counter(first_batch), bodies)
    complete = _with_named_points(values, body, values.noise)

    def corrupt(number, batch):
        return with_noise(complete(batch), tf.stack([values.seed + _NOISE_STREAM, number]), values)

    return numbered.map(corrupt, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4), source


def held_out_bodies(values: flags.FlagValues, body: PointBody) -> Iterator[Batch]:
    """Draws held-out people without exchanged limbs or disturbed poses.

    Args:
      values: the flags of the run.
      body: the bodies.

    Yields:
      Batches from `with_noise`.
    """
    kind = values.noise if values.test_noise == "same" else values.test_noise
    if kind == "hourglass":
        seen, _ = seen_by_hourglass(values, body, values.test_split)
        people = tf.data.Dataset.from_tensor_slices(seen)
    else:
        poses = motion.held_out_poses(values)
        rng = np.random.default_rng(len(poses))
        betas = np.clip(rng.normal(size=(len(poses), body.num_betas)), -2.5, 2.5)
        gender = rng.choice([-1.0, 1.0], len(poses))
        people = {"pose": poses, "betas": betas, "gender": gender}
        people = {name: value.astype(np.float32) for name, value in people.items()}
        people = tf.data.Dataset.from_tensor_slices(people)
    complete = _with_named_points(values, body, kind)
    for number, batch in enumerate(people.batch(values.batch_size)):
        if "pose" in batch:
            batch["rotations"] = axis_angle_to_matrix(batch.pop("pose"))
            batch["points"] = body(**batch)["points"]
        yield with_noise(complete(batch), tf.constant([_NOISE_STREAM, number]), values, kind)


def _with_named_points(
    values: flags.FlagValues, body: PointBody, kind: str
) -> Callable[[Batch], Batch]:
    """Returns the function that adds a detector's points if the noise is a detector's."""
    if kind != "finder":
        return lambda batch: batch
    models = [PointModel.of(one, find_skeleton(values.skeleton)) for one in body.bodies]

    def complete(batch):
        seen = posed_points(models, batch["rotations"], batch["betas"], batch["gender"])
        return {**batch, "seen": seen}

    return complete


def seen_by_hourglass(
    values: flags.FlagValues, body: PointBody, name: str
) -> tuple[dict[str, np.ndarray], Split]:
    """Runs the hourglass of `--networks` over a split; caches the result next to it.

    Args:
      values: the flags of the run.
      body: the bodies.
      name: name of a split of `--data`.

    Returns:
      The result of `motion_batch`, and `seen` `[N, P, 3]`, for people with known labels; and the
      split.

    Raises:
      UserError: `--networks` names no hourglass.
      RecordError: the data is missing or damaged.
    """
    hourglass, folder = networks.earlier_hourglass(values)
    split = open_split(values.data, name)
    digests = [shard.sha256 for shard in split.manifest.shards]
    key = hashlib.sha256("".join([*digests, *(b.fingerprint for b in body.bodies)]).encode())
    path = folder / "predictions" / f"{name}_{key.hexdigest()[:16]}.npz"
    if not path.exists():
        predict = tf.function(hourglass.points_model, reduce_retracing=True)
        total = -(-split.count // _PREDICTION_BATCH)
        pictures = held_out_pictures(
            values, body, split, hourglass.input.shape[1], _PREDICTION_BATCH
        )
        batches = []
        for batch in tqdm(pictures, f"hourglass ({name})", total, unit="batch"):
            batch["seen"] = predict(batch.pop("pictures"))
            known = tf.reduce_all(tf.math.is_finite(batch["points"]), axis=(1, 2))
            batches.append({name: value[known].numpy() for name, value in batch.items()})
        joined = {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}
        with written_aside(path) as aside:
            np.savez(aside, **joined)
    with np.load(path) as arrays:
        return dict(arrays), split


def _reshuffled(
    people: dict[str, np.ndarray], values: flags.FlagValues, first_batch: int
) -> tf.data.Dataset:
    """Returns endless random batches of stored people; each depends on the seed and its number."""
    stored = {name: tf.constant(value) for name, value in people.items()}
    count = len(people["points"])

    def draw(number):
        seed = tf.stack([tf.cast(values.seed, tf.int64), number])
        rows = tf.random.stateless_uniform([values.batch_size], seed, 0, count, tf.int32)
        return {name: tf.gather(value, rows) for name, value in stored.items()}

    return tf.data.Dataset.counter(first_batch).map(draw)


def inputs_and_targets(
    batch: Batch, stage: str, denoised: bool = False
) -> tuple[tf.Tensor | Batch, Batch | tf.Tensor]:
    """Splits a batch of bodies into a stage's inputs and targets.

    Args:
      batch: from `with_noise`.
      stage: one of `POINT_STAGES`.
      denoised: whether the stage also trains an autoencoder in front.

    Returns:
      Inputs and targets for `fit`.

    Source: paper 4.4.3: Ω and Ψ are trained separately, each with the true values of the other.
    """
    points, seen = batch["points"], batch["seen"]
    if stage == "dae" and "weights" in batch:
        return weighted_points(*observed_points(seen), batch["weights"]), points
    if stage == "dae":
        return observed_points(seen)[0], points[:, : seen.shape[1]]
    shape = targets.shape_vector(batch["betas"], batch["gender"])
    joints, landmarks = split_points(points)
    inputs, answers = {"points": seen}, {"joints": joints, "landmarks": landmarks}
    if "weights" in batch:
        inputs["weights"] = batch["weights"]
    if denoised:
        answers["denoised"] = points
    if stage != "shape":
        answers["rotations"] = batch["rotations"]
    else:
        inputs["rotations"] = batch["rotations"]
    if stage != "pose":
        answers["shape"] = shape
    else:
        inputs["shape"] = shape
    return inputs, answers


def check_known_bodies(split: Split, body: PointBody) -> None:
    """Checks before training that someone in the pictures has betas of the run's bodies.

    Args:
      split: of the pictures.
      body: the bodies of the run.

    Raises:
      UserError: no Example has a known body.
    """
    examples = pipelines.load(
        split.directory, split, features=targets.BODY_FEATURES, decode=False
    ).batch(64)
    # Usually the first batch is enough.
    for batch in examples:
        if bool(tf.reduce_any(targets.known_bodies(batch, len(body.bodies) == 2))):
            return
    if len(body.bodies) == 2:
        wanted, remedy = "female or male", "give --neutral, as for UP-3D and Human3.6M"
    else:
        wanted, remedy = "neutral", "convert with --neutral_body, or leave --neutral out"
    raise UserError(
        f"{split.directory}: no Example of the split '{split.name}' has known {wanted} betas; "
        f"{remedy}"
    )


def training_pictures(
    values: flags.FlagValues,
    body: PointBody,
    train: Mixture,
    epoch: int,
    reader: tf.distribute.InputContext = ALONE,
) -> tuple[tf.data.Dataset, int]:
    """Returns endless batches of pictures and bodies from an epoch on.

    Args:
      values: the flags of the run.
      body: the bodies.
      train: the training set.
      epoch: the first epoch, from 0.
      reader: index of the reader; together they read every Example once per epoch.

    Returns:
      A dataset of dicts, `pictures` and the results of `body_targets`; batches per epoch.

    Raises:
      RecordError: the shards of `--voc` are missing or damaged.
      UserError: there are fewer Examples than a batch holds.
    """
    steps = steps_per_epoch(train, values.batch_size)
    examples = pipelines.load_mixture(
        train,
        seed=values.seed,
        epoch=epoch,
        epochs=None,
        features=(
            *PICTURE_FEATURES,
            *(_MASK_FEATURES if "scenery" in _augmentations(values) else ()),
        ),
        cache=values.cache,
        fixed=(lambda example: cropped(example, values.image_size)) if values.cache else None,
        transform=augmentation(values),
        worker=reader.input_pipeline_id,
        num_workers=reader.num_input_pipelines,
    )
    batches = whole_batches(examples, train.count, values.batch_size, reader)
    return batches.map(lambda batch: with_bodies(batch, body)).prefetch(2), steps


def held_out_pictures(
    values: flags.FlagValues,
    body: PointBody,
    split: Split,
    image_size: int | None = None,
    batch_size: int | None = None,
) -> tf.data.Dataset:
    """Returns the batches of a split in their stored order, without augmentation.

    Args:
      values: the flags of the run.
      body: the bodies.
      split: held out.
      image_size: of the pictures, pixels; None: as in training.
      batch_size: None: as in training.

    Returns:
      A dataset of dicts as from `training_pictures`.
    """
    size = image_size or values.image_size
    examples = pipelines.load(
        split.directory,
        split,
        features=PICTURE_FEATURES,
        transform=lambda example, _: cropped(example, size),
    )
    batches = examples.batch(batch_size or values.batch_size)
    return batches.map(lambda batch: with_bodies(batch, body)).prefetch(2)


def cropped(example: transforms.Example, image_size: int) -> transforms.Example:
    """Crops the window that shows the hourglass's cube.

    Args:
      example: a decoded Example with root and camera.
      image_size: side of the result, pixels.

    Returns:
      The Example with its picture of that size.
    """
    window = targets.crop_window(example["joints/3d"][0], example["camera/intrinsics"])
    return transforms.crop(example, window, image_size, image_size)


def augmentation(values: flags.FlagValues) -> transforms.Transform:
    """Combines the augmentation of a picture and the crop of the hourglass's cube.

    Args:
      values: the flags of the run.

    Returns:
      (Example, seed) -> Example.

    Raises:
      RecordError: the shards of `--voc` are missing or damaged.
      UserError: --augmentations names something else, or rotates pictures that --cache keeps.

    Source: paper 4.4.1. Landmarks are recomputed from the changed body, see `body_targets`.
    """
    size, chosen = values.image_size, _augmentations(values)
    largest = np.deg2rad(values.rotation_deg)
    scenes: tuple[transforms.Transform, ...] = ()
    if "scenery" in chosen:
        if values.voc:
            others = scenery.from_voc(values.voc, size)
        else:
            others = scenery.made_up(_MADE_UP, size, values.seed)
        scenes = (
            lambda example, seed: scenery.random_scene(example, seed, others),
            lambda example, seed: scenery.random_thing(example, seed, others),
        )
    steps = {
        "mirror": (transforms.random_mirror,),
        "rotation": (lambda example, seed: transforms.random_rotate(example, seed, largest),),
        "": (lambda example, _: cropped(example, size),),
        "scenery": scenes,
        "colour": (transforms.random_colour,),
    }
    if values.cache:
        if "rotation" in chosen:
            raise UserError(
                "--cache keeps pictures that are cut already; leave 'rotation' out of "
                "--augmentations, or leave --cache out"
            )
        del steps[""]
    return transforms.chain(
        *(step for name, some in steps.items() if name in (*chosen, "") for step in some)
    )


def _augmentations(values: flags.FlagValues) -> list[str]:
    """Returns which random changes of pictures the flags ask for."""
    for name in values.augmentations:
        if name not in AUGMENTATIONS:
            raise UserError(
                f"--augmentations={','.join(values.augmentations)}: expected some of "
                f"{', '.join(AUGMENTATIONS)}, got {name}"
            )
    return values.augmentations if values.augment else []


def with_bodies(examples: Batch, body: PointBody) -> Batch:
    """Converts a batch of cropped Examples to pictures and targets.

    Args:
      examples: decoded Examples.
      body: the bodies.

    Returns:
      `pictures` float32 `[N, S, S, 3]` and the results of `body_targets`.
    """
    pictures = tf.cast(examples["image"], tf.float32)
    return {"pictures": pictures, **targets.body_targets(examples, body)}
