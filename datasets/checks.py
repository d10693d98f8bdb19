"""Reads a converted split back and reports what is wrong with it."""

import collections
import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
import tqdm
from scipy.spatial.transform import Rotation

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import manifests, processes, records
from datasets.bodies import Bodies, Fits
from smpl_tf import pictures
from smpl_tf.parts import PARTS_6, merge_labels
from smpl_tf.skeleton import LSP_14, SMPL_24, shared_points

_BATCH = 64
_REPROJECTION = 0.5  # pixels between 2D joints and projected 3D joints
_BODY = 2.0  # pixels between 2D joints and projected joints of the posed body, mean
_LEFT_HIP, _RIGHT_HIP = SMPL_24.indices(["left_hip", "right_hip"])
_KNEES = SMPL_24.indices(["left_knee", "right_knee"])
_LEGS = [PARTS_6.names.index(name) for name in ("left_leg", "right_leg")]
# The limbs' joints among SMPL's and among the annotated points.
_SMPL_LIMBS, _LSP_LIMBS = shared_points(SMPL_24, LSP_14)
_NEAR_BOX = 0.5  # fraction of its size; captured points are nearer to the person's box
_NEAR_MASK = 0.1  # fraction of its size; annotated points are nearer to the mask's box


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a check.

    Attributes:
      count: Examples that were read.
      findings: what is wrong -> ids of the Examples, in their order.
      not_checked: checks that could not be made, and why.
    """

    count: int
    findings: dict[str, list[str]]
    not_checked: tuple[str, ...]


def check(
    directory: str,
    split: str,
    bodies: Bodies | None,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Result:
    """Checks every byte and every Example of a split.

    Checks checksums; keys, shapes and types; sizes of pictures and label maps; ids that occur
    twice, in this or another split of the folder; 2D joints against 3D joints and against the
    posed body; captured points against the person's box; and whether left and right agree in
    labels, annotations and bodies.

    Args:
      directory: folder of the shards.
      split: its name.
      bodies: those of the SMPL parameters; None skips the checks of the posed body.
      workers: processes; None = one per core, 0 = this process.
      progress: whether to show a bar.

    Returns:
      The findings.

    Raises:
      RecordError: a shard is missing or damaged, or has a record that is not an Example.
    """
    manifest = records.check(directory, split, checksums=True)
    not_checked = []
    if manifest.bodies and not _same_bodies(bodies, manifest):
        given = ", ".join(f"{gender} {mark}" for gender, mark in manifest.bodies.items())
        not_checked.append(f"2D joints against posed bodies; give those converted with: {given}")
        bodies = None
    findings = collections.defaultdict(list)
    seen = _ids_of_other_splits(directory, split)
    paths = [os.path.join(directory, shard.file) for shard in manifest.shards]
    results = processes.map_in_order(functools.partial(_check_shard, bodies), paths, workers)
    with tqdm.tqdm(
        total=manifest.count, desc=f"checking {split}", unit="Example", disable=not progress
    ) as bar:
        try:
            for found in results:
                for name, problems in found:
                    if name in seen:
                        findings["its id occurs twice"].append(name)
                    seen.add(name)
                    for problem in problems:
                        findings[problem].append(name)
                bar.update(len(found))
        except records.NO_EXAMPLE:
            records.diagnose(directory, split)
            raise
    return Result(manifest.count, dict(findings), tuple(not_checked))


def _check_shard(bodies: Bodies | None, path: str) -> list[tuple[str, list[str]]]:
    """Returns the id and the findings of each Example of a shard."""
    found = []
    batches = tf.data.TFRecordDataset(path).map(example_lib.parse).batch(_BATCH)
    for batch in batches.as_numpy_iterator():
        posed = None if bodies is None else _posed_joints(batch, bodies)
        for row in range(len(batch["id"])):
            example = {key: values[row] for key, values in batch.items()}
            problems = list(_problems(example, None if posed is None else posed[row]))
            found.append((example["id"].decode(), problems))
    return found


def _problems(example: Mapping[str, Any], posed_joints: np.ndarray | None) -> Iterator[str]:
    """Yields the findings of an Example."""
    size = (int(example["image/height"]), int(example["image/width"]))
    if example["image/encoded"] and _decoded(example, "image").shape != (*size, 3):
        yield "its picture does not decode to its stated size"
    for key in ("parts", "objects", "mask"):
        if example[f"{key}/valid"] and _decoded(example, key).shape != size:
            verb = "does" if key == "mask" else "do"
            yield f"its {key} {verb} not decode to the size of the picture"
            return
    if example["mask/valid"] and _points_are_elsewhere(example):
        yield "its 2D points are outside its mask"
    both = (example["joints/3d/valid"] & example["joints/2d/valid"]) > 0
    has_joints = example["camera/valid"] and both.all()
    if has_joints and _distances(example, example["joints/3d"]).max() > _REPROJECTION:
        yield f"its 3D joints project more than {_REPROJECTION} pixels from its 2D joints"
    if example["smpl/valid"] and example["joints/3d/valid"].all() and _is_mirrored(example):
        yield "its body is mirrored: left and right of 3D joints and pose disagree"
    if has_joints and example["parts/valid"] and _legs_are_swapped(example):
        yield "left and right of its labels and its 2D joints disagree"
    if _annotation_is_swapped(example):
        yield "left and right of its annotated points and its 2D joints disagree"
    if _capture_is_elsewhere(example):
        yield "its captured points do not project to the person's box"
    if has_joints and example["smpl/valid"] and posed_joints is not None:
        distance = _distances(example, posed_joints).mean()
        if _distances(example, posed_joints[SMPL_24.mirror]).mean() < 0.5 * distance:
            yield "left and right of its SMPL body and its 2D joints disagree"
        elif distance > _BODY:
            yield f"its SMPL body's joints project more than {_BODY} pixels from its 2D joints"


def _decoded(example: Mapping[str, Any], key: str) -> np.ndarray:
    """A picture or label map; an empty array if it does not decode."""
    mode = cv2.IMREAD_COLOR if key == "image" else cv2.IMREAD_UNCHANGED
    picture = pictures.decode(example[f"{key}/encoded"], mode)
    return np.empty(0) if picture is None else picture


def _distances(example: Mapping[str, Any], joints: np.ndarray) -> np.ndarray:
    """[24] pixels between projected joints and the Example's 2D joints."""
    projected = joints @ example["camera/intrinsics"].T
    return np.linalg.norm(projected[:, :2] / projected[:, 2:] - example["joints/2d"], axis=-1)


