"""SMPL parameters of Human3.6M: none are official, four formats are in use.

MoSh (`neutrMosh`), NeuralAnnot (`Human36M_subject*_smpl_param.json`), SPIN (`.npz` with `imgname`)
and MMHuman3D (HumanData `.npz` with `image_path`). All belong to the neutral body.
"""

import functools
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from datasets.human36m.metadata import ACTIONS, CAMERAS
from datasets.sources import SourceError
from smpl_tf import array_files, bounds, file_kinds, json_files
from smpl_tf.model_data import unpickler

_MOSH_EVERY = 5  # of the video's frames
_LARGEST_BETA = 3  # a larger error of NeuralAnnot's fits counts as failed
# .../S1_Directions_1.54138969_000001.jpg, frames counted from 1
_PICTURE = re.compile(r"(S\d+)_([^/]+)\.(\d{8})_(\d{6})\.jpg$")


class Clip(NamedTuple):
    """One video: subject, action, and the name of its files."""

    subject: str
    action: str
    trial: int
    camera: str
    stem: str


class Parameters(NamedTuple):
    """SMPL parameters of some frames of a clip.

    Attributes:
      pose: [T, 24, 3] axis-angles.
      betas: [T, 10].
      translation: [T, 3] metres in the world; None if the root is in the camera frame and the
        position is unknown.
      known: [T] whether the frame has parameters.
    """

    pose: np.ndarray
    betas: np.ndarray
    translation: np.ndarray | None
    known: np.ndarray


# (clip, frames [T]) -> Parameters
Lookup = Callable[[Clip, np.ndarray], Parameters]


@functools.lru_cache
def find(path: str) -> Lookup:
    """Recognises the format of SMPL parameters.

    Args:
      path: file or folder.

    Returns:
      A function that looks up parameters.

    Raises:
      SourceError: the format is unknown.
    """
    place = Path(path)
    for folder in (place, place / "neutrSMPL_H3.6", place / "neutrMosh" / "neutrSMPL_H3.6"):
        if any(folder.glob("S*/*_aligned.pkl")):
            return functools.partial(_from_mosh, folder)
    for folder in (place, place / "annotations"):
        if any(folder.glob("Human36M_subject*_smpl_param.json")):
            return functools.partial(_from_neural_annot, folder)
    if place.suffix == ".npz" and place.exists():
        with zipfile.ZipFile(place) as archive:
            names = archive.namelist()
        if {"imgname.npy", "pose.npy", "shape.npy"} <= set(names):
            return functools.partial(_from_table, _read_spin(place))
        if {"image_path.npy", "smpl.npy"} <= set(names):
            return functools.partial(_from_table, _read_human_data(place))
    raise SourceError(
        f"{path}: no known SMPL parameters of Human3.6M; expected neutrMosh, NeuralAnnot's "
        "Human36M_subject*_smpl_param.json, or an .npz of SPIN or MMHuman3D"
    )


def _from_mosh(folder: Path, clip: Clip, frames: np.ndarray) -> Parameters:
    path = folder / clip.subject / f"{clip.stem}_cam{CAMERAS.index(clip.camera)}_aligned.pkl"
    if not path.exists():
        return _unknown(frames)
    pose, betas = _read_mosh(path)
    rows = frames // _MOSH_EVERY
    known = (frames % _MOSH_EVERY == 0) & (rows < len(pose))
    return Parameters(
        pose[np.where(known, rows, 0)], np.tile(betas, (len(frames), 1)), None, known
    )


@functools.lru_cache(maxsize=8)
def _read_mosh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with file_kinds.open_file(path) as file:
        content = unpickler.load(file)
    pose = np.float64(unpickler.to_plain(content["new_poses"])).reshape(-1, 24, 3)
    # The file's bodies are upside down in their frame.
    upright = Rotation.from_rotvec(pose[:, 0]) * Rotation.from_rotvec([np.pi, 0, 0])
    pose[:, 0] = upright.as_rotvec()
    return pose, np.float64(unpickler.to_plain(content["betas"]))[:10]


def _from_neural_annot(folder: Path, clip: Clip, frames: np.ndarray) -> Parameters:
    table = _read_neural_annot(folder / f"Human36M_subject{clip.subject[1:]}_smpl_param.json")
    key = clip.action, clip.trial
    if key not in table:
        return _unknown(frames)
    numbers, values = table[key]
    rows = np.minimum(np.searchsorted(numbers, frames), len(numbers) - 1)
    values = values[rows]
    betas = values[:, 72:82]
    betas = np.where(np.abs(betas).max(1, keepdims=True) > _LARGEST_BETA, 0, betas)
    return Parameters(
        values[:, :72].reshape(-1, 24, 3), betas, values[:, 82:], numbers[rows] == frames
    )


@functools.lru_cache
def _read_neural_annot(path: Path) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """Returns (action, trial) -> sorted frames, and [N, 72 + 10 + 3] pose, betas, translation."""
    if not path.exists():
        return {}
    table = {}
    for action, trials in json_files.read(path, bounds.MOST_JSON_BYTES).items():
        for trial, fits in trials.items():
            numbers = np.array(sorted(map(int, fits)))
            values = [
                np.concatenate([np.ravel(fits[str(n)][key]) for key in ("pose", "shape", "trans")])
                for n in numbers
            ]
            table[ACTIONS[int(action) - 2], int(trial)] = numbers, np.array(values)
    return table


class _Table(NamedTuple):
    """Parameters with the root in the camera frame, by picture."""

    rows: dict[tuple[str, str, str, int], int]  # (subject, stem with _, camera, frame) -> row
    pose: np.ndarray  # [N, 24, 3]
    betas: np.ndarray  # [N, 10]


def _from_table(table: _Table, clip: Clip, frames: np.ndarray) -> Parameters:
    stem = clip.stem.replace(" ", "_")
    keys = [(clip.subject, stem, clip.camera, int(frame)) for frame in frames]
    rows = np.array([table.rows.get(key, -1) for key in keys])
    return Parameters(table.pose[rows], table.betas[rows], None, rows >= 0)


def _read_spin(path: Path) -> _Table:
    file = array_files.read_npz(path, ("has_smpl", "pose", "imgname", "shape"))
    known = file["has_smpl"] > 0 if "has_smpl" in file else np.ones(len(file["pose"]), bool)
    return _table(file["imgname"], file["pose"].reshape(-1, 24, 3), file["shape"], known)


def _read_human_data(path: Path) -> _Table:
    file = array_files.read_npz(path, ("smpl", "image_path"), read_objects=unpickler.load)
    smpl = file["smpl"].item()
    orient = np.float64(unpickler.to_plain(smpl["global_orient"])).reshape(-1, 1, 3)
    body = np.float64(unpickler.to_plain(smpl["body_pose"])).reshape(-1, 23, 3)
    betas = np.float64(unpickler.to_plain(smpl["betas"]))
    known = np.ones(len(body), bool)
    return _table(file["image_path"], np.concatenate([orient, body], 1), betas, known)


def _table(pictures: np.ndarray, pose: np.ndarray, betas: np.ndarray, known: np.ndarray) -> _Table:
    rows = {}
    for row in np.flatnonzero(known):
        match = _PICTURE.search(str(pictures[row]))
        if match:
            subject, stem, camera, number = match.groups()
            rows[subject, stem, camera, int(number) - 1] = int(row)
    return _Table(rows, np.float64(pose), np.float64(betas)[:, :10])


def _unknown(frames: np.ndarray) -> Parameters:
    size = len(frames)
    return Parameters(
        np.zeros((size, 24, 3)), np.zeros((size, 10)), None, np.zeros(size, np.bool_)
    )
