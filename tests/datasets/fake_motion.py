"""Motions of SMPL's body, written as other makers write theirs: names, axes, units, rest poses.

A maker's joint j has the global rotation G_j B_j^T instead of SMPL's G_j, and its bones are turned
by B of their joint: the same places, other angles, another pose without angles.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf import load_model_data
from smpl_tf.skeleton import SMPL_24
from tests.datasets import fakes

BODY = load_model_data()
REST = BODY.J_regressor @ BODY.v_template
PARENTS = SMPL_24.parents
OFFSETS = REST - REST[list(PARENTS)]
_MIXAMO = {
    **{"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2"},
    **{"neck": "Neck", "head": "Head"},
}
_SIDED = {
    "hip": ("UpLeg", "Hip", "femur"),
    "knee": ("Leg", "Knee", "tibia"),
    "ankle": ("Foot", "Ankle", "foot"),
    "foot": ("ToeBase", "Toe", "toes"),
    "collar": ("Shoulder", "Collar", "clavicle"),
    "shoulder": ("Arm", "Shoulder", "humerus"),
    "elbow": ("ForeArm", "Elbow", "radius"),
    "wrist": ("Hand", "Wrist", "wrist"),
    "hand": ("HandIndex1", "Fingers", "fingers"),
}


def motion(frames=5, seed=0):
    """Poses `[T, 24, 3]` of somebody who walks off, y up, and root places `[T, 3]` metres."""
    rng = np.random.default_rng(seed)
    pose = fakes.random_pose(rng, frames, Rotation.identity())
    pose[:, SMPL_24.indices(["left_hand", "right_hand"])] = 0
    pose[:, SMPL_24.indices(["left_shoulder", "right_shoulder"]), 0] += [0.5, 0.3]  # twisted
    pose[:, SMPL_24.indices(["left_elbow", "right_elbow"]), 1] += [-0.9, 0.7]
    pose[:, SMPL_24.indices(["left_knee", "right_knee"]), 0] += [0.8, 0.5]
    places = np.array([0.3, 0.9, -0.2]) + np.linspace(0, 1, frames)[:, None] * [0.5, 0, 1]
    return pose, places


def name_of(joint, style):
    """SMPL's joint as a maker calls it; style 0, 1 or 2."""
    side, _, part = joint.partition("_")
    if part:
        sides = {0: side.capitalize(), 1: side.capitalize(), 2: side[0]}
        return sides[style] + _SIDED[part][style]
    return _MIXAMO[joint]


def shortest(start, end):
    """The smallest rotation between two directions."""
    axis, angle = np.cross(start, end), np.arctan2(
        np.linalg.norm(np.cross(start, end)), start @ end
    )  # fmt: skip
    length = np.linalg.norm(axis)
    return Rotation.from_rotvec(axis / length * angle if length > 1e-9 else axis)


def arms_down():
    """Turns of a rest pose with hanging arms: of arms and what is below them."""
    turns = [Rotation.identity()] * 24
    for side in ("left", "right"):
        for joint in ("shoulder", "elbow", "wrist", "hand"):
            index = SMPL_24.index(f"{side}_{joint}")
            child = index if joint == "hand" else SMPL_24.parents.index(index)
            bone = OFFSETS[child] / np.linalg.norm(OFFSETS[child])
            turns[index] = shortest(bone, np.array([0.0, -1, 0]))
    return turns


def along_x():
    """Turns of a rest pose that is nobody's: every bone of the limbs and the spine along x."""
    turns = [Rotation.identity()] * 24
    for joint in range(1, 24):
        if joint in PARENTS:
            child = PARENTS.index(joint)
            bone = OFFSETS[child] / np.linalg.norm(OFFSETS[child])
            spin = Rotation.from_rotvec([0.3 * joint, 0, 0])
            turns[joint] = spin * shortest(bone, np.array([1.0, 0, 0]))
        else:
            turns[joint] = turns[PARENTS[joint]]
    return turns


def as_maker(pose, turns, world=None):
    """Local rotations `[T, 24]` (list of Rotation) and offsets of the maker's skeleton."""
    world = world or Rotation.identity()
    turned, local = [None] * 24, [None] * 24
    for joint, parent in enumerate(PARENTS):
        own = Rotation.from_rotvec(pose[:, joint])
        turned[joint] = world * own if parent < 0 else turned[parent] * own
    for joint, parent in enumerate(PARENTS):
        mine = turned[joint] * turns[joint].inv()
        above = None if parent < 0 else turned[parent] * turns[parent].inv()
        local[joint] = mine if above is None else above.inv() * mine
    offsets = [turns[parent].apply(OFFSETS[joint]) for joint, parent in enumerate(PARENTS)]
    return local, offsets


