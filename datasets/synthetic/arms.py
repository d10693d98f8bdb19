"""Motion of arms, trunk and head, as distributions over named joint angles in degrees.

The numbers are the author's own observations of people, rounded. Limits are applied later, see
`poses.limited`.
"""

from collections.abc import Callable

import numpy as np

from datasets.synthetic import poses


def _hang(rng):
    return poses.both(
        arm_elevation=rng.uniform(8, 20), arm_plane=rng.normal(25, 20), elbow=rng.uniform(5, 30)
    ) | poses.both(arm_twist=rng.normal(10, 12), pronation=rng.normal(10, 20), grip=20)


def swing(rng: np.random.Generator, gait: float, running: bool) -> poses.Angles:
    """Swings the arms in opposition to the legs.

    Args:
      rng: random generator.
      gait: phase of the left leg, radians; 0 = its foot touches the ground in front of the body.
      running: running instead of walking.

    Returns:
      Angles of both arms, degrees.
    """
    arms: poses.Angles = {}
    vigour = rng.uniform(0.6, 1.2)
    for side, phase in (("left", gait), ("right", gait + np.pi)):
        forwards = -np.cos(phase) * vigour  # opposite to the leg of the same side
        elevation = (40 if running else 22) * forwards + (4 if running else 5)
        arms |= {
            f"{side}_arm_plane": 80 if elevation > 0 else -68,
            f"{side}_arm_elevation": abs(elevation) + 4,
            f"{side}_elbow": (88 if running else 16) + 14 * forwards,
            f"{side}_arm_twist": 14,
            f"{side}_grip": 40 if running else 15,
        }
    return arms


def _reach(rng):
    up, aside = rng.uniform(45, 165), rng.uniform(-10, 100)
    bent = rng.uniform(0, 35)
    arms = _hang(rng)
    arms |= poses.left(arm_elevation=up, arm_plane=aside, elbow=bent, pronation=rng.normal(30, 30))
    arms |= poses.left(arm_twist=rng.normal(0, 20), grip=rng.uniform(0, 30))
    return arms | {"spine_twist": rng.normal(-8, 8), "neck_flexion": (70 - up) * 0.25}


def _reach_both(rng):
    up = rng.uniform(50, 165)
    return poses.both(
        arm_elevation=up, arm_plane=rng.uniform(55, 100), elbow=rng.uniform(0, 40), grip=10
    ) | {"neck_flexion": (80 - up) * 0.25, "spine_flexion": rng.normal(2, 6)}


def _wave(rng):
    return _hang(rng) | poses.left(
        arm_elevation=rng.uniform(75, 115),
        arm_plane=rng.uniform(0, 30),
        arm_twist=rng.uniform(-90, -60),
        elbow=rng.uniform(40, 115),
    )


def _phone(rng):
    return (
        _hang(rng)
        | poses.left(arm_elevation=rng.uniform(30, 60), arm_plane=rng.uniform(50, 80))
        | (
            poses.left(arm_twist=rng.uniform(-15, 20), elbow=rng.uniform(130, 145), pronation=-20)
            | {"neck_bend": rng.uniform(0, 15)}
        )
    )


def _eat(rng):
    return _hang(rng) | poses.left(
        arm_elevation=rng.uniform(35, 60),
        arm_plane=rng.uniform(60, 95),
        arm_twist=rng.uniform(20, 45),
        elbow=rng.uniform(115, 138),
        pronation=rng.uniform(-60, 0),
    )


def _hands_on_hips(rng):
    return poses.both(
        arm_elevation=rng.uniform(42, 52),
        arm_plane=rng.uniform(-25, 0),
        arm_twist=rng.uniform(45, 62),
        elbow=rng.uniform(80, 100),
        pronation=30,
        wrist_flexion=rng.uniform(-30, 20),
    )


def _arms_folded(rng):
    # One forearm is above and in front of the other.
    return (
        poses.left(arm_plane=92, arm_elevation=rng.uniform(42, 48), arm_twist=rng.uniform(62, 68))
        | poses.right(
            arm_plane=86, arm_elevation=rng.uniform(25, 31), arm_twist=rng.uniform(58, 64)
        )
        | poses.left(elbow=rng.uniform(94, 104))
        | poses.right(elbow=rng.uniform(80, 88))
    )


def _hold_in_front(rng):
    return poses.both(
        arm_elevation=rng.uniform(15, 60),
        arm_plane=rng.uniform(70, 95),
        arm_twist=rng.uniform(-10, 30),
        elbow=rng.uniform(45, 105),
        pronation=rng.uniform(-60, 40),
        grip=25,
    ) | {"neck_flexion": rng.uniform(0, 25)}


