"""The methods that `evaluate_photos.py` compares: from a photograph to its people.

A method gets the pixels, and the annotated people if it uses given boxes. To add a method, add a
line to METHODS.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import SMPL_24

if TYPE_CHECKING:
    from nbf.prediction.fitted_person import FittedPerson


class MethodPerson(NamedTuple):
    """A person as predicted by a method.

    Attributes:
      points: the scored points.
      body: for the page's drawing; None: draws the points.
    """

    points: FoundPerson
    body: FittedPerson | None = None


# Pixels `[H, W, 3]` uint8 RGB and the annotated people -> the people.
Method = Callable[[np.ndarray, Sequence[FoundPerson]], list[MethodPerson]]


class Tools:
    """The shared resources of methods.

    Args:
      finder_model: size of the landmark network.
    """

    def __init__(self, finder_model: str = "full"):
        self._finder_model = finder_model

    @functools.cached_property
    def finder(self) -> Any:
        """The landmark finder.

        Raises:
          ModelsMissingError: its networks were not downloaded.
        """
        from datasets.photographs.finder import LandmarkFinder

        return LandmarkFinder(self._finder_model)


def of_finder(find: Callable[[np.ndarray], Sequence[FoundPerson]]) -> Method:
    """Makes a method from a detector, with its points unchanged and without masks."""
    return lambda pixels, _: [
        MethodPerson(dataclasses.replace(person, mask=None)) for person in find(pixels)
    ]


def of_predictor(predictor: Any) -> Method:
    """Makes a method from a predictor, with the joints of its bodies."""
    return lambda pixels, _: [of_body(person) for person in predictor.predict(pixels)]


def of_body(person: FittedPerson) -> MethodPerson:
    """Returns the joints of a fitted body, and the body without its vertices."""
    points = FoundPerson(
        box=None,
        skeleton=SMPL_24,
        points_2d=person.joints_2d,
        visibility=np.ones(len(SMPL_24)),
        points_3d=person.joints_3d,
        source="found by a fitted body",
    )
    return MethodPerson(points, dataclasses.replace(person))


def _finder(tools: Tools) -> Method:
    return of_finder(tools.finder)


def _rest(tools: Tools) -> Method:
    """The open body in its rest pose, in the box of each annotated person."""
    from nbf.prediction import windows
    from nbf.prediction.fitted_person import FittedPerson
    from smpl_tf import SMPL
    from smpl_tf.nbf_scale import NBF_TRANSLATION

    body = SMPL()
    metres = float(np.ptp(body().vertices[..., 1]))
    pose = np.tile(np.eye(3, dtype=np.float32), (len(SMPL_24), 1, 1))
    pose[0] = np.diag([1, -1, -1])  # upright, where y points down

    def at_rest(pixels: np.ndarray, people: Sequence[FoundPerson]) -> list[MethodPerson]:
        height, width = pixels.shape[:2]
        boxes = [box for box in map(_box_of, people) if box is not None]
        return [
            of_body(
                FittedPerson(
                    body,
                    np.zeros(10, np.float32),
                    pose,
                    np.array(NBF_TRANSLATION, np.float32),
                    windows.from_box(box, metres).camera(width, height),
                )
            )
            for box in boxes
        ]

    return at_rest


def _box_of(person: FoundPerson) -> np.ndarray | None:
    """Returns the annotated box, or that of the annotated points; None if there are none."""
    known = person.points_2d[np.isfinite(person.points_2d).all(-1)]
    if person.box is not None or len(known) < 2:
        return person.box
    return np.concatenate([known.min(0), known.max(0)])


def _nbf_parts(tools: Tools) -> Method:
    from nbf.prediction import Predictor

    return of_predictor(Predictor.from_pretrained())


def _nbf_parts_found(tools: Tools, refine: bool = False) -> Method:
    from nbf import pretrained
    from nbf.prediction import Predictor

    return of_predictor(
        Predictor.from_pretrained(pretrained.FITTING, finder=tools.finder, refine=refine)
    )


def _fit(tools: Tools, refine: bool = False) -> Method:
    """Optimisation with the detector's 3D points."""
    from experiments.prediction.point_fits import PointFits
    from nbf.prediction import Predictor

    fit = PointFits()
    return of_predictor(Predictor(fit, fit.bodies, finder=tools.finder, refine=refine))


def _smplr(tools: Tools, refine: bool = False) -> Method:
    """SMPLR's networks with the detector's 3D points."""
    from experiments.prediction.point_fits import PointFits
    from nbf.prediction import Predictor
    from smplr import SMPLR, pretrained

    fit = PointFits(SMPLR.from_pretrained(pretrained.PHOTOGRAPHS), "networks")
    return of_predictor(Predictor(fit, fit.bodies, finder=tools.finder, refine=refine))


def _nbf(tools: Tools, refine: bool = False) -> Method:
    """NBF's points-and-mask network with the detector's 2D points and mask."""
    from nbf import pretrained
    from nbf.prediction import Predictor

    return of_predictor(
        Predictor.from_pretrained(pretrained.POINTS, finder=tools.finder, refine=refine)
    )


# Name -> function that loads the method; loading is not timed.
METHODS: dict[str, Callable[[Tools], Method]] = {
    "finder": _finder,
    "rest": _rest,
    "nbf_parts": _nbf_parts,
    "nbf_parts_found": _nbf_parts_found,
    "nbf_parts_refined": functools.partial(_nbf_parts_found, refine=True),
    "nbf": _nbf,
    "nbf_refined": functools.partial(_nbf, refine=True),
    "smplr": _smplr,
    "smplr_refined": functools.partial(_smplr, refine=True),
    "fit": _fit,
    "fit_refined": functools.partial(_fit, refine=True),
}
DEFAULT = ("finder", "rest", "nbf_parts", "nbf_parts_found")
