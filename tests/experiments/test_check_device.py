"""check_device.py: every line has numbers or a reason, and wrong outputs are reported."""

import json

import keras
import numpy as np
import pytest

from experiments import check_device
from experiments.device import measuring, networks


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(measuring, "_SIDE", {"CPU": 32, "GPU": 32})
    monkeypatch.setattr(check_device, "LAYER_BATCHES", (1,))

    def build():
        return keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])

    checked = {"tiny": networks.Checked(build, (4,), 2)}
    monkeypatch.setattr(networks, "networks", lambda small: checked)


def record_of(call, folder, *arguments):
    answer = call(check_device, f"--output={folder}", "--device=/CPU:0", "--seconds=0", *arguments)
    assert (folder / "record.json").exists(), answer.err
    return answer, json.loads((folder / "record.json").read_text())


@pytest.mark.slow
def test_networks_in_every_precision(call, tmp_path):
    answer, record = record_of(call, tmp_path / "o", "--parts=networks")
    assert answer.status == 0, answer.err
    assert [line["name"] for line in record["lines"]] == [f"tiny, {m}" for m in networks.MODES]
    for line in record["lines"]:
        assert line["agrees"] and line["images_per_second"] > 0 and line["share"] > 0, line
        assert line["training_images_per_second"] > 0 and line["memory_mb"] > 0, line
    page = (tmp_path / "o/index.html").read_text()
    assert "tiny, mixed_bfloat16" in page and "matrix product, float16" in page
    assert keras.config.dtype_policy().name == "float32"


def test_another_answer_than_the_cpus_is_reported(call, tmp_path, monkeypatch):
    reference = networks.reference

    def wrong(checked):
        truth = reference(checked)
        return truth._replace(outputs=truth.outputs + 1.0)

    monkeypatch.setattr(networks, "reference", wrong)
    monkeypatch.setattr(networks, "MODES", {"float32": networks.MODES["float32"]})
    answer, record = record_of(call, tmp_path / "o", "--parts=networks")
    assert answer.status == 1 and not record["lines"][0]["agrees"]
    assert "DIFFERS" in answer.out


def test_what_fails_or_is_too_late_has_its_reason(call, tmp_path, monkeypatch):
    def refuse(checked):
        raise RuntimeError("no such\nkernel")

    monkeypatch.setattr(networks, "reference", refuse)
    answer, record = record_of(call, tmp_path / "a", "--parts=networks")
    assert answer.status == 0
    assert {line["reason"] for line in record["lines"]} == {"RuntimeError: no such kernel"}
    answer, record = record_of(call, tmp_path / "b", "--minutes=0")
    assert {line["reason"] for line in record["lines"]} == {"--minutes=0 were over"}
    assert {line["part"] for line in record["lines"]} == set(check_device.PARTS)


def test_mistakes_are_named(call, tmp_path):
    answer = call(check_device, f"--output={tmp_path / 'o'}", "--parts=nets")
    assert answer.status == 2 and "expected networks, layer, inputs" in answer.err
    answer = call(check_device, f"--output={tmp_path / 'o'}", "--device=/TPU:9")
    assert answer.status == 1 and "--device=/TPU:9: expected one of" in answer.err


def test_differences_are_relative_to_the_largest_entry():
    assert measuring.difference({"a": np.array([1.0, 10.0])}, {"a": np.array([2.0, 10.0])}) == 0.1
    assert measuring.difference(np.array([np.nan]), np.array([1.0])) == np.inf


@pytest.mark.slow
def test_layer_and_pipelines(call, tmp_path):
    answer, record = record_of(call, tmp_path / "o", "--parts=layer,inputs", "--minutes=60")
    assert answer.status == 0, answer.err
    for line in record["lines"]:
        assert "reason" not in line, line
        if line["part"] == "layer":
            assert line["agrees"] and line["gradients_per_second"] > 0
        else:
            assert line["examples_per_second"] > 0 and 0 <= line["waiting"] < 1
