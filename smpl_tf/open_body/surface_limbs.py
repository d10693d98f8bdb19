"""Arm, hand, leg and foot of the left side as implicit surfaces.

Numbers are fractions of stature. Girths follow ANSUR II (biceps flexed 0.203, forearm flexed
0.177, wrist 0.100, thigh 0.356, lower thigh 0.233, calf 0.223, ankle 0.130), hand and foot its
lengths and breadths (0.110 x 0.050; 0.154 x 0.058); where muscles lie on a limb is modelled by
eye. `flesh` is what fat adds to a limb's girth.
"""

import numpy as np

from smpl_tf.open_body import primitives as solid
from smpl_tf.open_body.anatomy import Physique
from smpl_tf.open_body.primitives import Field
from smpl_tf.skeleton import SMPL_24

_X, _Y, _Z = np.eye(3)


def _scaled(sections, length, width):
    """Scales the section rows: first column by `length`, widths and offsets by `width`."""
    sections = np.array(sections, float)
    sections[:, 0] *= length
    sections[:, 1:6] *= np.reshape(width, (-1, 1))
    return sections


def _joint(joints, name):
    return joints[SMPL_24.index(f"left_{name}")]


def arm(joints: np.ndarray, physique: Physique, flesh: float) -> Field:
    """Returns the field of the arm from the shoulder to the wrist, deltoid included."""
    size = physique.stature
    shoulder, elbow, wrist = (_joint(joints, name) for name in ("shoulder", "elbow", "wrist"))
    upper = physique.arm * flesh * size
    lower = physique.forearm * flesh * size
    muscle = physique.muscle
    # along, half width (y), front, back, side offset (y), front offset, exponent
    upper_arm = solid.tube(
        shoulder,
        solid.frame_along(elbow - shoulder),
        _scaled(
            (
                (-0.10, 0.0290, 0.0270, 0.0290, 0, 0.000, 2.0),
                (0.00, 0.0310, 0.0285, 0.0310, 0, 0.000, 2.0),
                (0.25, 0.0308, 0.0285, 0.0305, 0, 0.000, 2.0),
                (0.55, 0.0285, 0.0290, 0.0285, 0, 0.000, 2.0),
                (0.85, 0.0240, 0.0250, 0.0235, 0, 0.000, 2.0),
                (1.00, 0.0240, 0.0240, 0.0235, 0, 0.000, 2.0),
                (1.08, 0.0225, 0.0230, 0.0215, 0, 0.000, 2.0),
            ),
            np.linalg.norm(elbow - shoulder),
            upper,
        ),
    )
    forearm = solid.tube(
        elbow,
        solid.frame_along(wrist - elbow),
        _scaled(
            (
                (-0.08, 0.0225, 0.0225, 0.0220, 0, 0.000, 2.0),
                (0.00, 0.0240, 0.0245, 0.0240, 0, 0.000, 2.0),
                (0.20, 0.0262, 0.0285, 0.0255, 0, 0.001, 2.0),
                (0.45, 0.0232, 0.0260, 0.0232, 0, 0.001, 2.0),
                (0.75, 0.0160, 0.0188, 0.0177, 0, 0.000, 2.1),
                (1.00, 0.0126, 0.0166, 0.0162, 0, 0.000, 2.2),
                (1.06, 0.0126, 0.0166, 0.0162, 0, 0.000, 2.2),
            ),
            np.linalg.norm(wrist - elbow),
            lower,
        ),
    )

    def on_upper_arm(fraction, y, z):
        return shoulder + fraction * (elbow - shoulder) + np.array([0, y, z]) * upper

    bulk = upper * muscle**0.5
    biceps = solid.ellipsoid(
        on_upper_arm(0.56, -0.002, 0.0115), np.array([0.048, 0.0165, 0.0185]) * bulk
    )
    triceps = solid.ellipsoid(
        on_upper_arm(0.42, -0.003, -0.0125),
        np.array([0.055, 0.0190, 0.0185]) * bulk,
    )
    # The deltoid covers the joint; its bulk is beyond and in front of it. Bulk above would form a
    # ball as soon as the arm hangs.
    deltoid = solid.ellipsoid(
        shoulder + np.array([0.020, -0.0045, 0.001]) * size,
        np.array([0.044, 0.0290, 0.0330]) * physique.arm * flesh * size * muscle**0.35,
    )
    olecranon = solid.ellipsoid(
        elbow + np.array([-0.002, 0, -0.0195]) * lower, np.array([0.014, 0.010, 0.0075]) * lower
    )

    def field(points):
        result = solid.union(upper_arm(points), forearm(points), 0.012 * size)
        result = solid.union(result, biceps(points), 0.010 * size)
        result = solid.union(result, triceps(points), 0.012 * size)
        result = solid.union(result, olecranon(points), 0.008 * size)
        return solid.union(result, deltoid(points), 0.018 * size)

    return field


