"""UP-S31: label maps of 31 parts, drawn from UP-3D's fits and checked by people.

Its pictures are UP-3D's, scaled to people of 500 pixels and cropped. They are numbered either by
UP-3D's ids or by their position in its lists (public readers disagree), and the crops are not
documented. So both are found from the pictures themselves, and the labels are mapped back to
UP-3D's photograph.
"""

import functools
from pathlib import Path

import cv2
import numpy as np

from datasets.sources import BadItemError, SourceError
from smpl_tf import file_kinds, pictures
from smpl_tf.skeleton import SMPL_24

# Correlation of a picture with the region it was cropped from; other regions are far below.
_SAME_PICTURE = 0.9


def _sided(side: str) -> tuple[str, ...]:
    bones = ("hand", "wrist", "elbow", "shoulder", "shoulder", "shoulder")
    trunk = ("spine3", "pelvis")
    legs = ("hip", "hip", "knee", "ankle", "foot")
    arm = tuple(f"{side}_{bone}" for bone in bones)
    return (*arm, *trunk, *(f"{side}_{bone}" for bone in legs))


# Bone of PARTS_24 for each of the 31 regions (hand, wrist, lower arm, elbow, upper arm, shoulder,
# upper and lower body, upper leg, knee, lower leg, ankle, foot; right, then left; four quarters of
# the head; neck). Merged to 12, 6, 3 or 1 parts they equal the labels that NBF's authors made from
# the 31. As 24 parts they are coarse.
_BONES = (*_sided("right"), *_sided("left"), *["head"] * 4, "neck")
_TO_24 = np.array([0, *(SMPL_24.index(bone) + 1 for bone in _BONES)], np.uint8)


def find(root: Path, split: str, required: bool) -> Path | None:
    """Finds the folder of UP-S31's lists and pictures.

    Args:
      root: expected location.
      split: "train", "val" or "test".
      required: whether it is an error if it is missing.

    Returns:
      The folder, or None.

    Raises:
      SourceError: it is required and missing.
    """
    for folder in (root, root / "s31", root / "up-s31", root / "up-s31" / "s31"):
        if _list_path(folder, split).exists():
            return folder
    if required:
        raise SourceError(
            f"{root}: no {_list_path(root, split).name} here or in s31/; "
            "give the folder into which UP-S31 was unpacked"
        )
    return None


def labels(
    folder: Path, split: str, up3d_id: str, position: int, picture: np.ndarray
) -> np.ndarray | None:
    """Reads the labels of one of UP-3D's photographs.

    Args:
      folder: from `find`.
      split: "train", "val" or "test".
      up3d_id: five digits.
      position: of the id in UP-3D's list of the split.
      picture: [H, W, 3] uint8 BGR, the photograph.

    Returns:
      [H, W] uint8, classes of PARTS_24; None if UP-S31 has no such picture.

    Raises:
      BadItemError: UP-S31's picture shows something else, or its files do not decode.
    """
    by_id, by_position = _entries(folder, split)
    entries = [*by_position[position : position + 1]]
    if up3d_id in by_id:
        entries.insert(0, by_id[up3d_id])
    candidates = [entry for entry in entries if (folder / f"{entry[0]}_ann.png").exists()]
    for name, scale in candidates:
        cut = _decode(folder / f"{name}_image.png", cv2.IMREAD_COLOR)
        corner, size = _locate(cut, picture, scale)
        if corner is not None:
            annotation = _decode(folder / f"{name}_ann.png", cv2.IMREAD_UNCHANGED)
            return _uncrop(annotation, corner, size, picture.shape)
    if candidates:
        raise BadItemError(f"UP-S31's {candidates[0][0]}_image.png shows another picture")
    return None


def _list_path(folder: Path, split: str) -> Path:
    return folder / f"{split}_31_500_pkg_dorder.txt"


@functools.lru_cache
def _entries(folder: Path, split: str) -> tuple[dict, list]:
    """Returns (name, scale) of each picture by its five digits, and in the order of the list."""
    entries = []
    for line in file_kinds.read_bytes(_list_path(folder, split)).decode().splitlines():
        picture, _, scale = line.split()
        entries.append((Path(picture).name.removesuffix("_image.png"), float(scale)))
    return {entry[0]: entry for entry in entries}, entries


def _decode(path: Path, mode: int) -> np.ndarray:
    picture = pictures.decode(file_kinds.read_bytes(path), mode) if path.is_file() else None
    if picture is None:
        raise BadItemError(f"UP-S31's {path.name} does not decode")
    return picture


def _locate(cut, picture, scale):
    """Returns the crop's corner (x, y) in the scaled photograph, or None; and the photo's size."""
    size = [round(scale * side) for side in picture.shape[1::-1]]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    whole = cv2.resize(picture, size, interpolation=interpolation)
    cut = cut[: size[1], : size[0]]  # since the authors may have rounded up
    _, best, _, corner = cv2.minMaxLoc(cv2.matchTemplate(whole, cut, cv2.TM_CCOEFF_NORMED))
    return (corner if best > _SAME_PICTURE else None), size


def _uncrop(annotation, corner, size, shape):
    (x, y), (width, height) = corner, size
    annotation = annotation[: height - y, : width - x]
    if annotation.ndim != 2 or annotation.max() >= len(_TO_24):
        raise BadItemError("UP-S31's annotation is not a map of the labels 0..31")
    whole = np.zeros((height, width), np.uint8)
    whole[y : y + annotation.shape[0], x : x + annotation.shape[1]] = _TO_24[annotation]
    return cv2.resize(whole, shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
