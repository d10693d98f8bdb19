"""Body parts: the schemes of 1, 3, 6, 12 and 24 parts, their labels, colours and mirror maps.

Class 0 is the background; left and right are the person's. The 24 parts are the bones of SMPL's
rig: a vertex belongs to the joint with its largest skinning weight. All other schemes merge
these 24, so one label map serves every experiment of NBF's Table 1.

NBF cuts 12 parts beyond the joints, through these bones. Label maps may therefore have classes 25
to 38, each the region of a bone that NBF gives to another part (`REGIONS`; `part_cut` finds them
on a body). In PARTS_24 such a region is its bone, in coarser schemes it is NBF's part. Maps
without these classes are cut at the bones.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import SMPL_24
from smpl_tf.tensor_like import TensorLike

# NBF's label colours in class order, black for the background, then the next ones in its list of
# distinct colours.
_PALETTE = np.array(
    [
        (0, 0, 0), (98, 255, 255), (255, 159, 255), (197, 255, 0), (0, 134, 167),
        (213, 95, 0), (41, 128, 0), (104, 0, 147), (181, 203, 255), (0, 68, 215),
        (255, 214, 0), (0, 66, 83), (134, 126, 0), (147, 135, 140), (0, 0, 104),
        (90, 0, 0), (111, 44, 255), (246, 255, 247), (37, 61, 0), (255, 171, 145),
        (132, 182, 161), (81, 80, 96), (226, 41, 193), (30, 142, 255), (81, 63, 0),
    ],
    np.uint8,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class PartScheme:
    """A division of the body into parts.

    Attributes:
      name: for example "parts_12".
      names: name of each of the C classes; the first is "background".
      colours: [C, 3] uint8 RGB, all distinct.
      mirror: [C] int32, the class of each class in the mirrored picture.
      from_24: [25] int32, the class of this scheme for each class of PARTS_24.
      from_regions: [39] int32, the class of each class of REGIONS; the first 25 are from_24.
    """

    name: str
    names: tuple[str, ...]
    colours: np.ndarray
    mirror: np.ndarray
    from_24: np.ndarray
    from_regions: np.ndarray

    @property
    def num_classes(self) -> int:
        """Number of classes, the background included."""
        return len(self.names)


# Bone, and a bone of the part that NBF gives a region of it to.
CUT_BONES = (
    ("left_elbow", "left_shoulder"), ("right_elbow", "right_shoulder"),
    ("left_knee", "left_hip"), ("right_knee", "right_hip"),
    ("left_hip", "pelvis"), ("right_hip", "pelvis"),
    ("left_collar", "spine3"), ("right_collar", "spine3"),
    ("left_collar", "left_shoulder"), ("right_collar", "right_shoulder"),
    ("spine3", "left_shoulder"), ("spine3", "right_shoulder"),
    ("spine3", "neck"), ("spine1", "spine2"),
)  # fmt: skip


def _classes(bones):
    return [SMPL_24.names.index(bone) + 1 for bone in bones]


def _scheme(groups):
    """Makes a scheme from {part name: names of SMPL joints}, in class order."""
    names = ("background", *groups)
    from_24 = np.zeros(25, np.int32)
    for label, joints in enumerate(groups.values(), start=1):
        from_24[[SMPL_24.names.index(joint) + 1 for joint in joints]] = label
    mirror = np.zeros(len(names), np.int32)
    mirror[from_24[1:]] = from_24[1:][np.asarray(SMPL_24.mirror)]
    # 24 parts are whole bones.
    regions = from_24[_classes(bone for bone, _ in CUT_BONES)]
    if len(groups) < 24:
        regions = from_24[_classes(part for _, part in CUT_BONES)]
    return PartScheme(
        f"parts_{len(groups)}",
        names,
        _PALETTE[: len(names)],
        mirror,
        from_24,
        np.concatenate([from_24, regions]),
    )


def _limb(side, *joints):
    return tuple(f"{side}_{joint}" for joint in joints)


_ARM = ("shoulder", "elbow", "wrist", "hand")
_LEG = ("hip", "knee", "ankle", "foot")
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")

PARTS_24 = _scheme({name: (name,) for name in SMPL_24.names})

# NBF's classes in its order. Cut at the bones, 754 of SMPL's 6,890 vertices have another part than
# in NBF's own map: at the joints, and on spine1, which it splits evenly; there spine1 is lower
# torso, so that both torso parts keep NBF's sizes.
PARTS_12 = _scheme(
    {
        "head": ("head",),
        "upper_torso": ("spine2", "spine3"),
        "left_lower_arm": _limb("left", "elbow", "wrist", "hand"),
        "right_upper_arm": _limb("right", "collar", "shoulder"),
        "left_upper_leg": _limb("left", "hip"),
        "right_upper_leg": _limb("right", "hip"),
        "neck": ("neck",),
        "lower_torso": ("pelvis", "spine1"),
        "left_upper_arm": _limb("left", "collar", "shoulder"),
        "right_lower_arm": _limb("right", "elbow", "wrist", "hand"),
        "left_lower_leg": _limb("left", "knee", "ankle", "foot"),
        "right_lower_leg": _limb("right", "knee", "ankle", "foot"),
    }
)

# UP's six region groups.
PARTS_6 = _scheme(
    {
        "head": ("head",),
        "torso": _TRUNK,
        "right_arm": _limb("right", *_ARM),
        "left_arm": _limb("left", *_ARM),
        "right_leg": _limb("right", *_LEG),
        "left_leg": _limb("left", *_LEG),
    }
)

# NBF does not say which three parts it used. These separate left and right: otherwise front and
# back are ambiguous in a picture taken from 20 m.
PARTS_3 = _scheme(
    {
        "head_and_torso": ("head", *_TRUNK),
        "left_limbs": _limb("left", *_ARM, *_LEG),
        "right_limbs": _limb("right", *_ARM, *_LEG),
    }
)

PARTS_1 = _scheme({"person": SMPL_24.names})


def _regions():
    """Makes the scheme of stored label maps: the 24 bones less their regions, then these."""
    names = PARTS_24.names + tuple(f"{bone}_as_{part}" for bone, part in CUT_BONES)
    swapped = [
        tuple(SMPL_24.names[SMPL_24.mirror[SMPL_24.names.index(bone)]] for bone in pair)
        for pair in CUT_BONES
    ]
    mirror = [*PARTS_24.mirror, *(25 + CUT_BONES.index(pair) for pair in swapped)]
    bones = PARTS_24.colours[_classes(bone for bone, _ in CUT_BONES)]
    parts = PARTS_24.colours[_classes(part for _, part in CUT_BONES)]
    colours = np.concatenate([PARTS_24.colours, bones // 2 + parts // 2])
    classes = np.arange(len(names), dtype=np.int32)
    mirror_classes = np.array(mirror, np.int32)
    return PartScheme("regions", names, colours, mirror_classes, classes[:25], classes)


REGIONS = _regions()

_SCHEMES = {len(s.names) - 1: s for s in (PARTS_1, PARTS_3, PARTS_6, PARTS_12, PARTS_24)}


def part_scheme(num_parts: int) -> PartScheme:
    """Returns the scheme with this number of parts.

    Args:
      num_parts: 1, 3, 6, 12 or 24; the background does not count.

    Raises:
      ValueError: if there is no such scheme.
    """
    if num_parts not in _SCHEMES:
        raise ValueError(f"Part schemes have {list(_SCHEMES)} parts; got {num_parts!r}.")
    return _SCHEMES[num_parts]


def vertex_labels(model_data: SMPLModelData) -> np.ndarray:
    """Returns the part of each vertex: the joint with the largest skinning weight.

    Args:
      model_data: SMPLModelData of a body with SMPL's 24 joints.

    Returns:
      [V] uint8, classes 1..24 of PARTS_24.

    Raises:
      ValueError: if the body does not have 24 joints.
    """
    return _argmax_labels(model_data.weights)


def face_labels(model_data: SMPLModelData) -> np.ndarray:
    """Returns the part of each face: the joint with the largest summed weight of its vertices.

    Args:
      model_data: SMPLModelData of a body with SMPL's 24 joints.

    Returns:
      [F] uint8, classes 1..24 of PARTS_24.

    Raises:
      ValueError: if the body does not have 24 joints.
    """
    return _argmax_labels(model_data.weights[model_data.faces].sum(axis=1))


def _argmax_labels(weights):
    if weights.shape[1] != 24:
        raise ValueError(
            f"Parts are the bones of SMPL's 24 joints; this body has {weights.shape[1]} joints."
        )
    return (weights.argmax(axis=1) + 1).astype(np.uint8)


def merge_labels(labels: TensorLike, scheme: PartScheme) -> np.ndarray | tf.Tensor:
    """Merges labels of REGIONS, and so of PARTS_24, into a coarser scheme.

    Args:
      labels: [...] integers 0..38, NumPy or tensor.
      scheme: the scheme wanted.

    Returns:
      [...] labels of `scheme` in the dtype and kind of `labels`.

    Raises:
      ValueError: if a NumPy label is not one of REGIONS.
    """
    return _lookup(scheme.from_regions, labels, REGIONS.name, _dtype(labels))


def mirror_labels(labels: np.ndarray | tf.Tensor, scheme: PartScheme) -> np.ndarray | tf.Tensor:
    """Mirrors label maps: columns reversed, left and right of the person exchanged.

    Args:
      labels: [..., H, W] integers, NumPy or tensor.
      scheme: the scheme of the labels.

    Returns:
      [..., H, W] in the dtype and kind of `labels`.

    Raises:
      ValueError: if a NumPy label is not one of the scheme's.
    """
    return _lookup(scheme.mirror, labels[..., ::-1], scheme.name, _dtype(labels))


def colour_code(labels: TensorLike, scheme: PartScheme) -> np.ndarray | tf.Tensor:
    """Paints label maps with the scheme's colours.

    Args:
      labels: [...] integers, NumPy or tensor.
      scheme: the scheme of the labels.

    Returns:
      [..., 3] uint8 RGB of the kind of `labels`.

    Raises:
      ValueError: if a NumPy label is not one of the scheme's.
    """
    return _lookup(scheme.colours, labels, scheme.name, np.uint8)


def decode_colours(pictures: TensorLike, scheme: PartScheme) -> np.ndarray | tf.Tensor:
    """Returns the class with the nearest colour; the inverse of `colour_code`.

    Args:
      pictures: [..., 3] RGB 0..255 of any dtype, NumPy or tensor; blurred or compressed colours
        go to the nearest class.
      scheme: the scheme of the labels.

    Returns:
      [...] uint8 labels of the kind of `pictures`.
    """
    cast, argmax = (tf.cast, tf.argmax) if tf.is_tensor(pictures) else (np.asarray, np.argmax)
    colours = scheme.colours.astype(np.float32)
    # |p - c|^2 up to |p|^2, which is the same for every class.
    nearness = cast(pictures, "float32") @ (2 * colours.T) - (colours**2).sum(axis=1)
    return cast(argmax(nearness, -1), "uint8")


def _lookup(table, labels, name, dtype):
    if tf.is_tensor(labels):
        return tf.cast(tf.gather(table, tf.cast(labels, tf.int32)), dtype)
    labels = np.asarray(labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < len(table):
        raise ValueError(
            f"Labels of {name} are 0..{len(table) - 1}; got {labels.min()}..{labels.max()}."
        )
    return table[labels].astype(dtype)


def _dtype(labels):
    return labels.dtype if tf.is_tensor(labels) else np.asarray(labels).dtype
