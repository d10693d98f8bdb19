"""Motions as AMASS, SMPL-X and smplcodec files.

All three are NumPy archives. A hand of SMPL is one joint, in the other models it has 15 joints or
none: the written hands are flat. Betas are written unchanged and padded with zeros; SMPL+H's shape
space is nearly SMPL's, SMPL-X's is different.
"""

from __future__ import annotations

import io
import os

import numpy as np

from smpl_tf.files import write_bytes
from smpl_tf.motion_files.motion import BodyMotion, checked

_BODY_JOINTS = 22  # shared by SMPL, SMPL+H and SMPL-X, in the same order
_BETAS = 16  # of AMASS
_DMPLS = 8  # soft-tissue coefficients that AMASS' readers require
_HAND, _JAW, _EYES = 45, 3, 6  # numbers of one hand, jaw, both eyes
CODEC_GENDERS = ("neutral", "male", "female")  # smplcodec's numbers
_CODEC_VERSION, _CODEC_SMPL = 2, 0


def write_amass(path: str | os.PathLike, motion: BodyMotion) -> None:
    """Writes a motion with the arrays of AMASS's SMPL+H release.

    AMASS's own files are "z_up"; see `in_frame`.

    Args:
      path: the `.npz` file; its directory exists.
      motion: the motion, in the frame that is wanted.

    Raises:
      ValueError: if the motion is not sound.
    """
    motion = checked(motion)
    body = _body_pose(motion)
    hands = np.zeros((len(body), 2 * _HAND))
    _write(
        path,
        poses=np.concatenate([body, hands], axis=1),
        trans=motion.translation,
        betas=_padded(motion.betas),
        dmpls=np.zeros((len(body), _DMPLS)),
        gender=np.array(motion.gender),
        mocap_framerate=np.array(float(motion.frame_rate)),
    )


def write_smplx(path: str | os.PathLike, motion: BodyMotion) -> None:
    """Writes a motion with the arrays of AMASS's SMPL-X release, which retargeting tools read.

    General Motion Retargeting (GMR) takes `root_orient`, `pose_body`, `trans`, `betas`, `gender`
    and `mocap_frame_rate`. SMPL-X's root joint is about 13 cm lower in its rest pose than SMPL's,
    so its bodies are that much lower than SMPL's with the same translation.

    Args:
      path: the `.npz` file; its directory exists.
      motion: the motion, in the frame that is wanted ("z_up" as AMASS).

    Raises:
      ValueError: if the motion is not sound.
    """
    motion = checked(motion)
    body = _body_pose(motion)
    count = len(body)
    jaw, eyes, hands = (np.zeros((count, size)) for size in (_JAW, _EYES, 2 * _HAND))
    _write(
        path,
        root_orient=body[:, :3],
        pose_body=body[:, 3:],
        pose_jaw=jaw,
        pose_eye=eyes,
        pose_hand=hands,
        poses=np.concatenate([body, jaw, eyes, hands], axis=1),
        trans=motion.translation,
        betas=_padded(motion.betas),
        num_betas=np.array(_BETAS),
        gender=np.array(motion.gender),
        surface_model_type=np.array("smplx"),
        mocap_frame_rate=np.array(float(motion.frame_rate)),
        mocap_time_length=np.array(count / motion.frame_rate),
    )


def write_smpl_codec(path: str | os.PathLike, motion: BodyMotion) -> None:
    """Writes a motion as smplcodec's `.smpl` file.

    Args:
      path: the `.smpl` file; its directory exists.
      motion: the motion; the format's programs expect "model" (y up).

    Raises:
      ValueError: if the motion is not sound.
    """
    motion = checked(motion)
    gender = motion.gender if motion.gender in CODEC_GENDERS else "neutral"
    _write(
        path,
        codecVersion=np.array(_CODEC_VERSION),
        smplVersion=np.array(_CODEC_SMPL),
        gender=np.array(CODEC_GENDERS.index(gender)),
        shapeParameters=motion.betas,
        frameCount=np.array(len(motion.pose)),
        frameRate=np.array(float(motion.frame_rate)),
        bodyTranslation=motion.translation,
        bodyPose=motion.pose,
    )


def _body_pose(motion: BodyMotion) -> np.ndarray:
    """`[T, 66]`, without the hands."""
    return motion.pose[:, :_BODY_JOINTS].reshape(len(motion.pose), -1)


def _padded(betas: np.ndarray) -> np.ndarray:
    padded = np.zeros(max(_BETAS, len(betas)))
    padded[: len(betas)] = betas
    return padded


def _write(path: str | os.PathLike, **arrays: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_bytes(path, content.getvalue())
