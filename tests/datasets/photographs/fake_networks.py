"""Painted people, and networks that see them: a red disc between the hips, a green one above.

The networks read nothing but the pixels that they are given, as BlazePose's do, so that whatever a
finder returns has gone through its cuts, turns and maps.
"""

import cv2
import numpy as np

from datasets.photographs.detector import anchors
from smpl_tf.skeleton import BLAZEPOSE_33

# Of a person of radius 1 who is upright, from the middle between the hips; y down, z away.
_rng = np.random.default_rng(5)
_angles = np.arange(33) * 2 * np.pi / 33
BODY = np.stack(
    [
        0.7 * np.sin(_angles) * _rng.uniform(0.3, 1, 33),
        0.7 * np.cos(_angles) * _rng.uniform(0.5, 1, 33),
        _rng.uniform(-0.2, 0.2, 33),
    ],
    axis=-1,
)
# As right as left, so that a mirrored person is a person.
BODY = np.where(
    (np.arange(33) < BLAZEPOSE_33.mirror)[:, None], BODY[BLAZEPOSE_33.mirror] * [-1, 1, 1], BODY
)
BODY[BLAZEPOSE_33.mirror == np.arange(33), 0] = 0
_ANCHORS = anchors()


def turn(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def true_points(x, y, radius, angle):
    """The 2D points `[33, 2]` of a painted person."""
    return BODY[:, :2] @ (radius * turn(angle)).T + (x, y)


def true_points_3d(angle):
    """The 3D points `[33, 3]` of a painted person."""
    return np.concatenate([BODY[:, :2] @ turn(angle).T, BODY[:, 2:]], axis=-1)


def paint(height, width, people):
    """A grey picture, `[height, width, 3]`, of people (x, y, radius, angle)."""
    picture = np.full((height, width, 3), 90, np.uint8)
    for x, y, radius, angle in people:
        top = np.array([x, y]) + radius * turn(angle) @ [0, -1]
        for middle, colour in (((x, y), (255, 0, 0)), (top, (0, 255, 0))):
            fixed = np.round(np.array(middle) * 256 - 128).astype(int)  # 8 bits of fraction
            dot = max(round(0.07 * radius * 256), 256)
            cv2.circle(picture, fixed.tolist(), dot, colour, -1, cv2.LINE_AA, shift=8)
    return picture


def _discs(seen, channel):
    """Middles `[N, 2]` of the discs of a colour, pixels."""
    strength = seen[..., channel] - np.delete(seen, channel, axis=-1).max(axis=-1)
    mask = np.uint8(strength > 0.3)
    count, labels = cv2.connectedComponents(mask)
    middles = []
    for label in range(1, count):
        rows, columns = np.nonzero(labels == label)
        weights = strength[rows, columns]
        middles.append(np.average(np.stack([columns, rows], -1) + 0.5, axis=0, weights=weights))
    return np.array(middles).reshape(-1, 2)


def people_in(seen):
    """Hips and tops, `[N, 2, 2]` pixels, of the people whom a picture with values 0 to 1 shows."""
    hips, tops = _discs(seen, 0), _discs(seen, 1)
    if not len(hips) or not len(tops):
        return np.zeros((0, 2, 2))
    ways = np.linalg.norm(hips[:, None] - tops, axis=-1)
    return np.stack([hips, tops[ways.argmin(axis=1)]], axis=1)


class FakeNetworks:
    """A detector and a landmark network, and how often they were asked.

    Args:
      detection: score of people whom the detector sees.
      presence: what the landmark network says of people whom it sees.
      sees: (radius in pixels of 224, angle) -> whether the detector sees such a person.
      points: logits of each point: that it is visible, that it is in the square.
      error: of every point to the right in what the landmark network is given, in radii.
    """

    def __init__(
        self,
        detection=0.95,
        presence=0.99,
        sees=lambda radius, angle: radius > 20,
        points=(5.0, 5.0),
        error=0.0,
    ):
        self.detection, self.presence, self.sees, self.points = detection, presence, sees, points
        self.error = error
        self.detections = self.looks = 0

    @property
    def pair(self):
        return self.detector, self.landmarks

    def detector(self, picture):
        assert picture.shape == (224, 224, 3) and -1 <= picture.min() and picture.max() <= 1
        self.detections += 1
        raw, logits = np.zeros((2254, 12), np.float32), np.full((2254, 1), -50, np.float32)
        for hip, top in people_in((picture + 1) / 2):
            up = top - hip
            radius, angle = np.hypot(*up), np.arctan2(up[0], -up[1])
            if not self.sees(radius, angle):
                continue
            near = np.linalg.norm(_ANCHORS * 224 - hip, axis=-1).argmin()
            points = np.concatenate([hip, [radius, radius], hip, top, hip, top])
            points[[0, 4, 6, 8, 10]] -= 224 * _ANCHORS[near, 0]
            points[[1, 5, 7, 9, 11]] -= 224 * _ANCHORS[near, 1]
            raw[near], logits[near] = points, np.log(self.detection / (1 - self.detection))
        return {(2254, 12): raw, (2254, 1): logits}

    def landmarks(self, picture):
        assert picture.shape == (256, 256, 3) and 0 <= picture.min() and picture.max() <= 1
        self.looks += 1
        rows, world = np.zeros((39, 5), np.float32), np.zeros((39, 3), np.float32)
        mask = np.full((256, 256, 1), -9, np.float32)
        people = people_in(picture)
        presence = 0.0
        if len(people):
            hip, top = min(people, key=lambda one: np.linalg.norm(one[0] - 128))
            up = top - hip
            radius, angle = np.hypot(*up), np.arctan2(up[0], -up[1])
            presence = self.presence
            rows[:33, :2] = true_points(*hip, radius, angle) + [self.error * radius, 0]
            rows[33:35, :2] = hip, top
            rows[:, 3:] = self.points
            world[: len(BLAZEPOSE_33)] = true_points_3d(angle)
            cv2.circle(
                mask[..., 0], np.round(hip).astype(int).tolist(), round(0.8 * radius), 9, -1
            )
        heat = np.full((64, 64, 39), -20, np.float32)
        return {
            (195,): rows.reshape(-1),
            (1,): np.float32([presence]),
            (256, 256, 1): mask,
            (64, 64, 39): heat,
            (117,): world.reshape(-1),
        }
