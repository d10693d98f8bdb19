"""The Pascal VOC reader on a fake tree: palettes, people, missing masks, odd annotations."""

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets import example, pascal_voc, sources

PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [0] * (251 * 3) + [224, 224, 192]

# Objects out of alphabetical order, fractions of pixels, a part with a box of its own.
ANNOTATION = """<annotation><size><width>60</width><height>40</height><depth>3</depth></size>
<object><difficult>0</difficult><name>{first}</name>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>
</part><bndbox><xmax>20</xmax><xmin>45.70</xmin><ymin>2</ymin><ymax>9</ymax></bndbox></object>
<object><name>bird</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>
</object><segmented>1</segmented></annotation>"""


def things(name):
    """The mask of a picture: two things with borders."""
    rng = np.random.default_rng(int(name[-2:]))
    mask = np.zeros((40, 60), np.uint8)
    for thing in (1, 2):
        x, y = rng.integers(2, 30), rng.integers(2, 20)
        mask[y - 1 : y + 11, x - 1 : x + 16] = 255
        mask[y : y + 10, x : x + 15] = thing
    return mask


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "SegmentationObject"):
        (root / folder).mkdir(parents=True)
    for folder in ("Main", "Segmentation"):
        (root / "ImageSets" / folder).mkdir(parents=True)
    # A person; no person; no person and no mask; an unlisted person; only a hidden person.
    names = ["2007_000001", "2007_000002", "2007_000003", "2007_000004", "2007_000005"]
    for name in names:
        picture = np.full((40, 60, 3), int(name[-1]) * 20, np.uint8)
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), picture)
        first = "person" if name[-1] in "145" else "sheep"
        (root / "Annotations" / f"{name}.xml").write_text(ANNOTATION.format(first=first))
        if name[-1] != "3":
            mask = things(name)
            mask = Image.frombytes("P", (60, 40), mask.tobytes())
            mask.putpalette(PALETTE)
            mask.save(root / "SegmentationObject" / f"{name}.png")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("\n".join(names) + "\n")
    lines = f"{names[0]}  1\n{names[1]} -1\n{names[2]} -1\n{names[4]}  0\n"
    (root / "ImageSets" / "Main" / "person_trainval.txt").write_text(lines)
    return tmp_path


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
        ("empty", "no thing in its mask"),
        ("number", "mask of 9 things, annotation of 2"),
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
