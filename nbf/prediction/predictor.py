"""From photographs to bodies: find the people, fit each one in its square, refine and judge."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from nbf import pretrained
from nbf.fitting import FittingNetwork
from nbf.prediction import audit, audit_calibration, point_audit, refinement, windows
from nbf.prediction.audit_calibration import Calibration
from nbf.prediction.bodies import NBFBodies
from nbf.prediction.fitted_person import FittedPerson, PredictedPerson
from nbf.prediction.part_finder import PartFinder, PartMaps
from nbf.prediction.point_bodies import PointBodies
from nbf.prediction.windows import Window
from nbf.segmentation import PartSegmenter
from smpl_tf import SMPL, SMPLModelData, pictures
from smpl_tf.found_person import FoundPerson
from smpl_tf.rotations import mirror_rotations
from smpl_tf.skeleton import SMPL_24

_BATCH = 16  # people at once

# (pictures, each person's square, and their parts if there is a segmenter) -> bodies.
FitBodies = Callable[
    [Sequence[np.ndarray], Sequence[Window], PartMaps | None], list[PredictedPerson]
]
# (pictures, each person's square, and the detections) -> bodies. Has `needs_found = True`.
FitFound = Callable[
    [Sequence[np.ndarray], Sequence[Window], Sequence[FoundPerson]], list[PredictedPerson]
]
# Detects the people in a picture `[H, W, 3]` uint8 RGB.
FindPeople = Callable[[np.ndarray], Sequence[FoundPerson]]
# Name of a stage -> context that measures its time.
Timed = Callable[[str], AbstractContextManager]
Picture = str | Path | np.ndarray


class Predictor:
    """Finds people in pictures, and fits bodies to them.

    Attributes:
      bodies: the SMPL layers of the fitted bodies: one, or the female and the male one.
      metres: mean stature of these bodies.
      scheme: the segmenter's parts; None without a segmenter.

    Example:
      >>> import numpy as np
      >>> from nbf import Predictor
      >>> predictor = Predictor.from_pretrained()
      >>> predictor.predict(np.zeros([64, 64, 3], np.uint8))  # a picture without people
      []
    """

    def __init__(
        self,
        fit: FitBodies | FitFound,
        bodies: Sequence[SMPL],
        part_finder: PartFinder | None = None,
        *,
        finder: FindPeople | None = None,
        calibration: Calibration | None = None,
        refine: bool = False,
        timed: Timed = nullcontext,
    ):
        """Combines detectors and fitting networks.

        Args:
          fit: networks from squares to bodies.
          bodies: the SMPL layers of the possible bodies.
          part_finder: finds body parts, and the person if no `finder` is given; without either,
            every picture is assumed to show a single person who fills it.
          finder: detects the people in a picture.
          calibration: estimates the error of a body; None: unknown.
          refine: whether to move bodies to detected points, or without those to their part maps.
          timed: name of a stage ("find", "segment", "fit", "refine", "audit") -> context manager
            around that stage.

        Raises:
          ValueError: a network for detected points is combined with a segmenter.
        """
        self._needs_found = bool(getattr(fit, "needs_found", False))
        if self._needs_found and part_finder is not None:
            raise ValueError(
                "a network for detected points and masks takes no segmenter, which knows NBF's "
                "fixed camera only; leave the segmenter out"
            )
        self.bodies = tuple(bodies)
        self.metres = float(np.mean([np.ptp(body().vertices[:, 1]) for body in bodies]))
        self.scheme = part_finder.scheme if part_finder else None
        self._fit = fit
        self._part_finder = part_finder
        self._finder = finder
        self._calibration = calibration
        self._refiners = [refinement.Refiner(body) for body in bodies] if refine else []
        self._timed = timed

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        segmenter: str | Path | PartSegmenter | None = None,
        *,
        finder: FindPeople | None = None,
        body: SMPLModelData | str | Path | None = None,
        refine: bool = False,
        timed: Timed = nullcontext,
    ) -> Predictor:
        """Loads trained NBF networks.

        Args:
          name: the fitting network: one of `nbf.pretrained.NAMES`, the folder of a finished run,
            or a `.keras` file; None: `pretrained.POINTS` with a finder and no segmenter, else
            `pretrained.FITTING`, which works poorly on photographs.
          segmenter: the same for the segmenter, or a segmenter itself; None: the shipped one, for
            a network whose input is body parts.
          finder: detects the people in a picture; None: the segmenter finds one person. A network
            whose input is points and masks (`nbf.pretrained.POINTS`) needs a finder.
          body: the body that the network was trained with, or its file, if the file has moved.
          refine: whether to move bodies to detected 2D joints, or without those to their part
            maps.
          timed: see `Predictor`.

        Returns:
          The predictor.

        Raises:
          ValueError: a network is missing or damaged, or the two do not fit together.
        """
        if name is None:
            by_points = finder is not None and segmenter is None
            name = pretrained.POINTS if by_points else pretrained.FITTING
        network = FittingNetwork.from_pretrained(name, body)
        if segmenter is None and network.sees_parts:
            segmenter = pretrained.SEGMENTER
        if segmenter is not None and not isinstance(segmenter, PartSegmenter):
            segmenter = PartSegmenter.from_pretrained(segmenter)
        part_finder = None if segmenter is None else PartFinder(segmenter)
        fit: FitBodies | PointBodies
        fit = PointBodies(network) if network.sees_points else NBFBodies(network, part_finder)
        calibration = None
        if segmenter is not None:
            record = audit_calibration.read(
                pretrained.model_file(name).with_name(audit_calibration.FILE),
                audit.Evidence._fields,
                *(network, segmenter),
            )
            calibration = record and record.calibration
        return cls(
            *(fit, fit.bodies, part_finder),
            finder=finder,
            calibration=calibration,
            refine=refine,
            timed=timed,
        )

    def predict(
        self, picture: Picture | Sequence[Picture]
    ) -> list[FittedPerson] | list[list[FittedPerson]]:
        """Fits bodies to the people in one or several pictures.

        Args:
          picture: a file, or `[H, W, 3]` uint8 RGB, or a list of these.

        Returns:
          The people in the picture, [] if nobody is found; a list of such lists for a list. Their
          cameras refer to the file's pixels.

        Raises:
          PictureError: a file does not decode.
          ValueError: an array is not a picture.
        """
        if not isinstance(picture, (str, Path, np.ndarray)):
            return [self._predict_one(one) for one in picture]
        return self._predict_one(picture)

    def _predict_one(self, picture: Picture) -> list[FittedPerson]:
        if isinstance(picture, np.ndarray):
            photograph = pictures.of_array(picture)
        else:
            photograph = pictures.read(Path(picture))
        size = photograph.width, photograph.height
        people = self.predict_people(photograph.pixels, audited=False)
        return [
            dataclasses.replace(one.person, camera=one.person.camera.resize(*size))
            for one in people
        ]

    def predict_people(
        self,
        pixels: np.ndarray,
        found: Sequence[FoundPerson] | None = None,
        audited: bool = True,
    ) -> list[PredictedPerson]:
        """Finds the people in a picture, fits bodies to them, refines and judges the bodies.

        Args:
          pixels: `[H, W, 3]` uint8 RGB.
          found: the people, if already known.
          audited: whether to judge the bodies: by their parts if there is a segmenter, by the
            detected points and mask if these are the network's input.

        Returns:
          The people; [] if nobody is found.

        Raises:
          ValueError: a found person lies outside of the picture, or nowhere.
        """
        if found is None and self._finder is not None:
            with self._timed("find"):
                found = self._finder(pixels)
        squares = self.squares(pixels, found)
        people = self.fit([pixels] * len(squares), squares, found)
        people = self.refine(people, found)
        if not audited:
            return people
        if self._needs_found and found is not None:
            with self._timed("audit"):
                return [
                    one._replace(verdict=point_audit.judge(one, seen))
                    for one, seen in zip(people, found, strict=True)
                ]
        return self.judge([pixels] * len(people), people)

    def squares(
        self, pixels: np.ndarray, found: Sequence[FoundPerson] | None = None
    ) -> list[Window]:
        """Finds the squares of the people in a picture.

        Args:
          pixels: `[H, W, 3]` uint8.
          found: the people; None searches for one person.

        Returns:
          A square for each person; [] if nobody is found.

        Raises:
          ValueError: a found person lies outside of the picture, or nowhere.
        """
        if found is None:
            window = self.find(pixels)
            return [] if window is None else [window]
        height, width = pixels.shape[:2]
        squares = [windows.of_person(person, self.metres) for person in found]
        for number, window in enumerate(squares, start=1):
            windows.check(window, width, height, f"person {number}")
        return squares

    def find(self, pixels: np.ndarray) -> Window | None:
        """Finds the person in a whole picture, by the body parts.

        Args:
          pixels: `[H, W, 3]` uint8 RGB.

        Returns:
          The square around the largest person; None if nobody is found. Without a segmenter, the
          square around the picture.
        """
        if self._part_finder is None:
            return windows.around(*pixels.shape[1::-1])
        with self._timed("segment"):
            return self._part_finder.find(pixels, self.metres)

    def fit(
        self,
        pictures: Sequence[np.ndarray],
        squares: Sequence[Window],
        found: Sequence[FoundPerson] | None = None,
    ) -> list[PredictedPerson]:
        """Fits a body to the person of each square.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are.
          found: the detections, for a network whose input is points and masks.

        Returns:
          The people, in the order of the squares; not refined, not judged.

        Raises:
          ValueError: the network needs points, and there are none or too few.
        """
        people = []
        for first in range(0, len(squares), _BATCH):
            batch = slice(first, first + _BATCH)
            given = None if found is None else found[batch]
            people += self._fit_batch(pictures[batch], squares[batch], given)
        return people

    def fit_mirrored(
        self, pictures: Sequence[np.ndarray], squares: Sequence[Window]
    ) -> list[PredictedPerson]:
        """Fits bodies to the mirrored pictures, and mirrors them back.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are in the unmirrored pictures.

        Returns:
          The same people as from `fit`, fitted again. With perfect networks and a symmetric body
          the results would be identical.
        """
        flipped = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
        people = self.fit(
            flipped,
            [
                square._replace(left=picture.shape[1] - square.left - square.side)
                for picture, square in zip(pictures, squares, strict=True)
            ],
        )
        return [
            self._mirrored(one, picture, square)
            for one, picture, square in zip(people, pictures, squares, strict=True)
        ]

    def _mirrored(
        self, one: PredictedPerson, picture: np.ndarray, square: Window
    ) -> PredictedPerson:
        person, view = one.person, one.view
        person = dataclasses.replace(
            person,
            pose=mirror_rotations(person.pose, SMPL_24.mirror).numpy(),
            translation=person.translation * np.array([-1, 1, 1], np.float32),
            camera=square.camera(*picture.shape[1::-1]),
        )
        view = view._replace(
            window=square,
            pixels=None if view.pixels is None else view.pixels[:, ::-1],
            labels=None
            if view.labels is None or self.scheme is None
            else self.scheme.mirror[view.labels[:, ::-1]],
        )
        return one._replace(person=person, view=view)

    def refine(
        self, people: list[PredictedPerson], found: Sequence[FoundPerson] | None = None
    ) -> list[PredictedPerson]:
        """Moves bodies to detected points, or without those to their part maps, if requested.

        Args:
          people: of `fit`.
          found: the detection of each person.

        Returns:
          The people, without verdicts.
        """
        if not self._refiners or not people:
            return people
        with self._timed("refine"):
            return refinement.refine(people, found, self.scheme, self._refiners)

    def judge(
        self, pictures: Sequence[np.ndarray], people: Sequence[PredictedPerson]
    ) -> list[PredictedPerson]:
        """Judges how reliable the people's current bodies are.

        Args:
          pictures: `[H, W, 3]` uint8, one for each.
          people: of `fit`, refined or not.

        Returns:
          The people with a verdict each; without verdicts if there are no parts.
        """
        if self.scheme is None:
            return list(people)
        mirrored: Sequence[PredictedPerson | None] = [None] * len(people)
        if self._calibration is not None:
            mirrored = self.fit_mirrored(pictures, [one.view.window for one in people])
        with self._timed("audit"):
            return [
                one._replace(verdict=audit.judge(one, other, self.scheme, self._calibration))
                for one, other in zip(people, mirrored, strict=True)
            ]

    def _fit_batch(
        self,
        pictures: Sequence[np.ndarray],
        squares: Sequence[Window],
        found: Sequence[FoundPerson] | None,
    ) -> list[PredictedPerson]:
        fit: Callable = self._fit
        if self._needs_found:
            if found is None:
                raise ValueError(
                    "detected points are needed, but there is no detector; give a finder, such as "
                    "datasets.photographs.finder.LandmarkFinder()"
                )
            with self._timed("fit"):
                return fit(pictures, squares, found)
        maps = None
        if self._part_finder is not None:
            with self._timed("segment"):
                maps = self._part_finder.look(pictures, squares)
        with self._timed("fit"):
            people = fit(pictures, squares, maps)
        if maps is None:
            return people
        return [
            one._replace(view=one.view._replace(labels=labels, doubt=doubt))
            for one, labels, doubt in zip(people, maps.labels, maps.doubts, strict=True)
        ]
