"""Torso and neck as implicit surfaces.

Numbers are fractions of stature. Heights, breadths, depths and girths follow ANSUR II's men where
it measures them (heights: crotch 0.481, trochanter 0.512, navel 0.601, nipple 0.734, axilla
0.757, suprasternale 0.819, cervicale 0.864; half breadths: hip 0.098, waist 0.093, chest 0.082;
depths: buttock 0.140, waist 0.133, chest 0.144; neck girth 0.225), thinned to the
reference build; muscles and folds are modelled by eye.
"""

import numpy as np

from smpl_tf.open_body import primitives as solid
from smpl_tf.open_body.anatomy import HeightScale, Physique
from smpl_tf.open_body.primitives import Field
from smpl_tf.skeleton import SMPL_24

_X, _Y, _Z = np.eye(3)


def _torso_sections(physique, flesh):
    """Returns rows (height, half width, front, back, 0, forward, exponent) of the bare torso."""
    waist = physique.waist * physique.girth
    hip = physique.hip * (1 + 0.95 * (physique.girth - 1))
    chest = physique.chest * (1 + 0.9 * (physique.girth - 1))
    shoulder, belly, butt = physique.shoulder, physique.belly, physique.butt * flesh
    # Flanks run smoothly from the hips into the waist, however wide either is.
    low, middle, high = (hip ** (1 - t) * waist**t for t in (0.15, 0.40, 0.70))
    front = np.array([0.0580 * low, 0.0610 * middle, 0.0615 * high, 0.0605 * waist])
    front += belly * np.array([0.30, 0.65, 0.90, 1.0])
    return np.array(
        [
            (0.476, 0.0220, 0.0260, 0.0300, 0, -0.004, 2.0),
            (0.490, 0.0600, 0.0450, 0.0520, 0, -0.004, 2.1),
            (0.515, 0.0905 * low, front[0], 0.0600 * butt, 0, -0.003, 2.2),
            (0.545, 0.0920 * middle, front[1], 0.0590 * butt, 0, -0.002, 2.3),
            (0.575, 0.0885 * high, front[2], 0.0535 * high, 0, 0, 2.3),
            (0.605, 0.0830 * waist, front[3], 0.0510 * waist, 0, 0.001, 2.3),
            (0.640, 0.0798 * waist, 0.0595 * waist + 0.90 * belly, 0.0510 * waist, 0, 0.001, 2.25),
            (0.680, 0.0815 * chest, 0.0605 * chest + 0.50 * belly, 0.0550 * chest, 0, 0, 2.25),
            (0.720, 0.0850 * chest, 0.0615 * chest + 0.15 * belly, 0.0600 * chest, 0, -0.002, 2.3),
            (0.760, 0.0865 * chest, 0.0575 * chest, 0.0635 * chest, 0, -0.005, 2.3),
            (0.790, 0.0810 * shoulder, 0.0490 * chest, 0.0570 * chest, 0, -0.008, 2.2),
            (0.815, 0.0630 * shoulder, 0.0365, 0.0430, 0, -0.011, 2.1),
            (0.838, 0.0330, 0.0255, 0.0310, 0, -0.012, 2.0),
        ]
    )  # fmt: skip


