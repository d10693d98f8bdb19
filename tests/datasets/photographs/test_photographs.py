"""Sets of photographs as data sets: converted by the script, checked, points on their places."""

import json

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image

from datasets import checks, conversion
from datasets.photographs import found_set, source
from datasets.photographs.examples import example_of
from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.source import Photographs
from datasets.sources import BadItemError, Skip, SourceError
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import BLAZEPOSE_33, COCO_17, LSP_14, SMPL_24
from tests.datasets import fakes
from tests.datasets.photographs import fake_networks, fake_sets

LIMBS = SMPL_24.indices(["left_wrist", "right_knee"])
DOTS = [(255, 0, 0), (0, 0, 255)]


@pytest.fixture(autouse=True)
def forget():
    """Sets are opened once per process; here a folder's content changes."""
    source._open.cache_clear()


def place_of(picture, colour):
    """The middle of the dot of a colour."""
    rows, columns = np.nonzero(np.abs(picture.astype(int) - colour).sum(-1) < 200)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def painted(width, height, dots):
    """A grey picture with a dot, in its colour, around each place."""
    y, x = np.mgrid[:height, :width] + 0.5
    picture = np.full((height, width, 3), 90, np.uint8)
    for (left, top), colour in zip(dots, DOTS, strict=True):
        picture[np.hypot(x - left, y - top) < 9] = colour
    return picture


@pytest.mark.parametrize("size", [300, 3000], ids=["as it is", "shrunk"])
@pytest.mark.parametrize("scale", [1, 0.5], ids=["whole", "read at half its size"])
def test_points_and_mask_stay_on_the_person_who_is_cut_out(size, scale):
    rng = np.random.default_rng(2)
    points = np.array([0.5, 0.55]) * size + rng.uniform(-0.2, 0.2, (24, 2)) * size
    pixels = painted(size, size, points[LIMBS])
    mask = np.zeros((size, size), np.uint8)
    low, high = points.min(0), points.max(0)
    mask[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])] = 255
    person = FoundPerson(
        box=np.concatenate([low, high]) / scale,
        skeleton=SMPL_24,
        points_2d=points / scale,
        visibility=np.ones(24),
        mask=mask,
    )
    example = example_of(person, pixels, scale)
    picture, found = fakes.picture_of(example), example["joints/2d"]
    height, width = example["image/height"], example["image/width"]
    assert picture.shape == (height, width, 3) and max(height, width) <= 1024
    for joint, colour in zip(LIMBS, DOTS, strict=True):
        assert np.linalg.norm(place_of(picture, colour) - found[joint]) < 0.5
    assert example["joints/2d/valid"].all() and example["lsp/2d/valid"].sum() == 12
    encoded = np.frombuffer(example["mask/encoded"], np.uint8)
    rows, columns = np.nonzero(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) == 1)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(box, example["person/box"], atol=1.5)
    np.testing.assert_allclose(example["person/box"][:2], found.min(0), atol=1e-3)


def test_labels_of_a_finder_are_those_that_it_sees():
    points_3d = np.random.default_rng(1).normal(0, 0.3, (24, 3))
    person = FoundPerson(
        box=None,
        skeleton=SMPL_24,
        points_2d=np.random.default_rng(3).uniform(20, 80, (24, 2)),
        visibility=np.where(np.arange(24) % 5 == 1, 0.4, 0.6),
        points_3d=points_3d,
        source="found by a test",
    )
    example = example_of(person, np.zeros((100, 100, 3), np.uint8))
    assert example["labels/source"] == "found by a test"
    seen = np.arange(24) % 5 != 1  # not the left hip among others
    np.testing.assert_array_equal(example["joints/2d/valid"], seen)
    np.testing.assert_array_equal(example["found/3d/valid"], seen)
    np.testing.assert_allclose(example["found/3d"][seen], points_3d[seen], atol=1e-6)
    assert not example["joints/3d/valid"].any() and not example["smpl/valid"]


def test_people_with_few_joints_or_outside_are_skipped():
    points = np.random.default_rng(3).uniform(20, 80, (24, 2))
    few = np.isin(np.arange(24), SMPL_24.indices(["left_hip", "right_hip", "left_knee", "head"]))
    pixels = np.zeros((100, 100, 3), np.uint8)
    person = FoundPerson(None, SMPL_24, points, few.astype(float))
    assert example_of(person, pixels) == Skip("fewer than 4 of the limbs' 12 joints are known")
    person = FoundPerson(None, SMPL_24, points + 200, np.ones(24))
    assert example_of(person, pixels) == Skip("the person is outside the picture")


def skipped(folder, split="train"):
    lines = (folder / "out" / f"{split}.skipped.jsonl").read_text().splitlines()
    return {line["item"]: line["reason"] for line in map(json.loads, lines)}


