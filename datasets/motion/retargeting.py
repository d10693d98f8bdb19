"""Converts the motion of any skeleton to SMPL's pose and translation.

A joint gets the rotation of its counterpart, relative to the pose at zero angles, and then the
smallest additional rotation that gives its bone the direction of the other's. So limbs follow
exactly, also if skeletons have additional joints, and rotations about a bone are kept. If the pose
at zero angles is not a standing person (bones laid along an axis), the meaning of rotations is
estimated from the motion itself: on average, bones are not twisted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from datasets.motion import joint_names
from datasets.motion.skeleton_motion import SkeletonMotion, forward
from datasets.sources import BadItemError
from smpl_tf.directions import shortest_rotation, unit_vectors
from smpl_tf.skeleton import SMPL_24

# Bones of a limb: SMPL's joint -> the joint that its bone ends at.
_ENDS = {
    f"{side}_{joint}": f"{side}_{end}"
    for side in ("left", "right")
    for joint, end in (
        *(("hip", "knee"), ("knee", "ankle"), ("ankle", "foot")),
        *(("shoulder", "elbow"), ("elbow", "wrist")),
    )
} | {"neck": "head"}
# Points whose positions are compared, each with its reference point. "hips" and "shoulders" are
# the middles of two joints. The neck is not included: in different skeletons it is anywhere
# between collarbones and skull.
FOLLOWED = {
    **{f"{side}_hip": "hips" for side in ("left", "right")},
    "shoulders": "hips",
    "head": "hips",
    **{f"{side}_shoulder": "shoulders" for side in ("left", "right")},
    **{end: joint for joint, end in _ENDS.items() if joint != "neck"},
}
Joints = Mapping[str, np.ndarray]
Bone = tuple[np.ndarray, np.ndarray]  # the directions in SMPL's rest pose and in the other's
_UPRIGHT = 0.75  # smallest cosine of a standing person's directions to SMPL's, at rest
_TINY = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Retargeted:
    """SMPL's motion, and its remaining errors.

    Attributes:
      poses: `[T, 24, 3]` parent-relative axis-angles, radians; y up as in SMPL.
      translations: `[T, 3]` metres; y up.
      joints: `[T, 24, 3]` metres, with the size of the rest body.
      names: `[N]` the joints of FOLLOWED that exist in the source.
      targets: `[T, N, 3]` metres: the source's, each bone scaled to the body's length.
      unit: metres per unit of the source, estimated from the legs.
      up: the source's axis that points upwards, such as "+y".
      upright_rest: whether the source's pose at zero angles is a standing person.
    """

    poses: np.ndarray
    translations: np.ndarray
    joints: np.ndarray
    names: tuple[str, ...]
    targets: np.ndarray
    unit: float
    up: str
    upright_rest: bool

    @property
    def errors(self) -> np.ndarray:
        """`[T, N]` metres between the joints and their targets."""
        own = self.joints[:, SMPL_24.indices(self.names)]
        return np.linalg.norm(own - self.targets, axis=-1)


def retarget(motion: SkeletonMotion, rest_joints: np.ndarray) -> Retargeted:
    """Makes SMPL's joints follow another skeleton.

    Args:
      motion: of the other skeleton.
      rest_joints: `[24, 3]` metres, of SMPL's body at rest.

    Returns:
      The motion of SMPL.

    Raises:
      BadItemError: necessary joints have no known names, or the skeleton is not a person's.
    """
    indices = joint_names.smpl_joints(motion)
    joints, turned = motion.posed()
    up_name, to_y_up = _upright(joints, indices)
    joints, turned = joints @ to_y_up.T, to_y_up @ turned
    rest = dict(zip(SMPL_24.names, rest_joints, strict=True))
    rest |= _middles(rest)
    source = {name: joints[:, index] for name, index in indices.items()}
    source |= _middles(source)
    still = _rest_pose(motion, indices)
    frame = _standing_frame(still, rest)
    targets, unit = _targets(source, source if frame is None else still, rest)
    spine = joint_names.spine(motion, indices["neck"])
    turns = {name: turned[:, index] for name, index in indices.items()}
    if set(motion.names) == set(SMPL_24.names):  # as written by `smpl_tf.bvh`: nothing to estimate
        aimed = turned[:, [motion.names.index(name) for name in SMPL_24.names]]
    else:
        chest = [turned[:, joint] for joint in spine]
        aimed = _aim(targets, turns, chest, still, frame, rest)
    relative = np.empty_like(aimed)
    for joint, parent in enumerate(SMPL_24.parents):
        above = np.swapaxes(aimed[:, parent], -1, -2)
        relative[:, joint] = aimed[:, joint] if parent < 0 else above @ aimed[:, joint]
    offsets = rest_joints - rest_joints[list(SMPL_24.parents)]
    places = np.zeros((len(joints), 3))
    own, _ = forward(relative, offsets, SMPL_24.parents, places)
    hips = own[:, SMPL_24.indices(("left_hip", "right_hip"))].mean(1)
    places = targets["hips"] - hips
    names = tuple(name for name in FOLLOWED if name in targets and name in SMPL_24.names)
    poses = Rotation.from_matrix(relative.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    return Retargeted(
        poses=poses,
        translations=places - rest_joints[0],
        joints=own + places[:, None],
        names=names,
        targets=np.stack([targets[name] for name in names], 1),
        unit=unit,
        up=up_name,
        upright_rest=frame is not None,
    )


def _middles(joints: Joints) -> dict[str, np.ndarray]:
    return {
        f"{joint}s": (joints[f"left_{joint}"] + joints[f"right_{joint}"]) / 2
        for joint in ("hip", "shoulder")
    }


def _upright(joints: np.ndarray, indices: Mapping[str, int]) -> tuple[str, np.ndarray]:
    """Returns the up axis, mostly the one from feet to head, and the rotation to y up."""
    feet = joints[:, [indices["left_ankle"], indices["right_ankle"]]].mean(1)
    mean = unit_vectors((joints[:, indices["neck"]] - feet).mean(0))
    axis = int(np.abs(mean).argmax())
    sign = 1 if mean[axis] > 0 else -1
    up = np.zeros(3)
    up[axis] = sign
    name = f"{'+' if sign > 0 else '-'}{'xyz'[axis]}"
    return name, Rotation.align_vectors([[0, 1, 0]], [up])[0].as_matrix()


def _targets(
    source: Joints,
    measured: Joints,
    rest: Joints,
) -> tuple[dict[str, np.ndarray], float]:
    """Returns the source's joints in metres with SMPL's bone lengths, and metres per unit.

    Lengths are measured in the pose at zero angles if that is a standing person, since raised
    shoulders are nearer to the head; otherwise they are means.
    """
    own, others = (
        sum(_length(joints, f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")
            for a, b in (("hip", "knee"), ("knee", "ankle")))
        for joints in (rest, measured)
    )  # fmt: skip
    if not others > _TINY:
        raise BadItemError("its legs have no length")
    unit = float(own / others)
    targets = {"hips": source["hips"] * unit}
    for name, start in FOLLOWED.items():
        if name in source:
            length = _length(measured, start, name)
            factor = _length(rest, start, name) / length if length > _TINY else 0.0
            targets[name] = targets[start] + factor * (source[name] - source[start])
    return targets, unit


def _length(joints: Joints, start: str, end: str) -> float:
    return float(np.linalg.norm(joints[end] - joints[start], axis=-1).mean())


def _rest_pose(motion: SkeletonMotion, indices: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Returns the joints at zero angles, by SMPL's names."""
    rotations = np.tile(np.eye(3), (1, len(motion.names), 1, 1))
    joints, _ = forward(rotations, motion.offsets, motion.parents, np.zeros((1, 3)))
    still = {name: joints[0, index] for name, index in indices.items()}
    return still | _middles(still)


