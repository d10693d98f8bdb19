"""From a video to moving bodies: who is who, smoothed, one shape each, in one camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tqdm

from experiments import (
    figures,
    pictures,
    prediction_files,
    report,
    smoothing,
    tracks,
    videos,
    windows,
)
from experiments.common import UserError
from experiments.fitted_person import FittedPerson
from experiments.inputs import Input
from experiments.people_files import GivenPerson
from experiments.picture_prediction import Gain, Shown, Tools, refined, square_of
from experiments.viewer import ViewedBody
from experiments.windows import Window
from smpl_tf import SMPL, BodyModelOutput, bvh, mesh_io, rotations
from smpl_tf.camera import NBF_TRANSLATION, Camera

_SHOWN = 4  # frames on the page
_SHOWN_SIZE = 384  # pixels, longer side
_DEPTH_CUTOFF, _DEPTH_GROWTH = 0.4, 0.5  # Hz, and Hz per relative speed
_SHORTEST = 3  # frames; people seen in fewer are left out, unless the video is that short


class Moving(NamedTuple):
    """A person of a video.

    Attributes:
      frames: `[T]` their indices among the frames that were looked at.
      times: `[T]` seconds.
      person: with one vector of betas, and rotations `[T, 24, 3, 3]`, translations `[T, 3]` in
        the frame of the video's one camera.
      posed: the body at these times.
    """

    frames: np.ndarray
    times: np.ndarray
    person: FittedPerson
    posed: BodyModelOutput


def predict_video(item: Input, tools: Tools, step: int, most: int | None) -> Shown:
    """Fits moving bodies to the people of a video, and writes what came out.

    Args:
      item: the video, or a camera.
      tools: what it is treated with.
      step: every how manieth frame is looked at.
      most: how many frames at most.

    Returns:
      What the page shows.

    Raises:
      UserError: the video does not decode, or nobody is found in it. Nothing is written then.
    """
    with prediction_files.folder_aside(tools.output / item.name) as aside:
        path = item.path
        if item.kind == "camera":
            path = aside / "recorded.mp4"
            videos.record(int(str(item.path)), path, most)
        video = videos.open_video(path)
        found, gains, count = _fit_frames(video, item, tools, step, most)
        moving = _people(found, video.frame_rate / step)
        camera = moving[0].person.camera
        shown = _write_overlay(aside / "overlay.mp4", video, moving, tools, step, most)
        with tools.stopwatch("write"):
            for number, one in enumerate(moving, start=1):
                folder = aside / f"person_{number}"
                folder.mkdir()
                _write_person(folder, one, camera, video.frame_rate / step)
    captions = [_caption(item.name, i, len(moving), one) for i, one in enumerate(moving, start=1)]
    people = [report.Person(f"{item.name}, {count} frames", shown, scene=item.name)]
    viewed = [
        ViewedBody(
            name=caption,
            betas=one.person.betas,
            pose=rotations.matrix_to_axis_angle(one.person.rotations).numpy(),
            translation=one.person.translation,
            frame_rate=video.frame_rate / step,
            scene=item.name,
            model=tools.predictor.bodies.index(one.person.body),
        )
        for caption, one in zip(captions, moving, strict=True)
    ]
    return Shown(people, viewed, count, gains)


def _caption(name: str, number: int, count: int, one: Moving) -> str:
    who = f", person {number}" if count > 1 else ""
    return f"{name}{who}, {one.times[0]:.1f} to {one.times[-1]:.1f} s"


def _fit_frames(
    video: videos.Video, item: Input, tools: Tools, step: int, most: int | None
) -> tuple[list[list[FittedPerson]], list[Gain], int]:
    """Finds the people of all frames, then fits every frame by itself."""
    givens: list[Sequence[GivenPerson] | None] = []
    lone: list[Window | None] = []
    for index, pixels in _timed(_watched(video.frames(step, most), f"{item.name}: find"), tools):
        givens.append(tools.people and tools.people.of_frame(item.path.name, index * step))
        lone.append(tools.predictor.find(pixels) if givens[-1] is None else None)
    lone = tracks.steadied(lone)
    found: list[list[FittedPerson]] = []
    gains: list[Gain] = []
    for index, pixels in _timed(_watched(video.frames(step, most), f"{item.name}: fit"), tools):
        given, window = givens[index], lone[index]
        if given is None:
            squares = [] if window is None else [window]
        else:
            squares = _given_squares(pixels, given, tools, f"{item.name}, frame {index * step}")
        people = tools.predictor.fit([pixels] * len(squares), squares) if squares else []
        if tools.refiners and people:
            with tools.stopwatch("refine"):
                scheme = tools.predictor.scheme
                people, brought = refined(people, given, scheme, tools.refiners)
            gains += [gain for gain in brought if gain]
        # The part maps and squares of all frames would fill the memory.
        found.append([person._replace(seen=None, labels=None) for person in people])
    if not any(found):
        raise UserError(
            f"{item.path}: no person found in {len(found)} frames; give boxes or joints with "
            "--people"
        )
    return found, gains, len(found)


def _watched(frames: Iterable, what: str):
    """Numbers frames, with a progress bar."""
    return enumerate(tqdm.tqdm(frames, desc=what, unit="frame", disable=None, leave=False))


def _timed(frames: Iterable, tools: Tools):
    """Counts the decoding of frames as reading."""
    frames = iter(frames)
    while True:
        with tools.stopwatch("read"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _given_squares(pixels, given, tools: Tools, name: str) -> list[Window]:
    height, width = pixels.shape[:2]
    squares = [square_of(person, tools.predictor.metres, name) for person in given]
    for window in squares:
        windows.check(window, width, height, name)
    return squares


def _people(found: list[list[FittedPerson]], frame_rate: float) -> list[Moving]:
    """Joins the people of all frames: tracks, one camera, one shape each, smooth motion."""
    linked = tracks.link([[person.window for person in people] for people in found])
    longest = max(len(track) for track in linked)
    linked = [track for track in linked if len(track) >= min(_SHORTEST, longest)]
    camera = prediction_files.shared_camera(
        [person.camera for people in found for person in people]
    )
    moving = []
    for track in linked:
        frames = np.array(sorted(track))
        people = [found[frame][track[frame]] for frame in frames]
        body = Counter(person.body for person in people).most_common(1)[0][0]
        shapes = [person.betas for person in people if person.body is body]
        betas = np.median(shapes, axis=0).astype(np.float32)
        root = _roots([body], [betas])[0]
        roots = _roots([p.body for p in people], [p.betas for p in people])
        places = [
            prediction_files.moved_to(camera, p.camera, own, own)
            for p, own in zip(people, roots + [p.translation for p in people], strict=True)
        ]
        times = frames / frame_rate
        turning = smoothing.smooth_rotations([person.rotations for person in people], times)
        person = FittedPerson(
            body,
            betas,
            turning.astype(np.float32),
            smooth_places(np.array(places), times) - root,
            camera,
            people[0].window,
            seen=None,
        )
        moving.append(Moving(frames, times, person, person.pose()))
    return moving


def _roots(bodies: Sequence[SMPL], betas: Sequence[np.ndarray]) -> np.ndarray:
    """Where the root joints of bodies are at rest, `[N, 3]` metres."""
    roots = np.zeros((len(bodies), 3))
    for body in set(bodies):
        own = [i for i, one in enumerate(bodies) if one is body]
        joints = SMPL(body.model_data, vertex_ids=[])
        roots[own] = joints(betas=np.stack([betas[i] for i in own])).joints[:, 0]
    return roots


def smooth_places(roots: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Smooths where a person is, as the camera sees it.

    Depth comes from the size of the person's square, which jitters by a tenth; people come nearer
    slowly. So it is smoothed by itself, and more than the place in the picture.

    Args:
      roots: `[T, 3]` metres, camera frame.
      times: `[T]` seconds.

    Returns:
      `[T, 3]` float32.
    """
    depth = np.log(roots[:, 2:])
    depth = np.exp(smoothing.smooth_points(depth, times, _DEPTH_CUTOFF, _DEPTH_GROWTH))
    # At NBF's distance, the filter's speeds are metres per second.
    seen = smoothing.smooth_points(roots[:, :2] / roots[:, 2:] * NBF_TRANSLATION[2], times)
    return np.concatenate([seen / NBF_TRANSLATION[2] * depth, depth], -1).astype(np.float32)


