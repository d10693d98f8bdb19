"""Named joints: the points of a skeleton, their tree, and their mirror map.

A skeleton is a table of names. Every map between two skeletons is made from the names, so that
callers need no lists of indices. Left and right are always the person's own.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np


def _mirrored_name(name: str) -> str:
    """Returns the name of the same joint on the person's other side."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """An ordered set of named points on a person.

    Attributes:
      name: used in messages and records.
      names: one name per point, in the order of the arrays that use this skeleton.
      tree: the index of each point's parent, -1 for a root; None if the source defines no tree.
        `parents` is the same for callers that need a tree.
    """

    name: str
    names: tuple[str, ...]
    tree: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Rejects inconsistent tables."""
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"Skeleton {self.name}: expected distinct names, got {self.names}.")
        if self.tree is not None and len(self.tree) != len(self.names):
            raise ValueError(
                f"Skeleton {self.name}: expected {len(self.names)} parents, one per name, got "
                f"{len(self.tree)}."
            )

    def __len__(self) -> int:
        """Returns the number of points."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Returns the position of a point.

        Raises:
          ValueError: if the skeleton has no such point.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise ValueError(
                f"Skeleton {self.name} has no point {name!r}; it has {', '.join(self.names)}."
            ) from None

    def indices(self, names: Sequence[str]) -> np.ndarray:
        """Returns the positions of several points, int32 `[N]`."""
        return np.array([self.index(name) for name in names], np.int32)

    @property
    def parents(self) -> tuple[int, ...]:
        """The index of each point's parent, -1 for a root.

        Raises:
          ValueError: if the source of this skeleton defines no tree.
        """
        if self.tree is None:
            raise ValueError(
                f"Skeleton {self.name} has no parents: its source defines no tree. Use a skeleton "
                f"that has one, such as SMPL-24."
            )
        return self.tree

    @property
    def mirror(self) -> np.ndarray:
        """The index of each point's counterpart on the other side, int32 `[N]`.

        A point without a counterpart in this skeleton maps to itself.
        """
        return np.array(
            [
                self.names.index(_mirrored_name(name)) if _mirrored_name(name) in self.names else i
                for i, name in enumerate(self.names)
            ],
            np.int32,
        )


def shared_points(source: Skeleton, target: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Pairs the points that two skeletons have under the same name.

    Args:
      source: the skeleton to read from.
      target: the skeleton to write to.

    Returns:
      Two int32 arrays of equal length: positions in `source` and in `target`, in the order of
      `target`.
    """
    pairs = [
        (source.index(name), i) for i, name in enumerate(target.names) if name in source.names
    ]
    source_ids, target_ids = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(source_ids, np.int32), np.array(target_ids, np.int32)


# SMPL's kinematic tree (Loper et al. 2015), in the order of the model files.
SMPL_24 = Skeleton(
    name="SMPL-24",
    names=(
        "pelvis",
        "left_hip",
        "right_hip",
        "spine1",
        "left_knee",
        "right_knee",
        "spine2",
        "left_ankle",
        "right_ankle",
        "spine3",
        "left_foot",
        "right_foot",
        "neck",
        "left_collar",
        "right_collar",
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hand",
        "right_hand",
    ),
    tree=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)

# SMPL joints without children: points alone do not determine their rotation.
SMPL_LEAF_JOINTS = ("left_foot", "right_foot", "head", "left_hand", "right_hand")

# Leeds Sports Pose order. Its neck and head top are surface points; `lsp_neck` is distinct from
# SMPL's neck joint, which lies deeper.
LSP_14 = Skeleton(
    name="LSP-14",
    names=(
        "right_ankle",
        "right_knee",
        "right_hip",
        "left_hip",
        "left_knee",
        "left_ankle",
        "right_wrist",
        "right_elbow",
        "right_shoulder",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "lsp_neck",
        "head_top",
    ),
)

