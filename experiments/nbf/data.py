"""Input of both NBF networks: checked shards, batches in seeded order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import tensorflow as tf
from absl import flags

from datasets import part_corruption, person_crops, pipelines, records, transforms
from datasets.splits import Mixture, Split
from experiments.runs.common import UserError
from experiments.runs.epochs import ALONE, steps_per_epoch, whole_batches
from nbf import body_fitting_model
from smpl_tf import SMPLModelData
from smpl_tf.part_cut import BONES_CUT


class Feed(NamedTuple):
    """The features that a network needs, and their conversion.

    Attributes:
      features: keys of `EXAMPLE_FEATURES` that it needs.
      convert: a batch of decoded Examples -> inputs and targets.
    """

    features: tuple[str, ...]
    convert: Callable


@contextmanager
def naming_damage(*splits: Split) -> Iterator[None]:
    """Makes errors of reading name the damaged record.

    Args:
      *splits: the splits that the block reads.

    Yields:
      Nothing.

    Raises:
      RecordError: names the shard, the offset in it, and the remedy.
    """
    try:
        yield
    except (tf.errors.OpError, UnicodeDecodeError):  # for a message that quotes the record
        for split in splits:
            records.diagnose(split.directory, split.name)
        raise


def check_body_of(split: Split, body: SMPLModelData | None) -> None:
    """Rejects a body other than the one that a split's parameters belong to.

    Args:
      split: an opened split.
      body: the body to fit; None if no body is fitted.

    Raises:
      UserError: they differ.
    """
    bodies = split.manifest.bodies
    # A split without a neutral body does not depend on one.
    if body is not None and "neutral" in bodies:
        check_body(body, bodies["neutral"], f"{split.directory}, split '{split.name}'")


def check_part_cut(feed: Feed, splits: Sequence[Split]) -> None:
    """Refuses people whose parts are cut in different ways, where parts are needed.

    Args:
      feed: what the network needs.
      splits: what it is trained and watched on.

    Raises:
      UserError: two of them differ.
    """
    if "parts/encoded" not in feed.features:
        return
    cuts = {split.manifest.config.get("part_cut", BONES_CUT): split for split in splits}
    if len(cuts) > 1:
        (one, of_one), (other, of_other) = list(cuts.items())[:2]
        raise UserError(
            f"expected parts cut in one way; those of {of_one.directory} are cut as '{one}', "
            f"those of {of_other.directory} as '{other}': convert the older data again, or give "
            "--synthetic_part_cut=nbf"
        )


def check_body(body: SMPLModelData, fingerprint: str, where: str) -> None:
    """Rejects a body other than the one that parameters belong to.

    Args:
      body: the body in use.
      fingerprint: of the expected body.
      where: the file with the parameters.

    Raises:
      UserError: they differ.
    """
    try:
        body_fitting_model.check_body(body, fingerprint, where)
    except ValueError as error:
        raise UserError(f"{error} --body_model gives the body.") from None


def crop(values: flags.FlagValues) -> pipelines.Transform | None:
    """Returns the transform that gives all pictures of a data set the same size.

    Args:
      values: the flags of the run.

    Returns:
      A transform that ignores its seed; None if the pictures already have the same size.
    """
    if not values.crop_size:
        return None
    by_fit = values.crop_by == "fit"
    cut = person_crops.crop_by_fit if by_fit else person_crops.crop_by_joints
    return lambda example, seed: cut(example, values.crop_size)


def augmentation(
    values: flags.FlagValues, first_copy: int | None = None
) -> pipelines.Transform | None:
    """Returns the augmentation of the training, new in every epoch.

    Args:
      values: the flags of the run.
      first_copy: with --mirrored_copies, the index in the mixture from which all are mirrored.

    Returns:
      The crop and the random transforms of the flags, or None.

    Source: NBF, appendix B: reflection, scale 0.9 to 1.1 and rotation to 45 degrees for the
      segmentation; jitter and scale for the fitting.
    """
    steps = [crop(values)] if values.crop_size else []
    if values.mirrored_copies:
        steps.append(partial(_mirror_copies, first_copy=first_copy))
    elif values.mirror:
        steps.append(transforms.random_mirror)
    if values.most_rotation:
        most = math.radians(values.most_rotation)
        steps.append(partial(transforms.random_rotate, most=most))
    if values.most_scale or values.most_shift:
        scales = (1 - values.most_scale, 1 + values.most_scale)
        zoom = partial(transforms.random_zoom, scales=scales, most_shift=values.most_shift)
        steps.append(zoom)
    if values.colour_strength:
        steps.append(partial(transforms.random_colour, strength=values.colour_strength))
    if values.corrupt_parts:
        steps.append(part_corruption.random_corruption)
    return transforms.chain(*steps) if len(steps) > 1 else next(iter(steps), None)


def training_batches(
    values: flags.FlagValues,
    train: Mixture,
    epoch: int,
    feed: Feed,
    reader: tf.distribute.InputContext = ALONE,
) -> tuple[tf.data.Dataset, int]:
    """Returns endless batches from an epoch on; they depend only on the seed and the epoch.

    Args:
      values: the flags of the run.
      train: the training set.
      epoch: the first epoch, from 0.
      feed: conversion for the network.
      reader: index of the reader; together they read every Example once per epoch.

    Returns:
      The dataset of (inputs, targets), and the number of batches per epoch.

    Raises:
      UserError: there are fewer Examples than a batch holds.
    """
    steps = steps_per_epoch(train, values.batch_size)
    examples = pipelines.load_mixture(
        train,
        seed=values.seed,
        epoch=epoch,
        epochs=None,
        features=_features(values, feed),
        cache=values.cache,
        transform=augmentation(values, len(train.splits) // 2),
        origin=values.mirrored_copies,
        worker=reader.input_pipeline_id,
        num_workers=reader.num_input_pipelines,
    )
    batches = whole_batches(examples, train.count, values.batch_size, reader)
    batches = batches.map(feed.convert, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE), steps


def held_out_examples(
    values: flags.FlagValues,
    split: Split,
    feed: Feed,
    reader: tf.distribute.InputContext = ALONE,
) -> tf.data.Dataset:
    """Returns the Examples of a split in their stored order.

    Args:
      values: the flags of the run.
      split: held out.
      feed: conversion for the network.
      reader: index of the reader.

    Returns:
      The dataset of decoded Examples of equal size.
    """
    features = _features(values, feed)
    return pipelines.load(
        split.directory,
        split,
        features=features,
        transform=crop(values),
        worker=reader.input_pipeline_id,
        num_workers=reader.num_input_pipelines,
    )


def held_out_batches(
    values: flags.FlagValues,
    split: Split,
    feed: Feed,
    reader: tf.distribute.InputContext = ALONE,
) -> tf.data.Dataset:
    """Returns the batches of a split in their stored order.

    Args:
      values: the flags of the run.
      split: held out.
      feed: conversion for the network.
      reader: index of the reader.

    Returns:
      The dataset of (inputs, targets).
    """
    batch_size = reader.get_per_replica_batch_size(values.batch_size)
    examples = held_out_examples(values, split, feed, reader)
    batches = examples.batch(batch_size).map(feed.convert)
    return (batches.cache() if values.cache else batches).prefetch(tf.data.AUTOTUNE)


def _features(values, feed):
    """Returns the keys that a feed, cropping and augmentation need."""
    needed = {*feed.features, "image/encoded"} if augmentation(values) else {*feed.features}
    if values.crop_size:
        needed |= {*person_crops.CROP_FEATURES}
    return tuple(sorted(needed))


def _mirror_copies(example, seed, first_copy):
    """Mirrors an Example that comes from the second half of a mixture."""
    del seed
    example = {**example}
    index = example.pop("mixture/index")
    return tf.cond(index >= first_copy, lambda: transforms.mirror(example), lambda: example)