def test_coco(tmp_path, convert_and_check):
    tree = fake_sets.coco(tmp_path / "coco")
    found = convert_and_check("coco", tree, "val", official=False)
    first, second = sorted(found.examples, key=lambda one: one["id"])
    assert (first["id"], second["id"]) == (b"coco/two.jpg/0", b"coco/two.jpg/1")
    assert first["labels/source"] == b"annotated" and first["source"] == b"coco/two.jpg"
    assert found.manifest.num_items == 5 and found.manifest.skipped == 4
    reasons = skipped(tmp_path, "val")
    assert "no such picture" in reasons["missing.jpg"]
    assert "damaged annotation" in reasons["damaged.jpg"]
    assert "not a picture" in reasons["broken.jpg"]
    assert "fewer than 4" in reasons["box.jpg"]
    assert first["mask/valid"] == 1 and second["mask/valid"] == 0
    mask = cv2.imdecode(np.frombuffer(first["mask/encoded"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (60, 70)  # the box is 50 high, so the square ends at 20 + 50
    assert 0 <= mask.sum(dtype=int) - 62 * 52 <= 62 + 52 + 1
    wrist = LSP_14.index("left_wrist")
    assert first["lsp/2d/valid"].sum() == 12  # COCO has neither neck nor head top
    # The square around the box reaches from the picture's corner.
    expected = fake_sets.points(COCO_17)[COCO_17.index("left_wrist")]
    np.testing.assert_allclose(first["lsp/2d"][wrist], expected, atol=1e-4)


def test_licences_of_coco_are_a_filter(tmp_path):
    tree = fake_sets.coco(tmp_path)
    assert "two.jpg" in Photographs("coco", str(tree), "val", licenses=(1,)).items()
    assert "two.jpg" not in Photographs("coco", str(tree), "val", licenses=(4,)).items()
    with pytest.raises(SourceError, match=r"no licence 7; it lists 1 \(non-commercial\), 4 "):
        Photographs("coco", str(tree), "val", licenses=(4, 7)).items()


def test_a_mask_beside_its_person_is_found_by_the_check(tmp_path):
    file = fake_sets.coco(tmp_path) / "annotations" / "person_keypoints_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segmentation"] = [[58, 50, 67, 50, 67, 59, 58, 59]]
    file.write_text(json.dumps(content))
    conversion.convert(
        Photographs("coco", str(tmp_path), "val"), str(tmp_path / "out"), workers=0, progress=False
    )
    result = checks.check(str(tmp_path / "out"), "val", None, workers=0, progress=False)
    assert result.findings == {"its 2D points are outside its mask": ["coco/two.jpg/0"]}


def test_a_mask_of_another_picture_is_refused(tmp_path):
    tree = fake_sets.coco(tmp_path)
    Image.new("RGB", (50, 40)).save(tree / "val2017" / "two.jpg")
    with pytest.raises(BadItemError, match="annotated for 80 x 60 pixels, the file has 50 x 40"):
        list(Photographs("coco", str(tree), "val").read("two.jpg"))


@pytest.mark.parametrize("swapped", [False, True], ids=["own layout", "the other's layout"])
@pytest.mark.parametrize("dataset", ["lsp", "lspet"])
def test_lsp(tmp_path, convert_and_check, dataset, swapped):
    extended = dataset == "lspet"
    tree = fake_sets.lsp(tmp_path / "tree", extended, swapped, count=4)
    held_out = "--held_out=0.25"
    if not extended:  # LSP's own splits are those of its 2000 pictures
        with pytest.raises(SourceError, match="only the 2000 pictures of LSP"):
            Photographs(dataset, str(tree), "train").items()
    found = [
        convert_and_check(dataset, tree, split, held_out, official=extended)
        for split in ("train", "test")[: 2 if extended else 1]
    ]
    names = {one["id"].decode() for split in found for one in split.examples}
    lost = sum(split.manifest.skipped for split in found)
    listed = sum(split.manifest.num_items for split in found)
    assert listed == (4 if extended else 3) and len(names) + lost == listed and lost <= 1
    wrist = LSP_14.index("left_wrist")
    for example in found[0].examples:
        valid = example["lsp/2d/valid"]
        assert valid.sum() == (13 if extended else 14)
        assert valid[wrist] == (0 if extended else 1)  # not marked; hidden but marked
        number = int(example["id"].decode().split("/")[1][2:]) - 1
        steps = np.diff(fake_sets.points(LSP_14, number)[:3], axis=0)
        np.testing.assert_allclose(np.diff(example["lsp/2d"][:3], axis=0), steps, atol=1e-4)


def test_splits_of_the_authors(tmp_path):
    joints = np.random.default_rng(0).uniform(1, 50, (3, 14, 2000))
    joints[2] = 0
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints})
    for split, first in (("train", "im0001"), ("test", "im1001")):
        one = Photographs("lsp", str(tmp_path), split)
        assert one.items()[0] == first and one.inventory() == (1000, 1000, "pictures")
    with pytest.raises(SourceError, match="lsp has the splits train, test; got 'val'"):
        Photographs("lsp", str(tmp_path), "val").items()
    with pytest.raises(SourceError, match="no split 'test' of its own, only train; held_out"):
        Photographs("lspet", str(tmp_path), "test").items()
    with pytest.raises(SourceError, match="no split 'val' of its own"):
        Photographs("lsp", str(tmp_path), "val", held_out=0.5).items()


