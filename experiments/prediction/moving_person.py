"""Joins people fitted frame by frame to moving people: one shape, one camera, smooth motion."""

from __future__ import annotations

import dataclasses
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from experiments.prediction import files as prediction_files
from experiments.prediction import smoothing, tracks
from nbf.prediction import audit
from nbf.prediction.audit import Verdict
from nbf.prediction.fitted_person import FittedPerson, PredictedPerson
from nbf.prediction.windows import Window
from smpl_tf import SMPL
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import NBF_TRANSLATION

_DEPTH_CUTOFF, _DEPTH_GROWTH = 0.4, 0.5  # Hz, and Hz per relative speed
_SHORTEST = 3  # frames; people in fewer are left out, unless the video is shorter


class Moment(NamedTuple):
    """A person in one frame, packed: pictures and part maps of all frames would fill the memory.

    Attributes:
      person: the fitted person.
      window: the person's square.
      parts: the part map, packed; None without a segmenter.
      verdict: for audited frames.
    """

    person: FittedPerson
    window: Window
    parts: bytes | None = None
    verdict: Verdict | None = None

    @classmethod
    def of(cls, one: PredictedPerson) -> Moment:
        """Packs a person."""
        labels = one.view.labels
        parts = None if labels is None else zlib.compress(labels.tobytes(), 1)
        # A copy without the cached posed body, which would also fill the memory.
        return cls(dataclasses.replace(one.person), one.view.window, parts, one.verdict)

    def labels(self) -> np.ndarray:
        """The part map, `[S, S]` uint8."""
        flat = np.frombuffer(zlib.decompress(self.parts), np.uint8)
        side = int(np.sqrt(len(flat)))
        return flat.reshape(side, side)


class Moving(NamedTuple):
    """A person in a video.

    Attributes:
      frames: `[T]` indices in the processed frames.
      times: `[T]` seconds.
      person: with one vector of betas, and pose `[T, 24, 3, 3]`, translation `[T, 3]` in the frame
        of the video's camera.
      joints: `[T, 24, 3]` metres, camera frame.
      moments: the result of each frame.
      verdict: the mean over the audited frames; None without any.
      accelerations: mean acceleration of the joints relative to the pelvis, mm per squared frame:
        of the bodies fitted frame by frame, and of the smoothed motion; NaN for fewer than three
        consecutive frames.
    """

    frames: np.ndarray
    times: np.ndarray
    person: FittedPerson
    joints: np.ndarray
    moments: Sequence[Moment]
    verdict: Verdict | None
    accelerations: tuple[float, float]

    def at(self, row: int) -> FittedPerson:
        """Returns the smoothed person at one of the T moments."""
        pose, translation = self.person.pose[row], self.person.translation[row]
        return dataclasses.replace(self.person, pose=pose, translation=translation)


def join(found: Sequence[Sequence[Moment]], times: np.ndarray) -> list[Moving]:
    """Joins the people of all frames.

    Args:
      found: the people of each frame; at least one.
      times: of the frames, seconds.

    Returns:
      The moving people, in the order of their first frames, all in one camera.
    """
    linked = tracks.link([[one.window for one in frame] for frame in found])
    longest = max(len(track) for track in linked)
    linked = [track for track in linked if len(track) >= min(_SHORTEST, longest)]
    camera = prediction_files.shared_camera([one.person.camera for f in found for one in f])
    moving = []
    for track in linked:
        frames = np.array(sorted(track))
        moments = [found[frame][track[frame]] for frame in frames]
        person = _smooth([one.person for one in moments], times[frames], camera)
        layer = SMPL(person.body.model_data, vertex_ids=[])
        joints = layer(betas=person.betas, pose=person.pose, translation=person.translation)
        joints = joints.joints.numpy()
        single = layer(
            betas=np.stack([one.person.betas for one in moments]),
            pose=np.stack([one.person.pose for one in moments]),
        ).joints.numpy()
        accelerations = mean_acceleration(single, frames), mean_acceleration(joints, frames)
        verdicts = [one.verdict for one in moments if one.verdict]
        verdict = audit.mean_verdict(verdicts) if verdicts else None
        moving.append(
            Moving(frames, times[frames], person, joints, moments, verdict, accelerations)
        )
    return moving


