import numpy as np
import pytest
import tensorflow as tf

from datasets import part_corruption
from smpl_tf.parts import PARTS_12, PARTS_24
from tests.nbf.people import SIZE, people

SEED = tf.constant([3, 1])


def labels(index=0):
    return tf.constant(people()["parts"][index])


def changed(one):
    return np.mean(np.asarray(one) != labels().numpy())


def test_parts_are_hidden_as_a_whole_and_as_often_as_asked():
    hidden = 0
    for number in range(60):
        shown = part_corruption.hide_parts(labels(), tf.constant([0, number]), 0.3).numpy()
        parts = PARTS_12.from_24[labels().numpy()]
        for part in np.unique(parts[parts > 0]):
            values = shown[parts == part]
            assert np.all(values == 0) or np.all(values == labels().numpy()[parts == part])
            hidden += np.all(values == 0)
    share = hidden / 60 / len(np.unique(parts[parts > 0]))
    assert share == pytest.approx(0.3, abs=0.06)


def test_a_box_hides_its_area_and_nothing_else():
    everywhere = tf.ones([64, 64], tf.uint8)
    shown = part_corruption.hide_box(everywhere, SEED, 0.25).numpy()
    assert abs((shown == 0).sum() - 16**2) <= 32
    rows, columns = np.nonzero(shown == 0)
    assert np.ptp(rows) <= 16 and np.ptp(columns) <= 16
    np.testing.assert_array_equal(part_corruption.hide_box(labels(), SEED, 0.0), labels())


def test_outlines_shift_a_little_and_no_label_is_new():
    shown = part_corruption.shift_outlines(labels(), SEED, 0.015)
    assert 0 < changed(shown) < 0.5 * np.mean(labels().numpy() > 0)
    assert set(np.unique(shown)) <= set(np.unique(labels()))
    np.testing.assert_array_equal(part_corruption.shift_outlines(labels(), SEED, 0.0), labels())


def test_a_grown_person_keeps_their_labels_and_is_wider_by_the_pixels():
    dot = np.zeros((21, 21), np.uint8)
    dot[10, 10], dot[10, 11] = 4, 7
    shown = part_corruption.grow(tf.constant(dot), 2).numpy()
    assert (shown > 0).sum() == 5 * 6
    assert shown[10, 10] == 4 and shown[10, 11] == 7
    np.testing.assert_array_equal(part_corruption.grow(labels(), 0), labels())


def test_a_displaced_map_is_where_the_crop_puts_it():
    shown = part_corruption.displace(labels(), 1.0, [3 / SIZE, -2 / SIZE]).numpy()
    np.testing.assert_array_equal(shown[3:, :-2], labels().numpy()[:-3, 2:])
    assert not np.any(shown[:3])
    larger = part_corruption.displace(labels(), 1.25, [0.0, 0.0]).numpy()
    assert np.mean(larger > 0) == pytest.approx(1.25**2 * np.mean(labels().numpy() > 0), rel=0.1)


def test_swapped_legs_are_the_other_legs_and_swapped_twice_the_same():
    shown = part_corruption.swap_legs(labels())
    left, right = (PARTS_24.names.index(f"{side}_knee") for side in ("left", "right"))
    np.testing.assert_array_equal(shown == left, labels() == right)
    arm = PARTS_24.names.index("left_elbow")
    np.testing.assert_array_equal(shown == arm, labels() == arm)
    np.testing.assert_array_equal(part_corruption.swap_legs(shown), labels())


def test_random_corruption_is_the_seeds_and_changes_most_maps_and_nothing_but_them():
    example = {"parts": labels(), "joints/2d": tf.zeros([24, 2])}
    shown = [
        part_corruption.random_corruption(example, tf.constant([number, 0]))
        for number in range(24)
    ]
    again = part_corruption.random_corruption(example, tf.constant([5, 0]))
    np.testing.assert_array_equal(again["parts"], shown[5]["parts"])
    shares = [changed(one["parts"]) for one in shown]
    assert 15 <= np.count_nonzero(shares) < 24
    # A person moved right beside the old place changes twice their pixels: most stay nearer.
    assert np.median(shares) < 1.5 * np.mean(labels().numpy() > 0)
    assert shown[0]["parts"].dtype == tf.uint8
    np.testing.assert_array_equal(shown[0]["joints/2d"], example["joints/2d"])
