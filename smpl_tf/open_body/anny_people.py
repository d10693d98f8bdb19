"""Random adults of MakeHuman's body: the targets and their weights.

MakeHuman's targets are the corners of a box (sex, age, muscle, weight, height, proportions, cup,
firmness, and three named "race" directions); a person between the corners mixes them with products
of piecewise linear weights. Adults here are young, and the "race" directions are mixed at random,
so that no direction of the shape space corresponds to one.
"""

import itertools

import numpy as np

SEXES = ("male", "female")
_LEVELS = ("min", "average", "max")
_RACES = ("african", "asian", "caucasian")
# Local targets: trait, the targets that go together, and the standard deviation of their weight.
_LOCAL = {
    "torso breadth": (("torso/torso-scale-horiz",), 0.25),
    "torso depth": (("torso/torso-scale-depth",), 0.25),
    "torso length": (("torso/torso-scale-vert",), 0.12),
    "hip breadth": (("hip/hip-scale-horiz",), 0.30),
    "hip depth": (("hip/hip-scale-depth",), 0.25),
    "thigh length": (("legs/upperlegs-height",), 0.12),
    "shank length": (("legs/lowerlegs-height",), 0.12),
    "upper arm length": (("arms/measure-upperarm-length",), 0.30),
    "forearm length": (("arms/measure-lowerarm-length",), 0.30),
    "buttocks": (("buttocks/buttocks-volume",), 0.40),
    "belly": (("stomach/stomach-pregnant",), 0.20),
    "thigh fat": (("legs/l-upperleg-fat", "legs/r-upperleg-fat"), 0.30),
    "neck": (("neck/measure-neck-circ",), 0.30),
}
# Positions of MakeHuman's sliders that give about ANSUR II's mean statures and masses.
_MEANS = {
    "male": {"muscle": 0.55, "weight": 1.06, "height": 0.49},
    "female": {"muscle": 0.50, "weight": 1.18, "height": 0.50},
}
_SPREADS = {"muscle": 0.18, "weight": 0.17, "height": 0.055, "proportions": 0.20, "cup": 0.20,
            "firmness": 0.20}  # fmt: skip


def _corners(sex):
    """Yields every (name, coordinates) of the sex's corners; coordinates map axis to level."""
    for muscle, weight in itertools.product(_LEVELS, _LEVELS):
        build = f"{sex}-young-{muscle}muscle-{weight}weight"
        at = {"muscle": muscle, "weight": weight}
        yield f"macrodetails/universal-{build}", at
        for height in ("min", "max"):
            yield f"macrodetails/height/{build}-{height}height", {**at, "height": height}
        for kind, level in (("uncommon", "min"), ("ideal", "max")):
            name = f"macrodetails/proportions/{build}-{kind}proportions"
            yield name, {**at, "proportions": level}
        if sex == "female":
            for cup, firmness in itertools.product(_LEVELS, _LEVELS):
                if (cup, firmness) != ("average", "average"):  # the corner itself: no target
                    name = f"breast/{build}-{cup}cup-{firmness}firmness"
                    yield name, {**at, "cup": cup, "firmness": firmness}


def target_names() -> list[str]:
    """Returns the names of all targets that `draw` may use."""
    names = [name for sex in SEXES for name, _ in _corners(sex)]
    names += [f"macrodetails/{race}-{sex}-young" for race in _RACES for sex in SEXES]
    local = [target for targets, _ in _LOCAL.values() for target in targets]
    return names + [f"{target}-{end}" for target in local for end in ("decr", "incr")]


def _hat(value, level):
    """Returns the weight of a level on an axis that runs from 0 over 0.5 to 1.

    Beyond 1 it continues with the last slope: MakeHuman's heaviest adults are lighter than real
    ones.
    """
    if level == "average":
        return 1 - abs(2 * value - 1)
    return max(0.0, (2 * value - 1) if level == "max" else (1 - 2 * value))


def draw(sex: str, rng: np.random.Generator) -> dict[str, float]:
    """Draws a person.

    Args:
      sex: "male" or "female".
      rng: `numpy.random.Generator`.

    Returns:
      Target name to weight.
    """
    person = {
        axis: _MEANS[sex].get(axis, 0.5) + spread * np.clip(rng.standard_normal(), -2, 2)
        for axis, spread in _SPREADS.items()
    }
    chosen = {
        name: float(np.prod([_hat(person[axis], level) for axis, level in at.items()]))
        for name, at in _corners(sex)
    }
    for race, share in zip(_RACES, rng.dirichlet(np.ones(3) * 4), strict=True):
        chosen[f"macrodetails/{race}-{sex}-young"] = float(share)
    for targets, spread in _LOCAL.values():
        amount = float(np.clip(spread * rng.standard_normal(), -1, 1))
        for target in targets:
            chosen[f"{target}-{'incr' if amount > 0 else 'decr'}"] = abs(amount)
    return {name: weight for name, weight in chosen.items() if weight > 0}
