"""A check finds each kind of wrong Example, and nothing in right ones."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from datasets import bodies, checks, conversion, frames, manifests, records, up3d
from datasets import example as example_lib
from smpl_tf.parts import REGIONS
from smpl_tf.skeleton import LSP_14, SMPL_24
from tests.datasets import fake_up3d, fakes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """UP-3D's fake tree, converted."""
    root = tmp_path_factory.mktemp("up")
    fake_up3d.write(root)
    for split in ("train", "val"):
        source = up3d.UP3D(str(root), split, fakes.OPEN_BODIES)
        options = {"allow_incomplete": True, "workers": 0, "progress": False}
        conversion.convert(source, str(root / "out"), **options)
    return root / "out"


def check(directory, split="train", given=fakes.OPEN_BODIES):
    return checks.check(str(directory), split, given, workers=0, progress=False)


def png(array):
    return cv2.imencode(".png", array)[1].tobytes()


def swap_labels(example):
    labels = fakes.labels_of(example)
    return {"parts/encoded": png(REGIONS.mirror[labels].astype(np.uint8))}


BREAKS = {
    "picture does not decode": lambda e: {"image/encoded": b"\x89PNG"},
    "parts do not decode to the size": lambda e: {"parts/encoded": png(np.ones((9, 9), np.uint8))},
    "3D joints project more than 0.5": lambda e: {"joints/2d": e["joints/2d"] + [0.4, 0.4]},
    "body is mirrored": lambda e: {"joints/3d": e["joints/3d"][SMPL_24.mirror],
                                         "joints/2d": e["joints/2d"][SMPL_24.mirror]},
    "right of its labels and its 2D": swap_labels,
    "SMPL body's joints project more": lambda e: {"smpl/betas": e["smpl/betas"] + 2},
    "right of its annotated points and its": lambda e: {"lsp/2d": e["lsp/2d"][LSP_14.mirror]},
    "captured points do not project": lambda e: {
        "h36m/3d": np.tile(e["joints/3d"][0] + [0, 9, 0], (17, 1)),
        "h36m/3d/valid": np.ones(17, np.int64),
    },
    "right of its SMPL body and its 2D": lambda e: {
        "joints/3d": e["joints/3d"][SMPL_24.mirror],
        "joints/2d": e["joints/2d"][SMPL_24.mirror],
    },
}  # fmt: skip


def test_right_examples_have_no_findings(folder):
    for split in ("train", "val"):
        assert check(folder, split) == checks.Result(3, {}, ())


@pytest.mark.parametrize("finding", BREAKS)
def test_a_wrong_example_is_found(folder, tmp_path, finding):
    examples = list(records.read_examples(str(folder), "train"))
    examples[1] |= BREAKS[finding](examples[1])
    marks = fakes.OPEN_BODIES.fingerprints(("neutral",))
    manifest = manifests.Manifest("x", "train", 3, 3, marks, {})
    records.write_shards(
        lambda start, stop: examples[start:stop],
        manifest,
        str(tmp_path),
        workers=0,
        progress=False,
    )
    found = check(tmp_path).findings
    (names,) = [names for problem, names in found.items() if finding in problem]
    assert names == [examples[1]["id"].decode()]


def test_what_is_no_example_is_named_with_its_place(folder, tmp_path):
    manifest = manifests.Manifest("x", "train", 1, 1, {}, {})
    writer = records.ShardWriter(str(tmp_path), "train", 0)
    (one,) = list(records.read_examples(str(folder), "train"))[:1]
    writer.write(example_lib.encode(one))
    writer.write(tf.train.Example().SerializeToString())
    split = records.SplitWriter(manifest, str(tmp_path))
    split.add(0, writer.close(1))
    split.finish()
    offset = len(example_lib.encode(one)) + frames.RECORD_OVERHEAD
    message = f"train-00000.tfrecord: the record at offset {offset} is not an Example; delete"
    with pytest.raises(records.RecordError, match=message):
        check(tmp_path, given=None)


def test_an_id_in_two_splits_is_found(folder, tmp_path):
    examples = list(records.read_examples(str(folder), "train"))
    for split, rows in (("train", [0, 1, 1]), ("val", [2, 0, 0])):
        manifest = manifests.Manifest("x", split, 3, 3, {}, {})
        chosen = [examples[row] for row in rows]
        records.write_shards(
            lambda start, stop, chosen=chosen: chosen[start:stop],
            manifest,
            str(tmp_path),
            workers=0,
            progress=False,
        )
    names = [example["id"].decode() for example in examples]
    assert check(tmp_path, given=None).findings["its id occurs twice"] == [names[0], names[1]]


def test_another_body_is_not_held_against_the_examples(folder):
    (note,) = check(folder, given=bodies.Bodies(female="open")).not_checked
    assert "give those converted with: neutral" in note
    assert check(folder, given=None).findings == {}


def test_damage_stops_the_check(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "train-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(records.RecordError, match="train-00000.tfrecord: the shard is damaged"):
        check(tmp_path)