# Palm: along x from the wrist, half width (z is its front), see `solid.tube`.
_PALM = (
    (-0.004, 0.0124, 0.0162, 0.0160, 0.0000, 0.000, 2.2),
    (0.010, 0.0132, 0.0188, 0.0182, -0.0005, 0.000, 2.3),
    (0.028, 0.0132, 0.0228, 0.0222, -0.0010, 0.001, 2.4),
    (0.046, 0.0108, 0.0248, 0.0235, -0.0010, 0.001, 2.6),
    (0.056, 0.0080, 0.0235, 0.0222, -0.0010, 0.001, 2.6),
    (0.061, 0.0040, 0.0195, 0.0185, -0.0010, 0.001, 2.4),
)
# Fingers: z at the knuckle, length, radius, how far the tip fans out in z.
_FINGERS = (
    (0.0190, 0.0475, 0.0058, 0.0065),
    (0.0064, 0.0535, 0.0060, 0.0014),
    (-0.0062, 0.0500, 0.0057, -0.0036),
    (-0.0180, 0.0400, 0.0050, -0.0085),
)


def hand(joints: np.ndarray, physique: Physique) -> Field:
    """Returns the field of the hand: palm down, fingers a little bent and spread."""
    size = physique.stature * physique.hand
    wrist = _joint(joints, "wrist")

    def at(x, y, z):
        return wrist + np.array([x, y, z]) * size

    palm = solid.tube(wrist, np.stack([_X, _Y, _Z]), _scaled(_PALM, size, size))
    fingers = []
    for z, length, radius, fan in _FINGERS:
        knuckle = 0.0505 - 6.0 * z * z - (0.002 if z < -0.01 else 0)
        steps = np.array([0.0, 0.46, 0.76, 1.0])
        bend = np.array([0.0005, -0.0003, -0.0030, -0.0068])
        points = [
            at(knuckle + length * s, b, z + fan * s) for s, b in zip(steps, bend, strict=True)
        ]
        radii = radius * size * np.array([1.12, 1.0, 0.90, 0.74])
        fingers.append(solid.polyline(points, radii))
    thumb = solid.polyline(
        [at(0.010, -0.004, 0.012), at(0.0285, -0.0085, 0.0310), at(0.041, -0.0105, 0.0385),
         at(0.0525, -0.0115, 0.0425)],
        np.array([0.0105, 0.0078, 0.0070, 0.0054]) * size,
    )  # fmt: skip
    thenar = solid.ellipsoid(at(0.024, -0.0075, 0.0155), np.array([0.019, 0.0085, 0.0105]) * size)
    heel = solid.ellipsoid(at(0.024, -0.0065, -0.0135), np.array([0.020, 0.0075, 0.0090]) * size)

    def field(points):
        result = solid.union(palm(points), thenar(points), 0.006 * size)
        result = solid.union(result, heel(points), 0.006 * size)
        for finger in fingers:
            result = solid.union(result, finger(points), 0.0032 * size)
        return solid.union(result, thumb(points), 0.0070 * size)

    return field


def leg(joints: np.ndarray, physique: Physique, flesh: float) -> tuple[Field, Field]:
    """Returns two fields: the leg from the hip to the ankle, and its thigh alone."""
    size = physique.stature
    hip, knee, ankle = (_joint(joints, name) for name in ("hip", "knee", "ankle"))
    upper = physique.thigh * flesh * size
    lower = physique.calf * (1 + 0.6 * (flesh - 1)) * size
    both = np.sqrt(upper * lower)
    # along, half width (x), front, back, outward, forward, exponent
    thigh = solid.tube(
        hip,
        solid.frame_along(knee - hip),
        _scaled(
            (
                (-0.18, 0.0330, 0.0380, 0.0380, -0.0020, -0.001, 2.0),
                (-0.02, 0.0455, 0.0500, 0.0530, -0.0010, -0.001, 2.1),
                (0.12, 0.0478, 0.0535, 0.0555, 0.0005, -0.002, 2.1),
                (0.30, 0.0458, 0.0530, 0.0525, 0.0005, -0.002, 2.1),
                (0.55, 0.0405, 0.0480, 0.0450, 0, -0.001, 2.1),
                (0.80, 0.0345, 0.0390, 0.0370, 0, -0.001, 2.1),
                (1.00, 0.0318, 0.0335, 0.0330, 0, 0, 2.1),
                (1.06, 0.0300, 0.0310, 0.0310, 0, 0, 2.1),
            ),
            np.linalg.norm(knee - hip),
            [upper] * 5 + [both, lower, lower],
        ),
    )
    shank = solid.tube(
        knee,
        solid.frame_along(ankle - knee),
        _scaled(
            (
                (-0.08, 0.0305, 0.0300, 0.0300, 0, 0, 2.1),
                (0.05, 0.0312, 0.0305, 0.0325, 0, 0, 2.1),
                (0.15, 0.0318, 0.0295, 0.0365, 0, 0, 2.0),
                (0.30, 0.0345, 0.0290, 0.0415, 0.001, 0, 2.0),
                (0.48, 0.0310, 0.0275, 0.0365, 0.001, 0, 2.0),
                (0.70, 0.0230, 0.0235, 0.0255, 0, 0, 2.0),
                (0.90, 0.0172, 0.0198, 0.0205, 0, 0, 2.0),
                (1.00, 0.0178, 0.0212, 0.0228, 0, 0, 2.0),
                (1.06, 0.0180, 0.0220, 0.0230, 0, 0, 2.0),
            ),
            np.linalg.norm(ankle - knee),
            lower,
        ),
    )

    def near(joint, x, y, z, radii):
        return solid.ellipsoid(joint + np.array([x, y, z]) * lower, np.array(radii) * lower)

    patella = near(knee, 0, 0.003, 0.0255, (0.0170, 0.0230, 0.0125))
    calf_inner = near(knee + 0.28 * (ankle - knee), -0.0120, 0, -0.0230, (0.0165, 0.062, 0.0175))
    calf_outer = near(knee + 0.24 * (ankle - knee), 0.0130, 0, -0.0210, (0.0155, 0.052, 0.0165))
    shin = solid.cone(
        knee + np.array([-0.003, -0.030, 0.0215]) * lower,
        ankle + np.array([-0.004, 0.050, 0.0140]) * lower,
        0.0085 * lower,
        0.0080 * lower,
    )
    malleoli = near(ankle, 0, 0.001, 0.001, (0.0222, 0.0090, 0.0100))

    def field(points):
        result = solid.union(thigh(points), shank(points), 0.010 * size)
        result = solid.union(result, patella(points), 0.014 * size)
        result = solid.union(result, calf_inner(points), 0.014 * size)
        result = solid.union(result, calf_outer(points), 0.014 * size)
        result = solid.union(result, shin(points), 0.012 * size)
        return solid.union(result, malleoli(points), 0.010 * size)

    return field, thigh


