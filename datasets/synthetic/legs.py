"""Motion of legs and pelvis, as distributions over named joint angles in degrees.

The numbers are the author's own observations of people, rounded; gait angles follow the usual
curves of hip and knee over a cycle (approximate). Limits are applied later, see `poses.limited`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from datasets.synthetic import poses


class Activity(NamedTuple):
    """An activity of the legs and the pelvis."""

    share: float
    sample: Callable[[np.random.Generator], poses.Angles]
    arms: tuple[str, ...]  # the matching motion of the arms


_PLANTED = poses.both(planted=1)


def _stand(rng):
    stance = abs(rng.normal(4, 4))
    return _PLANTED | poses.both(
        abduction=stance, inversion=stance / 2, hip_rotation=rng.normal(8, 5)
    )


def _weight_on_one_leg(rng):
    shift, knee = rng.uniform(2, 9), rng.uniform(10, 35)
    return (
        _PLANTED
        | {"roll": shift, "spine_bend": -1.3 * shift}
        | poses.left(abduction=-shift + 4, hip_rotation=rng.normal(8, 6))
        | poses.right(thigh=knee * 0.6, knee=knee, abduction=shift + rng.uniform(2, 8))
        | poses.right(hip_rotation=rng.normal(18, 8))
    )


def _wide_stance(rng):
    stance = rng.uniform(12, 32)
    return (
        _PLANTED
        | poses.both(abduction=stance, inversion=-stance / 2, hip_rotation=rng.normal(14, 6))
        | poses.left(thigh=rng.uniform(0, 25), knee=rng.uniform(0, 40))
        | {"lean": rng.normal(5, 5)}
    )


def _gait_leg(phase, running):
    """Angles of thigh and knee of one leg; phase 0 = the foot touches the ground in front."""
    if running:
        thigh = 22 + 38 * np.cos(phase)
        knee = 55 + 45 * np.cos(phase + 1.9) + 12 * np.cos(2 * phase + 0.5)
        return thigh, knee
    thigh = 7 + 22 * np.cos(phase)
    knee = 26 + 24 * np.cos(phase + 1.75) + 12 * np.cos(2 * phase + 0.6)
    return thigh, knee


def _gait(rng, running):
    phase, vigour = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.15)
    legs = {"gait": phase, "lean": rng.normal(12 if running else 4, 3)}
    for side, own in (("left", phase), ("right", phase + np.pi)):
        thigh, knee = _gait_leg(own, running)
        in_front = np.cos(own) > 0.2
        legs |= {
            f"{side}_thigh": vigour * thigh,
            f"{side}_knee": vigour * knee,
            f"{side}_planted": 0 if running else 1,
            f"{side}_ankle": (8 if in_front else -14) + (-6 if running else 0),
            f"{side}_hip_rotation": rng.normal(6, 4),
            f"{side}_toes": 0 if in_front else 20,
        }
    legs["spine_twist"] = -6 * vigour * np.cos(phase)
    return legs


def _walk(rng):
    return _gait(rng, running=False)


def _run(rng):
    return _gait(rng, running=True)


def _step_up(rng):
    thigh = rng.uniform(35, 75)
    return (
        _PLANTED
        | poses.left(thigh=thigh, knee=thigh + rng.normal(5, 8))
        | poses.right(thigh=rng.normal(-5, 5), knee=abs(rng.normal(5, 6)), ankle=-8)
        | {"lean": rng.normal(10, 5)}
    )


def _crouch(rng):
    depth = rng.uniform(0.3, 1)
    apart = rng.uniform(4, 22)
    return (
        _PLANTED
        | poses.both(thigh=105 * depth, knee=132 * depth + rng.normal(0, 4), abduction=apart)
        | poses.both(hip_rotation=apart, ankle=-6 * depth)
        | {"lean": 18 + rng.uniform(-5, 20) * depth, "spine_flexion": rng.uniform(5, 35) * depth}
        | {"neck_flexion": -20 * depth}
    )


def _lunge(rng):
    depth = rng.uniform(0.4, 1)
    return (
        poses.left(planted=1, thigh=80 * depth, knee=88 * depth, hip_rotation=rng.normal(4, 5))
        | poses.right(
            thigh=-28 * depth, knee=rng.uniform(5, 60) * depth, ankle=15, toes=35 * depth
        )
        | poses.right(hip_rotation=rng.normal(0, 5))
        | {"lean": rng.uniform(0, 22)}
    )


def _bend(rng):
    depth = rng.uniform(0.25, 1)
    knee = rng.uniform(0, 30)
    return (
        _PLANTED
        | poses.both(thigh=knee * 0.4 - 6 * depth, knee=knee, abduction=rng.uniform(2, 12))
        | {"lean": 65 * depth, "spine_flexion": rng.uniform(15, 55) * depth}
        | {"spine_twist": rng.normal(0, 12), "neck_flexion": rng.uniform(-35, 20) * depth}
    )


def _bend_aside(rng):
    side = rng.uniform(12, 30)
    return _stand(rng) | {"spine_bend": side, "neck_bend": side * 0.5, "roll": -side * 0.2}


def _sit(rng):
    thigh, apart = rng.normal(85, 7), rng.uniform(0, 18)
    return (
        _PLANTED
        | poses.both(thigh=thigh, abduction=apart, hip_rotation=rng.normal(2, 6))
        | poses.left(knee=thigh + rng.normal(5, 14))
        | poses.right(knee=thigh + rng.normal(5, 14))
        | {"lean": rng.normal(-2, 10), "spine_flexion": rng.uniform(0, 30)}
    )


def _sit_crossed(rng):
    return (
        _sit(rng)
        | poses.left(thigh=105, abduction=-14, knee=rng.uniform(75, 100), hip_rotation=10)
        | poses.left(planted=0, ankle=rng.normal(-12, 8))
    )


def _sit_on_floor(rng):
    knees = rng.uniform(5, 110, 2) if rng.random() < 0.5 else [rng.uniform(5, 110)] * 2
    legs = {"lean": rng.uniform(-28, 8), "spine_flexion": rng.uniform(10, 35)}
    for side, knee in zip(("left", "right"), knees, strict=True):
        legs |= {f"{side}_knee": knee, f"{side}_thigh": 88 + 0.42 * knee}
        legs |= {f"{side}_abduction": rng.uniform(3, 18), f"{side}_ankle": rng.normal(-12, 8)}
    return legs


def _cross_legged(rng):
    # The left shin is in front of the right one.
    lean = rng.normal(-5, 5)
    return (
        poses.both(hip_rotation=60, abduction=rng.uniform(30, 42), ankle=-30, inversion=20)
        | poses.left(thigh=rng.normal(72, 4), knee=rng.uniform(95, 108))
        | poses.right(thigh=rng.normal(66, 4), knee=rng.uniform(116, 128))
        | {"lean": lean, "spine_flexion": rng.uniform(5, 25)}
    )


def _kneel(rng):
    down = rng.uniform(0, 1) if rng.random() < 0.6 else 0
    return (
        poses.both(thigh=55 * down, knee=92 + 48 * down, ankle=-42, abduction=rng.uniform(2, 14))
        | poses.both(toes=rng.uniform(-20, 10))
        | {"lean": rng.normal(6, 5) + 10 * down, "spine_flexion": rng.uniform(0, 18)}
    )


def _kneel_on_one(rng):
    return (
        poses.left(planted=1, thigh=rng.normal(85, 8), knee=rng.normal(92, 8), abduction=8)
        | poses.right(thigh=rng.normal(-4, 6), knee=rng.normal(92, 8), ankle=-20, toes=40)
        | {"lean": rng.normal(6, 6)}
    )


def _kick(rng):
    return (
        poses.left(
            thigh=rng.uniform(20, 90), knee=rng.uniform(0, 60), abduction=rng.uniform(-5, 25)
        )
        | poses.left(ankle=rng.uniform(-40, 0))
        | poses.right(planted=1, thigh=rng.uniform(0, 15), knee=rng.uniform(5, 25))
        | {"lean": rng.uniform(-20, 3), "spine_flexion": rng.uniform(0, 20), "roll": -5}
    )


def _balance(rng):
    behind = rng.random() < 0.4
    return (
        poses.left(thigh=rng.uniform(-45, -15) if behind else rng.uniform(30, 95))
        | poses.left(knee=rng.uniform(0, 40) if behind else rng.uniform(50, 125), ankle=-15)
        | poses.left(abduction=rng.uniform(0, 15), hip_rotation=rng.uniform(0, 40))
        | poses.right(planted=1, knee=rng.uniform(0, 20), thigh=rng.uniform(0, 8))
        | {"lean": rng.uniform(15, 50) if behind else rng.normal(0, 5), "roll": 3}
    )


def _jump(rng):
    tuck, star = rng.uniform(0, 1), rng.random() < 0.3
    if star:
        return poses.both(abduction=rng.uniform(15, 40), ankle=-35, knee=rng.uniform(0, 15))
    return (
        poses.both(ankle=-35, abduction=rng.uniform(2, 14))
        | poses.left(thigh=80 * tuck, knee=rng.uniform(20, 110) * (0.3 + 0.7 * tuck))
        | poses.right(thigh=rng.uniform(-15, 80) * tuck, knee=rng.uniform(20, 110))
        | {"lean": rng.normal(6, 8), "spine_flexion": rng.uniform(-10, 25)}
    )


def _dance(rng):
    return (
        poses.left(planted=1, thigh=rng.uniform(-12, 25), knee=rng.uniform(0, 40))
        | poses.right(thigh=rng.uniform(-20, 55), knee=rng.uniform(5, 80), planted=rng.integers(2))
        | poses.left(abduction=rng.uniform(0, 20), hip_rotation=rng.uniform(0, 30))
        | poses.right(abduction=rng.uniform(0, 35), hip_rotation=rng.uniform(0, 30))
        | {"roll": rng.normal(0, 7), "lean": rng.normal(2, 8), "spine_twist": rng.normal(0, 15)}
        | {"spine_bend": rng.normal(0, 10), "neck_bend": rng.normal(0, 8)}
    )


_AT_REST = ("hang", "hands_on_hips", "hold_in_front", "arms_folded", "phone", "eat", "wave")

LEGS: dict[str, Activity] = {
    "stand": Activity(9, _stand, _AT_REST),
    "weight_on_one_leg": Activity(9, _weight_on_one_leg, _AT_REST),
    "wide_stance": Activity(6, _wide_stance, ("spread", "swing_a_bat", "throw", "box", "stretch")),
    "walk": Activity(13, _walk, ("walk",)),
    "run": Activity(7, _run, ("run",)),
    "step_up": Activity(4, _step_up, ("walk", "reach", "hold_in_front")),
    "crouch": Activity(7, _crouch, ("hold_in_front", "reach_both", "reach")),
    "lunge": Activity(6, _lunge, ("throw", "reach", "hands_on_hips", "push", "swing_a_bat")),
    "bend": Activity(6, _bend, ("reach_both", "reach", "hang", "hold_in_front")),
    "bend_aside": Activity(3, _bend_aside, ("stretch", "hands_on_hips", "hang")),
    "sit": Activity(8, _sit, ("hold_in_front", "hang", "eat", "phone", "point")),
    "sit_crossed": Activity(3, _sit_crossed, ("hold_in_front", "hang", "eat", "phone")),
    "sit_on_floor": Activity(3, _sit_on_floor, ("hold_in_front", "hang", "reach_both")),
    "cross_legged": Activity(2, _cross_legged, ("hold_in_front", "hang", "eat")),
    "kneel": Activity(3, _kneel, ("hold_in_front", "hang", "reach", "reach_both")),
    "kneel_on_one": Activity(3, _kneel_on_one, ("hold_in_front", "reach", "point")),
    "kick": Activity(4, _kick, ("spread", "dance", "run")),
    "balance": Activity(3, _balance, ("spread", "stretch", "dance")),
    "jump": Activity(3, _jump, ("stretch", "spread", "dance")),
    "dance": Activity(6, _dance, ("dance", "stretch", "spread")),
}
