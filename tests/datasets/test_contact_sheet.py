"""A contact sheet shows left and right in the same colours, wherever they come from."""

import cv2
import numpy as np
import pytest

from datasets import contact_sheet, manifests, records
from datasets import example as example_lib
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24

LEGEND = 16  # pixels above the first row
LEFT, RIGHT = "left", "right"


def png(array):
    return cv2.imencode(".png", array)[1].tobytes()


def points(skeleton, places):
    """Named places [x, y] as an array of a skeleton, and which of them are known."""
    array, valid = np.zeros((len(skeleton), 2)), np.zeros(len(skeleton), np.int64)
    for name, place in places.items():
        array[skeleton.index(name)], valid[skeleton.index(name)] = place, 1
    return array, valid


def known_example():
    """A grey picture as large as a cell, with a limb, a point and a label of each side."""
    size = contact_sheet.CELL
    joints, joints_valid = points(
        SMPL_24,
        {"left_elbow": (40, 40), "left_wrist": (80, 40)}
        | {"right_elbow": (40, 80), "right_wrist": (80, 80)},
    )
    lsp, lsp_valid = points(LSP_14, {"left_knee": (140, 40), "right_knee": (140, 80)})
    captured, captured_valid = points(
        H36M_17, {"left_shoulder": (200, 40), "right_shoulder": (200, 80)}
    )
    labels = np.zeros((size, size), np.uint8)
    labels[140:180, 20:60] = SMPL_24.index("left_foot") + 1
    labels[140:180, 80:120] = SMPL_24.index("right_foot") + 1
    return example_lib.blank() | {
        "id": "known",
        "image/encoded": png(np.full((size, size, 3), 128, np.uint8)),
        "image/height": size,
        "image/width": size,
        "parts/encoded": png(labels),
        "parts/valid": 1,
        "joints/2d": joints,
        "joints/2d/valid": joints_valid,
        "lsp/2d": lsp,
        "lsp/2d/valid": lsp_valid,
        # One metre away with a focal length of 1 pixel: points are pixels.
        "h36m/3d": np.concatenate([captured, np.ones((17, 1))], 1),
        "h36m/3d/valid": captured_valid,
        "camera/intrinsics": np.eye(3),
        "camera/valid": 1,
    }


@pytest.fixture(scope="module")
def sheet(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("known"))
    manifest = manifests.Manifest("x", "train", 7, 7, {}, {})
    examples = [known_example() | {"id": f"known/{number}"} for number in range(7)]
    records.write_shards(
        lambda start, stop: examples[start:stop], manifest, folder, workers=0, progress=False
    )
    return contact_sheet.draw(folder, "train")


@pytest.mark.parametrize(
    ("what", "places"),
    [
        ("bones", {LEFT: (60, 40), RIGHT: (60, 80)}),
        ("annotated points", {LEFT: (144, 40), RIGHT: (144, 80)}),  # on the circle
        ("captured points", {LEFT: (204, 40), RIGHT: (204, 80)}),
        ("labels", {LEFT: (40, 160), RIGHT: (100, 160)}),
    ],
)
def test_left_is_red_and_right_is_blue(sheet, what, places):
    for side, (x, y) in places.items():
        red, _, blue = np.int32(sheet[LEGEND + y, x])
        assert (red - blue if side == LEFT else blue - red) > 30


def test_a_cell_for_each_example_in_rows_of_equal_length(sheet):
    cell = contact_sheet.CELL + LEGEND
    assert sheet.shape == (LEGEND + 2 * cell, contact_sheet.COLUMNS * contact_sheet.CELL, 3)
    assert sheet[LEGEND + cell :, : contact_sheet.CELL].any()
    assert not sheet[LEGEND + cell :, contact_sheet.CELL :].any()
