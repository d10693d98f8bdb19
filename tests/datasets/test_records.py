import concurrent.futures
import contextlib
import json
import os
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from datasets import manifests, processes, records
from tests.datasets.tiny import numbered_example, numbered_examples, tiny_manifest


def write(directory, manifest=None, make_examples=numbered_examples, workers=0):
    return records.write_shards(
        make_examples, manifest or tiny_manifest(), str(directory), workers=workers, progress=False
    )


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_everything_written_is_read_in_order(tiny):
    read = list(records.read_examples(str(tiny), "train"))
    assert [example["id"].decode() for example in read] == [f"tiny/{i:04d}" for i in range(10)]
    for index, example in enumerate(read):
        for key, value in numbered_example(index).items():
            expected = value.encode() if isinstance(value, str) else value
            np.testing.assert_array_equal(example[key], expected)


def test_manifest_describes_the_shards(tiny):
    manifest = manifests.read(str(tiny), "train")
    assert [shard.count for shard in manifest.shards] == [4, 4, 2] and manifest.count == 10
    assert manifest.config == {"sizes": [8, 8]} and manifest.bodies == {"neutral": "abc"}
    records.check(str(tiny), "train", checksums=True)
    assert sorted(contents(tiny)) == [
        "train-00000.tfrecord",
        "train-00001.tfrecord",
        "train-00002.tfrecord",
        "train.manifest.json",
    ]


def test_bytes_do_not_depend_on_which_shard_is_done_first(tiny, tmp_path_factory, monkeypatch):
    # Threads in place of processes, which tests/datasets/test_processes.py has.
    all_started = threading.Barrier(3)

    def the_last_shard_first(start, stop):
        all_started.wait()
        time.sleep((8 - start) / 50)
        return numbered_examples(start, stop)

    pool = concurrent.futures.ThreadPoolExecutor(3)
    monkeypatch.setattr(
        processes, "process_pool", lambda workers, most: contextlib.nullcontext(pool)
    )
    other = tmp_path_factory.mktemp("three_workers")
    write(other, make_examples=the_last_shard_first, workers=3)
    assert contents(other) == contents(tiny)


def test_a_killed_run_goes_on_at_the_first_missing_shard(tiny, tmp_path_factory):
    directory, started = tmp_path_factory.mktemp("killed"), []

    def killed_in_the_third_shard(start, stop):
        yield numbered_example(start)
        if start == 8:
            raise KeyboardInterrupt
        yield from numbered_examples(start + 1, stop)

    def counted(start, stop):
        started.append(start)
        return numbered_examples(start, stop)

    others = [directory / f"train{name}.writing" for name in ("-s-00000.tfrecord", "ed.json")]
    for path in (*others, directory / "train-00007.tfrecord.writing"):
        path.touch()
    with pytest.raises(KeyboardInterrupt):
        write(directory, make_examples=killed_in_the_third_shard)
    assert not (directory / "train-00002.tfrecord").exists()
    assert sorted(directory.glob("*.writing")) == sorted(others)
    for path in others:
        path.unlink()
    with pytest.raises(records.RecordError, match="unfinished; run its conversion again"):
        records.check(str(directory), "train")
    write(directory, make_examples=counted)
    assert started == [8]
    assert contents(directory) == contents(tiny)


def test_a_shard_that_was_damaged_before_the_run_went_on_is_written_again(tmp_path):
    def killed_in_the_third_shard(start, stop):
        if start == 8:
            raise KeyboardInterrupt
        return numbered_examples(start, stop)

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, make_examples=killed_in_the_third_shard)
    (tmp_path / "train-00000.tfrecord").write_bytes(b"")
    write(tmp_path)
    assert len(list(records.read_examples(str(tmp_path), "train"))) == 10


def test_a_pipe_in_place_of_a_shard_is_not_waited_for(tmp_path):
    write(tmp_path)
    path = tmp_path / "train.manifest.json"
    size = (tmp_path / "train-00000.tfrecord").stat().st_size
    path.write_text(path.read_text().replace(f'"bytes": {size}', '"bytes": 0', 1))
    (tmp_path / "train-00000.tfrecord").unlink()
    os.mkfifo(tmp_path / "train-00000.tfrecord")
    with pytest.raises(records.RecordError, match="00000.tfrecord: the shard is not a file"):
        records.check(str(tmp_path), "train")


