"""Synthetic people as a source: shards of any size that hold the people of `generate`."""

import json

import pytest
import tensorflow as tf

from datasets import conversion, records
from datasets.synthetic import SyntheticConfig, generate
from datasets.synthetic.source import SyntheticPeople
from experiments import convert_dataset
from experiments.runs import common

CONFIG = SyntheticConfig(image_size=16)
COUNT = 70  # more than an item


def stored(directory):
    """Every Example's bytes, by no order."""
    shards = [str(path) for path in sorted(directory.glob("*.tfrecord"))]
    return sorted(tf.data.TFRecordDataset(shards).as_numpy_iterator())


def test_the_people_are_those_that_trainings_make(tmp_path):
    generate(str(tmp_path / "own"), "train", COUNT, CONFIG, workers=0, progress=False)
    source = SyntheticPeople(CONFIG, "train", COUNT)
    manifest = conversion.convert(
        source, str(tmp_path / "any"), shard_bytes=20_000, workers=0, progress=False
    )
    assert manifest.count == COUNT and len(manifest.shards) == 2
    assert stored(tmp_path / "any") == stored(tmp_path / "own")
    assert records.check(str(tmp_path / "any"), "train").count == COUNT


def test_the_script_takes_the_size_of_shards(tmp_path, capsys):
    script = ["convert_dataset.py", "--dataset=synthetic", "--count=70", "--image_size=16"]
    script += [f"--output={tmp_path}", "--workers=0", "--shard_mb=0.02"]
    assert common.run(convert_dataset.main, convert_dataset.define_flags, script) == 0
    manifest = json.loads((tmp_path / "train.manifest.json").read_text())
    assert len(manifest["shards"]) == 2 and manifest["config"]["shard_bytes"] == 20_000
    other = [*script[:-1], "--shard_mb=0.04"]
    assert common.run(convert_dataset.main, convert_dataset.define_flags, other) == 1
    assert "describes data with another config" in capsys.readouterr().err


def test_a_beam_pipeline_writes_the_same(tmp_path):
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    from datasets import conversion_beam

    source = SyntheticPeople(CONFIG, "train", COUNT)
    options = {"shard_bytes": 20_000}
    conversion.convert(source, str(tmp_path / "pool"), workers=0, progress=False, **options)
    conversion_beam.convert(source, str(tmp_path / "beam"), runner="DirectRunner", **options)
    written = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("pool", "beam")
    ]
    assert written[0] == written[1]
