"""A body reduced to a few named points: their positions and derivatives.

Every point is a sum of joints and vertices, hence a sum of rest points moved by single joints.
Joint i moves like a vertex that is skinned only to its parent.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.lbs import pose_features
from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import SMPL_24, SMPLR_42, Skeleton
from smpl_tf.skeleton_points import looseness, point_sums
from smplr.landmarks import NUM_JOINTS

_LEAST_WEIGHT = 1e-6
# [a] of the cross product d x a = [a] d, from the three numbers of a.
_CROSS = np.zeros((3, 3, 3))
_CROSS[[0, 1, 2], [1, 2, 0], [2, 0, 1]] = 1
_CROSS[[0, 1, 2], [2, 0, 1], [1, 2, 0]] = -1


class PosedPoints(NamedTuple):
    """Points of posed bodies, the pelvis at the origin, metres.

    Attributes:
      points: `[N, P, 3]`.
      joints: SMPL's, `[N, 24, 3]`.
      images: the addends of the points, `[N, E, 3]`.
    """

    points: tf.Tensor
    joints: tf.Tensor
    images: tf.Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class PointModel:
    """The part of a body model that determines the points of a skeleton.

    The S sources are the 24 joints and the vertices that the points need. Addend e of the E
    addends is the contribution of joint `carrier[e]` to point `target[e]`.

    Attributes:
      skeleton: of the points.
      template: sources at rest, mean shape, metres, `[S, 3]`.
      shapedirs: metres per unit of each beta, `[S, 3, B]`.
      posedirs: of the vertices among the sources, metres per entry of R - I, `[S - 24, 3, 207]`.
      factors: of the sources in the addends, `[E, S]`.
      carrier: `[E]`.
      target: `[E]`.
      parents: of the joints, -1 for the root.
      observable: which points the body has, bool `[P]`.
      looseness: possible distance of a point from its convention's, metres, `[P]`.
    """

    skeleton: Skeleton
    template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    factors: np.ndarray
    carrier: np.ndarray
    target: np.ndarray
    parents: tuple[int, ...]
    observable: np.ndarray
    looseness: np.ndarray

    @classmethod
    def of(
        cls, model_data: SMPLModelData, skeleton: Skeleton = SMPLR_42, num_betas: int = 10
    ) -> "PointModel":
        """Extracts the points from a whole body model.

        Args:
          model_data: the body.
          skeleton: of the points.
          num_betas: shape components.

        Returns:
          The points of the body.
        """
        sums = point_sums(skeleton, model_data.landmarks)
        parts = dict.fromkeys(part for one in sums.values() if one for part in one)
        vertices = [name for name in parts if name not in SMPL_24.names]
        sources = (*SMPL_24.names, *vertices)
        readout = np.zeros((len(skeleton), len(sources)))
        for point, one in enumerate(sums.values()):
            for name, factor in (one or {}).items():
                readout[point, sources.index(name)] = factor

        ids = model_data.landmark_ids(vertices)
        carried = np.eye(NUM_JOINTS)[np.maximum(model_data.parents, 0)]
        skin = np.concatenate([carried, model_data.weights[ids]])
        addends = np.einsum("ps,sk->pks", readout, skin)
        target, carrier = np.nonzero(np.abs(addends).sum(axis=-1) > _LEAST_WEIGHT)
        shapedirs = model_data.shapedirs[..., :num_betas]
        joint_shapedirs = np.einsum("jv,vcs->jcs", model_data.J_regressor, shapedirs)
        joint_template = model_data.J_regressor @ model_data.v_template
        return cls(
            skeleton=skeleton,
            template=np.concatenate([joint_template, model_data.v_template[ids]]),
            shapedirs=np.concatenate([joint_shapedirs, shapedirs[ids]]),
            posedirs=model_data.posedirs[ids],
            factors=addends[target, carrier],
            carrier=carrier,
            target=target,
            parents=tuple(int(parent) for parent in model_data.parents),
            observable=np.array([one is not None for one in sums.values()]),
            looseness=looseness(skeleton),
        )

    @property
    def num_betas(self) -> int:
        """The number of shape components."""
        return self.shapedirs.shape[-1]

    @property
    def root(self) -> int | None:
        """The index of SMPL's pelvis among the points, or None."""
        return self.skeleton.names.index("pelvis") if "pelvis" in self.skeleton.names else None

    def rest_sources(self, rotations: tf.Tensor, betas: tf.Tensor) -> tf.Tensor:
        """Shapes the sources at rest, pose blend shapes included.

        Args:
          rotations: parent-relative, `[N, 24, 3, 3]`.
          betas: `[N, B]`.

        Returns:
          Metres, `[N, S, 3]`.
        """
        dtype = rotations.dtype
        shaped = tf.einsum("scb,nb->nsc", tf.constant(self.shapedirs, dtype), betas)
        posedirs = tf.constant(self.posedirs, dtype)
        offsets = tf.einsum("lcf,nf->nlc", posedirs, pose_features(rotations))
        offsets = tf.concat([tf.zeros_like(rotations[..., 0]), offsets], axis=1)
        return tf.constant(self.template, dtype) + shaped + offsets

    def pose(self, rest: tf.Tensor, global_rotations: tf.Tensor) -> PosedPoints:
        """Poses sources; linear in them.

        Args:
          rest: metres, `[N, S, 3]`.
          global_rotations: `[N, 24, 3, 3]`.

        Returns:
          The posed points.
        """
        dtype = rest.dtype
        parents = self.parents[1:]
        rest_joints = rest[:, :NUM_JOINTS]
        bones = rest_joints[:, 1:] - tf.gather(rest_joints, parents, axis=1)
        bones = tf.linalg.matvec(tf.gather(global_rotations, parents, axis=1), bones)
        descent = tf.constant(self.descent[:, 1:], dtype)
        joints = tf.einsum("ij,njc->nic", descent, bones)
        # A joint moves a point x of the rest pose to R x + (joint - R rest_joint).
        shifts = joints - tf.linalg.matvec(global_rotations, rest_joints)
        rest_parts = tf.einsum("es,nsc->nec", tf.constant(self.factors, dtype), rest)
        images = tf.linalg.matvec(tf.gather(global_rotations, self.carrier, axis=1), rest_parts)
        shares = tf.constant(self.factors.sum(axis=-1), dtype)[:, None]
        images += shares * tf.gather(shifts, self.carrier, axis=1)
        targets = np.equal(np.arange(len(self.skeleton))[:, None], self.target)
        points = tf.einsum("pe,nec->npc", tf.constant(targets, dtype), images)
        return PosedPoints(points, joints, images)

    @property
    def descent(self) -> np.ndarray:
        """Returns each joint's ancestors, itself included: 0 or 1, `[24, 24]`."""
        descends = np.eye(NUM_JOINTS)
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                descends[joint] += descends[parent]
        return descends

    def shape_jacobian(self, global_rotations: tf.Tensor) -> tf.Tensor:
        """Differentiates the points by the betas.

        Args:
          global_rotations: `[N, 24, 3, 3]`.

        Returns:
          Metres per unit, `[N, P, 3, B]`.
        """
        directions = tf.constant(np.moveaxis(self.shapedirs, -1, 0), global_rotations.dtype)
        count = tf.shape(global_rotations)[0]
        # Every body is posed once per beta, with that beta's directions instead of the sources.
        repeated = tf.repeat(global_rotations, self.num_betas, axis=0)
        posed = self.pose(tf.tile(directions, [count, 1, 1]), repeated).points
        posed = tf.reshape(posed, [count, self.num_betas, len(self.skeleton), 3])
        return tf.transpose(posed, [0, 2, 3, 1])

    def turn_jacobian(self, posed: PosedPoints) -> tf.Tensor:
        """Differentiates the points by small rotations of the joints and their descendants.

        The change of the pose blend shapes is left out: it is small, and omitting it costs only
        iterations.

        Args:
          posed: from `pose`.

        Returns:
          Metres per radian of a turn about the outer axes, `[N, P, 3, 24, 3]`.
        """
        dtype = posed.points.dtype
        turned_with = self.descent[self.carrier]  # [E, 24]
        shares = self.factors.sum(axis=-1)
        points = len(self.skeleton)
        gathered = np.zeros((points, NUM_JOINTS, len(self.target)))
        leverage = np.zeros((points, NUM_JOINTS))
        for addend, point in enumerate(self.target):
            gathered[point, :, addend] = turned_with[addend]
            leverage[point] += turned_with[addend] * shares[addend]
        arms = tf.einsum("pje,nec->npjc", tf.constant(gathered, dtype), posed.images)
        arms -= tf.constant(leverage, dtype)[..., None] * posed.joints[:, None]
        return tf.einsum("xdc,npjc->npxjd", tf.constant(_CROSS, dtype), arms)


def posed_points(
    models: Sequence[PointModel],
    rotations: tf.Tensor,
    betas: tf.Tensor,
    gender: tf.Tensor | None = None,
) -> tf.Tensor:
    """Computes the points of a skeleton on posed bodies.

    Args:
      models: of one body for all people, or of a female and a male one.
      rotations: parent-relative, the root's in camera axes, `[N, 24, 3, 3]`.
      betas: `[N, B]`.
      gender: `[N]`, +1 male, -1 female; ignored if there is one body.

    Returns:
      Metres, camera axes, the pelvis at the origin, `[N, P, 3]`; the origin for points that no
      body has (`PointModel.observable`).
    """
    turned = relative_to_global(rotations, models[0].parents)
    posed = [model.pose(model.rest_sources(rotations, betas), turned).points for model in models]
    if len(posed) == 1 or gender is None:
        return posed[0]
    return tf.where((gender >= 0)[:, None, None], posed[1], posed[0])
