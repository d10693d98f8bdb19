"""Reads SMPL parameters from our own files and from those of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf import array_files
from smpl_tf.errors import one_line
from smpl_tf.model_data import unpickler
from smpl_tf.model_data.files import DAMAGED
from smpl_tf.motion_files.motion import BodyMotion, checked
from smpl_tf.motion_files.writing import CODEC_GENDERS

_BODY_JOINTS = 22
# The crop and the focal length behind HMR's and SPIN's cameras (s, tx, ty), pixels.
_CROP, _FOCAL = 224, 5000.0
_LEAST_SCALE = 1e-6
_EXPECTED = (
    "betas and pose (predict.py), poses and trans (AMASS), root_orient and pose_body (SMPL-X), "
    "bodyPose (smplcodec), pose and camera (SPIN), theta (HMR) or results (ROMP)"
)


def read_motions(path: str | os.PathLike) -> list[BodyMotion]:
    """Reads the bodies of a file in any known format.

    The formats are `parameters.npz` of predict.py and fit.py, AMASS's releases for SMPL+H and
    SMPL-X and files with those arrays, smplcodec's `.smpl`, and the results of SPIN (`pose`,
    `betas`, `camera`), HMR (`theta`) and ROMP (`results`). Hands and faces are left out. Pickled
    objects are read without running any code that they name.

    Args:
      path: a NumPy archive.

    Returns:
      One motion per person. Each person in the pictures of HMR, SPIN and ROMP is a motion of one
      frame; a ROMP video is one person.

    Raises:
      ValueError: if the file is damaged or in none of these formats.
      FileNotFoundError: if it does not exist.
    """
    try:
        arrays = array_files.read_npz(path, read_objects=unpickler.load)
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile raises many kinds of errors on damaged archives
        raise ValueError(f"{path}: not an .npz file ({one_line(error)})") from None
    try:
        for name, array in arrays.items():
            if isinstance(array, np.ndarray) and array.dtype.kind == "c":
                raise ValueError(f"{name[:40]} holds complex numbers")
        for recognise, reader in _READERS:
            if recognise(arrays):
                return [checked(one) for one in reader(arrays)]
    except (*DAMAGED, KeyError) as error:
        raise ValueError(f"{path}: cannot be read ({one_line(error)})") from None
    raise ValueError(
        f"{path}: expected the arrays {_EXPECTED}; found {', '.join(arrays)[:200] or 'none'}"
    )


def _ours(arrays: Mapping[str, Any]) -> list[BodyMotion]:
    """Reads `parameters.npz`: one person's body or motion, or the people of fit.py."""
    betas, pose = np.asarray(arrays["betas"]), np.asarray(arrays["pose"])
    pose = pose if pose.ndim == 3 else pose[np.newaxis]
    if "translation" in arrays:
        translation = np.reshape(arrays["translation"], (-1, 3))
    else:
        translation = np.zeros((len(pose), 3))
    people = betas.ndim == 2
    frame = "camera"
    rate = float(arrays.get("frame_rate", 30.0))
    if people:  # fit.py's genders are signs: +1 male, -1 female
        signs = np.nan_to_num(np.sign(np.broadcast_to(arrays.get("gender", 0.0), len(betas))))
        genders = [("neutral", "male", "female")[int(sign)] for sign in signs]
        rows = zip(betas, pose[:, np.newaxis], translation[:, np.newaxis], genders, strict=True)
        return [BodyMotion(*row, rate, frame) for row in rows]
    gender = _gender(arrays.get("gender", "neutral"))
    return [BodyMotion(betas, pose, translation, gender, rate, frame)]


def _amass(arrays: Mapping[str, Any]) -> list[BodyMotion]:
    if "root_orient" in arrays:
        poses = np.concatenate([arrays["root_orient"], arrays["pose_body"]], axis=1)
    else:
        poses = np.asarray(arrays["poses"])
    poses = poses.reshape(len(poses), -1)
    if poses.shape[1] < 3 * _BODY_JOINTS:
        raise ValueError(f"expected poses of 66 numbers or more, got {poses.shape[1]}")
    pose = np.zeros((len(poses), 24, 3))
    # 72 numbers are SMPL's own; in longer ones, the fingers follow the 22 joints of the body.
    joints = 24 if poses.shape[1] == 72 else _BODY_JOINTS
    pose[:, :joints] = poses[:, : 3 * joints].reshape(-1, joints, 3)
    rate = arrays.get("mocap_framerate", arrays.get("mocap_frame_rate", 30.0))
    return [
        BodyMotion(
            np.ravel(arrays["betas"])[:10],
            pose,
            arrays["trans"],
            _gender(arrays.get("gender", "neutral")),
            float(rate),
            "z_up",
        )
    ]


def _codec(arrays: Mapping[str, Any]) -> list[BodyMotion]:
    body = np.asarray(arrays["bodyPose"], np.float64)
    pose = np.zeros((len(body), 24, 3))
    pose[:, : min(body.shape[1], 24)] = body[:, :24]
    number = int(arrays.get("gender", 0))
    if number not in range(len(CODEC_GENDERS)):
        raise ValueError(f"expected gender 0, 1 or 2, got {number}")
    gender = CODEC_GENDERS[number]
    return [
        BodyMotion(
            np.asarray(arrays.get("shapeParameters", np.zeros(10)))[:10],
            pose,
            arrays.get("bodyTranslation", np.zeros((len(body), 3))),
            gender,
            float(arrays.get("frameRate", 30.0)),
            "model",
        )
    ]


