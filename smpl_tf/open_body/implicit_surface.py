"""The whole body as one smooth implicit surface of a physique."""

import numpy as np

from smpl_tf.open_body import primitives as solid
from smpl_tf.open_body import surface_head, surface_limbs, surface_trunk
from smpl_tf.open_body.anatomy import Physique, height_scale, rig
from smpl_tf.skeleton import SMPL_24

_CHUNK = 100_000  # points evaluated at once; bounds the memory
_MARGIN = 0.035  # fraction of stature; more than any blend between parts
_STEP = 4e-4  # metres, step of the finite differences
_EXACT = 2e-5  # metres; points this near count as on the surface


class ImplicitBody:
    """A field over points in metres: negative inside the body, zero on its skin.

    The body stands on the floor y = 0 in the T-pose, y up, z forward, and is its own mirror image
    about x = 0.

    Attributes:
      physique: its build.
      joints: `[24, 3]` metres.
    """

    def __init__(self, physique: Physique):
        """Shapes every part from the build."""
        self.physique = physique
        self.joints = rig(physique)
        height, size = height_scale(physique), physique.stature
        flesh = 1 + 0.85 * (physique.girth - 1)
        head_size = size * physique.head
        tragion = np.array([0.0, size - surface_head.CROWN * head_size, 0.004 * size])
        arm = surface_limbs.arm(self.joints, physique, flesh)
        hand = surface_limbs.hand(self.joints, physique)
        leg, thigh = surface_limbs.leg(self.joints, physique, flesh)
        foot = surface_limbs.foot(self.joints, physique)
        torso = surface_trunk.torso(self.joints, physique, flesh, height)
        neck = surface_trunk.neck(self.joints, physique, tragion, height)
        head = surface_head.head(tragion, head_size, physique.jaw, physique.nose)

        def beyond(side, joint, distance, field):
            """Restricts a part to one side of a joint: (axis, direction), fraction of stature."""
            axis, direction = side
            low, high = np.full(3, -np.inf), np.full(3, np.inf)
            end = self.joints[SMPL_24.index(joint), axis] - direction * distance * size
            (low if direction > 0 else high)[axis] = end
            return solid.within(low, high, _MARGIN * size, field)

        outward, upward, downward = (0, 1), (1, 1), (1, -1)
        self._arm = beyond(outward, "left_shoulder", 0.085, arm)
        self._hand = beyond(outward, "left_wrist", 0.06, hand)
        self._leg = beyond(downward, "left_hip", 0.13, leg)
        self._thigh = beyond(downward, "left_hip", 0.13, thigh)
        self._foot = beyond(downward, "left_ankle", 0.12, foot)
        self._torso = beyond(upward, "left_hip", 0.10, torso)
        self._neck = beyond(upward, "spine3", 0.0, neck)
        self._head = beyond(upward, "neck", 0.03, head)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Returns the field at points `[N, 3]`, `[N]` metres."""
        points = np.asarray(points, float)
        half = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
        chunks = np.split(half, range(_CHUNK, len(half), _CHUNK))
        return np.concatenate([self._field(chunk) for chunk in chunks])

    def _field(self, points):
        size = self.physique.stature
        leg = solid.union(self._leg(points), self._foot(points), 0.014 * size)
        result = solid.union(leg, self._thigh(points * [-1, 1, 1]), 0.008 * size)
        result = solid.union(result, self._torso(points), 0.020 * size)
        arm = solid.union(self._arm(points), self._hand(points), 0.010 * size)
        result = solid.union(result, arm, 0.026 * size)
        head = solid.union(self._neck(points), self._head(points), 0.012 * size)
        return solid.union(result, head, 0.020 * size)

    def gradient(self, points: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Returns the field's gradient `[N, 3]` by forward differences from `values` `[N]`."""
        return np.stack([self(points + _STEP * e) - values for e in np.eye(3)], 1) / _STEP

    def project(
        self,
        points: np.ndarray,
        on_midline: np.ndarray,
        steps: int = 6,
        longest_step: float = 0.02,
    ) -> np.ndarray:
        """Moves points onto the skin by Newton steps along the gradient.

        Args:
          points: `[N, 3]` metres, near the skin.
          on_midline: `[N]` bool, the points that stay on x = 0.
          steps: maximum number of steps.
          longest_step: maximum length of a step, metres.

        Returns:
          `[N, 3]` metres.
        """
        points = np.array(points, float)
        active = np.arange(len(points))
        for _ in range(steps):
            values = self(points[active])
            active, values = active[np.abs(values) > _EXACT], values[np.abs(values) > _EXACT]
            if not len(active):
                break
            gradient = self.gradient(points[active], values)
            slope = np.maximum((gradient**2).sum(1), 0.25)
            move = -(values / slope)[:, None] * gradient
            length = np.linalg.norm(move, axis=1, keepdims=True)
            move *= np.minimum(1, longest_step / np.maximum(length, 1e-12))
            move[on_midline[active], 0] = 0
            points[active] += move
        return points
