"""Folders that only TensorFlow knows: ram:// stands for the object stores of a cluster."""

import numpy as np
import tensorflow as tf

from datasets import pipelines, records
from experiments import convert_dataset, train_nbf
from tests.datasets.fake_amass import write_sequence


def converted(call, output):
    return call(
        convert_dataset,
        *("--dataset=synthetic", f"--output={output}", "--split=train", "--count=3"),
        *("--image_size=16", "--workers=0"),
    )


def test_shards_are_written_checked_and_read_anywhere(call, tmp_path):
    remote = "ram://bucket/people"
    answer = converted(call, remote)
    assert answer.status == 0, answer.err
    assert f"{remote}: 3 Examples of split 'train'" in answer.out
    answer = call(convert_dataset, "--check", f"--output={remote}", "--workers=0")
    assert answer.status == 0, answer.err
    assert f"look at {remote}/train.check.png" in answer.out
    assert tf.io.gfile.stat(f"{remote}/train.check.png").length > 0
    names = sorted(tf.io.gfile.listdir(remote))
    assert names == ["train-00000.tfrecord", "train.check.png", "train.manifest.json"]

    assert converted(call, tmp_path / "local").status == 0
    local = records.read_examples(str(tmp_path / "local"), "train")
    for here, there in zip(local, records.read_examples(remote, "train"), strict=True):
        for name, value in here.items():
            np.testing.assert_array_equal(value, there[name])
    assert len(list(pipelines.load(remote, "train", seed=0, checksums=True))) == 3


def test_a_raw_data_set_is_converted_to_anywhere(call, tmp_path):
    write_sequence(tmp_path / "CMU" / "01" / "01_01_poses.npz", 9)
    flags = ("--dataset=amass", "--female_body=open", "--male_body=open", "--workers=0")
    answer = call(
        convert_dataset, *flags, f"--source={tmp_path}", "--output=file://" + f"{tmp_path}/out"
    )
    assert answer.status == 0, answer.err
    assert records.check(str(tmp_path / "out"), "train", checksums=True).count > 0
    answer = call(convert_dataset, *flags, "--source=gs://raw/amass", "--output=ram://out")
    assert answer.status == 1 and "raw data sets must be in a local folder" in answer.err


def test_a_run_stays_on_a_local_disk(call):
    answer = call(train_nbf, "--runs_dir=gs://bucket/runs", "--run_name=x", "--data=ram://none")
    assert answer.status == 1 and answer.err.count("\n") == 1
    assert "give a local or mounted folder" in answer.err