def _hmr(arrays: Mapping[str, Any]) -> list[BodyMotion]:
    theta = np.atleast_2d(arrays["theta"] if "theta" in arrays else arrays["thetas"])
    if theta.shape[1] != 85:
        raise ValueError(f"expected theta [N, 85]: camera, pose, betas; got {list(theta.shape)}")
    return _pictures(theta[:, 3:75], theta[:, 75:], _places(theta[:, :3]))


def _spin(arrays: Mapping[str, Any]) -> list[BodyMotion]:
    rotations = arrays["pose"] if "pose" in arrays else arrays["pred_rotmat"]
    betas = arrays["betas"] if "betas" in arrays else arrays["pred_betas"]
    cameras = arrays["camera"] if "camera" in arrays else arrays["pred_camera"]
    return _pictures(rotations, betas, _places(cameras))


def _romp(arrays: Mapping[str, Any]) -> list[BodyMotion]:
    results = arrays["results"]
    results = results.item() if isinstance(results, np.ndarray) and not results.ndim else results
    results = results[0] if isinstance(results, list) and len(results) == 1 else results
    if not isinstance(results, dict):
        raise ValueError(f"expected ROMP's results, a dict, got {type(results).__name__}")
    if any(name in results for name in ("smpl_thetas", "poses")):
        return _romp_picture(results)
    frames = [_romp_picture(results[name]) for name in sorted(results)]
    several = [len(frame) for frame in frames if len(frame) != 1]
    if several or not frames:
        raise ValueError(
            f"expected one person in every frame of ROMP's video, got {several[:1] or 'no frame'}"
            "; save people by themselves"
        )
    people = [frame[0] for frame in frames]
    return [
        people[0]._replace(
            betas=np.mean([one.betas for one in people], axis=0),
            pose=np.concatenate([one.pose for one in people]),
            translation=np.concatenate([one.translation for one in people]),
        )
    ]


def _romp_picture(result: Mapping[str, Any]) -> list[BodyMotion]:
    poses = result["smpl_thetas"] if "smpl_thetas" in result else result["poses"]
    betas = result["smpl_betas"] if "smpl_betas" in result else result["betas"]
    poses = np.reshape(poses, (-1, 72))
    places = np.reshape(result.get("cam_trans", np.zeros((len(poses), 3))), (-1, 3))
    return _pictures(poses, np.reshape(betas, (len(poses), -1)), places)


def _pictures(poses: Any, betas: Any, places: np.ndarray) -> list[BodyMotion]:
    """Returns one still body per row; poses as 72 numbers or as matrices."""
    poses = np.asarray(poses, np.float64)
    if not np.isfinite(poses).all():
        raise ValueError("expected finite poses, got NaN or infinity")
    if poses.shape[-2:] == (3, 3):
        poses = Rotation.from_matrix(poses.reshape(-1, 3, 3)).as_rotvec()
    poses = poses.reshape(-1, 1, 24, 3)
    betas = np.asarray(betas, np.float64)[:, :10]
    return [
        BodyMotion(*one, frame="camera")
        for one in zip(betas, poses, places[:, np.newaxis], strict=True)
    ]


def _places(cameras: Any) -> np.ndarray:
    """Translations `[N, 3]` of weak-perspective cameras (s, tx, ty) of a 224-pixel crop."""
    scale, x, y = np.asarray(cameras, np.float64).reshape(-1, 3).T
    depth = 2 * _FOCAL / (_CROP * np.maximum(scale, _LEAST_SCALE))
    return np.stack([x, y, depth], axis=-1)


def _gender(value: Any) -> str:
    """Decodes b"female", "Female" and the like; unknown values become neutral."""
    text = np.asarray(value).reshape(-1)[0] if np.size(value) else "neutral"
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    text = text.strip().lower().removeprefix("b'").rstrip("'")
    return text if text in CODEC_GENDERS else "neutral"


def _is_spin(arrays: Mapping[str, Any]) -> bool:
    """SPIN's `pose` is [N, 72]; ours is [24, 3] or [T, 24, 3] and comes without `camera`."""
    if {"pred_rotmat", "pred_betas", "pred_camera"} <= set(arrays):
        return True
    return {"pose", "betas", "camera"} <= set(arrays) and np.shape(arrays["pose"])[1:] != (3,)


# The first reader that recognises a file reads it.
_READERS: tuple[
    tuple[Callable[[Mapping[str, Any]], bool], Callable[[Mapping[str, Any]], list[BodyMotion]]],
    ...,
] = (
    (lambda arrays: "results" in arrays, _romp),
    (lambda arrays: "bodyPose" in arrays, _codec),
    (lambda arrays: {"root_orient", "pose_body", "trans", "betas"} <= set(arrays), _amass),
    (lambda arrays: {"poses", "trans", "betas"} <= set(arrays), _amass),
    (lambda arrays: "theta" in arrays or "thetas" in arrays, _hmr),
    (_is_spin, _spin),
    (lambda arrays: {"betas", "pose"} <= set(arrays), _ours),
)
