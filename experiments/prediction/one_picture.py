"""Processes one picture: the files of its people and their part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.people_files import GivenPeople
from experiments.pages import report
from experiments.prediction import files as prediction_files
from experiments.prediction.inputs import Input
from experiments.prediction.lens import Lens
from experiments.prediction.stopwatch import Stopwatch
from experiments.runs.common import UserError
from nbf.prediction.fitted_person import PredictedPerson
from nbf.prediction.predictor import Predictor
from nbf.prediction.refinement import Gain
from smpl_tf import figures, pictures, rotations
from smpl_tf.camera import Camera
from smpl_tf.files import folder_aside
from smpl_tf.found_person import FoundPerson
from smpl_tf.parts import colour_code
from smpl_tf.pictures import Photograph
from smpl_tf.viewer.body_viewer import ViewedBody

STAGES = ("read", "find", "segment", "fit", "refine", "audit", "draw", "write")
_SHOWN = 512  # pixels, longer side of the page's pictures
_WHOLE = 1024  # pixels, longer side of the whole picture


class Tools(NamedTuple):
    """The tools that process every input.

    Attributes:
      predictor: the networks.
      people: given people, or None.
      meshes: formats of mesh files.
      output: the folder of all inputs.
      stopwatch: with STAGES.
      finder: detects people in frames of videos and in given boxes; None: the predictor's
        segmenter.
      lens: of the pictures' cameras; None: NBF's fixed camera.
    """

    predictor: Predictor
    people: GivenPeople | None
    meshes: Sequence[str]
    output: Path
    stopwatch: Stopwatch
    finder: LandmarkFinder | None = None
    lens: Lens | None = None


class Shown(NamedTuple):
    """The page's content for one input.

    Attributes:
      people: the people with their pictures.
      bodies: for the viewer.
      pictures: number of processed pictures or frames.
      gains: of the refined people.
    """

    people: list[report.Person]
    bodies: list[ViewedBody]
    pictures: int
    gains: list[Gain]


class Drawn(NamedTuple):
    """A picture with its people.

    Attributes:
      people: the people.
      photograph: `[H, W, 3]` uint8, as decoded.
      cameras: of the people, in the file's pixels.
      overlay: `[H, W, 3]` uint8, all bodies over the picture.
      sides: each body from the side, `[S, S, 4]` uint8.
      tops: each body from above, same form.
    """

    people: Sequence[PredictedPerson]
    photograph: np.ndarray
    cameras: Sequence[Camera]
    overlay: np.ndarray
    sides: Sequence[np.ndarray]
    tops: Sequence[np.ndarray]


def predict_picture(item: Input, tools: Tools) -> Shown:
    """Fits bodies to the people in a picture, and writes the results.

    Args:
      item: the picture.
      tools: that process it.

    Returns:
      The page's content.

    Raises:
      UserError: the picture does not decode, or nobody is found in it. Nothing is written then.
    """
    with tools.stopwatch("read"):
        photograph = pictures.read(item.path)
    if tools.lens is not None:
        tools.lens.turn_to(photograph.field_of_view)
    drawn = _draw(photograph, _find(photograph, item, tools), tools)
    with tools.stopwatch("write"):
        _write(drawn, tools.output / item.name, tools)
        return _show(drawn, item.name, tools.predictor)


def _find(photograph: Photograph, item: Input, tools: Tools) -> list[PredictedPerson]:
    """Finds the people in a picture, and fits, refines and judges them; at least one."""
    found = tools.people and tools.people.of_picture(item.path)
    if found is not None:
        found = [person.scaled(photograph.scale) for person in found]
        found = _with_points(photograph.pixels, found, tools, str(item.path))
    people = predicted(photograph.pixels, found, tools.predictor, str(item.path))
    if not people:
        raise UserError(
            f"{item.path}: no person found; give a box or joints with --people, or a picture that "
            "a person fills"
        )
    return people


def _with_points(
    pixels: np.ndarray, found: Sequence[FoundPerson], tools: Tools, name: str
) -> list[FoundPerson]:
    """Detects the points of people who are given only by a box, if there is a detector.

    Raises:
      UserError: nobody is found in a box.
    """
    if tools.finder is None:
        return list(found)
    people = []
    for number, person in enumerate(found, start=1):
        if person.box is None or (person.visibility > 0).any():
            people.append(person)
            continue
        with tools.stopwatch("find"):
            seen = tools.finder.in_box(pixels, person.box)
        if seen is None:
            raise UserError(
                f"{name}: nobody was detected in the box of person {number} in --people; give "
                "joints, another box, or --method=parts"
            )
        people.append(seen)
    return people


def predicted(
    pixels: np.ndarray, found: Sequence[FoundPerson] | None, predictor: Predictor, name: str
) -> list[PredictedPerson]:
    """Predicts the people in a picture.

    Args:
      pixels: `[H, W, 3]` uint8.
      found: the given people; None: the predictor finds them.
      predictor: the networks.
      name: of the picture, for messages.

    Returns:
      The people.

    Raises:
      UserError: --people has nobody, or a person outside the picture.
    """
    if found is not None and not found:
        raise UserError(f"{name}: --people has no person for it")
    try:
        return predictor.predict_people(pixels, found)
    except ValueError as error:
        raise UserError(f"{name}, {error} in --people") from error


def _draw(photograph: Photograph, people: Sequence[PredictedPerson], tools: Tools) -> Drawn:
    with tools.stopwatch("fit"):
        for one in people:
            one.person.vertices()  # kept with the person
    with tools.stopwatch("draw"):
        overlay = prediction_files.people_over(photograph.pixels, people)
        sides = [prediction_files.side_view(one.person) for one in people]
        tops = [prediction_files.top_view(one.person) for one in people]
    size = photograph.width, photograph.height
    cameras = [one.person.camera.resize(*size) for one in people]
    return Drawn(people, photograph.pixels, cameras, overlay, sides, tops)


def _write(drawn: Drawn, folder: Path, tools: Tools) -> None:
    with folder_aside(folder) as aside:
        prediction_files.write_picture(aside / "overlay.jpg", drawn.overlay)
        for number, (one, camera, side) in enumerate(
            zip(drawn.people, drawn.cameras, drawn.sides, strict=True), start=1
        ):
            own = aside / f"person_{number}"
            own.mkdir()
            prediction_files.write_person(
                own, one, camera, side, tools.predictor.scheme, tools.meshes
            )


def _show(drawn: Drawn, name: str, predictor: Predictor) -> Shown:
    people = drawn.people
    count = len(people)
    names = [f"person {i + 1} of {count}" for i in range(count)] if count > 1 else [name]
    notes = [_note(one) for one in people]
    shown = [
        report.Person(
            ", ".join(filter(None, [*dict.fromkeys([name, names[i]]), notes[i]])),
            _pictures(drawn, i, predictor),
            scene=name if i == 0 else "",
            doubt=_doubt(people[i]),
        )
        for i in range(count)
    ]
    gains = [one.gain for one in people if one.gain is not None]
    return Shown(shown, _viewed(drawn, name, names, notes, predictor), 1, gains)


def _note(one: PredictedPerson) -> str:
    words = [str(one.verdict)] if one.verdict is not None else []
    return ", ".join(words + ([f"refined: {one.gain}"] if one.gain is not None else []))


def _doubt(one: PredictedPerson) -> str:
    """Returns the reason why a person's body may be wrong, or ""."""
    return "; ".join(getattr(one.verdict, "reasons", ()))