def _standing_frame(still: Joints, rest: Joints) -> np.ndarray | None:
    """Returns the rotation of SMPL's axes to the zero pose's; None: it is no standing person."""

    def directions(joints):
        hips = (joints["left_hip"] + joints["right_hip"]) / 2
        ankles = (joints["left_ankle"] + joints["right_ankle"]) / 2
        pairs = (
            *(("right_hip", "left_hip"), ("right_shoulder", "left_shoulder")),
            *(("left_hip", "left_knee"), ("right_hip", "right_knee")),
        )
        found = [joints[end] - joints[start] for start, end in pairs]
        return np.stack(
            [unit_vectors(one) for one in (*found, joints["neck"] - hips, ankles - hips)]
        )

    theirs, own = directions(still), directions(rest)
    rotation = Rotation.align_vectors(theirs, own)[0]
    fits = (rotation.apply(own) * theirs).sum(-1).min() > _UPRIGHT
    return rotation.as_matrix() if fits else None


def _aim(
    targets: Joints,
    turns: Joints,
    spine: list[np.ndarray],
    still: Joints,
    frame: np.ndarray | None,
    rest: Joints,
) -> np.ndarray:
    """Global rotations of SMPL's joints, `[T, 24, 3, 3]`."""
    count = len(targets["hips"])
    aimed = np.tile(np.eye(3), (count, 24, 1, 1))

    def put(name: str, rotation: np.ndarray) -> None:
        aimed[:, SMPL_24.index(name)] = rotation

    def own(name: str) -> np.ndarray:
        return aimed[:, SMPL_24.index(name)]

    def taken(turn: np.ndarray, guess: np.ndarray, bone: Bone | None = None) -> np.ndarray:
        """Returns SMPL's rotation from its counterpart's, given an estimated rest rotation."""
        if frame is None:
            offsets = np.swapaxes(turn, -1, -2) @ guess
            return turn @ Rotation.from_matrix(offsets).mean().as_matrix()
        offset = frame if bone is None else shortest_rotation(frame @ bone[0], bone[1]) @ frame
        return turn @ offset

    across = targets["left_hip"] - targets["right_hip"]
    upwards = targets["shoulders"] - targets["hips"]
    pelvis = taken(turns["pelvis"], _basis(across, upwards))
    hips_at_rest = rest["left_hip"] - rest["right_hip"]
    put("pelvis", _pointed(pelvis, hips_at_rest, across))

    shoulders = targets["left_shoulder"] - targets["right_shoulder"]
    chest_guess = _basis(shoulders, upwards)
    chain = [own("pelvis"), *(taken(turn, chest_guess) for turn in spine)]
    if frame is None or not spine:  # only the chest's rotation is visible in the joints
        chain = [own("pelvis"), chain[-1] if spine else chest_guess]
    for number, name in enumerate(("spine1", "spine2", "spine3"), 1):
        put(name, _between(chain, number / 3))
    for side in ("left", "right"):
        turn = turns.get(f"{side}_collar")
        put(f"{side}_collar", own("spine3") if turn is None else taken(turn, own("spine3")))
    _bend_spine(aimed, targets, rest)
    chest = own("spine3")

    neck = taken(turns["neck"], chest)
    head = taken(turns["head"], neck) if "head" in turns else neck
    if "head" in targets:
        direction = targets["head"] - _place(aimed, "neck", targets, rest)
        neck = _pointed(neck, rest["head"] - rest["neck"], direction)
    put("neck", neck)
    put("head", head)
    for side in ("left", "right"):
        collar = f"{side}_collar"
        place = _place(aimed, collar, targets, rest)
        bone = rest[f"{side}_shoulder"] - rest[collar]
        put(collar, _pointed(own(collar), bone, targets[f"{side}_shoulder"] - place))
        for joints, above in (
            (("hip", "knee", "ankle"), own("pelvis")),
            (("shoulder", "elbow"), own(collar)),
        ):
            _aim_limb(side, joints, above, put, taken, targets, turns, still, rest)
        arm = own(f"{side}_elbow")
        forearm = _bone(still, rest, f"{side}_elbow")
        put(f"{side}_wrist", taken(turns[f"{side}_wrist"], arm, forearm))
        put(f"{side}_hand", own(f"{side}_wrist"))
        ankle = own(f"{side}_ankle")
        foot = turns.get(f"{side}_foot")
        sole = _bone(still, rest, f"{side}_ankle") if f"{side}_foot" in still else None
        put(f"{side}_foot", ankle if foot is None else taken(foot, ankle, sole))
    return aimed


