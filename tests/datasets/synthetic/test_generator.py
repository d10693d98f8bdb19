import dataclasses

import cv2
import numpy as np
import pytest

from datasets import example as example_lib
from datasets import pipelines, records, synthetic
from datasets.synthetic import people
from smpl_tf import SMPL
from smpl_tf.camera import Camera
from smpl_tf.parts import PARTS_24, merge_labels
from smpl_tf.skeleton import SMPLR_LANDMARKS

CONFIG = synthetic.SyntheticConfig(seed=4, image_size=48, occluder_share=0.5)


@pytest.fixture(scope="module")
def examples():
    return list(synthetic.read_examples(CONFIG, "train", 0, 20))


def labels_of(example):
    return cv2.imdecode(np.frombuffer(example["parts/encoded"], np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_person_does_not_depend_on_the_division_of_work(examples):
    whole = [example_lib.encode(example) for example in examples]
    parts = [
        example_lib.encode(example)
        for start, stop in ((0, 7), (7, 17), (17, 20))
        for example in synthetic.read_examples(CONFIG, "train", start, stop)
    ]
    assert parts == whole


def test_splits_and_seeds_share_nobody(examples):
    others = [
        *synthetic.read_examples(CONFIG, "val", 0, 16),
        *synthetic.read_examples(synthetic.SyntheticConfig(seed=5), "train", 0, 16),
    ]
    everybody = [*examples, *others]
    assert len({one["id"] for one in everybody}) == len(everybody)
    assert len({one["smpl/betas"].tobytes() for one in everybody}) == len(everybody)


def test_joints_landmarks_and_camera_follow_from_the_parameters(examples):
    for example in examples[:6]:
        gender = example_lib.GENDERS[int(example["smpl/gender"])]
        body = SMPL(gender=gender)(
            betas=example["smpl/betas"],
            pose=example["smpl/pose"],
            translation=example["smpl/translation"],
        )
        np.testing.assert_allclose(body.joints, example["joints/3d"], atol=1e-4)
        landmarks = people.OPEN_BODIES.data(gender).landmarks
        ids = [landmarks[name] for name in SMPLR_LANDMARKS]
        np.testing.assert_allclose(body.vertices.numpy()[ids], example["landmarks/3d"], atol=1e-4)
        camera = Camera(example["camera/intrinsics"], 48, 48)
        projected = camera.project(example["joints/3d"])
        np.testing.assert_allclose(projected, example["joints/2d"], atol=0.01)


def test_labels_lie_where_the_joints_are(examples):
    clear = synthetic.SyntheticConfig(seed=4, image_size=48, occluder_share=0)
    inside = []
    for example in synthetic.read_examples(clear, "train", 0, 16):
        labels = labels_of(example)
        assert labels.shape == (48, 48) and 1 <= labels.max() <= 24
        columns, rows = np.floor(example["joints/2d"]).astype(int).T
        seen = (columns >= 0) & (columns < 48) & (rows >= 0) & (rows < 48)
        inside.extend(labels[rows[seen], columns[seen]] > 0)
    assert np.mean(inside) > 0.95


def test_an_occluder_hides_a_part_of_the_person(examples):
    clear = synthetic.SyntheticConfig(seed=4, image_size=48, occluder_share=0)
    shares = []
    for hidden, whole in zip(
        examples, synthetic.read_examples(clear, "train", 0, 20), strict=True
    ):
        hidden, whole = labels_of(hidden), labels_of(whole)
        assert ((hidden == whole) | (hidden == 0)).all()
        shares.append((hidden > 0).sum() / (whole > 0).sum())
    assert min(shares) >= 0.6 and np.mean(np.array(shares) < 1) > 0.2


def test_generate_writes_and_reuses_and_refuses(examples, tmp_path):
    def generate(config):
        return synthetic.generate(
            str(tmp_path), "train", 20, config, items_per_shard=8, workers=0, progress=False
        )

    manifest = generate(CONFIG)
    assert manifest.count == 20 and set(manifest.bodies) == {"female", "male", "neutral"}
    stored = list(records.read_examples(str(tmp_path), "train"))
    assert [one["id"].decode() for one in stored] == [one["id"] for one in examples]
    assert generate(CONFIG) == manifest
    with pytest.raises(records.RecordError, match="data with another config"):
        generate(synthetic.SyntheticConfig(seed=9))
    batch = next(iter(pipelines.load(str(tmp_path), "train", seed=0, cache=True).batch(8)))
    assert batch["image"].shape == (8, 48, 48, 3) and batch["parts"].shape == (8, 48, 48)


@pytest.mark.parametrize(
    ("field", "value"),
    [("image_size", 8), ("occluder_share", 1.5), ("translation_jitter", 0.5), ("seed", -1)],
)
def test_a_config_that_makes_no_sense_is_refused(field, value):
    with pytest.raises(ValueError, match=f"synthetic {field} must lie in .*, got {value}"):
        synthetic.SyntheticConfig(**{field: value})


@pytest.mark.slow
def test_one_process_and_two_write_the_same_bytes(tmp_path):
    for workers in (1, 2):
        synthetic.generate(
            str(tmp_path / str(workers)),
            "train",
            12,
            CONFIG,
            items_per_shard=4,
            workers=workers,
            progress=False,
        )
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / workers).iterdir()}
        for workers in ("1", "2")
    )
    assert first == second


def test_the_cut_of_the_parts_changes_the_12_parts_alone():
    cut = dataclasses.replace(CONFIG, part_cut="nbf")
    for one, other in zip(
        synthetic.read_examples(CONFIG, "train", 0, 2),
        synthetic.read_examples(cut, "train", 0, 2),
        strict=True,
    ):
        bones, regions = (labels_of(example) for example in (one, other))
        assert one["image/encoded"] == other["image/encoded"]
        np.testing.assert_array_equal(bones, merge_labels(regions, PARTS_24))
        assert 0.03 < np.mean((bones != regions)[bones > 0]) < 0.5
    with pytest.raises(ValueError, match="part_cut must be one of"):
        dataclasses.replace(CONFIG, part_cut="elbows")
