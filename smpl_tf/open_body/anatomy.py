"""Anatomy of the open body: proportions, sex differences, and how people vary.

Sources
  ANSUR II, men: medians and 95th percentiles of the public data of the 2012 Anthropometric Survey
    of U.S. Army Personnel (Gordon et al. 2014, Natick/TR-15/007), read from a third party's
    tabulation of the public male CSV file, not from the report itself. A standard deviation here
    is (95th percentile - median) / 1.645. The figures that the surface modules name are those
    medians divided by the median stature of 1755 mm.
  Women, joint centres, correlations and everything else are approximate and chosen by us.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from smpl_tf.skeleton import SMPL_24

# From a fraction of the reference's height to metres above the floor.
HeightScale = Callable[[float | np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Physique:
    """One person's build, relative to a slim adult between the sexes: the reference.

    Attributes:
      stature: metres.
      leg: leg length at equal stature.
      arm_length: shoulder to wrist, at equal stature.
      shoulder: shoulder breadth. hip: pelvis breadth. chest: rib cage.
      waist: girth at the waist. belly: what the belly adds in front, fraction of stature.
      girth: fat everywhere. muscle: deltoids, chest, arms and calves.
      bust: 0 a man's chest, 1 full breasts. butt: depth of the buttocks.
      thigh, calf, arm, forearm, neck: girths.
      head, hand, foot: sizes at equal stature. jaw: breadth of the jaw. nose: size of the nose.
    """

    stature: float = 1.69
    leg: float = 1.0
    arm_length: float = 1.0
    shoulder: float = 1.0
    hip: float = 1.0
    chest: float = 1.0
    waist: float = 1.0
    belly: float = 0.004
    girth: float = 1.0
    muscle: float = 1.0
    bust: float = 0.25
    butt: float = 1.0
    thigh: float = 1.0
    calf: float = 1.0
    arm: float = 1.0
    forearm: float = 1.0
    neck: float = 1.0
    head: float = 1.0
    jaw: float = 1.0
    nose: float = 1.0
    hand: float = 1.0
    foot: float = 1.0

    def as_vector(self) -> np.ndarray:
        """Returns the fields in order, float64."""
        return np.array(dataclasses.astuple(self))

    def towards(self, other: "Physique", fraction: float) -> "Physique":
        """Interpolates linearly to another build; 0 is this one, 1 the other."""
        return Physique(*((1 - fraction) * self.as_vector() + fraction * other.as_vector()))


REFERENCE = Physique()  # the mesh is made on this one
# The mean man has ANSUR II's median stature; the women's mean stature is chosen by us.
MEAN = {
    "male": Physique(
        stature=1.755, shoulder=1.055, hip=1.005, chest=1.035, waist=1.085, belly=0.008,
        girth=1.035, muscle=1.12, bust=0.0, butt=0.97, thigh=1.0, calf=0.98, arm=1.03,
        forearm=1.05, neck=1.06, jaw=1.06, nose=1.05, hand=1.015, foot=1.02, arm_length=1.005,
    ),
    "female": Physique(
        stature=1.628, shoulder=0.945, hip=1.045, chest=0.93, waist=0.955, belly=0.004,
        girth=1.095, muscle=0.86, bust=0.58, butt=1.06, thigh=1.03, calf=0.98, arm=0.94,
        forearm=0.90, neck=0.89, jaw=0.93, nose=0.94, hand=0.97, foot=0.97, arm_length=0.99,
        head=1.01,
    ),
}  # fmt: skip

_HEAD_JOINT_BELOW_CROWN = 0.103  # fraction of stature, times the head's size

# The change by one independent standard deviation of each trait. Products for
# the dimensionless fields, sums for stature (m), belly and bust. Spreads of stature and girths
# follow ANSUR II's men; the traits and their combinations are chosen by us.
_ADDED = ("stature", "belly", "bust")
TRAITS = {
    "stature": dict(stature=0.064, head=-0.018, hand=-0.004, foot=-0.004),
    "fat": dict(
        girth=0.090, waist=0.024, belly=0.0070, bust=0.08, neck=0.025, jaw=0.012
    ),
    "muscle": dict(
        muscle=0.16, shoulder=0.012, chest=0.016, arm=0.045, forearm=0.03, neck=0.035,
        thigh=0.02, calf=0.025, waist=-0.01,
    ),
    "leg_length": dict(leg=0.021),
    "arm_length": dict(arm_length=0.026, hand=0.006),
    "shoulder_breadth": dict(shoulder=0.036, chest=0.012),
    "hip_breadth": dict(hip=0.038, butt=0.03, thigh=0.012),
    "belly": dict(belly=0.0060, waist=0.024, butt=-0.015),
    "chest": dict(chest=0.03, bust=0.13),
    "legs_heavy": dict(thigh=0.048, calf=0.055, butt=0.03, arm=-0.01),
    "head": dict(head=0.033, jaw=0.03, neck=0.025),
    "face": dict(nose=0.12, jaw=-0.03),
    "hands_feet": dict(hand=0.040, foot=0.042, forearm=0.02),
}  # fmt: skip


def with_traits(physique: Physique, deviations: Iterable[float]) -> Physique:
    """Returns a build changed along `TRAITS` by that many standard deviations of each."""
    values = dataclasses.asdict(physique)
    for changes, deviation in zip(TRAITS.values(), deviations, strict=True):
        for field, change in changes.items():
            if field in _ADDED:
                # The variation of breasts and bellies is proportional to their size, and never
                # negative.
                values[field] = values[field] + change * deviation * (
                    0.25 + 1.2 * physique.bust if field == "bust" else 1.0
                )
            else:
                values[field] *= 1 + change * deviation
    values["bust"] = max(values["bust"], 0.0)
    values["belly"] = max(values["belly"], -0.008)
    return Physique(**values)


def height_scale(physique: Physique) -> HeightScale:
    """Returns the function from a fraction of the reference's height to metres above floor."""
    hip, reference_hip = 0.515 * physique.leg, 0.515
    torso = (1 - hip) / (1 - reference_hip)

    def height(fraction):
        stretched = np.where(
            np.asarray(fraction) > reference_hip,
            hip + (np.asarray(fraction) - reference_hip) * torso,
            np.asarray(fraction) * physique.leg,
        )
        return physique.stature * stretched

    return height


