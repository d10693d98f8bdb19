"""From one picture to the files of its people and their place on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets.photographs.people_files import GivenPeople, GivenPerson
from experiments.pages import report
from experiments.prediction import files as prediction_files
from experiments.prediction.inputs import Input
from experiments.prediction.stopwatch import Stopwatch
from experiments.runs.common import UserError
from nbf.prediction import audit, windows
from nbf.prediction.audit_calibration import Calibration
from nbf.prediction.fitted_person import FittedPerson
from nbf.prediction.predictor import Predictor
from nbf.prediction.refinement import Refiner
from nbf.prediction.windows import Window
from smpl_tf import BodyModelOutput, figures, pictures, rotations
from smpl_tf.camera import Camera
from smpl_tf.files import folder_aside, write_json
from smpl_tf.nbf_scale import NBF_IMAGE_SIZE
from smpl_tf.parts import PartScheme, colour_code
from smpl_tf.viewer.body_viewer import ViewedBody

STAGES = ("read", "segment", "fit", "audit", "refine", "draw", "write")
_SHOWN = 512  # pixels, longer side of the page's pictures
_LEAST_JOINTS = 6  # known ones that a refinement starts from


class Tools(NamedTuple):
    """What every input is treated with.

    Attributes:
      predictor: the networks.
      people: those given beforehand, or None.
      refiners: what refines the bodies, one for each of the predictor's; none leave them as the
        networks have them.
      calibration: what errors to expect; None where the networks have none.
      meshes: formats of mesh files.
      output: the folder of all inputs.
      stopwatch: with STAGES.
    """

    predictor: Predictor
    people: GivenPeople | None
    refiners: Sequence[Refiner]
    calibration: Calibration | None
    meshes: Sequence[str]
    output: Path
    stopwatch: Stopwatch


class Gain(NamedTuple):
    """What a refinement brought to a person.

    Attributes:
      kind: "joints" or "parts".
      before: the criterion of the network's answer.
      after: that of the refined body.
    """

    kind: str
    before: float
    after: float

    def __str__(self) -> str:
        """The gain in words."""
        if self.kind == "joints":
            return f"joints {self.before:.1f} → {self.after:.1f} px of {NBF_IMAGE_SIZE}"
        return f"parts' IoU {100 * self.before:.0f} → {100 * self.after:.0f} %"


class Shown(NamedTuple):
    """What the page shows of one input.

    Attributes:
      people: their pictures.
      bodies: for the viewer.
      pictures: how many pictures or frames were looked at.
      gains: of the refined people.
    """

    people: list[report.Person]
    bodies: list[ViewedBody]
    pictures: int
    gains: list[Gain]


def predict_picture(item: Input, tools: Tools) -> Shown:
    """Fits bodies to the people of a picture, and writes what came out.

    Args:
      item: the picture.
      tools: what it is treated with.

    Returns:
      What the page shows.

    Raises:
      UserError: the picture does not decode, or nobody is found in it. Nothing is written then.
    """
    predictor, stopwatch = tools.predictor, tools.stopwatch
    with stopwatch("read"):
        photograph = pictures.read(item.path)
    pixels = photograph.pixels
    given = tools.people and tools.people.of_picture(item.path.name)
    if given is not None:
        given = [person.scaled(photograph.scale) for person in given]
    squares = find_people(pixels, given, predictor, str(item.path))
    people = predictor.fit([pixels] * len(squares), squares)
    verdicts: list[audit.Verdict | None] = [None] * len(people)
    if predictor.scheme is not None:
        verdicts = judge([pixels] * len(people), people, tools)
    gains: list[Gain | None] = [None] * len(people)
    if tools.refiners:
        with stopwatch("refine"):
            people, gains = refined(people, given, predictor.scheme, tools.refiners)
    with stopwatch("fit"):
        bodies = [person.pose() for person in people]
    with stopwatch("draw"):
        surfaces = [body.vertices.numpy() for body in bodies]
        overlay = prediction_files.people_over(pixels, people, surfaces)
        sides = [
            prediction_files.side_view(surface, person.body.faces)
            for surface, person in zip(surfaces, people, strict=True)
        ]
    cameras = [p.camera.resize(photograph.width, photograph.height) for p in people]
    with stopwatch("write"):
        with folder_aside(tools.output / item.name) as aside:
            prediction_files.write_picture(aside / "overlay.jpg", overlay)
            for i, person in enumerate(people):
                folder = aside / f"person_{i + 1}"
                folder.mkdir()
                prediction_files.write_person(
                    folder,
                    person,
                    bodies[i],
                    cameras[i],
                    sides[i],
                    predictor.scheme,
                    tools.meshes,
                )
                if verdicts[i]:
                    write_json(folder / "audit.json", verdicts[i].record(predictor.scheme))
        names = [f"person {i + 1}" for i in range(len(people))] if people[1:] else [item.name]
        notes = [
            ", ".join(
                [str(verdict)] * (verdict is not None) + [f"refined: {gain}"] * (gain is not None)
            )
            for verdict, gain in zip(verdicts, gains, strict=True)
        ]
        shown = [
            report.Person(
                ", ".join(filter(None, [*dict.fromkeys([item.name, names[i]]), notes[i]])),
                _pictures(overlay if i == 0 else None, overlay, person, sides[i], predictor),
                scene=item.name,
            )
            for i, person in enumerate(people)
        ]
    viewed = _viewed(item.name, names, notes, people, bodies, cameras, predictor)
    return Shown(shown, viewed, 1, [gain for gain in gains if gain])


def find_people(
    pixels: np.ndarray, given: Sequence[GivenPerson] | None, predictor: Predictor, name: str
) -> list[Window]:
    """Finds the squares of a picture's people.

    Args:
      pixels: `[H, W, 3]` uint8.
      given: who is known to be there; None looks for one person.
      predictor: the networks.
      name: of the picture, for messages.

    Returns:
      One square at least.

    Raises:
      UserError: nobody is there, or a given person lies outside.
    """
    height, width = pixels.shape[:2]
    if given is None:
        window = predictor.find(pixels)
        if window is None:
            raise UserError(
                f"{name}: no person found; give a box or joints with --people, or a picture that "
                "a person fills"
            )
        return [window]
    if not given:
        raise UserError(f"{name}: --people names nobody in it")
    squares = [square_of(person, predictor.metres, name) for person in given]
    for number, window in enumerate(squares, start=1):
        windows.check(window, width, height, f"{name}, person {number}")
    return squares


def square_of(person: GivenPerson, metres: float, name: str) -> Window:
    """The square of a given person: by the joints, else by the box.

    Args:
      person: who.
      metres: stature of the mean body.
      name: of the picture, for messages.

    Returns:
      The square.

    Raises:
      UserError: neither tells where the person is.
    """
    window = windows.from_joints(person.joints_2d, metres)
    if window is None and person.box is not None:
        window = windows.from_box(person.box, metres)
    if window is None:
        raise UserError(
            f"{name}: a person of --people has neither a box nor both hips and a limb; add a box"
        )
    return window


def judge(
    pictures: Sequence[np.ndarray], people: Sequence[FittedPerson], tools: Tools
) -> list[audit.Verdict]:
    """Says how far to trust people.

    Args:
      pictures: `[H, W, 3]` uint8, one for each.
      people: as the networks have them, with labels.
      tools: what they are treated with.

    Returns:
      A verdict on each.
    """
    mirrored: Sequence[FittedPerson | None] = [None] * len(people)
    if tools.calibration is not None:
        mirrored = tools.predictor.fit_mirrored(pictures, [person.window for person in people])
    with tools.stopwatch("audit"):
        return [
            audit.judge(*pair, tools.predictor.scheme, tools.calibration)
            for pair in zip(people, mirrored, strict=True)
        ]


def refined(
    people: list[FittedPerson],
    given: Sequence[GivenPerson] | None,
    scheme: PartScheme | None,
    refiners: Sequence[Refiner],
) -> tuple[list[FittedPerson], list[Gain | None]]:
    """Refines people to their given joints, or else to their part maps.

    Args:
      people: the fitted people.
      given: what is known of each.
      scheme: of the part maps; None where there are none.
      refiners: what refines the bodies, one for each that there is.

    Returns:
      The people, and the gain of each; None where there is nothing to refine to.
    """
    people = list(people)
    gains: list[Gain | None] = [None] * len(people)
    known = [
        given is not None and np.isfinite(given[i].joints_2d).all(-1).sum() >= _LEAST_JOINTS
        for i in range(len(people))
    ]
    outcomes = []
    for refiner in refiners:
        own = [i for i, person in enumerate(people) if person.body is refiner.body]
        by_joints = [i for i in own if known[i]]
        by_parts = [i for i in own if not known[i]]
        if by_joints:
            joints = [given[i].joints_2d for i in by_joints]
            outcome = refiner.to_joints([people[i] for i in by_joints], joints)
            outcomes.append(("joints", by_joints, outcome))
        if by_parts and scheme is not None:
            outcome = refiner.to_parts([people[i] for i in by_parts], scheme)
            outcomes.append(("parts", by_parts, outcome))
    for kind, indices, outcome in outcomes:
        for row, i in enumerate(indices):
            people[i] = outcome.people[row]
            gains[i] = Gain(kind, float(outcome.before[row]), float(outcome.after[row]))
    return people, gains


def _pictures(whole, overlay, person, side, predictor) -> list[report.Picture]:
    """The page's pictures of one person."""
    shown = []
    if whole is not None:
        shown.append(report.picture("predicted bodies", pictures.shrink(whole, _SHOWN)))
    shown.append(
        report.picture("what the network sees", figures.enlarge(person.seen, _SHOWN // 2))
    )
    if person.labels is not None:
        coloured = colour_code(person.labels, predictor.scheme)
        large = figures.enlarge(coloured, _SHOWN // 2, smooth=False)
        shown.append(report.picture("its body parts", large, lossless=True))
    shown.append(report.picture("predicted body", person.window.cut(overlay, _SHOWN)))
    shown.append(report.picture("from the side", side))
    return shown


def _viewed(
    scene: str,
    names: Sequence[str],
    notes: Sequence[str],
    people: Sequence[FittedPerson],
    bodies: Sequence[BodyModelOutput],
    cameras: Sequence[Camera],
    predictor: Predictor,
) -> list[ViewedBody]:
    """The people of a picture in one scene, as one camera sees them."""
    shared = prediction_files.shared_camera(cameras)
    return [
        ViewedBody(
            name=name,
            betas=person.betas,
            pose=rotations.matrix_to_axis_angle(person.rotations).numpy(),
            translation=prediction_files.moved_to(
                shared, camera, person.translation, body.joints[0]
            ),
            scene=scene,
            note=note,
            model=predictor.bodies.index(person.body),
        )
        for name, note, person, body, camera in zip(
            names, notes, people, bodies, cameras, strict=True
        )
    ]
