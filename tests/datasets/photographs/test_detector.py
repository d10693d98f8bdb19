"""The detector's anchors, boxes and suppression, against slow references and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.photographs import detector
from datasets.photographs.detector import decode, intersection_over_union, merge

laws = settings(derandomize=True, deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)


def random_boxes(seed, count=30):
    rng = np.random.default_rng(seed)
    middles, extents = rng.uniform(0.2, 0.8, (count, 2)), rng.uniform(0.05, 0.3, (count, 2))
    boxes = np.concatenate([middles - extents / 2, middles + extents / 2], axis=-1)
    return rng.permutation(np.linspace(0.3, 0.99, count)), boxes, rng.normal(size=(count, 4, 2))


def slow_overlap(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def slow_merge(scores, boxes, points):
    left = sorted(range(len(scores)), key=lambda i: -scores[i])
    while left:
        same = [i for i in left if i == left[0] or slow_overlap(boxes[left[0]], boxes[i]) > 0.3]
        total = sum(scores[i] for i in same)
        yield (
            scores[left[0]],
            sum(scores[i] * boxes[i] for i in same) / total,
            sum(scores[i] * points[i] for i in same) / total,
        )
        left = [i for i in left if i not in same]


def test_anchors_are_the_networks_grid():
    expected = []
    for stride, repeats in ((8, 2), (16, 2), (32, 6)):
        for row in range(224 // stride):
            for column in range(224 // stride):
                middle = ((column + 0.5) * stride / 224, (row + 0.5) * stride / 224)
                expected += [middle] * repeats
    assert len(expected) == 2254
    np.testing.assert_allclose(detector.anchors(), expected, atol=1e-12)


@laws
@given(seeds)
def test_decoding_undoes_encoding(seed):
    rng = np.random.default_rng(seed)
    anchors = detector.anchors()[rng.integers(0, 2254, 9)]
    boxes = np.sort(rng.uniform(-0.2, 1.2, (9, 2, 2)), axis=1)  # low, high corner
    points = rng.uniform(-0.2, 1.2, (9, 4, 2))
    raw = np.concatenate(
        [
            boxes.mean(axis=1) - anchors,
            boxes[:, 1] - boxes[:, 0],
            (points - anchors[:, None]).reshape(9, 8),
        ],
        axis=1,
    )
    found_boxes, found_points = decode(224 * raw, anchors)
    np.testing.assert_allclose(found_boxes, boxes.reshape(9, 4), atol=1e-12)
    np.testing.assert_allclose(found_points, points, atol=1e-12)


@laws
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_overlap_laws(seed, scale, shift):
    _, boxes, _ = random_boxes(seed)
    overlap = intersection_over_union(boxes[0], boxes)
    assert overlap[0] == pytest.approx(1)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-12)).all()
    np.testing.assert_allclose(overlap, [slow_overlap(boxes[0], box) for box in boxes], atol=1e-9)
    moved = intersection_over_union(scale * boxes[0] + shift, scale * boxes + shift)
    np.testing.assert_allclose(moved, overlap, atol=1e-6)


@laws
@given(seeds)
def test_merging_is_the_slow_loop(seed):
    scores, boxes, points = random_boxes(seed)
    expected = list(slow_merge(scores, boxes, points))
    merged = merge(scores, boxes, points)
    for found, wanted in zip(merged, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@laws
@given(seeds)
def test_merging_ignores_the_order(seed):
    given_boxes = random_boxes(seed)
    order = np.random.default_rng(seed).permutation(len(given_boxes[0]))
    for one, other in zip(
        merge(*given_boxes), merge(*(x[order] for x in given_boxes)), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_boxes_apart_stay_and_equal_ones_become_one():
    apart = np.array([[0, 0, 1, 1], [2, 0, 3, 1], [0, 2, 1, 3.0]])
    scores = np.array([0.5, 0.9, 0.7])
    found, boxes = merge(scores, apart)
    np.testing.assert_array_equal(found, [0.9, 0.7, 0.5])
    np.testing.assert_allclose(boxes, apart[[1, 2, 0]])
    found, boxes, points = merge(scores, apart[[0, 0, 0]], np.array([[[1.0]], [[2.0]], [[4.0]]]))
    assert found.tolist() == [0.9]
    np.testing.assert_allclose(points, [[[(0.5 + 1.8 + 2.8) / 2.1]]])


def test_nobody_stays_nobody():
    found, boxes, points = merge(np.zeros(0), np.zeros((0, 4)), np.zeros((0, 4, 2)))
    assert found.shape == (0,) and boxes.shape == (0, 4) and points.shape == (0, 4, 2)


def test_an_empty_box_does_not_hang():
    found, _ = merge(np.array([0.9, 0.8]), np.zeros((2, 4)))
    np.testing.assert_array_equal(found, [0.9, 0.8])


def test_sigmoid_of_everything_is_a_probability():
    with np.errstate(all="raise"):
        values = detector.sigmoid(np.float32([-1e30, -1, 0, 1, 1e30]))
    np.testing.assert_allclose(values, [0, 0.268941, 0.5, 0.731059, 1], atol=1e-6)