def rig(physique: Physique) -> np.ndarray:
    """Places SMPL's joints in a build that stands on the floor in the T-pose.

    Args:
      physique: the build.

    Returns:
      `[24, 3]` metres; y up from the floor, z forward, x to the person's left.
    """
    size, height = physique.stature, height_scale(physique)
    shoulder_x = 0.100 * physique.shoulder
    hip_x = 0.051 * physique.hip
    reach = physique.arm_length
    ankle = np.array([hip_x + 0.005, 0.0, -0.012])
    wrist_x = shoulder_x + 0.302 * reach
    midline = {
        "pelvis": (0.548, -0.004),
        "spine1": (0.610, -0.012),
        "spine2": (0.680, -0.014),
        "spine3": (0.722, -0.010),
        "neck": (0.846, -0.014),
    }
    left = {
        "hip": (hip_x, 0.506, -0.002),
        "knee": (hip_x + 0.008, 0.282, 0.0),
        "ankle": (ankle[0], 0.046, ankle[2]),
        "collar": (0.42 * shoulder_x, 0.798, -0.012),
        "shoulder": (shoulder_x, 0.803, -0.012),
        "elbow": (shoulder_x + 0.160 * reach, 0.800, -0.018),
        "wrist": (wrist_x, 0.801, -0.012),
        "hand": (wrist_x + 0.050 * physique.hand, 0.799, -0.010),
    }
    joints = np.zeros((24, 3))
    for name, (y, z) in midline.items():
        joints[SMPL_24.index(name)] = 0, height(y), z * size
    for name, (x, y, z) in left.items():
        joints[SMPL_24.index(f"left_{name}")] = x * size, height(y), z * size
    # Head and foot are rigid: their joints scale with their own sizes, not with the limbs.
    joints[SMPL_24.index("head"), 1] = size * (1 - _HEAD_JOINT_BELOW_CROWN * physique.head)
    joints[SMPL_24.index("left_foot")] = joints[SMPL_24.index("left_ankle")] + (
        np.array([0.010, -0.034, 0.072]) * size * physique.foot
    )
    for i, name in enumerate(SMPL_24.names):
        if name.startswith("right_"):
            joints[i] = joints[SMPL_24.mirror[i]] * [-1, 1, 1]
    return joints