def _aim_limb(
    side: str,
    joints: Sequence[str],
    above: np.ndarray,
    put: Callable[[str, np.ndarray], None],
    taken: Callable[..., np.ndarray],
    targets: Joints,
    turns: Joints,
    still: Joints,
    rest: Joints,
) -> None:
    """Rotates the joints of a limb, from its root to its end."""
    for joint in joints:
        name = f"{side}_{joint}"
        end = _ENDS[name]
        if end not in targets:  # a foot without toes
            put(name, taken(turns[name], above))
            continue
        direction, bone = targets[end] - targets[name], rest[end] - rest[name]
        guess = _pointed(above, bone, direction)
        above = _pointed(taken(turns[name], guess, _bone(still, rest, name)), bone, direction)
        put(name, above)


def _bone(still: Joints, rest: Joints, name: str) -> Bone:
    """Returns the directions of a bone in SMPL's rest pose and in the other's."""
    end = _ENDS[name]
    return unit_vectors(rest[end] - rest[name]), unit_vectors(still[end] - still[name])


def _bend_spine(aimed: np.ndarray, targets: Joints, rest: Joints) -> None:
    """Rotates spine and collarbones rigidly to move the middle of the shoulders to its target."""
    trunk = SMPL_24.indices(("spine1", "spine2", "spine3", "left_collar", "right_collar"))
    start = _place(aimed, "spine1", targets, rest)
    shoulders = [_place(aimed, f"{side}_shoulder", targets, rest) for side in ("left", "right")]
    turn = shortest_rotation(sum(shoulders) / 2 - start, targets["shoulders"] - start)
    aimed[:, trunk] = turn[:, None] @ aimed[:, trunk]


