"""Names for anatomical places on the skin: vertex ids found by rules, not by hand.

Every rule is in terms of joints and body axes, so it applies to any body with SMPL's rig whose
template is in the T-pose (y up, z forward, x to the person's left; palms down, toes forward).
Rules place the left side; the right side is its mirror image, vertex by vertex.
"""

import numpy as np

from smpl_tf.skeleton import SMPL_24

_UP, _DOWN = np.array([0.0, 1.0, 0.0]), np.array([0.0, -1.0, 0.0])
_FRONT, _BACK = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, -1.0])
_OUT, _IN = np.array([1.0, 0.0, 0.0]), np.array([-1.0, 0.0, 0.0])

# Landmark: (from joint, to joint, fraction of the way, direction of the ray to the skin, parts
# the landmark may lie on). "Inner" and "outer" are those of a person standing with hanging arms:
# in the T-pose the inside of the upper arm looks down. The inside of the elbow is its crook.
_TORSO = ("pelvis", "spine1", "spine2", "spine3")
_THIGH = ("pelvis", "left_hip", "left_knee")
_ARM = ("spine3", "left_collar", "left_shoulder", "left_elbow", "left_wrist")
_LEG = ("left_hip", "left_knee", "left_ankle")
_LEFT_RAYS = {
    # SMPLR's points (paper 3.2). Fractions give about the paper's template lengths.
    "left_hip_side": ("pelvis", "left_hip", 0.3, _OUT, _THIGH),
    "left_thigh_front": ("left_hip", "left_knee", 0.33, _FRONT, _THIGH),
    "left_thigh_back": ("left_hip", "left_knee", 0.33, _BACK, _THIGH),
    "left_biceps": ("left_shoulder", "left_elbow", 0.45, _FRONT, _ARM),
    "left_triceps": ("left_shoulder", "left_elbow", 0.45, _BACK, _ARM),
    # UP's points.
    "left_shoulder_top": ("left_shoulder", "left_elbow", 0.0, _UP, _ARM),
    "left_shoulder_front": ("left_shoulder", "left_elbow", 0.0, _FRONT, _ARM),
    "left_shoulder_back": ("left_shoulder", "left_elbow", 0.0, _BACK, _ARM),
    "left_upper_arm_outer": ("left_shoulder", "left_elbow", 0.55, _UP, _ARM),
    "left_upper_arm_inner": ("left_shoulder", "left_elbow", 0.55, _DOWN, _ARM),
    "left_elbow_top": ("left_elbow", "left_wrist", 0.0, _UP, _ARM),
    "left_elbow_bottom": ("left_elbow", "left_wrist", 0.0, _DOWN, _ARM),
    "left_elbow_inner": ("left_elbow", "left_wrist", 0.0, _FRONT, _ARM),
    "left_elbow_outer": ("left_elbow", "left_wrist", 0.0, _BACK, _ARM),
    "left_lower_arm_upper": ("left_elbow", "left_wrist", 0.4, _UP, _ARM),
    "left_lower_arm_lower": ("left_elbow", "left_wrist", 0.4, _DOWN, _ARM),
    "left_hip_front": ("left_hip", "left_knee", 0.0, _FRONT, _THIGH),
    "left_hip_back": ("left_hip", "left_knee", 0.0, _BACK, _THIGH),
    "left_hip_outer": ("left_hip", "left_knee", 0.0, _OUT, _THIGH),
    "left_upper_leg_front": ("left_hip", "left_knee", 0.55, _FRONT, _LEG),
    "left_upper_leg_back": ("left_hip", "left_knee", 0.55, _BACK, _LEG),
    "left_upper_leg_inner": ("left_hip", "left_knee", 0.55, _IN, _LEG),
    "left_upper_leg_outer": ("left_hip", "left_knee", 0.55, _OUT, _LEG),
    "left_knee_front": ("left_knee", "left_ankle", 0.0, _FRONT, _LEG),
    "left_knee_back": ("left_knee", "left_ankle", 0.0, _BACK, _LEG),
    "left_knee_inner": ("left_knee", "left_ankle", 0.0, _IN, _LEG),
    "left_knee_outer": ("left_knee", "left_ankle", 0.0, _OUT, _LEG),
    "left_lower_leg_front": ("left_knee", "left_ankle", 0.35, _FRONT, _LEG),
    "left_lower_leg_back": ("left_knee", "left_ankle", 0.35, _BACK, _LEG),
    "left_lower_leg_inner": ("left_knee", "left_ankle", 0.35, _IN, _LEG),
    "left_lower_leg_outer": ("left_knee", "left_ankle", 0.35, _OUT, _LEG),
    "left_ankle_inner": ("left_knee", "left_ankle", 1.0, _IN, _LEG),
    "left_ankle_outer": ("left_knee", "left_ankle", 1.0, _OUT, _LEG),
    "left_waist": ("spine1", "spine2", 0.0, _OUT, _TORSO),
}
_MIDLINE_RAYS = {
    "belly": ("pelvis", "spine1", 0.75, _FRONT, _TORSO),
    "belly_button": ("pelvis", "spine1", 0.75, _FRONT, _TORSO),
    "solar_plexus": ("spine2", "spine3", 0.35, _FRONT, _TORSO),
    "waist_back": ("spine1", "spine2", 0.0, _BACK, _TORSO),
    "shoulderblade_center": ("spine3", "neck", 0.3, _BACK, _TORSO),
    "lsp_neck": ("neck", "head", -0.15, _FRONT, ("spine3", "neck")),
    "throat": ("neck", "head", 0.35, _FRONT, ("spine3", "neck")),
}


