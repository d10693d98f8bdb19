"""NBF's cut into 12 parts on a body: the regions of bones that belong to another part.

NBF's own map of SMPL's vertices may not be copied. What is known of it is how many vertices of
which bone it gives to which part. Here these are the vertices that come first along the bone, seen
from the joint where the parts meet: as many, and so nearly the same. The counts of left and right
are averaged, so that a mirrored body has the mirrored cut. On a mesh with more or fewer vertices
than SMPL's the counts are in proportion.

Source: NBF's released template, by counts alone (elbows 70 each, knees 67 and 50, hips 59 each,
  collars 27 and 24, shoulders 91 and 86, neck 26, spine1 125; 754 of 6,890).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smpl_tf.model_data import SMPLModelData
from smpl_tf.parts import CUT_BONES, PARTS_24, face_labels, vertex_labels
from smpl_tf.skeleton import NUM_OFFICIAL_VERTICES, SMPL_24

# Their names in manifests and flags.
BONES_CUT, NBF_CUT = CUTS = ("bones", "nbf")

_MOST = 0.6  # of a bone's vertices, where a mesh is much unlike SMPL's


class _Rule(NamedTuple):
    """A rule for the vertices of a bone that belong to another part.

    Attributes:
      vertices: how many of SMPL's vertices; None: all that no earlier rule takes.
      start: the joint that they are nearest to.
      end: the order is along the way to this joint; None: by the distance from `start`.
    """

    vertices: int | None
    start: str
    end: str | None


def _rule(bone: str, part: str) -> _Rule:
    side = bone.split("_")[0]
    rules = {
        "elbow": _Rule(70, f"{side}_elbow", f"{side}_wrist"),
        "knee": _Rule(58, f"{side}_knee", f"{side}_ankle"),
        "hip": _Rule(59, f"{side}_hip", f"{side}_knee"),
        # With 6 parts a collar is torso, in NBF's cut all of it but the flat part is arm.
        "collar": _Rule(25 if part == "spine3" else None, f"{side}_collar", f"{side}_shoulder"),
        "spine1": _Rule(125, "spine2", "spine1"),
    }
    if bone == "spine3":
        return _Rule(26 if part == "neck" else 88, part, None)
    return rules[bone.split("_")[-1]]


def vertex_regions(model_data: SMPLModelData) -> np.ndarray:
    """Returns the region of each vertex by NBF's cut.

    Args:
      model_data: of a body with SMPL's 24 joints.

    Returns:
      [V] uint8, classes 1..38 of `parts.REGIONS`.

    Raises:
      ValueError: if the body does not have 24 joints.
    """
    return _regions(model_data, vertex_labels(model_data), model_data.v_template)


def face_regions(model_data: SMPLModelData) -> np.ndarray:
    """Returns the region of each face by NBF's cut.

    Args:
      model_data: of a body with SMPL's 24 joints.

    Returns:
      [F] uint8, classes 1..38 of `parts.REGIONS`.

    Raises:
      ValueError: if the body does not have 24 joints.
    """
    centres = model_data.v_template[model_data.faces].mean(axis=1)
    return _regions(model_data, face_labels(model_data), centres)


def face_labels_of(model_data: SMPLModelData, cut: str) -> np.ndarray:
    """Returns the label of each face by a cut.

    Args:
      model_data: of a body with SMPL's 24 joints.
      cut: one of `CUTS`.

    Returns:
      [F] uint8, classes of `parts.REGIONS`.
    """
    return face_regions(model_data) if cut == NBF_CUT else face_labels(model_data)


def _regions(model_data, labels, points):
    """Cuts the labels of points of the rest pose, vertices or centres of faces."""
    vertices, joints = model_data.v_template, model_data.J_regressor @ model_data.v_template
    left, regions = vertex_labels(model_data), labels.copy()
    for region, (bone, part) in enumerate(CUT_BONES, start=PARTS_24.num_classes):
        rule, of_bone = _rule(bone, part), SMPL_24.index(bone) + 1
        limit = np.inf
        if rule.vertices is not None:
            order = np.sort(_order(vertices[left == of_bone], rule, joints))
            count = round(rule.vertices * len(vertices) / NUM_OFFICIAL_VERTICES)
            count = min(count, int(_MOST * len(order)))
            # The cut lies between the last vertex that it takes and the next one.
            limit = order[count - 1 : count + 1].mean() if count else -np.inf
        left[(left == of_bone) & (_order(vertices, rule, joints) < limit)] = 0
        regions[(regions == of_bone) & (_order(points, rule, joints) < limit)] = region
    return regions


def _order(points, rule, joints):
    start = joints[SMPL_24.index(rule.start)]
    if rule.end is None:
        return np.linalg.norm(points - start, axis=-1)
    return (points - start) @ (joints[SMPL_24.index(rule.end)] - start)