def _place(aimed: np.ndarray, name: str, targets: Joints, rest: Joints) -> np.ndarray:
    """Returns the position of one of SMPL's joints, `[T, 3]`, relative to the hips."""
    joint = SMPL_24.index(name)
    path = [joint]
    while SMPL_24.parents[path[-1]] >= 0:
        path.append(SMPL_24.parents[path[-1]])
    place = targets["hips"] + aimed[:, 0] @ (rest["pelvis"] - rest["hips"])
    for below, above in zip(path[-2::-1], path[:0:-1], strict=True):
        bone = rest[SMPL_24.names[below]] - rest[SMPL_24.names[above]]
        place = place + aimed[:, above] @ bone
    return place


def _pointed(rotation: np.ndarray, bone: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Applies the smallest rotation that gives a bone the wanted direction."""
    return shortest_rotation(rotation @ bone, direction) @ rotation


def _basis(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Returns rotations whose x axis points left and whose y axis points up as far as possible."""
    x = unit_vectors(left)
    z = unit_vectors(np.cross(x, up))
    return np.stack([x, np.cross(z, x), z], -1)


def _between(chain: list[np.ndarray], share: float) -> np.ndarray:
    """Interpolates along a chain of rotations."""
    place = share * (len(chain) - 1)
    lower = min(int(place), len(chain) - 2)
    step = Rotation.from_matrix(np.swapaxes(chain[lower], -1, -2) @ chain[lower + 1])
    part = Rotation.from_rotvec((place - lower) * step.as_rotvec())
    return chain[lower] @ part.as_matrix()