def torso(joints: np.ndarray, physique: Physique, flesh: float, height: HeightScale) -> Field:
    """Returns the field of the torso for points with x >= 0.

    Args:
      joints: `[24, 3]` metres, the rig.
      physique: the build.
      flesh: what fat adds to a muscle's size.
      height: from a fraction of the reference's height to metres.
    """
    size = physique.stature
    sections = _torso_sections(physique, flesh)
    sections[:, 0] = height(sections[:, 0])
    sections[:, 1:6] *= size
    trunk = solid.tube(np.zeros(3), np.stack([_Y, _X, _Z]), sections)

    chest = physique.chest * (1 + 0.9 * (physique.girth - 1))
    hip = physique.hip * (1 + 0.8 * (physique.girth - 1))
    butt = physique.butt * (1 + 0.7 * (physique.girth - 1))
    bust = physique.bust * (1 + 1.5 * (physique.girth - 1))
    muscle, waist = physique.muscle, physique.waist * physique.girth
    shoulder = joints[SMPL_24.index("left_shoulder")]
    neck = joints[SMPL_24.index("neck")]

    def at(x, y, z):
        return np.array([x * size, float(height(y)), z * size])

    def from_shoulder(x, y, z):
        return shoulder + np.array([x, y, z]) * size

    def ball(centre, radii):
        return solid.ellipsoid(centre, np.array(radii) * size)

    def rod(start, end, start_radius, end_radius):
        return solid.cone(start, end, start_radius * size, end_radius * size)

    glute = ball(at(0.0410 * hip, 0.503, -0.0420 * butt), (0.0440 * hip, 0.050, 0.0415 * butt))
    pectoral = ball(
        at(0.0420 * chest, 0.755, 0.0365 * chest),
        (0.0480 * chest, 0.0330, 0.0205 * chest * muscle**0.5),
    )
    breast = ball(
        at(0.0455 * chest, 0.731 - 0.007 * bust, (0.0460 * chest + 0.010 * bust)),
        (0.030 + 0.010 * bust, 0.026 + 0.013 * bust, 0.010 + 0.031 * bust),
    )
    # Trapezius and collarbone form the slope from the neck to the shoulder's tip.
    trapezius = rod(
        neck + np.array([0.010, 0.012, -0.012]) * size,
        from_shoulder(-0.022, 0.006, -0.004),
        0.0195 * physique.neck,
        0.0185 * flesh,
    )
    collarbone = rod(at(0.014, 0.813, 0.020), from_shoulder(-0.004, 0.006, 0.010), 0.0125, 0.0170)
    latissimus = rod(
        at(0.058 * chest, 0.700, -0.022),
        from_shoulder(0.010, -0.026, -0.014),
        0.030 * chest,
        0.0185 * flesh,
    )
    shoulder_blade = ball(at(0.050 * chest, 0.765, -0.0560 * chest), (0.032, 0.045, 0.0150))
    # Two ridges along the spine, and two along the belly, leave furrows between them.
    back_muscle = rod(
        at(0.0205, 0.600, -0.0360 * waist), at(0.0230, 0.740, -0.0480 * chest), 0.0175, 0.0170
    )
    belly_depth = 0.0500 * waist + 0.9 * physique.belly
    belly_muscle = rod(
        at(0.0195, 0.590, belly_depth - 0.0050), at(0.0205, 0.690, 0.0480 * chest), 0.0150, 0.0150
    )

    def field(points):
        mirrored = points * [-1, 1, 1]
        result = solid.union(trunk(points), glute(points), 0.018 * size)
        result = solid.union(result, glute(mirrored), 0.006 * size)
        result = solid.union(result, shoulder_blade(points), 0.020 * size)
        result = solid.union(result, back_muscle(points), 0.012 * size)
        result = solid.union(result, belly_muscle(points), 0.012 * size)
        result = solid.union(result, latissimus(points), 0.024 * size)
        result = solid.union(result, pectoral(points), 0.018 * size)
        breast_blend = (0.016 - 0.006 * min(physique.bust, 1.0)) * size
        result = solid.union(result, breast(points), breast_blend)
        result = solid.union(result, breast(mirrored), 0.010 * size)
        result = solid.union(result, collarbone(points), 0.018 * size)
        result = solid.union(result, trapezius(points), 0.020 * size)
        return solid.union(result, trapezius(mirrored), 0.020 * size)

    return field


def neck(
    joints: np.ndarray, physique: Physique, tragion: np.ndarray, height: HeightScale
) -> Field:
    """Returns the field of the neck for points with x >= 0; `tragion` is the head's origin."""
    size = physique.stature
    girth = physique.neck * (1 + 0.6 * (physique.girth - 1)) * size
    base, head = joints[SMPL_24.index("neck")], joints[SMPL_24.index("head")]
    axis = (head - base) / np.linalg.norm(head - base)
    column = solid.cone(
        base - 0.02 * size * axis, head + 0.02 * size * axis, 0.0325 * girth, 0.0305 * girth
    )
    head_size = size * physique.head
    sternum = np.array([0.0085 * size, float(height(0.818)), 0.0250 * size])
    mastoid = tragion + np.array([0.0345, -0.0180, -0.0120]) * head_size
    strap = solid.cone(sternum, mastoid, 0.0075 * girth, 0.0105 * girth)
    larynx = solid.ellipsoid(
        base + 0.5 * (head - base) + np.array([0, 0, 0.0300]) * girth,
        np.array([0.0080, 0.0130, 0.0070]) * girth,
    )

    def field(points):
        result = solid.union(column(points), strap(points), 0.012 * size)
        return solid.union(result, larynx(points), 0.008 * size)

    return field
