"""The head as an implicit surface: skull, jaw, face, ears.

Coordinates: fractions of stature times the head's size, from the point between the ear holes
(tragions): x to the person's left, y up, z forward. Overall sizes follow ANSUR II (head length
0.114, breadth 0.088, face breadth 0.0815, tragion to crown 0.075, pupils 0.0365 apart, ear length
0.0365 of stature); the features are modelled by eye.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.open_body import primitives as solid
from smpl_tf.open_body.primitives import Field

CROWN = 0.075  # height of the crown over the ear holes

# y, half width, front, back, side offset, offset forward, exponent
_FACE = (
    (-0.0585, 0.0090, 0.0080, 0.0120, 0, 0.0455, 2.0),
    (-0.0530, 0.0175, 0.0130, 0.0220, 0, 0.0415, 2.1),
    (-0.0420, 0.0262, 0.0185, 0.0300, 0, 0.0355, 2.2),
    (-0.0300, 0.0312, 0.0262, 0.0350, 0, 0.0305, 2.25),
    (-0.0150, 0.0350, 0.0307, 0.0400, 0, 0.0262, 2.25),
    (0.0000, 0.0372, 0.0310, 0.0450, 0, 0.0225, 2.2),
    (0.0150, 0.0388, 0.0315, 0.0480, 0, 0.0205, 2.2),
    (0.0300, 0.0375, 0.0310, 0.0480, 0, 0.0200, 2.2),
    (0.0420, 0.0330, 0.0260, 0.0400, 0, 0.0190, 2.1),
)


def head(origin: np.ndarray, size: float, jaw: float, nose: float) -> Field:
    """Returns the field of the head for points with x >= 0 (the face is its own mirror image).

    Args:
      origin: `[3]` metres, the point between the ear holes.
      size: metres per unit of this module's coordinates.
      jaw: breadth of the jaw, 1 the reference's.
      nose: size of the nose, 1 the reference's.
    """

    def at(x, y, z):
        return origin + np.array([x, y, z]) * size

    def ball(centre, radii, rotation=None):
        return solid.ellipsoid(at(*centre), np.array(radii) * size, rotation)

    def rod(start, end, start_radius, end_radius):
        return solid.cone(at(*start), at(*end), start_radius * size, end_radius * size)

    sections = np.array(_FACE)
    sections[:, :6] *= size
    lower = np.interp(np.array(_FACE)[:, 0], [-0.03, 0.01], [jaw, 1.0])
    sections[:, 1] *= lower
    face = solid.tube(origin, np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, 1]]), sections)

    forehead = ball((0, 0.0275, 0.0115), (0.0385, 0.0415, 0.0415))
    occiput = ball((0, 0.0255, -0.0145), (0.0425, 0.0455, 0.0430))
    mandible = rod((0.0275 * jaw, -0.033, 0.004), (0.0085 * jaw, -0.0495, 0.044), 0.0095, 0.0095)
    chin = ball((0, -0.0490, 0.0462), (0.0125 * jaw, 0.0088, 0.0112))
    cheekbone = ball((0.0282, -0.0010, 0.0300), (0.0112, 0.0085, 0.0130))
    socket = ball((0.0188, 0.0105, 0.0545), (0.0128, 0.0085, 0.0098))
    eyeball = ball((0.0183, 0.0107, 0.0376), (0.0100, 0.0078, 0.0084))
    lid_crease = rod((0.0110, 0.0165, 0.0490), (0.0265, 0.0160, 0.0445), 0.0010, 0.0010)
    brow = rod((0.0060, 0.0190, 0.0490), (0.0275, 0.0200, 0.0400), 0.0052, 0.0040)
    bridge = rod((0, 0.0135, 0.0490), (0, -0.0115, 0.0655), 0.0036 * nose, 0.0060 * nose)
    tip = ball((0, -0.0125, 0.0655), np.array((0.0066, 0.0060, 0.0070)) * nose)
    nostril = ball((0.0066 * nose, -0.0150, 0.0600), np.array((0.0042, 0.0044, 0.0064)) * nose)
    upper_lip = rod((0.0015, -0.0272, 0.0578), (0.0145, -0.0306, 0.0528), 0.0040, 0.0018)
    lower_lip = rod((0, -0.0352, 0.0570), (0.0125, -0.0318, 0.0525), 0.0044, 0.0020)
    mouth = rod((0, -0.0312, 0.0630), (0.0160, -0.0312, 0.0555), 0.0014, 0.0012)
    # The ear is a disc whose rear edge is away from the head.
    turned = Rotation.from_euler("yx", [-28, -8], degrees=True).as_matrix()
    auricle = ball((0.0480, 0.0025, -0.0095), (0.0036, 0.0180, 0.0112), turned.T)
    concha = ball((0.0520, 0.0030, -0.0052), (0.0042, 0.0108, 0.0056), turned.T)

    def field(points):
        skull = solid.union(forehead(points), occiput(points), 0.030 * size)
        result = solid.union(face(points), skull, 0.014 * size)
        result = solid.union(result, mandible(points), 0.012 * size)
        result = solid.union(result, chin(points), 0.010 * size)
        result = solid.union(result, cheekbone(points), 0.012 * size)
        result = solid.union(result, brow(points), 0.008 * size)
        result = solid.carve(result, socket(points), 0.009 * size)
        result = solid.union(result, eyeball(points), 0.0025 * size)
        result = solid.carve(result, lid_crease(points), 0.0020 * size)
        beak = solid.union(bridge(points), tip(points), 0.005 * size)
        beak = solid.union(beak, nostril(points), 0.0035 * size)
        result = solid.union(result, beak, 0.0065 * size)
        lips = np.minimum(upper_lip(points), lower_lip(points))
        result = solid.union(result, lips, 0.0045 * size)
        result = solid.carve(result, mouth(points), 0.0025 * size)
        ear = solid.carve(auricle(points), concha(points), 0.0035 * size)
        return solid.union(result, ear, 0.0035 * size)

    return field