def test_a_finished_split_is_reused(tiny):
    def never(start, stop):
        raise AssertionError("nothing is left to write")

    assert write(tiny, make_examples=never).count == 10


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": {"sizes": [9, 9]}}, "config"),
        ({"bodies": {"neutral": "xyz"}}, "bodies"),
        ({"num_items": 11}, "num_items"),
    ],
)
def test_data_of_another_description_are_not_touched(tiny, change, named):
    before = contents(tiny)
    with pytest.raises(records.RecordError, match=f"describes data with another {named}; choose"):
        write(tiny, tiny_manifest(**change))
    assert contents(tiny) == before


def test_a_bad_item_gives_no_example(tmp_path):
    def without_odd(start, stop):
        return (numbered_example(index) for index in range(start, stop) if index % 2 == 0)

    assert [shard.count for shard in write(tmp_path, make_examples=without_odd).shards] == [
        2,
        2,
        1,
    ]


def flip_bit(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_corrupt_record_names_shard_and_offset(tiny):
    shard = tiny / "train-00001.tfrecord"
    length = int.from_bytes(shard.read_bytes()[:8], "little")
    flip_bit(shard, length + 16 + 50)
    message = rf"{shard}: .*corrupt record at offset {length + 16}; delete .* again"
    with pytest.raises(records.RecordError, match=message):
        list(records.read_examples(str(tiny), "train"))
    with pytest.raises(records.RecordError, match=f"damaged, corrupt record at .* {length + 16};"):
        records.check(str(tiny), "train", checksums=True)


def test_diagnosis_names_a_picture_that_does_not_decode(tmp_path):
    def one_bad_picture(start, stop):
        for index in range(start, stop):
            bad = {"image/encoded": b"\x89PNG no more"} if index == 5 else {}
            yield numbered_example(index) | bad

    write(tmp_path, make_examples=one_bad_picture)
    first = (tmp_path / "train-00001.tfrecord").read_bytes()
    offset = int.from_bytes(first[:8], "little") + 16
    message = (
        rf"00001.tfrecord: the record at offset {offset} \(tiny/0005\) has a picture or labels"
    )
    with pytest.raises(records.RecordError, match=message):
        records.diagnose(str(tmp_path), "train")


def test_diagnosis_names_a_record_that_is_no_example(tiny):
    shard = tiny / "train-00000.tfrecord"
    with tf.io.TFRecordWriter(str(shard)) as writer:
        writer.write(b"something else")
    path = tiny / "train.manifest.json"
    content = json.loads(path.read_text())
    content["shards"][0]["bytes"] = shard.stat().st_size
    path.write_text(json.dumps(content))
    with pytest.raises(records.RecordError, match="at offset 0 is not an Example; delete it and"):
        records.diagnose(str(tiny), "train")


def test_diagnosis_of_sound_records_finds_nothing(tiny):
    records.diagnose(str(tiny), "train")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "train-00002.tfrecord").unlink(), "00002.tfrecord: the shard is missing;"),
        (
            lambda d: (d / "train-00000.tfrecord").write_bytes(b""),
            "shard has 0 bytes, its",
        ),
        (lambda d: (d / "train.manifest.json").write_text("{"), "json: not a manifest"),
        (lambda d: (d / "train.manifest.json").write_text("[]"), "json: not a manifest"),
        (lambda d: (d / "train.manifest.json").unlink(), "generate the split 'train' first"),
        (
            lambda d: edit_manifest(d, spec_version=1),
            "spec version 1, but this library reads version 3;",
        ),
        (lambda d: edit_manifest(d, shards=[]), "the split has no Example"),
        (lambda d: edit_manifest(d, shards=[{"file": "x"}]), "json: not a manifest"),
    ],
)
def test_damage_is_told_in_one_line(tiny, damage, message):
    damage(tiny)
    with pytest.raises(records.RecordError, match=message) as caught:
        records.check(str(tiny), "train")
    assert "\n" not in str(caught.value) and str(tiny) in str(caught.value)


def edit_manifest(directory, **changes):
    path = directory / "train.manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(records.RecordError, match="nowhere: no such folder; give the"):
        manifests.read(str(tmp_path / "nowhere"), "train")


def test_shards_of_unknown_size_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a manifest with items_per_shard"):
        write(tmp_path, tiny_manifest(items_per_shard=None))