def mean_acceleration(joints: np.ndarray, frames: np.ndarray) -> float:
    """Returns how much the joints jump from frame to frame, relative to the pelvis.

    Args:
      joints: `[T, 24, 3]` metres.
      frames: `[T]` their frames.

    Returns:
      The mean length of the second differences over consecutive frames, mm per squared frame; NaN
      if no three frames are consecutive.
    """
    steps = np.diff(joints - joints[:, :1], axis=0)
    consecutive = np.diff(frames) == 1
    rows = np.flatnonzero(consecutive[:-1] & consecutive[1:])
    if not len(rows):
        return float("nan")
    return 1000 * float(np.linalg.norm(steps[rows + 1] - steps[rows], axis=-1).mean())


def evenly(
    pose: np.ndarray, translation: np.ndarray, times: np.ndarray, frame_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gives a motion at moments evenly apart, for files and pages that know no others.

    Args:
      pose: `[T, 24, 3]` axis-angles, radians.
      translation: `[T, 3]` metres.
      times: `[T]` seconds, increasing.
      frame_rate: moments wanted, per second.

    Returns:
      Pose `[N, 24, 3]` and translation `[N, 3]`, from the first moment to the last; between those
      given, joints turn and move steadily. The same arrays where the moments are even.
    """
    count = round((times[-1] - times[0]) * frame_rate) + 1
    wanted = times[0] + np.arange(count) / frame_rate
    if count == len(times) and np.abs(wanted - times).max() < 0.01 / frame_rate:
        return pose, translation
    wanted = np.minimum(wanted, times[-1])
    turned = [
        Slerp(times, Rotation.from_rotvec(pose[:, joint]))(wanted).as_rotvec()
        for joint in range(pose.shape[1])
    ]
    moved = [np.interp(wanted, times, translation[:, axis]) for axis in range(3)]
    return np.stack(turned, 1).astype(pose.dtype), np.stack(moved, 1).astype(translation.dtype)


def _smooth(people: Sequence[FittedPerson], times: np.ndarray, camera: Camera) -> FittedPerson:
    """Makes one moving person from single frames."""
    body = Counter(person.body for person in people).most_common(1)[0][0]
    betas = np.median([p.betas for p in people if p.body is body], axis=0).astype(np.float32)
    roots = _rest_roots([p.body for p in people], [p.betas for p in people])
    roots += [p.translation for p in people]
    places = [
        prediction_files.moved_to(camera, person.camera, root, root)
        for person, root in zip(people, roots, strict=True)
    ]
    turning = smoothing.smooth_rotations([person.pose for person in people], times)
    return FittedPerson(
        body,
        betas,
        turning.astype(np.float32),
        smooth_places(np.array(places), times) - np.float32(_rest_roots([body], [betas])),
        camera,
    )


def _rest_roots(bodies: Sequence[SMPL], betas: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the root joints of bodies at rest, `[N, 3]` metres."""
    roots = np.zeros((len(bodies), 3))
    for body in set(bodies):
        own = [i for i, one in enumerate(bodies) if one is body]
        joints = SMPL(body.model_data, vertex_ids=[])
        roots[own] = joints(betas=np.stack([betas[i] for i in own])).joints[:, 0]
    return roots


def smooth_places(roots: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Smooths the position of a person, separately in the picture and in depth.

    Depth comes from the size of the person's square, which jitters by a tenth, while true depth
    changes slowly. So it is smoothed more than the position in the picture.

    Args:
      roots: `[T, 3]` metres, camera frame.
      times: `[T]` seconds.

    Returns:
      `[T, 3]` float32.
    """
    depth = np.log(roots[:, 2:])
    depth = np.exp(smoothing.smooth_points(depth, times, _DEPTH_CUTOFF, _DEPTH_GROWTH))
    # Scaled to NBF's distance, so that the filter's speeds are metres per second.
    seen = smoothing.smooth_points(roots[:, :2] / roots[:, 2:] * NBF_TRANSLATION[2], times)
    return np.concatenate([seen / NBF_TRANSLATION[2] * depth, depth], -1).astype(np.float32)
