"""Draws random activities: legs with matching arms, or with arms of another activity."""

import numpy as np

from datasets.synthetic.arms import ARMS, swing
from datasets.synthetic.legs import LEGS
from datasets.synthetic.poses import Angles

_NATURAL_SHARE = 0.55  # fraction of the people whose arms match their legs
_BETWEEN_SHARE = 0.3  # fraction of the others who are between two activities


def sample(rng: np.random.Generator) -> tuple[str, str, Angles]:
    """Draws a pose: legs of one activity, arms of the same or another.

    Args:
      rng: random generator.

    Returns:
      Names of the activities of legs and arms, and the angles in degrees, see `poses.limited`.
    """
    names = list(LEGS)
    shares = np.array([LEGS[name].share for name in names])
    doing = names[rng.choice(len(names), p=shares / shares.sum())]
    legs = LEGS[doing].sample(rng)
    gait = legs.pop("gait", rng.uniform(0, 2 * np.pi))
    natural = LEGS[doing].arms
    arms_doing = rng.choice(natural if rng.random() < _NATURAL_SHARE else list(ARMS))
    arms = ARMS[arms_doing](rng)
    if arms_doing in ("walk", "run"):
        arms = swing(rng, gait, running=arms_doing == "run")
    elif rng.random() < _BETWEEN_SHARE:
        other, weight = ARMS[rng.choice(list(ARMS))](rng), rng.uniform(0.2, 0.8)
        arms = {
            name: (1 - weight) * arms.get(name, 0) + weight * other.get(name, 0)
            for name in sorted(arms.keys() | other.keys())
        }
    angles = dict(legs)
    for name, value in arms.items():
        angles[name] = angles.get(name, 0) + value
    return doing, str(arms_doing), angles