def test_mpii(tmp_path, convert_and_check):
    tree = fake_sets.mpii_json(tmp_path / "json")
    found = convert_and_check("mpii", tree, "val", official=False)
    assert sorted(one["id"] for one in found.examples) == [b"mpii/a.jpg/0", b"mpii/a.jpg/1"]
    assert sorted(one["lsp/2d/valid"].sum() for one in found.examples) == [13, 14]


def test_the_release_of_mpii_is_training_data(tmp_path, convert_and_check):
    tree = fake_sets.mpii_release(tmp_path / "mat")
    found = convert_and_check("mpii", tree, "train", official=False)
    (one,) = found.examples
    assert one["id"] == b"mpii/a.jpg/0" and one["lsp/2d/valid"].sum() == 12
    assert skipped(tmp_path)["b.jpg"] == "no person is annotated"
    assert "fewer than 4" in skipped(tmp_path)["a.jpg"]  # the second person


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Photographs of a painted person, of nobody, and none; a finder that sees paint."""
    networks = fake_networks.FakeNetworks()
    finder = LandmarkFinder(networks=networks.pair, thorough=False)
    monkeypatch.setattr(found_set, "_finder", lambda model: finder)
    monkeypatch.setattr(found_set, "find_models", lambda model: ())
    tree = tmp_path / "my photographs"
    (tree / "beach").mkdir(parents=True)
    for name, people in (("b.png", [(150, 110, 70, 0.2)]), ("beach/a.JPG", [(130, 120, 75, 0)])):
        Image.fromarray(fake_networks.paint(240, 300, people)).save(tree / name)
    Image.fromarray(fake_networks.paint(240, 300, [])).save(tree / "sky.png")
    (tree / "broken.jpg").write_bytes(b"no picture")
    (tree / "notes.txt").write_text("no picture either")
    return tree


def test_a_folder_of_photographs(folder, tmp_path, convert_and_check):
    found = convert_and_check("photos", folder, "train", official=False)
    second, first = sorted(found.examples, key=lambda one: one["id"])
    assert (first["id"], second["id"]) == (b"photos/beach/a.JPG/0", b"photos/b.png/0")
    assert first["labels/source"] == b"found by BlazePose full"
    assert skipped(tmp_path) == {
        "broken.jpg": "not a picture; remove it, or save it as JPEG or PNG",
        "sky.png": "the landmark finder finds nobody",
    }
    assert first["mask/valid"] and first["found/3d/valid"].sum() == 13
    valid = first["joints/2d/valid"]
    assert valid.sum() == 12 and not first["joints/3d/valid"].any()
    # Points and picture were cut out alike: steps between joints are as painted.
    names = ["left_knee", "right_wrist"]
    true = fake_networks.true_points(130, 120, 75, 0)[BLAZEPOSE_33.indices(names)]
    joints = first["joints/2d"][SMPL_24.indices(names)]
    np.testing.assert_allclose(joints[0] - joints[1], true[0] - true[1], atol=1.0)
    picture = fakes.picture_of(first)
    hip = place_of(picture, (255, 0, 0))
    np.testing.assert_allclose(joints[0] - hip, true[0] - [130, 120], atol=1.5)


def test_a_folder_without_photographs_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(found_set, "find_models", lambda model: ())
    with pytest.raises(SourceError, match="no such folder"):
        Photographs("photos", str(tmp_path / "nowhere"), "train").items()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SourceError, match=r"contains no photograph; expected \.avif, \.bmp"):
        Photographs("photos", str(tmp_path), "train").items()


def test_held_out_pictures_are_apart_and_as_many_as_said(folder):
    train, test = (
        Photographs("photos", str(folder), split, held_out=0.5).items()
        for split in ("train", "test")
    )
    assert sorted([*train, *test]) == ["b.png", "beach/a.JPG", "broken.jpg", "sky.png"]
    assert len(train) == len(test) == 2
