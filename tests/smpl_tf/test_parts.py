"""Laws of the part schemes: merging, mirroring and colours fit together."""

import types

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import parts
from smpl_tf.open_body import load_open_body
from smpl_tf.skeleton import SMPL_24

SCHEMES = [parts.PARTS_1, parts.PARTS_3, parts.PARTS_6, parts.PARTS_12, parts.PARTS_24]
each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)


def random_labels(scheme, shape=(2, 5, 6), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, scheme.num_classes, shape).astype(np.uint8)


@each_scheme
def test_every_class_has_a_name_a_colour_and_bones(scheme):
    count = int(scheme.name.removeprefix("parts_"))
    assert parts.part_scheme(count) is scheme
    assert scheme.num_classes == count + 1 == len(set(scheme.names))
    assert len(np.unique(scheme.colours, axis=0)) == count + 1
    np.testing.assert_array_equal(np.unique(scheme.from_24), np.arange(count + 1))
    assert scheme.names[0] == "background"
    assert scheme.from_24[0] == 0
    assert not scheme.colours[0].any()


def test_24_parts_are_the_joints_in_order():
    assert parts.PARTS_24.names[1:] == SMPL_24.names


@each_scheme
def test_mirror_exchanges_the_sides_by_name(scheme):
    swap = {"left": "right", "right": "left"}
    for i, name in enumerate(scheme.names):
        side, _, rest = name.partition("_")
        mirrored = f"{swap[side]}_{rest}" if side in swap else name
        assert scheme.names[scheme.mirror[i]] == mirrored


def test_twelve_parts_are_nbfs():
    # Class, colour and mirror of the released label file, by NBF's own numbers.
    assert parts.PARTS_12.names[1] == "head"
    assert parts.PARTS_12.names[7:9] == ("neck", "lower_torso")
    assert tuple(parts.PARTS_12.colours[3]) == (197, 255, 0)
    assert tuple(parts.PARTS_12.colours[12]) == (134, 126, 0)
    pairs = {3: 10, 10: 3, 4: 9, 9: 4, 5: 6, 6: 5, 11: 12, 12: 11}
    assert list(parts.PARTS_12.mirror) == [pairs.get(i, i) for i in range(13)]


@each_scheme
def test_merging_commutes_with_mirroring(scheme):
    labels = random_labels(parts.PARTS_24)
    merged = parts.merge_labels(labels, scheme)
    mirrored = parts.mirror_labels(merged, scheme)
    np.testing.assert_array_equal(
        mirrored, parts.merge_labels(parts.mirror_labels(labels, parts.PARTS_24), scheme)
    )
    np.testing.assert_array_equal(parts.mirror_labels(mirrored, scheme), merged)
    assert merged.dtype == mirrored.dtype == np.uint8


@each_scheme
def test_colours_decode_to_their_labels_even_when_disturbed(scheme):
    labels = random_labels(scheme)
    coded = parts.colour_code(labels, scheme)
    assert coded.dtype == np.uint8
    np.testing.assert_array_equal(parts.decode_colours(coded, scheme), labels)
    # The nearest two of the first 25 colours lie 44 apart.
    noise = np.random.default_rng(1).uniform(-12, 12, coded.shape)
    np.testing.assert_array_equal(parts.decode_colours(coded + noise, scheme), labels)


@each_scheme
def test_tensors_in_tf_data_give_what_arrays_give(scheme):
    labels = random_labels(parts.PARTS_24)

    def transform(labels):
        merged = parts.merge_labels(labels, scheme)
        coded = parts.colour_code(merged, scheme)
        mirrored = parts.mirror_labels(merged, scheme)
        return merged, coded, mirrored, parts.decode_colours(coded, scheme)

    mapped = next(iter(tf.data.Dataset.from_tensors(labels).map(transform)))
    for tensor, array in zip(mapped, transform(labels), strict=True):
        assert tensor.dtype == array.dtype
        np.testing.assert_array_equal(tensor, array)


def test_labels_of_the_open_body_cover_all_parts_and_are_symmetric():
    body = load_open_body()
    vertices, faces = parts.vertex_labels(body), parts.face_labels(body)
    assert vertices.shape == (len(body.v_template),) and vertices.dtype == np.uint8
    assert faces.shape == (len(body.faces),) and faces.dtype == np.uint8
    for labels in (vertices, faces):
        np.testing.assert_array_equal(np.unique(labels), np.arange(1, 25))
    symmetric = parts.PARTS_24.mirror[vertices[body.vertex_mirror]] == vertices
    assert symmetric.mean() > 0.99
    # Each part lies nearer to its own bone than the body is wide.
    joints = body.J_regressor @ body.v_template
    distance = np.linalg.norm(body.v_template - joints[vertices.astype(int) - 1], axis=1)
    assert distance.max() < 0.6


def test_a_face_belongs_to_the_bone_that_moves_it_most():
    weights = np.zeros((3, 24))
    weights[0, 4] = weights[1, 7] = 1.0
    weights[2, [4, 7]] = 0.4, 0.6
    body = types.SimpleNamespace(weights=weights, faces=np.array([[0, 1, 2]]))
    assert list(parts.vertex_labels(body)) == [5, 8, 8]
    assert list(parts.face_labels(body)) == [8]


def test_unknown_labels_counts_and_rigs_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"\[1, 3, 6, 12, 24\] parts; got 7"):
        parts.part_scheme(7)
    with pytest.raises(ValueError, match=r"parts_12 are 0\.\.12; got 0\.\.13"):
        parts.colour_code(np.arange(14), parts.PARTS_12)
    with pytest.raises(ValueError, match=r"regions are 0\.\.38; got -1\.\.3"):
        parts.merge_labels(np.array([-1, 3]), parts.PARTS_3)
    body = types.SimpleNamespace(weights=np.ones((5, 52)))
    with pytest.raises(ValueError, match="24 joints; this body has 52"):
        parts.vertex_labels(body)
