"""Laws of conversions: exact counts, the same bytes however they are made, skips that are told."""

import json

import pytest

from datasets import bodies, conversion, manifests, records, sources, up3d
from tests.datasets import fake_up3d, fakes
from tests.datasets.fake_source import NUM_ITEMS, NumberedSource

# Five Examples of 2.4 kB and the like: several items to a shard.
SHARD_BYTES = 12_000
GOOD = [i for i in range(NUM_ITEMS) if i % 4 and i not in (5, 9)]


def convert(directory, source, workers=0, **options):
    options = {"shard_bytes": SHARD_BYTES, "progress": False, **options}
    return conversion.convert(source, str(directory), workers=workers, **options)


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "raw").mkdir()
    return NumberedSource(str(tmp_path / "raw"))


@pytest.fixture
def whole(tmp_path, source):
    convert(tmp_path / "whole", source)
    return tmp_path / "whole"


def skipped(directory):
    lines = (directory / "train.skipped.jsonl").read_text().splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda line: int(line["item"]))


def test_every_good_item_comes_once(whole):
    ids = [one["id"].decode() for one in records.read_examples(str(whole), "train")]
    expected = [f"tiny/{100 * i + k:04d}" for i in GOOD for k in range(i % 4)]
    assert sorted(ids) == sorted(expected) and ids != sorted(ids)
    manifest = records.check(str(whole), "train", checksums=True)
    assert (manifest.count, manifest.num_items) == (len(expected), NUM_ITEMS)
    assert sum(shard.items for shard in manifest.shards) == NUM_ITEMS


def test_what_is_skipped_is_listed_with_its_reason(whole):
    lines = skipped(whole)
    empty = [i for i in range(NUM_ITEMS) if i % 4 == 0]
    assert [int(line["item"]) for line in lines] == sorted([*empty, 5, 7, 9])
    by_item = {line["item"]: line for line in lines}
    assert by_item["5"]["reason"] == "is five" and by_item["5"]["lost"]
    assert by_item["9"]["reason"].startswith("Expecting property name")
    assert by_item["0"]["reason"] == "no frame to use"
    assert (by_item["7"]["frames"], by_item["7"]["lost"]) == (2, False)
    assert manifests.read(str(whole), "train").skipped == len(empty) + 2


def test_shards_are_closed_when_full(whole):
    shards = manifests.read(str(whole), "train").shards
    largest = 3 * 2500  # bytes of an item
    assert len(shards) > 3
    assert all(SHARD_BYTES <= shard.bytes < SHARD_BYTES + largest for shard in shards[:-1])
    assert shards[-1].bytes < SHARD_BYTES + largest


@pytest.mark.parametrize("stop_at", [0, 1, 6, 11, 16, NUM_ITEMS - 1])
def test_a_killed_conversion_goes_on_and_gives_the_same_bytes(whole, tmp_path, source, stop_at):
    stop = tmp_path / "raw" / "stop_at"
    stop.write_text(str(stop_at))
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "killed", source)
    done = len(list((tmp_path / "killed").glob("*.tfrecord")))
    stop.write_text("1000")
    convert(tmp_path / "killed", source)
    reads = 1000 - int(stop.read_text())
    first = [shard.items for shard in manifests.read(str(whole), "train").shards][:done]
    assert reads == NUM_ITEMS - sum(first)
    assert contents(tmp_path / "killed") == contents(whole)


def test_a_damaged_shard_of_a_killed_run_is_made_again(whole, tmp_path, source):
    stop = tmp_path / "raw" / "stop_at"
    stop.write_text(str(NUM_ITEMS - 1))
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "killed", source)
    (tmp_path / "killed" / "train-00001.tfrecord").write_bytes(b"")
    stop.unlink()
    convert(tmp_path / "killed", source)
    assert contents(tmp_path / "killed") == contents(whole)


def test_too_many_bad_items_stop_it(tmp_path, source):
    message = r"4 of 23 items gave no Example, which is more than max_skipped=3; .*; see .*jsonl"
    with pytest.raises(conversion.ConversionError, match=message):
        convert(tmp_path / "out", source, max_skipped=3)
    assert len([line for line in skipped(tmp_path / "out") if line["lost"]]) == 4
    assert convert(tmp_path / "out", source).skipped == 8


def test_a_tree_that_is_not_complete_is_refused_unless_wanted(tmp_path):
    source = NumberedSource(str(tmp_path), official=30)
    message = (
        "found 23 numbers of split 'train', the official numbered has 30; .* allow_incomplete"
    )
    with pytest.raises(conversion.ConversionError, match=message):
        convert(tmp_path / "out", source)
    assert convert(tmp_path / "out", source, allow_incomplete=True).num_items == NUM_ITEMS


def test_a_mistake_that_concerns_every_item_is_no_skip(tmp_path):
    source = NumberedSource(str(tmp_path), needs_body=True)
    with pytest.raises(bodies.MissingBodyError, match="the female body is needed"):
        convert(tmp_path / "out", source)


def test_other_data_are_not_overwritten(whole, tmp_path):
    source = NumberedSource(str(tmp_path), needs_body=True)
    with pytest.raises(records.RecordError, match="describes data with another config"):
        convert(whole, source)


def test_no_example_at_all_is_an_error(tmp_path, source, monkeypatch):
    monkeypatch.setattr(NumberedSource, "items", lambda self: [0, 4, 5])
    with pytest.raises(conversion.ConversionError, match="no Example in split 'train'; .*jsonl"):
        convert(tmp_path / "out", source)


def test_up3d_from_its_tree_to_shards(tmp_path):
    folder = fake_up3d.write(tmp_path)
    (folder / "00002_body.pkl").write_bytes(b"damaged")
    ids = {}
    for split in ("train", "val", "test"):
        source = up3d.UP3D(str(folder), split, fakes.OPEN_BODIES)
        manifest = convert(tmp_path / "out", source, allow_incomplete=True)
        assert manifest.bodies["neutral"] == fakes.OPEN_BODIES.data("neutral").fingerprint
        assert manifest.source == str(folder)
        read = records.read_examples(str(tmp_path / "out"), split)
        ids[split] = {one["id"].decode() for one in read}
    assert {split: len(found) for split, found in ids.items()} == {"train": 2, "val": 3, "test": 3}
    assert len(set.union(*ids.values())) == 8
    (line,) = skipped(tmp_path / "out")
    assert line["item"] == "00002"
    with pytest.raises(sources.SourceError):
        convert(tmp_path / "out", up3d.UP3D(str(tmp_path / "x"), "train", fakes.OPEN_BODIES))
