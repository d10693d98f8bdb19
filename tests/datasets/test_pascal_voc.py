"""The Pascal VOC reader on a fake tree: palettes, people, missing masks, odd annotations."""

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets import example, pascal_voc, sources
from tests.datasets import fake_pascal_voc
from tests.datasets.fake_pascal_voc import things


@pytest.fixture
def tree(tmp_path):
    return fake_pascal_voc.write(tmp_path)


def test_pictures_without_people_and_their_things_by_number(tree):
    source = pascal_voc.PascalVOC(str(tree), "train")
    assert source.inventory() == (5, 1464, "segmented pictures")
    assert source.items() == ["2007_000002", "2007_000003", "2007_000004"]
    (one,) = source.read("2007_000002")
    example.encode(one)
    assert one["id"] == "pascal_voc/2007_000002" and one["source"] == "pascal_voc/sheep,bird"
    mask = cv2.imdecode(np.frombuffer(one["objects/encoded"], np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, things("2007_000002"))
    assert (one["image/height"], one["image/width"]) == (40, 60)
    assert not one["smpl/valid"] and not one["camera/valid"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2007_000003", "missing segmentation: 2007_000003.png"),
        ("2007_000004", "shows a person"),
    ],
)
def test_other_pictures_are_refused(tree, name, reason):
    with pytest.raises(sources.BadItemError, match=reason):
        list(pascal_voc.PascalVOC(str(tree), "train").read(name))


def test_a_thing_without_a_name_is_refused(tree):
    (path,) = tree.rglob("2007_000002.xml")
    path.write_text(path.read_text().replace("<name>bird</name>", ""))
    with pytest.raises(sources.BadItemError, match="an object without a name"):
        list(pascal_voc.PascalVOC(str(tree), "train").read("2007_000002"))


def damaged(mask, kind):
    """The damaged mask as a picture."""
    if kind == "colours":
        return Image.fromarray(np.zeros((40, 60, 3), np.uint8))
    if kind == "size":
        return Image.fromarray(mask[:20])
    if kind == "empty":
        return Image.fromarray(np.where(mask == 255, mask, 0))
    return Image.fromarray(np.where(mask == 2, 9, mask).astype(np.uint8))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("colours", r"has colours \(RGB\) instead of numbers"),
        ("size", r"mask of \(20, 60\) for a picture of \(40, 60\)"),
        ("empty", "no object in its mask"),
        ("number", "mask of 9 objects, annotation of 2"),
    ],
)
def test_a_damaged_mask_is_refused(tree, kind, reason):
    path = tree / "VOCdevkit" / "VOC2012" / "SegmentationObject" / "2007_000002.png"
    damaged(things("2007_000002"), kind).save(path)
    with pytest.raises(sources.BadItemError, match=reason):
        list(pascal_voc.PascalVOC(str(tree), "train").read("2007_000002"))


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path, tree):
    with pytest.raises(sources.SourceError, match="VOCtrainval_11-May-2012.tar was unpacked"):
        pascal_voc.PascalVOC(str(tmp_path / "nowhere"), "train").items()
    with pytest.raises(sources.SourceError, match="train, val; got 'test'"):
        pascal_voc.PascalVOC(str(tree), "test").items()


def test_the_script_converts_it(tree, convert_and_check):
    train, val = (convert_and_check("pascal_voc", tree, split) for split in ("train", "val"))
    assert [one["id"] for one in train.examples] == [b"pascal_voc/2007_000002"]
    assert [one["id"] for one in val.examples] == [b"pascal_voc/2007_000006"]
    # Of three pictures without a listed person one has no mask, one shows a person all the same.
    assert (train.manifest.num_items, train.manifest.skipped) == (3, 2)