def _write_overlay(
    path: Path, video: videos.Video, moving: Sequence[Moving], tools: Tools, step, most
) -> list[report.Picture]:
    """Draws all people over the video; returns some of the frames for the page."""
    last = max(int(one.frames[-1]) for one in moving)
    chosen = set(np.linspace(0, last, _SHOWN).round().astype(int).tolist())
    rate = video.frame_rate / step
    shown: list[report.Picture] = []

    def frames():
        for index, pixels in enumerate(video.frames(step, most)):
            with tools.stopwatch("draw"):
                drawn = _drawn(pixels, index, moving)
            if index in chosen:
                label = f"{index / rate:.1f} s"
                shown.append(report.picture(label, pictures.shrink(drawn, _SHOWN_SIZE)))
            yield drawn

    drawing = tools.stopwatch.seconds["draw"]
    with tools.stopwatch("write"):
        videos.write(path, frames(), rate)
    # Drawing happens while the video is written, and counts once.
    tools.stopwatch.seconds["write"] -= tools.stopwatch.seconds["draw"] - drawing
    return shown


def _drawn(pixels, index: int, moving: Sequence[Moving]) -> np.ndarray:
    """One frame with the people in it, near ones before far ones."""
    pixels = np.ascontiguousarray(pixels)
    here = [
        (one, int(np.searchsorted(one.frames, index))) for one in moving if index in one.frames
    ]
    for one, row in sorted(here, key=lambda pair: -pair[0].person.translation[pair[1], 2]):
        pixels = figures.body_over(
            pixels,
            one.posed.vertices[row].numpy(),
            one.person.body.faces,
            one.person.camera,
            figures.PREDICTED,
        )
    return pixels


def _write_person(folder: Path, one: Moving, camera: Camera, frame_rate: float) -> None:
    """Writes the files of one moving person."""
    body = one.person.body
    numbers = prediction_files.parameters(one.person, one.posed, camera)
    np.savez(
        folder / "parameters.npz",
        frames=one.frames,
        times=one.times,
        frame_rate=np.array(frame_rate),
        **numbers,
    )
    motion = numbers["pose"], one.person.translation
    mesh_io.write_animated_glb(
        folder / "motion.glb",
        body.model_data,
        one.person.betas,
        *motion,
        frame_rate=frame_rate,
        frame="camera",
    )
    rest = body(betas=one.person.betas).joints.numpy()
    bvh.write_bvh(folder / "motion.bvh", *motion, rest, frame_rate, frame="camera")
