"""Processes a video: moving bodies, their files, and their part of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tqdm

from datasets.photographs.tracker import PersonTracker
from experiments.pages import report
from experiments.prediction import files as prediction_files
from experiments.prediction import moving_person, tracks, videos
from experiments.prediction.inputs import Input
from experiments.prediction.moving_person import Moment, Moving
from experiments.prediction.one_picture import Shown, Tools
from experiments.runs.common import UserError
from nbf.prediction.fitted_person import FittedPerson
from nbf.prediction.refinement import Gain
from nbf.prediction.windows import Window
from smpl_tf import bvh, figures, mesh_io, pictures, rotations
from smpl_tf.files import folder_aside, write_json
from smpl_tf.found_person import FoundPerson
from smpl_tf.parts import PartScheme, colour_code
from smpl_tf.viewer.body_viewer import ViewedBody

_SHOWN = 4  # frames on the page
_SHOWN_SIZE = 384  # pixels, longer side
_SMALL = 256  # pixels, of a person's own videos
_AUDITED = 10  # frames between two audits


def predict_video(item: Input, tools: Tools, step: int, most: int | None) -> Shown:
    """Fits moving bodies to the people in a video, and writes the results.

    Args:
      item: the video, or a camera.
      tools: that process it.
      step: process every `step`-th frame.
      most: maximum number of frames; None: all.

    Returns:
      The page's content.

    Raises:
      UserError: the video does not decode, or nobody is found in it. Nothing is written then.
    """
    with folder_aside(tools.output / item.name) as aside:
        path = item.path
        if item.kind == "camera":
            path = aside / "recorded.mp4"
            videos.record(int(str(item.path)), path, most)
        video = videos.open_video(path)
        found, gains, count = _fit_frames(video, item, tools, step, most)
        times = video.times(step, most)
        rate = _mean_rate(times, video.frame_rate / step)
        moving = moving_person.join(found, times)
        with _writing(tools) as count_as:
            frames = video.frames(step, most)
            shown = _write_overlay(aside / "overlay.mp4", frames, moving, times, rate, count_as)
            for number, one in enumerate(moving, start=1):
                folder = aside / f"person_{number}"
                folder.mkdir()
                _write_person(folder, one, rate, tools.predictor.scheme, count_as)
    names = [f"person {i}" for i in range(1, len(moving) + 1)] if moving[1:] else [item.name]
    notes = [_note(one) for one in moving]
    told = "; ".join(
        f"{name}: {note}" if moving[1:] else note for name, note in zip(names, notes, strict=True)
    )
    people = [report.Person(f"{item.name}, {count} frames, {told}", shown, scene=item.name)]
    viewed = []
    for name, note, one in zip(names, notes, moving, strict=True):
        pose = rotations.matrix_to_axis_angle(one.person.pose).numpy()
        pose, translation = moving_person.evenly(pose, one.person.translation, one.times, rate)
        body = ViewedBody(
            name=name,
            betas=one.person.betas,
            pose=pose,
            translation=translation,
            frame_rate=rate,
            scene=item.name,
            note=note,
            model=tools.predictor.bodies.index(one.person.body),
        )
        viewed.append(body)
    return Shown(people, viewed, count, gains)


def _mean_rate(times: np.ndarray, told: float) -> float:
    """Returns frames per second: as the file states, unless the frames' times differ."""
    found = (len(times) - 1) / times[-1] if len(times) > 1 else told
    return told if abs(found / told - 1) < 0.01 else float(found)


def _note(one: Moving) -> str:
    seen = f"{one.times[0]:.1f} to {one.times[-1]:.1f} s"
    found, smoothed = one.accelerations
    if np.isfinite(found):
        seen += f", joints accelerate by {found:.0f} mm/frame², smoothed {smoothed:.0f}"
    return f"{seen}, {one.verdict}" if one.verdict else seen


def _fit_frames(
    video: videos.Video, item: Input, tools: Tools, step: int, most: int | None
) -> tuple[list[list[Moment]], list[Gain], int]:
    """Finds the people in all frames, and fits every frame separately."""
    if tools.finder is not None:
        return _fit_tracked(video, item, tools, step, most)
    givens: list[Sequence[FoundPerson] | None] = []
    lone: list[Window | None] = []
    for index, pixels in _timed(_watched(video.frames(step, most), f"{item.name}: find"), tools):
        givens.append(tools.people and tools.people.of_frame(item.path, index * step))
        lone.append(tools.predictor.find(pixels) if givens[-1] is None else None)
    lone = tracks.steadied(lone)
    found: list[list[Moment]] = []
    gains: list[Gain] = []
    for index, pixels in _timed(_watched(video.frames(step, most), f"{item.name}: fit"), tools):
        given, window = givens[index], lone[index]
        if given is None:
            squares = [] if window is None else [window]
        else:
            squares = _given_squares(pixels, given, tools, f"{item.name}, frame {index * step}")
        people = tools.predictor.fit([pixels] * len(squares), squares)
        people = tools.predictor.refine(people, given)
        if index % _AUDITED == 0:
            people = tools.predictor.judge([pixels] * len(people), people)
        gains += [one.gain for one in people if one.gain is not None]
        found.append([Moment.of(one) for one in people])
    if not any(found):
        raise UserError(
            f"{item.path}: no person found in {len(found)} frames; give boxes or joints with "
            "--people"
        )
    return found, gains, len(found)


