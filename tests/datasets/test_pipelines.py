import dataclasses

import pytest
import tensorflow as tf

from datasets import pipelines, records
from datasets.splits import open_split


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


def test_without_determinism_every_example_still_comes_once_an_epoch(tiny):
    order = ids(load(tiny, seed=5, epochs=2, deterministic=False))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    with pytest.raises(ValueError, match="num_workers > 1 needs deterministic=True"):
        load(tiny, deterministic=False, num_workers=2)


def test_decoded_examples_batch(tiny):
    batch = next(iter(pipelines.load(str(tiny), "train", seed=1).batch(4)))
    assert batch["image"].shape == (4, 8, 8, 3) and batch["parts"].shape == (4, 8, 8)
    assert batch["smpl/pose"].shape == (4, 24, 3)


def test_mixture_follows_the_weights_and_the_seed(tiny):
    a = tf.data.Dataset.from_tensors(0).repeat()
    b = tf.data.Dataset.from_tensors(1).repeat()
    draw = list(pipelines.mix([a, b], [3, 1], seed=7).take(400).as_numpy_iterator())
    assert draw == list(pipelines.mix([a, b], [3, 1], seed=7).take(400).as_numpy_iterator())
    assert draw != list(pipelines.mix([a, b], [3, 1], seed=8).take(400).as_numpy_iterator())
    assert 0.18 < sum(draw) / 400 < 0.32
    with pytest.raises(ValueError, match="2 datasets need as many positive weights"):
        pipelines.mix([a, b], [1, 0], seed=7)


def test_sets_on_disk_mix_without_end_and_each_keeps_its_own_order(tiny):
    sets = [load(tiny, seed=seed, epochs=None) for seed in (5, 6)]
    marked = [one.map(lambda e, n=n: e | {"set": n}) for n, one in enumerate(sets)]
    mixed = list(pipelines.mix(marked, [2, 1], seed=0).take(60).as_numpy_iterator())
    for number, one in enumerate(sets):
        mine = [e["id"] for e in mixed if e["set"] == number]
        assert len(mine) > 10  # more than an epoch
        assert mine == [e["id"] for e in one.take(len(mine)).as_numpy_iterator()]


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