def _is_mirrored(example: Mapping[str, Any]) -> bool:
    """Whether the left hip is to the right of the right hip, in the pelvis's frame."""
    hips = example["joints/3d"][_LEFT_HIP] - example["joints/3d"][_RIGHT_HIP]
    return Rotation.from_rotvec(example["smpl/pose"][0]).inv().apply(hips)[0] < 0


def _legs_are_swapped(example: Mapping[str, Any]) -> bool:
    """Whether both labelled legs are clearly nearer to the other knee."""
    parts = merge_labels(_decoded(example, "parts"), PARTS_6)
    knees = example["joints/2d"][_KNEES]
    for leg, own, other in ((_LEGS[0], *knees), (_LEGS[1], *knees[::-1])):
        rows, columns = np.nonzero(parts == leg)
        if not len(rows):
            return False
        centre = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
        if np.linalg.norm(centre - own) < 2 * np.linalg.norm(centre - other):
            return False
    return True


def _annotation_is_swapped(example: Mapping[str, Any]) -> bool:
    """Whether the annotated limbs are clearly nearer to the joints of the other side."""
    swapped = LSP_14.mirror[_LSP_LIMBS]
    valid = example["lsp/2d/valid"]
    known = (valid[_LSP_LIMBS] & valid[swapped] & example["joints/2d/valid"][_SMPL_LIMBS]) > 0
    joints = example["joints/2d"][_SMPL_LIMBS]
    own, other = (
        np.linalg.norm(example["lsp/2d"][points] - joints, axis=-1)[known].sum()
        for points in (_LSP_LIMBS, swapped)
    )
    return other < 0.5 * own


def _points_are_elsewhere(example: Mapping[str, Any]) -> bool:
    """Whether most of the annotated points lie far from the box of the mask."""
    mask, points = _decoded(example, "mask"), example["lsp/2d"][example["lsp/2d/valid"] > 0]
    if not len(points) or not mask.any():
        return False
    left, top, right, bottom = bodies_lib.box_of(mask)["person/box"]
    margin = _NEAR_MASK * max(right - left, bottom - top)
    low, high = np.array([left, top]) - margin, np.array([right, bottom]) + margin
    return ((points > low) & (points < high)).all(-1).mean() < 0.5


def _capture_is_elsewhere(example: Mapping[str, Any]) -> bool:
    """Whether most of the captured points project far from the person's box."""
    known = example["h36m/3d/valid"] > 0
    if not (known.any() and example["camera/valid"] and example["person/box/valid"]):
        return False
    projected = example["h36m/3d"][known] @ example["camera/intrinsics"].T
    projected = projected[:, :2] / projected[:, 2:]
    low, high = np.split(example["person/box"], 2)
    margin = _NEAR_BOX * (high - low).max()
    inside = (projected > low - margin) & (projected < high + margin)
    return inside.all(-1).mean() < 0.5


def _posed_joints(batch: Mapping[str, np.ndarray], bodies: Bodies) -> np.ndarray:
    """[N, 24, 3] joints of the posed bodies of a batch, metres in the camera frame."""
    joints = np.zeros((len(batch["id"]), 24, 3))
    for index, gender in enumerate(example_lib.GENDERS):
        rows = np.flatnonzero((batch["smpl/gender"] == index) & (batch["smpl/valid"] > 0))
        if len(rows):
            fits = Fits(
                gender=gender,
                pose=np.float64(batch["smpl/pose"][rows]),
                betas=np.float64(batch["smpl/betas"][rows]),
                translation=np.float64(batch["smpl/translation"][rows]),
            )
            joints[rows] = bodies_lib.pose_bodies(fits, bodies, vertices=False).joints
    return joints


def _same_bodies(bodies: Bodies | None, manifest: manifests.Manifest) -> bool:
    if bodies is None or any(getattr(bodies, gender) is None for gender in manifest.bodies):
        return False
    return bodies.fingerprints(tuple(manifest.bodies)) == manifest.bodies


def _ids_of_other_splits(directory: str, split: str) -> set[str]:
    ids: set[str] = set()
    for path in tf.io.gfile.glob(os.path.join(directory, "*.manifest.json")):
        other = os.path.basename(path).removesuffix(".manifest.json")
        if other != split:
            for shard in records.check(directory, other).shards:
                serialized = tf.data.TFRecordDataset(os.path.join(directory, shard.file))
                parsed = serialized.map(lambda one: example_lib.parse(one, ("id",))["id"])
                ids.update(name.decode() for name in parsed.as_numpy_iterator())
    return ids
