"""The finder with BlazePose's own networks, where they were fetched, on real photographs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.models import ModelsMissingError, find_models
from datasets.photographs.tracker import PersonTracker
from smpl_tf.skeleton import BLAZEPOSE_33, COCO_17, LSP_14

REAL = Path("/work/shared/real")
try:
    find_models()
except ModelsMissingError as error:
    pytest.skip(str(error), allow_module_level=True)


def picture_at(path):
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


@pytest.fixture(scope="module")
def finder():
    return LandmarkFinder()


@pytest.fixture(scope="module")
def skier():
    return picture_at(REAL / "photographs/000000000785.jpg")


def crops():
    return sorted((REAL / "up_crops").glob("*.png"))


def test_grey_has_nobody(finder):
    assert finder(np.full((240, 320, 3), 128, np.uint8)) == []


def test_points_and_mask_are_the_annotated_ones(finder, skier):
    file = json.loads((REAL / "photographs/person_keypoints.json").read_text())
    annotation = file["annotations"][0]
    keypoints = np.reshape(annotation["keypoints"], (17, 3))
    (person,) = finder(skier)
    known = keypoints[:, 2] > 0
    ways = np.linalg.norm(person.in_skeleton(COCO_17).points_2d - keypoints[:, :2], axis=-1)
    assert np.median(ways[known]) < 0.04 * np.ptp(keypoints[known, 1])
    outline = np.zeros(skier.shape[:2], np.uint8)
    polygons = [
        np.reshape(p, (-1, 2)).round().astype(np.int32) for p in annotation["segmentation"]
    ]
    cv2.fillPoly(outline, polygons, 1)
    true, found = outline > 0, person.mask > 127
    assert (true & found).sum() / (true | found).sum() > 0.6


def test_a_turned_or_mirrored_or_larger_picture_has_the_same_person(finder, skier):
    (person,) = finder(skier)
    height, width = skier.shape[:2]
    size = np.ptp(person.points_2d[:, 1])
    (turned,) = finder(np.ascontiguousarray(np.rot90(skier)))
    back = np.stack([width - turned.points_2d[:, 1], turned.points_2d[:, 0]], axis=-1)
    back_3d = turned.points_3d[:, [1, 0, 2]] * [-1, 1, 1]
    (mirrored,) = finder(np.ascontiguousarray(skier[:, ::-1]))
    unmirrored = (mirrored.points_2d * [-1, 1] + [width, 0])[BLAZEPOSE_33.mirror]
    (larger,) = finder(cv2.resize(skier, (2 * width, 2 * height)))
    for points in (back, unmirrored, larger.points_2d / 2):
        assert np.median(np.linalg.norm(points - person.points_2d, axis=-1)) < 0.03 * size
    assert np.median(np.linalg.norm(back_3d - person.points_3d, axis=-1)) < 0.06  # metres


def test_3d_points_are_a_person_in_metres_with_the_hips_at_the_origin(finder, skier):
    (person,) = finder(skier)
    points = dict(zip(BLAZEPOSE_33.names, person.points_3d, strict=True))
    np.testing.assert_allclose(points["left_hip"] + points["right_hip"], 0, atol=0.03)
    for side in ("left", "right"):
        thigh = np.linalg.norm(points[f"{side}_hip"] - points[f"{side}_knee"])
        assert 0.25 < thigh < 0.6
    # x and y of the depth points go the way of the picture's.
    flat = person.points_2d - person.points_2d.mean(axis=0)
    for axis in (0, 1):
        assert np.corrcoef(flat[:, axis], person.points_3d[:, axis])[0, 1] > 0.9


def test_the_mask_covers_the_limbs(finder, skier):
    (person,) = finder(skier)
    joints = person.in_skeleton(COCO_17).points_2d[5:].astype(int)
    assert (person.mask[joints[:, 1], joints[:, 0]] > 127).mean() > 0.8
    assert (person.mask > 127).mean() < 0.3


@pytest.mark.parametrize("path", crops(), ids=lambda path: path.stem)
def test_every_crop_has_its_person(finder, path):
    people = finder(picture_at(path))
    assert len(people) == 1
    left, top, right, bottom = people[0].box
    assert left < 256 < right and top < 256 < bottom


def test_six_people_in_one_picture_are_six(finder):
    pictures = [cv2.resize(picture_at(path), (300, 300)) for path in crops()]
    if len(pictures) != 6:
        pytest.skip("the crops are not here")
    rows = [np.concatenate(pictures[i : i + 3], axis=1) for i in (0, 3)]
    people = finder(np.concatenate(rows, axis=0))
    cells = {(int(x // 300), int(y // 300)) for x, y in (np.mean(p.points_2d, 0) for p in people)}
    assert len(people) == len(cells) == 6


def test_a_moving_person_keeps_the_number(finder, skier):
    tracker = PersonTracker(finder, every=100)
    for step in range(6):
        frame = np.roll(skier, 12 * step, axis=1)
        (tracked,) = tracker(frame)
        assert tracked.track == 0


@pytest.mark.slow
def test_limbs_of_sportsmen(finder):
    """PCKh@0.5 of the 12 limb joints: half a head's length away is right."""
    folder = REAL / "lspet"
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    joints = scipy.io.loadmat(folder / "joints.mat")["joints"]
    right = []
    paths = sorted((folder / "images").glob("*.jpg"))
    for path, truth in zip(paths, np.moveaxis(joints, 2, 0), strict=True):
        people = finder(picture_at(path))
        if not people:
            right.append(0.0)
            continue
        largest = max(people, key=lambda one: np.prod(one.box[2:] - one.box[:2]))
        found = largest.in_skeleton(LSP_14).points_2d
        visible = truth[:12, 2] > 0
        reach = 0.5 * np.linalg.norm(truth[13, :2] - truth[12, :2])
        ways = np.linalg.norm(found[:12] - truth[:12, :2], axis=-1)
        right.append((ways < reach)[visible].mean())
    assert np.mean(right) > 0.55