def _pictures(drawn: Drawn, place: int, predictor: Predictor) -> list[report.Picture]:
    """Returns the page's pictures of one person; the first person also has the whole picture."""
    view = drawn.people[place].view
    shown = []
    if place == 0:
        over, under = (pictures.shrink(one, _WHOLE) for one in (drawn.overlay, drawn.photograph))
        shown.append(report.see_through("photograph and bodies", over, under))
    if view.found is not None:
        crop = view.window.cut(drawn.photograph, _SHOWN)
        points = view.window.map_points(view.found.points_2d, _SHOWN)
        seen = figures.points_over(crop, points, view.found.visibility, view.found.skeleton)
        shown.append(report.picture("found points", seen))
    if view.pixels is not None:
        seen = figures.enlarge(view.pixels, _SHOWN // 2)
        shown.append(report.picture("input of the network", seen))
    if view.labels is not None and predictor.scheme is not None:
        coloured = colour_code(view.labels, predictor.scheme)
        large = figures.enlarge(coloured, _SHOWN // 2, smooth=False)
        shown.append(report.picture("its body parts", large, lossless=True))
    shown.append(report.picture("predicted body", view.window.cut(drawn.overlay, _SHOWN)))
    shown.append(report.picture("from the side", drawn.sides[place]))
    shown.append(report.picture("from above", drawn.tops[place]))
    return shown


def _viewed(
    drawn: Drawn, scene: str, names: Sequence[str], notes: Sequence[str], predictor: Predictor
) -> list[ViewedBody]:
    """Returns the people of a picture in one scene, in a common camera."""
    shared = prediction_files.shared_camera(drawn.cameras)
    return [
        ViewedBody(
            name=name,
            betas=one.person.betas,
            pose=rotations.matrix_to_axis_angle(one.person.pose).numpy(),
            translation=prediction_files.moved_to(
                shared, camera, one.person.translation, one.person.joints_3d[0]
            ),
            scene=scene,
            note=note,
            model=predictor.bodies.index(one.person.body),
        )
        for name, note, one, camera in zip(names, notes, drawn.people, drawn.cameras, strict=True)
    ]
