import numpy as np
import pytest

from experiments.pages.montage import montage


def plain(colour, channels=3):
    return np.full((20, 20, channels), colour, np.uint8)


def test_pictures_stand_in_their_rows_and_columns():
    seen_through = plain(0, channels=4)
    sheet = montage([("best", [plain(10), plain(20)]), ("worst", [plain(30), seen_through])])
    rows, columns = sheet.shape[0] // 2, (sheet.shape[1] - 150) // 2
    corners = [(0, 0, 10), (0, 1, 20), (1, 0, 30), (1, 1, 255)]
    for row, column, value in corners:
        y, x = row * rows, 150 + column * columns
        np.testing.assert_array_equal(sheet[y : y + 20, x : x + 20], plain(value))


def test_a_name_is_written_once():
    twice = montage([("best", [plain(1)]), ("best", [plain(1)])])
    half = len(twice) // 2
    assert (twice[:half, :150] < 255).any() and (twice[half:, :150] == 255).all()


def test_no_picture_is_an_error():
    with pytest.raises(ValueError, match="at least one row with a picture"):
        montage([("best", [])])