# Foot: distance forward of the ankle, half width, height of the instep, sole, outward offset,
# exponent. It ends at the ball; the toes are their own solids.
_FOOT = (
    (-0.0355, 0.0060, 0.0240, 0.0085, 0.0000, 2.0),
    (-0.0315, 0.0140, 0.0370, 0.0030, 0.0000, 2.2),
    (-0.0190, 0.0198, 0.0520, 0.0000, 0.0000, 2.3),
    (0.0000, 0.0206, 0.0600, 0.0000, 0.0000, 2.3),
    (0.0220, 0.0208, 0.0575, 0.0010, 0.0005, 2.3),
    (0.0450, 0.0228, 0.0440, 0.0015, 0.0012, 2.3),
    (0.0660, 0.0268, 0.0320, 0.0005, 0.0015, 2.4),
    (0.0800, 0.0285, 0.0250, 0.0000, 0.0010, 2.5),
    (0.0910, 0.0270, 0.0195, 0.0010, 0.0000, 2.5),
    (0.0970, 0.0230, 0.0150, 0.0030, 0.0000, 2.3),
)
# Toes from the big one outward: outward offset, forward reach of root and tip, radius.
_TOES = (
    (-0.0175, 0.0830, 0.1120, 0.0094),
    (-0.0050, 0.0860, 0.1105, 0.0064),
    (0.0055, 0.0840, 0.1065, 0.0060),
    (0.0148, 0.0800, 0.1010, 0.0057),
    (0.0232, 0.0740, 0.0940, 0.0056),
)


def foot(joints: np.ndarray, physique: Physique) -> Field:
    """Returns the field of the foot, which stands on the floor y = 0, toes a little outward."""
    size = physique.stature * physique.foot
    ankle = _joint(joints, "ankle")
    turn = np.deg2rad(7)
    forward = np.array([np.sin(turn), 0, np.cos(turn)])
    outward = np.array([np.cos(turn), 0, -np.sin(turn)])
    ground = np.array([ankle[0], 0, ankle[2]])

    def at(ahead, out, up):
        return ground + (forward * ahead + outward * out + _Y * up) * size

    sections = [
        (
            ahead * size,
            width * size,
            *[(top - sole) / 2 * size] * 2,
            aside * size,
            (top + sole) / 2 * size,
            power,
        )
        for ahead, width, top, sole, aside, power in _FOOT
    ]
    body = solid.tube(ground, np.stack([forward, outward, _Y]), sections)
    toes = []
    for out, root, tip, radius in _TOES:
        middle = 0.45 * root + 0.55 * tip
        points = [
            at(root, out, 1.30 * radius),
            at(middle, 1.03 * out, 1.20 * radius),
            at(tip, 1.05 * out, 0.88 * radius),
        ]
        toes.append(solid.polyline(points, np.array([1.05, 0.92, 0.88]) * radius * size))
    heel_cord = solid.cone(
        at(-0.026, 0, 0.030), at(-0.020, 0, 0.085), 0.0085 * size, 0.0085 * size
    )

    def field(points):
        result = solid.union(body(points), heel_cord(points), 0.014 * size)
        for toe in toes:
            result = solid.union(result, toe(points), 0.0030 * size)
        return result

    return field