def _push(rng):
    return poses.both(
        arm_elevation=rng.uniform(70, 95),
        arm_plane=rng.uniform(75, 95),
        arm_twist=rng.uniform(0, 50),
        elbow=rng.uniform(5, 70),
        wrist_flexion=-55,
    )


def _stretch(rng):
    aside = rng.uniform(-10, 90)
    return poses.both(
        arm_elevation=rng.uniform(145, 172), arm_plane=aside, elbow=rng.uniform(0, 40)
    ) | {
        "spine_flexion": rng.uniform(-18, 3),
        "spine_bend": rng.normal(0, 8),
        "neck_flexion": rng.uniform(-25, 5),
    }


def _spread(rng):
    return (
        poses.both(arm_plane=rng.uniform(-10, 25), arm_twist=rng.normal(0, 15))
        | poses.left(arm_elevation=rng.uniform(60, 120), elbow=rng.uniform(0, 30))
        | poses.right(arm_elevation=rng.uniform(60, 120), elbow=rng.uniform(0, 30))
    )


def _hands_behind_head(rng):
    return poses.both(
        arm_elevation=rng.uniform(115, 135),
        arm_plane=rng.uniform(0, 30),
        arm_twist=rng.uniform(-80, -55),
        elbow=rng.uniform(120, 138),
    )


def _throw(rng):
    done = rng.uniform(0, 1)  # from drawing back to release
    return (
        poses.left(arm_elevation=100, arm_plane=-25 + 110 * done, arm_twist=-85 + 80 * done)
        | poses.left(elbow=105 - 85 * done, grip=30)
        | poses.right(arm_elevation=75 - 40 * done, arm_plane=70 - 60 * done, elbow=25 + 50 * done)
        | {"spine_twist": 25 - 50 * done, "spine_flexion": -10 + 25 * done, "lean": 6 * done}
    )


def _box(rng):
    return (
        poses.left(arm_elevation=rng.uniform(55, 90), arm_plane=85, elbow=rng.uniform(5, 90))
        | poses.right(arm_elevation=rng.uniform(25, 50), arm_plane=70, elbow=rng.uniform(110, 135))
        | poses.both(arm_twist=rng.uniform(-10, 30), grip=60)
        | {"spine_twist": rng.normal(-10, 12), "spine_flexion": rng.uniform(0, 15)}
    )


def _swing_a_bat(rng):
    # Both hands meet, on one side of the body.
    aside = rng.uniform(0, 1)
    up = rng.uniform(30, 100)
    return (
        poses.left(arm_elevation=up, arm_plane=40 + 30 * aside, elbow=35 + 50 * (1 - aside))
        | poses.right(arm_elevation=up, arm_plane=115 - 10 * aside, elbow=15 + 30 * aside)
        | poses.both(arm_twist=10, grip=50)
        | {"spine_twist": 12 + 25 * aside, "neck_twist": -25 * aside}
    )


def _point(rng):
    return _hang(rng) | poses.left(
        arm_elevation=rng.uniform(65, 110), arm_plane=rng.uniform(0, 95), elbow=rng.uniform(0, 15)
    )


def _dancing_arms(rng):
    return (
        poses.left(arm_elevation=rng.uniform(20, 160), arm_plane=rng.uniform(-20, 90))
        | poses.left(elbow=rng.uniform(10, 110), arm_twist=rng.uniform(-70, 30))
        | poses.right(arm_elevation=rng.uniform(20, 160), arm_plane=rng.uniform(-20, 90))
        | poses.right(elbow=rng.uniform(10, 110), arm_twist=rng.uniform(-70, 30))
    )


ARMS: dict[str, Callable[[np.random.Generator], poses.Angles]] = {
    "hang": _hang,
    "walk": _hang,  # replaced by the swing that matches the legs
    "run": _hang,
    "reach": _reach,
    "reach_both": _reach_both,
    "wave": _wave,
    "phone": _phone,
    "eat": _eat,
    "hands_on_hips": _hands_on_hips,
    "arms_folded": _arms_folded,
    "hold_in_front": _hold_in_front,
    "push": _push,
    "stretch": _stretch,
    "spread": _spread,
    "hands_behind_head": _hands_behind_head,
    "throw": _throw,
    "box": _box,
    "swing_a_bat": _swing_a_bat,
    "point": _point,
    "dance": _dancing_arms,
}