def _fit_tracked(
    video: videos.Video, item: Input, tools: Tools, step: int, most: int | None
) -> tuple[list[list[Moment]], list[Gain], int]:
    """Tracks people with the detector, and fits them in every frame."""
    tracker = PersonTracker(tools.finder)
    if tools.lens is not None:
        tools.lens.turn_to(None)
    found: list[list[Moment]] = []
    gains: list[Gain] = []
    for index, pixels in _timed(_watched(video.frames(step, most), item.name), tools):
        seen = tools.people and tools.people.of_frame(item.path.name, index * step)
        if seen is None:
            with tools.stopwatch("find"):
                seen = [tracked.person for tracked in tracker(pixels)]
        squares = _given_squares(pixels, seen, tools, f"{item.name}, frame {index * step}")
        people = tools.predictor.fit([pixels] * len(squares), squares, seen)
        people = tools.predictor.refine(people, seen)
        gains += [one.gain for one in people if one.gain is not None]
        found.append([Moment.of(one) for one in people])
    if not any(found):
        raise UserError(f"{item.path}: no person found in {len(found)} frames")
    return found, gains, len(found)


def _watched(frames: Iterable, what: str):
    """Enumerates frames, with a progress bar."""
    return enumerate(tqdm.tqdm(frames, desc=what, unit="frame", disable=None, leave=False))


def _timed(frames: Iterable, tools: Tools):
    """Measures the decoding of frames as reading."""
    frames = iter(frames)
    while True:
        with tools.stopwatch("read"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _given_squares(
    pixels: np.ndarray, given: Sequence[FoundPerson], tools: Tools, name: str
) -> list[Window]:
    try:
        return tools.predictor.squares(pixels, given)
    except ValueError as error:
        raise UserError(f"{name}, {error} in --people") from error


@contextmanager
def _writing(tools: Tools) -> Iterator[Callable]:
    """Measures the block as writing, except for calls that belong to other stages."""
    within = 0.0

    def count(stage, function, *arguments):
        nonlocal within
        before = tools.stopwatch.seconds[stage]
        with tools.stopwatch(stage):
            answer = function(*arguments)
        within += tools.stopwatch.seconds[stage] - before
        return answer

    with tools.stopwatch("write"):
        yield count
    tools.stopwatch.seconds["write"] -= within


def _write_overlay(
    path: Path,
    frames: Iterable[np.ndarray],
    moving: Sequence[Moving],
    times: np.ndarray,
    rate: float,
    count_as: Callable,
) -> list[report.Picture]:
    """Draws all people over the video; returns some frames for the page."""
    last = max(int(one.frames[-1]) for one in moving)
    chosen = set(np.linspace(0, last, _SHOWN).round().astype(int).tolist())
    shown: list[report.Picture] = []

    def drawn():
        for index, pixels in enumerate(frames):
            here = count_as("fit", _posed, index, moving)
            picture = count_as("draw", _people_over, pixels, here)
            if index in chosen:
                label = f"{times[index]:.1f} s"
                shown.append(report.picture(label, pictures.shrink(picture, _SHOWN_SIZE)))
            yield picture

    videos.write(path, drawn(), rate)
    return shown


def _posed(index: int, moving: Sequence[Moving]) -> list[FittedPerson]:
    """Returns the posed people of one frame, far ones first."""
    here = [
        one.at(int(np.searchsorted(one.frames, index))) for one in moving if index in one.frames
    ]
    for person in here:
        person.vertices()
    return sorted(here, key=lambda person: -person.translation[2])


def _people_over(pixels: np.ndarray, here: Sequence[FittedPerson]) -> np.ndarray:
    """Draws the people of `_posed` in one frame."""
    pixels = np.ascontiguousarray(pixels)
    for person in here:
        pixels = prediction_files.body_over(pixels, person)
    return pixels


def _write_person(
    folder: Path, one: Moving, rate: float, scheme: PartScheme | None, count_as: Callable
) -> None:
    """Writes the files of one moving person."""
    person = one.person
    numbers = prediction_files.parameters(person, one.joints, person.camera)
    np.savez(
        folder / "parameters.npz",
        frames=one.frames,
        times=one.times,
        frame_rate=np.array(rate),
        **numbers,
    )
    motion = numbers["pose"], person.translation
    mesh_io.write_animated_glb(
        folder / "motion.glb",
        person.body.model_data,
        person.betas,
        *motion,
        frame_rate=rate,
        frame="camera",
        times=one.times - one.times[0],
    )
    rest = person.body(betas=person.betas).joints.numpy()
    motion = moving_person.evenly(*motion, one.times, rate)  # BVH has one time for all frames
    bvh.write_bvh(folder / "motion.bvh", *motion, rest, rate, frame="camera")
    sides = (count_as("draw", _from_side, one.at(row)) for row in range(len(one.frames)))
    videos.write(folder / "side.mp4", sides, rate)
    if scheme is not None:
        maps = (count_as("draw", _coloured, moment, scheme) for moment in one.moments)
        videos.write(folder / "parts.mp4", maps, rate)
    if one.verdict:
        frames = [
            {"frame": int(frame), **moment.verdict.record(scheme)}
            for frame, moment in zip(one.frames, one.moments, strict=True)
            if moment.verdict
        ]
        write_json(folder / "audit.json", {**one.verdict.record(scheme), "frames": frames})


def _from_side(person: FittedPerson) -> np.ndarray:
    """Draws a body from the side on white, `[_SMALL, _SMALL, 3]` uint8."""
    drawn = prediction_files.side_view(person, _SMALL)
    share = drawn[..., 3:] / 255
    return (drawn[..., :3] * share + 255 * (1 - share)).astype(np.uint8)


def _coloured(moment: Moment, scheme: PartScheme) -> np.ndarray:
    return figures.enlarge(colour_code(moment.labels(), scheme), _SMALL, smooth=False)