# Human3.6M's usual 17 of 32 joints. Its hips, neck and head are marker-based and some centimetres
# away from SMPL's; hence their own names.
H36M_17 = Skeleton(
    name="H36M-17",
    names=(
        "pelvis_h36m",
        "right_hip_h36m",
        "right_knee",
        "right_ankle",
        "left_hip_h36m",
        "left_knee",
        "left_ankle",
        "spine_h36m",
        "neck_h36m",
        "nose_h36m",
        "head_top",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    tree=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
)

# COCO's keypoints. Annotators mark hips and shoulders on photographs: some centimetres off SMPL's.
COCO_17 = Skeleton(
    name="COCO-17",
    names=(
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
)

# MPII's points. Its upper neck and head top are those of LSP.
MPII_16 = Skeleton(
    name="MPII-16",
    names=(
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis_mpii", "thorax_mpii", "lsp_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ),
)

# OpenPose's BODY_25. Its neck and middle hip are the middles of COCO's shoulders and hips.
OPENPOSE_25 = Skeleton(
    name="OpenPose-25",
    names=(
        *("nose", "neck_openpose", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist", "mid_hip_openpose"),
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
)

# BlazePose's points, in the order of its networks. Its fingers are their knuckles, where they
# leave the palm; its hips and shoulders are marked on photographs, as COCO's are.
BLAZEPOSE_33 = Skeleton(
    name="BlazePose-33",
    names=(
        *("nose", "left_eye_inner", "left_eye", "left_eye_outer"),
        *("right_eye_inner", "right_eye", "right_eye_outer", "left_ear", "right_ear"),
        *("left_mouth_corner", "right_mouth_corner", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
        *("left_heel", "right_heel", "left_big_toe", "right_big_toe"),
    ),
)

# Points that detectors and annotators mark on photographs and every body has: COCO's and the feet.
PHOTOGRAPH_21 = Skeleton(
    name="Photograph-21",
    names=(
        *COCO_17.names,
        *("left_heel", "right_heel", "left_big_toe", "right_big_toe"),
    ),
)

# Halpe's body keypoints (github.com/Fang-Haoshu/Halpe-FullBody), AlphaPose's usual output: COCO's,
# then head top, neck, middle hip and feet, left before right.
HALPE_26 = Skeleton(
    name="Halpe-26",
    names=(
        *COCO_17.names,
        *("head_top", "neck_halpe", "mid_hip_halpe"),
        *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe"),
        *("left_heel", "right_heel"),
    ),
)

# MPI-INF-3DHP's 28 joints (order as in mmhuman3d's mpi_inf_3dhp.py and the data set's own
# mpii_get_joint_set.m). Trunk, hands and feet are the capture system's, not SMPL's.
MPI_INF_28 = Skeleton(
    name="MPI-INF-28",
    names=(
        *("spine3_3dhp", "spine4_3dhp", "spine2_3dhp", "spine_3dhp", "pelvis_3dhp"),
        *("neck_3dhp", "head_3dhp", "head_top"),
        *("left_clavicle_3dhp", "left_shoulder", "left_elbow", "left_wrist", "left_hand_3dhp"),
        *("right_clavicle_3dhp", "right_shoulder", "right_elbow", "right_wrist"),
        "right_hand_3dhp",
        *("left_hip", "left_knee", "left_ankle", "left_foot_3dhp", "left_toe_3dhp"),
        *("right_hip", "right_knee", "right_ankle", "right_foot_3dhp", "right_toe_3dhp"),
    ),
)

# SAM 3D Body's keypoints (sam_3d_body/metadata/mhr70.py): COCO's without wrists, feet, the right
# hand and its wrist, the left ones, elbows and shoulders on the skin, neck. Fingers run from the
# tip (4) to the knuckle ("third joint").
_MHR_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_MHR_FINGER_JOINTS = ("4", "3", "2", "_third_joint")
MHR_70 = Skeleton(
    name="MHR-70",
    names=(
        *(name for name in COCO_17.names if not name.endswith("_wrist")),
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
        *(f"right_{finger}{joint}" for finger in _MHR_FINGERS for joint in _MHR_FINGER_JOINTS),
        "right_wrist",
        *(f"left_{finger}{joint}" for finger in _MHR_FINGERS for joint in _MHR_FINGER_JOINTS),
        "left_wrist",
        *("left_olecranon", "right_olecranon", "left_cubital_fossa", "right_cubital_fossa"),
        *("left_acromion", "right_acromion", "neck_mhr"),
    ),
)

# SMPL's joints without the hands: AMASS, HumanML3D and many networks that make motion.
SMPL_22 = Skeleton(name="SMPL-22", names=SMPL_24.names[:22], tree=SMPL_24.parents[:22])

# Vertices of the official SMPL mesh behind UP's landmarks, in the order of the file
# models/pose/landmarks.pkl of UP's code (github.com/classner/up). A body with another vertex order
# brings its own ids under the same names: SMPLModelData.landmarks.
UP_LANDMARK_VERTICES = {
    "left_lower_leg_outer": 1097,
    "left_hip_outer": 1454,
    "right_mouth_corner": 3841,
    "left_knee_inner": 1016,
    "right_upper_arm_outer": 4862,
    "left_ankle_outer": 3328,
    "right_knee_outer": 4495,
    "left_shoulder_back": 734,
    "right_elbow_inner": 5121,
    "right_papilla": 6489,
    "left_elbow_top": 1618,
    "right_hip_outer": 4920,
    "right_big_toe": 6618,
    "left_knee_back": 1002,
    "left_knee_outer": 1010,
    "waist_back": 3021,
    "right_knee_inner": 4500,
    "right_upper_leg_front": 4431,
    "left_upper_arm_inner": 627,
    "right_upper_leg_outer": 4459,
    "right_ankle_outer": 6728,
    "right_hip_back": 6539,
    "left_upper_leg_inner": 949,
    "left_knee_front": 1043,
    "left_big_toe": 3217,
    "belly_button": 3500,
    "left_papilla": 3042,
    "right_lower_leg_back": 4937,
    "right_upper_leg_inner": 4435,
    "right_upper_arm_inner": 6281,
    "left_ear": 516,
    "left_shoulder_front": 1873,
    "throat": 3068,
    "left_lower_leg_front": 1103,
    "left_waist": 676,
    "left_upper_leg_front": 946,
    "right_knee_front": 4529,
    "left_upper_leg_outer": 973,
    "right_lower_arm_upper": 5016,
    "nose": 331,
    "right_shoulder_back": 4222,
    "right_shoulder_top": 6470,
    "right_lower_leg_inner": 4574,
    "left_mouth_corner": 337,
    "head_top": 411,
    "left_hip_back": 3117,
    "left_elbow_outer": 1703,
    "right_hip_front": 4399,
    "left_lower_arm_upper": 1971,
    "shoulderblade_center": 3028,
    "right_upper_leg_back": 4933,
    "left_elbow_inner": 1650,
    "right_knee_back": 4486,
    "right_shoulder_front": 4798,
    "right_heel": 6786,
    "left_upper_arm_outer": 1389,
    "right_elbow_outer": 5129,
    "left_lower_arm_lower": 1953,
    "right_ear": 3998,
    "left_hip_front": 915,
    "right_eye": 6262,
    "left_upper_leg_back": 1459,
    "lsp_neck": 829,
    "right_ankle_inner": 6832,
    "right_elbow_bottom": 5131,
    "left_ankle_inner": 3432,
    "head_back": 457,
    "left_eye": 2802,
    "right_lower_leg_outer": 4581,
    "right_lower_leg_front": 4589,
    "right_elbow_top": 5135,
    "left_elbow_bottom": 1724,
    "left_lower_leg_back": 1464,
    "solar_plexus": 1329,
    "left_heel": 3387,
    "left_shoulder_top": 1822,
    "left_lower_leg_inner": 1088,
    "right_waist": 4317,
    "right_lower_arm_lower": 5021,
}

# NBF's order: LSP's joints, neck and head top, then the other landmarks in UP's order.
UP_91 = Skeleton(
    name="UP-91",
    names=LSP_14.names
    + tuple(name for name in UP_LANDMARK_VERTICES if name not in ("lsp_neck", "head_top")),
)

# SMPLR's 18 surface points (paper 3.2; ids and order as released): official vertex, parent in
# the tree of 42 points. The authors' file of it is lost; it was recovered from data.
_SMPLR_LANDMARKS = (
    ("left_breast", 3042, "spine3"),
    ("right_breast", 4428, "spine3"),
    ("belly", 3503, "pelvis"),
    ("right_hip_side", 4311, "pelvis"),
    ("left_hip_side", 822, "pelvis"),
    ("right_thigh_front", 4361, "right_hip"),
    ("left_thigh_front", 877, "left_hip"),
    ("right_thigh_back", 4386, "right_thigh_front"),
    ("left_thigh_back", 898, "left_thigh_front"),
    ("left_foot_tip", 3222, "left_foot"),
    ("right_foot_tip", 6620, "right_foot"),
    ("left_hand_tip", 2544, "left_hand"),
    ("left_biceps", 2820, "left_shoulder"),
    ("left_triceps", 1258, "left_biceps"),
    ("right_biceps", 4116, "right_shoulder"),
    ("right_triceps", 5365, "right_biceps"),
    ("right_hand_tip", 5989, "right_hand"),
    ("face", 331, "head"),
)
SMPLR_LANDMARKS = tuple(name for name, _, _ in _SMPLR_LANDMARKS)
SMPLR_LANDMARK_VERTICES = {name: vertex for name, vertex, _ in _SMPLR_LANDMARKS}
_SMPLR_NAMES = SMPL_24.names + SMPLR_LANDMARKS

# SMPLR's points: 24 joints, then 18 landmarks.
SMPLR_42 = Skeleton(
    name="SMPLR-42",
    names=_SMPLR_NAMES,
    tree=SMPL_24.parents + tuple(_SMPLR_NAMES.index(parent) for _, _, parent in _SMPLR_LANDMARKS),
)

# All named vertices of the official mesh, for every file that has its vertices in that order.
NUM_OFFICIAL_VERTICES = 6890
OFFICIAL_LANDMARK_VERTICES = {**UP_LANDMARK_VERTICES, **SMPLR_LANDMARK_VERTICES}