def write_bvh(path, pose, places, style=0, turns=None, world=None, unit=100.0, order="ZYX"):
    """Writes a BVH file as a maker does; returns nothing."""
    turns = turns or [Rotation.identity()] * 24
    local, offsets = as_maker(pose, turns, world)
    lines, sequence = ["HIERARCHY"], []
    turn = " ".join(f"{axis}rotation" for axis in order)

    def describe(joint, indent):
        sequence.append(joint)
        head = "ROOT" if joint == 0 else "JOINT"
        lines.append(f"{indent}{head} {name_of(SMPL_24.names[joint], style)}\r")
        place = "Xposition Yposition Zposition " if joint == 0 else ""
        offset = np.zeros(3) if joint == 0 else unit * offsets[joint]
        lines.append(f"{indent}{{\n{indent}\tOFFSET {' '.join(f'{x:.6f}' for x in offset)}")
        lines.append(f"{indent}\tCHANNELS {6 if joint == 0 else 3} {place}{turn}")
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        for child in children:
            describe(child, indent + "\t")
        if not children:
            lines.append(
                f"{indent}\tEnd Site\n{indent}\t{{\n{indent}\t\tOFFSET 0 1 0\n{indent}\t}}"
            )
        lines.append(f"{indent}}}")

    describe(0, "")
    world = world or Rotation.identity()
    columns = [unit * world.apply(places)]
    columns += [local[joint].as_euler(order, degrees=True) for joint in sequence]
    rows = np.concatenate(columns, 1)
    lines += ["MOTION", f"Frames:\t{len(rows)}", "Frame Time: .0333333"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_acclaim(folder, pose, places, unit=1 / 0.0254 * 0.45, seed=3):
    """Writes 01.asf and 01_01.amc: bones begin at their parents' ends, axes of their own."""
    local, offsets = as_maker(pose, [Rotation.identity()] * 24)
    rng = np.random.default_rng(seed)
    # A bone is SMPL's joint at its beginning; where several bones end, each has one of no turn.
    ends = {joint: [child for child, p in enumerate(PARENTS) if p == joint] for joint in range(24)}
    bones, above, angles = [], {}, {}
    names = {joint: name_of(SMPL_24.names[joint], 2) for joint in range(1, 24)}

    def add(name, parent, vector, rotation):
        length = np.linalg.norm(vector)
        axis = rng.uniform(-90, 90, 3).round(3)
        own = Rotation.from_euler("xyz", axis, degrees=True)
        direction = vector / length if length else np.array([0.0, 1, 0])
        lines = [f"name {name}", f"direction {' '.join(map(str, direction))}"]
        lines += [f"length {unit * length}", f"axis {' '.join(map(str, axis))} XYZ"]
        if rotation is not None:
            lines += ["dof rx ry rz", "limits (-180 180)", "(-180 180)", "(-180 180)"]
            angles[name] = (own.inv() * rotation * own).as_euler("xyz", degrees=True)
        bones.append("  begin\n    " + "\n    ".join([f"id {len(bones)}", *lines]) + "\n  end")
        above.setdefault(parent, []).append(name)

    def walk(joint, parent):
        children = ends[joint]
        if joint == 0:
            base = "root"
        elif len(children) == 1:
            add(names[joint], parent, offsets[children[0]], local[joint])
            return walk(children[0], names[joint])
        else:
            base = names[joint]
            add(base, parent, np.zeros(3), local[joint])
        for child in children:
            link = f"{base}_to_{child}"
            add(link, base, offsets[child], None)
            walk(child, link)
        return None

    walk(0, None)
    head = ":version 1.10\n:name VICON\n:units\n  mass 1.0\n  length 0.45\n  angle deg\n"
    head += ":root\n   order TX TY TZ RX RY RZ\n   axis XYZ\n   position 0 0 0\n"
    tree = "\n".join(f"    {parent} {' '.join(children)}" for parent, children in above.items())
    folder.mkdir(parents=True, exist_ok=True)
    text = f"# a comment\n{head}:bonedata\n" + "\n".join(bones)
    (folder / "01.asf").write_text(f"{text}\n:hierarchy\n  begin\n{tree}\n  end\n")
    root = np.concatenate([unit * places, local[0].as_euler("xyz", degrees=True)], 1)
    frames = ["#!OML:ASF\n:FULLY-SPECIFIED\n:DEGREES"]
    for frame in range(len(pose)):
        frames.append(str(frame + 1))
        for name, row in ({"root": root} | angles).items():
            frames.append(f"{name} {' '.join(f'{value:.6f}' for value in row[frame])}")
    (folder / "01_01.amc").write_text("\n".join(frames) + "\n")
