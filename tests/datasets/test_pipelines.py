import dataclasses

import pytest
import tensorflow as tf

from datasets import pipelines, records
from datasets.splits import mixture, open_split


def ids(dataset):
    return [int(one["id"].decode().split("/")[1]) for one in dataset.as_numpy_iterator()]


def load(directory, **kwargs):
    return pipelines.load(str(directory), "train", features=["id"], decode=False, **kwargs)


def test_without_a_seed_every_example_comes_once(tiny):
    dataset = load(tiny)
    assert sorted(ids(dataset)) == list(range(10)) and dataset.cardinality() == 10


@pytest.mark.parametrize("cache", [False, True])
def test_order_is_a_function_of_seed_and_epoch(tiny, cache):
    three = ids(load(tiny, seed=5, epochs=3, cache=cache))
    epochs = [three[:10], three[10:20], three[20:]]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert ids(load(tiny, seed=5, epoch=1, epochs=2, cache=cache)) == three[10:]
    assert ids(load(tiny, seed=5, epoch=2, epochs=None, cache=cache).take(10)) == three[20:]
    assert ids(load(tiny, seed=6, cache=cache)) != epochs[0]


@pytest.mark.parametrize("cache", [False, True])
def test_the_global_seed_does_not_touch_the_order(tiny, cache):
    expected = ids(load(tiny, seed=5, cache=cache))
    for global_seed in (0, 7):
        tf.random.set_seed(global_seed)
        assert ids(load(tiny, seed=5, cache=cache)) == expected


@pytest.mark.parametrize("cache", [False, True])
def test_workers_share_each_global_batch(tiny, cache):
    whole = ids(load(tiny, seed=5, epochs=2, cache=cache))
    shares = [
        ids(load(tiny, seed=5, epochs=2, cache=cache, worker=worker, num_workers=3))
        for worker in range(3)
    ]
    assert [len(share) for share in shares] == [8, 6, 6]
    for epoch in range(2):
        for worker, share in enumerate(shares):
            mine = share[: len(share) // 2] if epoch == 0 else share[len(share) // 2 :]
            assert mine == whole[10 * epoch : 10 * epoch + 10][worker::3]


@pytest.mark.parametrize("cache", [False, True])
def test_a_fixed_transform_comes_before_the_random_one_and_is_cached(tiny, cache):
    runs = tf.Variable(0)

    def fixed(example):
        tf.py_function(lambda: runs.assign_add(1), [], tf.int32)
        return {**example, "image": example["image"][:4]}

    dataset = pipelines.load_mixture(
        mixture([[open_split(str(tiny), "train")]]),
        epochs=2,
        features=("image/encoded",),
        cache=cache,
        fixed=fixed,
        transform=lambda example, seed: {"image": example["image"][:, :2]},
    )
    shapes = {one["image"].shape for one in dataset}
    assert shapes == {(4, 2, 3)}
    assert runs.numpy() == (10 if cache else 20)


def test_without_determinism_every_example_still_comes_once_an_epoch(tiny):
    order = ids(load(tiny, seed=5, epochs=2, deterministic=False))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    with pytest.raises(ValueError, match="num_workers > 1 needs deterministic=True"):
        load(tiny, deterministic=False, num_workers=2)


def test_decoded_examples_batch(tiny):
    batch = next(iter(pipelines.load(str(tiny), "train", seed=1).batch(4)))
    assert batch["image"].shape == (4, 8, 8, 3) and batch["parts"].shape == (4, 8, 8)
    assert batch["smpl/pose"].shape == (4, 24, 3)


def mixed(tiny, weights=None, **kwargs):
    split = open_split(str(tiny), "train")
    both = mixture([[split], [split]], weights)
    found = pipelines.load_mixture(
        both, features=["id"], decode=False, origin=True, seed=kwargs.pop("seed", 5), **kwargs
    )
    return [
        (int(one["mixture/index"]), int(one["id"].decode().split("/")[1]))
        for one in found.as_numpy_iterator()
    ]


@pytest.mark.parametrize("cache", [False, True])
def test_a_mixture_has_its_exact_shares_in_every_epoch_and_goes_on_where_it_stopped(tiny, cache):
    three = mixed(tiny, [0.7, 0.3], epochs=3, cache=cache)
    epochs = [three[:20], three[20:40], three[40:]]
    assert [sum(which for which, _ in epoch) for epoch in epochs] == [6, 6, 6]
    assert three == mixed(tiny, [7, 3], epochs=3, cache=cache)
    assert epochs[2] == mixed(tiny, [7, 3], epoch=2, cache=cache)  # as after a restart
    second = [number for which, number in three if which == 1]
    assert sorted(second[:10]) == list(range(10))  # each once, over the bounds of epochs
    assert len({which for which, _ in epochs[0][:10]}) == 2
    assert epochs[0] != mixed(tiny, [7, 3], seed=6, cache=cache)


def test_a_mixture_without_weights_has_every_example_once(tiny):
    assert sorted(mixed(tiny)) == [(which, n) for which in (0, 1) for n in range(10)]
    shares = [mixed(tiny, worker=worker, num_workers=2) for worker in range(2)]
    whole = mixed(tiny)
    assert [whole[0::2], whole[1::2]] == shares


def test_an_example_that_comes_again_is_transformed_otherwise(tiny):
    split = open_split(str(tiny), "train")
    seeds = pipelines.load_mixture(
        mixture([[split], [split]], [0.8, 0.2]),
        features=["id"],
        decode=False,
        seed=1,
        transform=lambda example, seed: {"seed": seed},
    )
    assert len({tuple(one["seed"]) for one in seeds.as_numpy_iterator()}) == 20


@pytest.mark.parametrize("weights", [[1], [1, 0]])
def test_a_mixture_needs_a_positive_weight_per_set(tiny, weights):
    with pytest.raises(ValueError, match="one positive weight for each of 2 data sets"):
        mixed(tiny, weights)


def test_a_truncated_shard_is_found_before_anything_is_read(tiny):
    shard = tiny / "train-00001.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(records.RecordError, match="00001.tfrecord: the shard has .* bytes"):
        load(tiny)


def test_a_flipped_bit_is_found_when_every_byte_is_checked(tiny):
    shard = tiny / "train-00001.tfrecord"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(records.RecordError, match="00001.tfrecord: the shard is damaged, corrupt"):
        load(tiny, checksums=True)


def test_an_opened_split_gives_the_same_examples_and_is_not_checked_again(tiny):
    split = open_split(str(tiny), "train")
    assert (split.name, split.count) == ("train", 10)
    assert [path.rsplit("/", 1)[1] for path in split.files] == [
        f"train-0000{index}.tfrecord" for index in range(3)
    ]
    expected = ids(load(tiny, seed=1))
    (tiny / "train.manifest.json").unlink()
    found = ids(pipelines.load(str(tiny), split, seed=1, decode=False))
    assert found == expected
    with pytest.raises(ValueError, match="expected a split of elsewhere, got one of "):
        pipelines.load("elsewhere", split)


def test_the_fingerprint_of_a_split_is_that_of_its_bytes(tiny):
    split = open_split(str(tiny), "train")
    changed = dataclasses.replace(split.manifest.shards[1], sha256="0" * 64)
    shards = (split.manifest.shards[0], changed, split.manifest.shards[2])
    other = dataclasses.replace(split.manifest, shards=shards)
    assert len(split.fingerprint) == 16
    assert dataclasses.replace(split, manifest=other).fingerprint != split.fingerprint
    elsewhere = dataclasses.replace(split, directory="elsewhere")
    assert elsewhere.fingerprint == split.fingerprint
