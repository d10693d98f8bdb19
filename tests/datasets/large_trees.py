"""Writes fake trees large enough to time conversions: python -m tests.datasets.large_trees DIR.

Clips are as long as real ones, and pictures have detail at all scales as photographs have, so that
decoding and encoding them takes its time. Videos are MPEG-4 part 2, which OpenCV can write.
"""

import functools
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.datasets import (
    fake_amass,
    fake_human36m,
    fake_humaneva,
    fake_pascal_voc,
    fake_surreal,
    fake_three_dpw,
    fake_up3d,
    fakes,
)


@functools.cache
def scenery(height, width):
    """A picture with detail at all scales, [H, W, 3]."""
    rng = np.random.default_rng(0)
    whole = np.zeros((height, width, 3), np.float32)
    for size in (4, 8, 16, 32, 64, 128, 256):
        noise = rng.normal(0, 100 / size**0.5, (size, size, 3)).astype(np.float32)
        whole += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + whole, 0, 255).astype(np.uint8)


def with_scenery(draw, height, width, joints_2d):
    picture = draw(height, width, joints_2d)
    grey = (picture == 128).all(-1, keepdims=True)
    return np.where(grey, scenery(height, width), picture)


def main(root):
    fakes.picture_with_dots = functools.partial(with_scenery, fakes.picture_with_dots)
    fake_up3d.write(root)
    fake_three_dpw.FRAMES = 50
    fake_three_dpw.HEIGHT, fake_three_dpw.WIDTH = 1920, 1080
    fake_three_dpw.INTRINSICS *= [[5.0], [5.0], [1.0]]
    fake_three_dpw.write(root / "three_dpw")
    train = root / "surreal" / "cmu" / "train" / "run0" / "01_01"
    for clip in range(4):
        fake_surreal.write_clip(train / f"01_01_c{clip + 1:04d}", clip, 100)
    fake_human36m.NUM_FRAMES = 200
    fake_human36m.STEMS = {("S1", "Directions", 1): "Directions 1"}
    (root / "human36m").mkdir()
    fake_human36m.write(root / "human36m")
    fake_human36m.write_spin(root / "human36m" / "fits.npz", ("S1", "Directions", 1), 0)
    fake_humaneva.HEIGHT, fake_humaneva.WIDTH, fake_humaneva.SEEN_EVERY = 480, 640, 1
    fake_humaneva.write(root / "humaneva")
    fake_pascal_voc.write(root / "pascal_voc")
    for path in (root / "pascal_voc").glob("VOCdevkit/*/JPEGImages/*.jpg"):
        cv2.imwrite(str(path), scenery(375, 500))
    for path in (root / "pascal_voc").glob("VOCdevkit/*/SegmentationObject/*.png"):
        with Image.open(path) as mask:
            larger = mask.resize((500, 375), Image.Resampling.NEAREST)
        larger.save(path)
    for sequence in range(4):
        path = root / "amass" / "CMU" / "01" / f"01_{sequence:02d}_poses.npz"
        fake_amass.write_sequence(path, 2000, seed=sequence)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
