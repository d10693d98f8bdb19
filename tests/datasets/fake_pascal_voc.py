"""Writes a tree that is laid out as Pascal VOC 2012 is: palettes, people, odd annotations."""

import cv2
import numpy as np
from PIL import Image

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


# A person; no person; no person and no mask; an unlisted person; only a hidden person.
TRAIN = ("2007_000001", "2007_000002", "2007_000003", "2007_000004", "2007_000005")
VAL = ("2007_000006",)


def write(root):
    """Writes the tree below `root`/VOCdevkit and returns `root`."""
    folder = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "Annotations", "SegmentationObject"):
        (folder / name).mkdir(parents=True)
    for name in ("Main", "Segmentation"):
        (folder / "ImageSets" / name).mkdir(parents=True)
    for name in (*TRAIN, *VAL):
        picture = np.full((40, 60, 3), int(name[-1]) * 20, np.uint8)
        cv2.imwrite(str(folder / "JPEGImages" / f"{name}.jpg"), picture)
        first = "person" if name[-1] in "145" else "sheep"
        (folder / "Annotations" / f"{name}.xml").write_text(ANNOTATION.format(first=first))
        if name[-1] != "3":
            mask = Image.frombytes("P", (60, 40), things(name).tobytes())
            mask.putpalette(PALETTE)
            mask.save(folder / "SegmentationObject" / f"{name}.png")
    for split, names in (("train", TRAIN), ("val", VAL)):
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("".join(f"{name}\n" for name in names))
    lines = f"{TRAIN[0]}  1\n{TRAIN[1]} -1\n{TRAIN[2]} -1\n{TRAIN[4]}  0\n{VAL[0]} -1\n"
    (folder / "ImageSets" / "Main" / "person_trainval.txt").write_text(lines)
    return root
