import cv2
import numpy as np
import pytest
import tensorflow as tf

from datasets import manifests, pascal_voc, records, scenery
from tests.datasets import fake_pascal_voc
from tests.datasets.fake_pascal_voc import things

SIZE = 32


@pytest.fixture(scope="module")
def drawn():
    return scenery.made_up(6, SIZE, seed=1)


@pytest.fixture(scope="module")
def person():
    """A grey picture with a person in its middle."""
    parts = np.zeros((SIZE, SIZE), np.uint8)
    parts[8:24, 12:20] = 3
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    return {"image": tf.constant(picture), "parts": tf.constant(parts)}


def images(transform, person, drawn, count=24, **options):
    """The transformed Examples of several seeds, in a graph as in tf.data."""
    run = tf.function(lambda seed: transform(person, seed, drawn, **options))
    return [run(tf.constant([index, 7], tf.int64)) for index in range(count)]


def test_scenery_is_a_function_of_its_seed_and_varied(drawn):
    again, other = scenery.made_up(6, SIZE, seed=1), scenery.made_up(6, SIZE, seed=2)
    for one, same, different in zip(drawn, again, other, strict=True):
        assert one.dtype == tf.uint8
        np.testing.assert_array_equal(one, same)
        assert np.any(one != different)
    assert drawn.scenes.shape == (6, SIZE, SIZE, 3)
    assert drawn.things.shape == (6, SIZE // 2, SIZE // 2, 4)
    assert all(np.ptp(scene.numpy()) > 10 for scene in drawn.scenes)


def test_things_fill_their_squares_and_are_cut_out_sharply(drawn):
    alpha = drawn.things[..., 3].numpy()
    assert set(np.unique(alpha)) <= {0, 255}
    for one in alpha > 0:
        spans = [np.ptp(np.nonzero(one.any(axis=axis))[0]) + 1 for axis in (0, 1)]
        assert max(spans) >= SIZE // 2 - 1


def test_the_scene_changes_and_the_person_stays(person, drawn):
    results = images(scenery.random_scene, person, drawn, rate=1.0)
    inside = person["parts"].numpy() > 0
    found = set()
    for result in results:
        picture = result["image"].numpy()
        assert (picture[inside] == 128).all()
        np.testing.assert_array_equal(result["parts"], person["parts"])
        (scene,) = [
            number
            for number, one in enumerate(drawn.scenes.numpy())
            if np.array_equal(one[~inside], picture[~inside])
        ]
        found.add(scene)
    assert len(found) > 3


def test_a_person_whose_place_is_unknown_keeps_the_scene(person, drawn):
    unknown = {**person, "parts": tf.zeros_like(person["parts"])}
    for result in images(scenery.random_scene, unknown, drawn, count=4, rate=1.0):
        np.testing.assert_array_equal(result["image"], person["image"])


def test_a_thing_hides_what_is_behind_it(person, drawn):
    results = images(scenery.random_thing, person, drawn, rate=1.0)
    hidden = 0
    for result in results:
        parts, before = result["parts"].numpy(), person["parts"].numpy()
        assert ((parts == before) | (parts == 0)).all()
        lost = parts != before
        hidden += lost.any()
        changed = (result["image"].numpy() != 128).any(axis=-1)
        # A thing may have the picture's own grey here and there.
        assert (changed | ~lost).mean() > 0.99
        assert 0 < changed.mean() < 0.5
    assert hidden > 4
    places = {tuple(np.argwhere((r["image"].numpy() != 128).any(-1))[0]) for r in results}
    assert len(places) > 12


def test_pictures_of_any_size_take_things_without_labels(person, drawn):
    wide = {"image": tf.fill([20, 50, 3], tf.constant(9, tf.uint8))}
    (result,) = images(scenery.random_thing, wide, drawn, count=1, rate=1.0)
    assert result.keys() == wide.keys() and result["image"].shape == (20, 50, 3)
    parts = tf.constant(np.eye(20, 50, dtype=np.uint8))
    (result,) = images(scenery.random_scene, {**wide, "parts": parts}, drawn, count=1, rate=1.0)
    assert (result["image"].numpy()[np.eye(20, 50) > 0] == 9).all()


@pytest.mark.parametrize("transform", [scenery.random_scene, scenery.random_thing])
def test_the_rate_is_kept(transform, person, drawn):
    results = images(transform, person, drawn, count=60)
    changed = np.mean([np.any(r["image"] != person["image"]) for r in results])
    assert 0.2 < changed < 0.5
    for result in images(transform, person, drawn, count=8, rate=0.0):
        np.testing.assert_array_equal(result["image"], person["image"])


def test_voc_gives_pictures_and_every_thing_in_its_colours(tmp_path, monkeypatch):
    tree = fake_pascal_voc.write(tmp_path)
    (example,) = pascal_voc.PascalVOC(str(tree), "train").read("2007_000002")
    example["image/encoded"] = cv2.imencode(".png", _coloured())[1].tobytes()
    folder = str(tmp_path / "shards")
    manifest = manifests.Manifest("pascal_voc", "train", 1, 1, bodies={}, config={})
    records.write_shards(
        lambda start, stop: [example], manifest, folder, workers=0, progress=False
    )
    monkeypatch.setattr(scenery, "_LEAST_AREA", 100)
    found = scenery.from_voc(folder, SIZE)
    assert found.scenes.shape == (1, SIZE, SIZE, 3)
    mask = things("2007_000002")
    assert len(found.things) == 2
    for number, thing in enumerate(found.things.numpy(), start=1):
        inside = thing[..., 3] > 0
        np.testing.assert_array_equal(np.unique(thing[inside][:, 0]), number * 50)
        height, width = (np.ptp(where) + 1 for where in np.nonzero(mask == number))
        assert inside.mean() == pytest.approx(min(height, width) / max(height, width), abs=0.15)
    with pytest.raises(records.RecordError, match="nowhere: no such folder"):
        scenery.from_voc("nowhere", SIZE)


def _coloured():
    """A picture in which each thing has its number's shade of red."""
    picture = np.zeros((40, 60, 3), np.uint8)
    mask = things("2007_000002")
    picture[mask < 255, 2] = 50 * mask[mask < 255]
    return picture
