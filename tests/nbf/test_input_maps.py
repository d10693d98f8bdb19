import numpy as np
import pytest
import tensorflow as tf

from nbf import input_maps
from smpl_tf import parts
from smpl_tf.skeleton import SMPL_24
from tests.nbf.people import SIZE, people


def test_part_maps_show_each_class_in_its_colour_and_nothing_else():
    example = people()
    for count in (1, 3, 6, 12, 24):
        shown = input_maps.encode(example, f"parts_{count}", SIZE).numpy()
        scheme = parts.part_scheme(count)
        labels = parts.merge_labels(example["parts"], scheme)
        np.testing.assert_allclose(
            shown, scheme.colours[labels].astype(np.float32) * 2 / 255 - 1, atol=1e-6
        )
    assert shown.min() == -1.0  # the background


def test_a_smaller_part_map_mixes_no_colours():
    example = people()
    shown = input_maps.encode(example, "parts_12", SIZE // 2).numpy()
    colours = {tuple(c) for c in parts.PARTS_12.colours}
    seen = np.rint((shown + 1) * 127.5).astype(int).reshape(-1, 3)
    assert {tuple(c) for c in seen} <= colours


def test_probability_maps_sum_to_one_at_any_size():
    shown = input_maps.encode(people(), "probabilities_12", SIZE // 2).numpy()
    assert shown.shape == (8, SIZE // 2, SIZE // 2, 13)
    np.testing.assert_allclose(((shown + 1) / 2).sum(-1), 1.0, atol=1e-5)


def test_rgb_keeps_the_mean_of_the_picture():
    example = people()
    shown = input_maps.encode(example, "rgb", SIZE // 3).numpy()
    mean = example["image"].mean((1, 2)) * 2 / 255 - 1
    np.testing.assert_allclose(shown.mean((1, 2)), mean, atol=0.01)


def test_joints_are_discs_of_their_own_colour_at_their_place():
    joints = np.zeros((24, 2), np.float32) + 5.0  # outside
    joints[0], joints[7] = (-0.5, 0.25), (0.5, -0.5)
    shown = input_maps.joint_map(tf.constant(joints), np.ones(24), 224).numpy()
    colours = np.rint((shown + 1) * 127.5).astype(int)
    for joint, (column, row) in ((0, (56, 140)), (7, (168, 56))):
        mask = np.all(colours == parts.PARTS_24.colours[joint + 1], -1)
        rows, columns = np.nonzero(mask)
        np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], [column, row])
        assert abs(mask.sum() - np.pi * 3**2) < 5
    assert np.count_nonzero(colours.any(-1)) < 70


def test_unknown_joints_are_not_drawn():
    shown = input_maps.joint_map(tf.zeros([24, 2]), np.zeros(24), 32)
    assert np.all(shown == -1.0)


def test_mirrored_people_give_mirrored_maps():
    example = people()
    mirrored = parts.mirror_labels(example["parts"], parts.PARTS_24)
    shown = input_maps.part_map(mirrored, parts.PARTS_12, SIZE).numpy()
    labels = parts.merge_labels(example["parts"], parts.PARTS_12)
    expected = parts.colour_code(parts.mirror_labels(labels, parts.PARTS_12), parts.PARTS_12)
    np.testing.assert_allclose(shown, expected * (2 / 255) - 1, atol=1e-6)


@pytest.mark.parametrize(
    "name", [n for n in input_maps.INPUT_MAPS if n.startswith(("rgb", "parts", "prob"))]
)
def test_channels_are_as_announced_and_tf_data_agrees(name):
    example = {key: people()[key] for key in ("image", "parts")}
    eager = input_maps.encode(example, name, 20)
    assert eager.shape == (8, 20, 20, input_maps.input_map(name).channels)
    dataset = tf.data.Dataset.from_tensor_slices(example)
    single = next(iter(dataset.map(lambda e: input_maps.encode(e, name, 20)).batch(8)))
    np.testing.assert_allclose(single, eager, atol=1e-6)


def test_an_unknown_map_is_named():
    with pytest.raises(ValueError, match="Unknown input map 'depth': expected one of rgb"):
        input_maps.input_map("depth")


def test_skeleton_of_joint_maps():
    assert input_maps.input_map("joints_24").joints == len(SMPL_24)
    assert input_maps.input_map("joints_14").joints == 14


def test_a_map_of_joints_is_not_drawn_from_an_example():
    with pytest.raises(ValueError, match="got 'joints_14': see `joint_map`"):
        input_maps.encode(people(), "joints_14", SIZE)
