"""Poses and motions in the files of other programs: AMASS, SMPL-X, smplcodec, HMR, SPIN, ROMP."""

from smpl_tf.motion_files.motion import BodyMotion, grounded, in_frame
from smpl_tf.motion_files.reading import read_motions
from smpl_tf.motion_files.writing import write_amass, write_smpl_codec, write_smplx

__all__ = [
    "BodyMotion",
    "grounded",
    "in_frame",
    "read_motions",
    "write_amass",
    "write_smpl_codec",
    "write_smplx",
]
