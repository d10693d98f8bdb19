"""Own Examples to shards: written is read, what is left out is unknown, mistakes are one line."""

import numpy as np
import pytest

import datasets
from datasets import records
from datasets.frames import RecordError
from smpl_tf import load_model_data


def person(i, **more):
    picture = np.full((20, 30, 3), i % 256, np.uint8)
    picture[0, 0] = 255, 0, 0
    return {"id": f"own/{i}", "image": picture, **more}


def with_body(i, **more):
    body = {"smpl/pose": np.full((24, 3), 0.1), "smpl/betas": np.zeros(10)}
    return person(i, **body, **{"smpl/translation": np.ones(3), "smpl/gender": 2, **more})


def test_written_is_read(tmp_path):
    joints = np.arange(48, dtype=np.float32).reshape(24, 2)
    parts = np.arange(600, dtype=np.uint8).reshape(20, 30) % 25
    people = (
        with_body(i, **{"joints/2d": joints, "parts": parts, "source": "me"}) for i in range(300)
    )
    manifest = datasets.write(tmp_path, "train", people, bodies={"neutral": None})
    assert manifest.count == 300 and len(manifest.shards) == 2
    assert manifest.bodies == {"neutral": load_model_data().fingerprint}
    records.check(str(tmp_path), "train", checksums=True)
    read = {one["id"].numpy().decode(): one for one in datasets.load(str(tmp_path), "train")}
    assert read.keys() == {f"own/{i}" for i in range(300)}
    last = {key: value.numpy() for key, value in read["own/299"].items()}
    assert last["image"].shape == (20, 30, 3) and last["image/height"] == 20
    assert last["image"][0, 0].tolist() == [255, 0, 0] and (last["image"][1:] == 299 % 256).all()
    np.testing.assert_array_equal(last["joints/2d"], joints)
    np.testing.assert_array_equal(last["parts"], parts)
    for key in ("joints/2d/valid", "parts/valid", "smpl/valid", "smpl/betas/valid"):
        assert (last[key] == 1).all(), key
    for key in ("joints/3d/valid", "landmarks/3d/valid", "camera/valid", "person/box/valid"):
        assert key not in last or (last[key] == 0).all(), key


def test_what_is_said_to_be_unknown_stays_unknown(tmp_path):
    valid = np.arange(24) % 2
    joints = {"joints/2d": np.zeros((24, 2)), "joints/2d/valid": valid}
    datasets.write(tmp_path, "train", [person(0, **joints)])
    (read,) = datasets.load(str(tmp_path), "train")
    np.testing.assert_array_equal(read["joints/2d/valid"], valid)
    assert read["smpl/valid"] == 0


def test_a_split_is_replaced_only_if_asked_for(tmp_path):
    datasets.write(tmp_path, "train", map(person, range(255)))
    with pytest.raises(RecordError, match="already exists; choose another folder, or overwrite"):
        datasets.write(tmp_path, "train", [person(0)])
    datasets.write(tmp_path, "val", [person(7)])
    many = datasets.write(tmp_path, "train", map(person, range(250)), overwrite=True)
    assert many.count == 250
    datasets.write(tmp_path, "train", [person(1)], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "train-00000.tfrecord",
        "train.manifest.json",
        "val-00000.tfrecord",
        "val.manifest.json",
    ]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([person(1), person(1)], "id 'own/1': expected a unique id"),
        ([{"image": np.zeros((8, 8, 3), np.uint8)}], "expected a unique id"),
        ([with_body(0)], "own/0: has SMPL parameters of the neutral body; give it in bodies"),
        ([person(0, joints=1)], r"unknown \['joints'\]"),
        ([{"id": "a", "image": np.zeros((8, 8))}], r"image: expected uint8 \[H, W, 3\], got"),
        ([{"id": "a", "parts": np.zeros((8, 8, 3), np.uint8)}], "parts: expected uint8"),
        ([person(0, **{"joints/2d": np.zeros((23, 2))})], "joints/2d"),
        ([], "got no Example"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_split(tmp_path, examples, words):
    with pytest.raises(ValueError, match=words) as error:
        datasets.write(tmp_path, "train", examples)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "train.manifest.json").exists()
