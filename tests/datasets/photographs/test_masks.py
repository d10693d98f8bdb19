"""COCO's masks: polygons and runs, against masks drawn pixel by pixel."""

import numpy as np
import pytest

from datasets.photographs import masks


def slow_runs(mask):
    """Runs down the columns, the first of the background."""
    runs, value = [0], False
    for pixel in mask.T.ravel() > 0:
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def slow_text(runs):
    """COCO's packed form, after its documentation: differences to the run before the last."""
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        while True:
            digit, value = value & 0x1F, value >> 5
            done = value == (-1 if digit & 0x10 else 0)
            text += chr(48 + (digit | (0 if done else 0x20)))
            if done:
                break
    return text


@pytest.mark.parametrize("packed", [False, True])
def test_runs_give_the_mask(packed):
    mask = np.random.default_rng(3).random((37, 23)) < 0.3
    mask[5:30, 4:20] = True
    mask[8:12, 6:9] = False
    runs = slow_runs(mask)
    counts = slow_text(runs) if packed else runs
    found = masks.decode({"counts": counts, "size": [37, 23]}, 37, 23)
    np.testing.assert_array_equal(found, np.where(mask, 255, 0))
    assert found.dtype == np.uint8


def test_packed_runs_of_a_known_text():
    # 3 of the background, 40 of the person, 57 of the background.
    text = slow_text([3, 40, 57])
    assert text == "3X1i1"
    assert (masks.decode({"counts": text, "size": [10, 10]}, 10, 10) > 0).sum() == 40


def test_polygons_cover_their_pixels():
    found = masks.decode([[2, 3, 12, 3, 12, 9, 2, 9], [15, 1, 19, 1, 19, 5, 15, 5]], 10, 20) > 0
    expected = np.zeros((10, 20), bool)
    expected[3:9, 2:12] = expected[1:5, 15:19] = True
    # OpenCV also fills a row and a column more, whose centres are half a pixel outside.
    assert found[expected].all() and (found != expected).sum() == 10 + 6 + 1 + 4 + 4 + 1


@pytest.mark.parametrize("nothing", [None, [], {}])
def test_no_mask(nothing):
    assert masks.decode(nothing, 5, 5) is None


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[1, 2, 3, 4]], "three corners"),
        ([[1, 2, 3, float("nan"), 5, 6]], "three corners"),
        ({"counts": [3, 4], "size": [4, 4]}, "runs of 16 pixels in all, got 7"),
        ({"counts": [20, -4], "size": [4, 4]}, "from 0"),
        ({"counts": [16], "size": [2, 8]}, r"runs of \[4, 4\] pixels"),
        ({"counts": "!", "size": [4, 4]}, "packed runs"),
        ({"counts": "o", "size": [4, 4]}, "a truncated one"),
    ],
)
def test_a_damaged_mask_is_refused(segmentation, reason):
    with pytest.raises(ValueError, match=reason):
        masks.decode(segmentation, 4, 4)


def test_a_mask_of_more_pixels_than_are_read_is_refused():
    with pytest.raises(ValueError, match="pixels"):
        masks.decode({"counts": [10**12], "size": [10**6, 10**6]}, 10**6, 10**6)