def place_landmarks(
    vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, vertex_mirror: np.ndarray
) -> dict[str, int]:
    """Finds SMPLR's 18 and UP's 79 landmarks on a template.

    Args:
      vertices: `[V, 3]` metres, the template in the T-pose, mirror-symmetric about x = 0.
      joints: `[24, 3]` metres, SMPL's joints in it.
      weights: `[V, 24]` skinning weights; the largest names a vertex's part.
      vertex_mirror: `[V]` each vertex's mirror image; itself on the midline.

    Returns:
      Landmark name to vertex id, in a fixed order. Two names may share a vertex, as they do in
      SMPL ("nose" and SMPLR's "face").
    """
    part = np.argmax(weights, axis=1)
    on_midline = vertex_mirror == np.arange(len(vertices))
    # A vertex may lie on x = 0 by symmetry only; left means strictly left.
    on_left = (vertices[:, 0] > 0) & ~on_midline

    def within(names, side):
        return side & np.isin(part, SMPL_24.indices(names))

    def along_ray(rule, side):
        start, end, fraction, direction, parts = rule
        a, b = joints[SMPL_24.index(start)], joints[SMPL_24.index(end)]
        return nearest_to_ray(a + fraction * (b - a), direction, within(parts, side))

    def nearest_to_ray(origin, direction, candidates):
        offset = vertices - origin
        depth = offset @ direction
        distance = np.linalg.norm(offset - depth[:, None] * direction, axis=1)
        return int(np.argmin(np.where(candidates & (depth > 0), distance, np.inf)))

    def farthest(direction, candidates):
        return int(np.argmax(np.where(candidates, vertices @ direction, -np.inf)))

    midline = {name: along_ray(rule, on_midline) for name, rule in _MIDLINE_RAYS.items()}
    left = {name: along_ray(rule, on_left) for name, rule in _LEFT_RAYS.items()}

    head_middle, head_left = within(("head",), on_midline), within(("head",), on_left)
    midline["head_top"] = farthest(_UP, head_middle)
    midline["nose"] = midline["face"] = farthest(_FRONT, head_middle)
    top, nose = vertices[midline["head_top"]], vertices[midline["nose"]]
    # Fractions of the height from nose tip to crown, which are similar in all faces.
    height = top[1] - nose[1]
    middle_of_head = np.array([0.0, nose[1] + 0.35 * height, joints[SMPL_24.index("head"), 2]])
    midline["head_back"] = nearest_to_ray(middle_of_head, _BACK, head_middle)
    left["left_eye"] = nearest_to_ray(
        middle_of_head + [0.205 * height, -0.12 * height, 0], _FRONT, head_left
    )
    left["left_mouth_corner"] = nearest_to_ray(
        middle_of_head + [0.145 * height, -0.56 * height, 0], _FRONT, head_left
    )
    left["left_ear"] = farthest(_OUT, head_left)

    chest = within((*_TORSO, "left_collar", "left_shoulder"), on_left)
    height_of_breast = (
        0.55 * joints[SMPL_24.index("spine3")] + 0.45 * joints[SMPL_24.index("spine2")]
    )
    breast = chest & (np.abs(vertices[:, 1] - height_of_breast[1]) < 0.06)
    left["left_breast"] = left["left_papilla"] = farthest(_FRONT, breast)

    foot = within(("left_foot",), on_left)
    left["left_foot_tip"] = farthest(_FRONT, foot)
    inner_foot = foot & (vertices[:, 0] < np.median(vertices[foot, 0]))
    left["left_big_toe"] = farthest(_FRONT, inner_foot)
    left["left_heel"] = farthest(_BACK, within(("left_ankle", "left_foot"), on_left))
    left["left_hand_tip"] = farthest(_OUT, within(("left_hand",), on_left))

    right = {
        "right_" + name.removeprefix("left_"): int(vertex_mirror[vertex])
        for name, vertex in left.items()
    }
    return dict(sorted({**midline, **left, **right}.items()))
