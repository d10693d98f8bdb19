import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from nbf import proxy_corruption
from nbf.points_mask import BACKGROUND, PERSON, UNKNOWN, map_middles
from nbf.proxy_corruption import Corruption, Cover
from smpl_tf.skeleton import PHOTOGRAPH_21

B = 400
NOTHING = Corruption(**{field.name: 0.0 for field in dataclasses.fields(Corruption)})
OPEN = proxy_corruption.draw_cover(B, tf.constant([0, 0]), NOTHING)
SEED = tf.constant([4, 2])


def points():
    return tf.random.stateless_uniform([B, 21, 2], [1, 1], -1.5, 1.5)


def disc(size=64, radius=1.0):
    middles = map_middles(size)
    inside = middles[:, None] ** 2 + middles[None] ** 2 < radius**2
    return tf.broadcast_to(tf.cast(inside, tf.float32)[..., None], [B, size, size, 1])


def corrupted(cover=OPEN, **rates):
    return proxy_corruption.corrupt_points(
        points(), cover, SEED, dataclasses.replace(NOTHING, **rates)
    )


def test_the_same_seed_gives_the_same_faults_and_another_others():
    one, other = (
        proxy_corruption.corrupt_points(points(), OPEN, tf.constant([4, n])) for n in (2, 3)
    )
    again = proxy_corruption.corrupt_points(points(), OPEN, SEED)
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert np.mean(one[0] != other[0]) > 0.9


def test_without_faults_only_hips_and_shoulders_move_and_all_is_seen():
    moved, visibility = corrupted()
    still = [not name.endswith(("hip", "shoulder")) for name in PHOTOGRAPH_21.names]
    np.testing.assert_array_equal(moved.numpy()[:, still], points().numpy()[:, still])
    assert visibility.numpy().min() >= 0.85


def test_points_scatter_as_far_as_asked_and_farther_where_they_are_doubtful():
    still = [not name.endswith(("hip", "shoulder")) for name in PHOTOGRAPH_21.names]

    def scatter(**rates):
        moved, visibility = corrupted(**rates)
        offsets = (moved - points()).numpy()[:, still]
        return offsets, visibility.numpy()[:, still]

    offsets, _ = scatter(deviation=0.1)
    assert offsets.std() == pytest.approx(0.1, rel=0.05)
    offsets, visibility = scatter(deviation_unseen=0.2, doubt_rate=1.0)
    sure = visibility > 0.6
    assert offsets[~sure].std() > 1.5 * offsets[sure].std()
    offsets, _ = scatter(mistake_rate=0.25, mistake_deviation=0.4)
    assert (np.abs(offsets).max(-1) > 0).mean() == pytest.approx(0.25, abs=0.03)


def test_swapped_people_have_left_and_right_exchanged_with_their_visibility():
    true, seen = corrupted(doubt_rate=1.0)
    swapped, seen_swapped = corrupted(doubt_rate=1.0, swapped_rate=1.0)
    mirror = PHOTOGRAPH_21.mirror
    np.testing.assert_array_equal(swapped, tf.gather(true, mirror, axis=1))
    np.testing.assert_array_equal(seen_swapped, tf.gather(seen, mirror, axis=1))


def test_swapped_limbs_leave_the_torso():
    true, _ = corrupted()
    swapped, _ = corrupted(swapped_limbs_rate=1.0)
    changed = np.any(swapped != true, axis=(0, 2))
    names = {name for name, one in zip(PHOTOGRAPH_21.names, changed, strict=True) if one}
    joints = ("elbow", "wrist", "knee", "ankle", "heel", "big_toe")
    assert names == {f"{side}_{joint}" for side in ("left", "right") for joint in joints}


@pytest.mark.parametrize(
    ("rates", "share"),
    [
        ({"missing_rate": 0.3}, 0.3),
        ({"hidden_ends_rate": 1.0}, 9 / 21),
        # A sixth and more of a hidden limb's points are unknown, the others guesses.
        ({"hidden_limb_rate": 1.0}, 12 / 21 * 0.1 / 0.55),
    ],
)
def test_unknown_points_have_no_visibility(rates, share):
    assert np.mean(corrupted(**rates)[1] == 0) == pytest.approx(share, abs=0.02)


def test_what_is_covered_or_cut_off_is_guessed_at_most_and_everything_else_is_seen():
    cover = Cover(
        box=tf.tile([[-0.5, -0.5, 0.2, 0.3]], [B, 1]),
        added=OPEN.added,
        normal=tf.tile([[0.0, 1.0]], [B, 1]),
        reach=tf.fill([B], 0.9),
    )
    _, visibility = corrupted(cover)
    x, y = np.moveaxis(points().numpy(), -1, 0)
    hidden = ((x > -0.5) & (x < 0.2) & (y > -0.5) & (y < 0.3)) | (y > 0.9)
    assert visibility.numpy()[hidden].max() < 0.5
    assert visibility.numpy()[~hidden].min() > 0.8
    mask = proxy_corruption.corrupt_mask(disc(), cover, SEED, NOTHING).numpy()[..., 0]
    middles = map_middles(64).numpy()
    assert np.all((mask == UNKNOWN) == (middles > 0.9)[:, None])
    column, row = np.searchsorted(middles, [-0.1, 0.0])
    assert np.all(mask[:, row, column] == BACKGROUND)
    assert np.all(mask[:, np.searchsorted(middles, 0.6), column] == PERSON)


def test_a_cover_in_another_frame_hides_the_same_points():
    cover = proxy_corruption.draw_cover(
        B, SEED, dataclasses.replace(NOTHING, box_rate=1.0, cut_rate=1.0)
    )
    centre, spread = tf.constant([[0.2, -0.3]]), tf.constant([0.7])
    centre, spread = tf.tile(centre, [B, 1]), tf.tile(spread, [B])
    other = (points() - centre[:, None]) / spread[:, None, None]
    moved = cover.in_frame(centre, spread)
    np.testing.assert_array_equal(cover.hides(points()), moved.hides(other))
    np.testing.assert_array_equal(cover.cuts_off(points()), moved.cuts_off(other))
    assert 0.02 < np.mean(cover.hides(points())) < 0.5
    assert 0.05 < np.mean(cover.cuts_off(points())) < 0.7


def test_a_mask_grows_and_shrinks_by_pixels_and_now_and_then_is_missing():
    corruption = dataclasses.replace(NOTHING, no_mask_rate=0.25)
    mask = proxy_corruption.corrupt_mask(disc(), OPEN, SEED, corruption).numpy()
    missing = np.all(mask == UNKNOWN, axis=(1, 2, 3))
    assert missing.mean() == pytest.approx(0.25, abs=0.06)
    radii = np.sqrt((mask[~missing] == PERSON).sum((1, 2, 3)) / np.pi)
    assert set(np.unique(mask[~missing])) == {PERSON, BACKGROUND}
    assert 13.5 < radii.min() < 15.5 < 16.5 < radii.max() < 18.5  # 16 pixels, true
