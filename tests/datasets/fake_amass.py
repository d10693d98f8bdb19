"""Writes a tree that is laid out as AMASS is: SMPL+H parameters in a world whose z is up."""

import numpy as np
from scipy.spatial.transform import Rotation

from tests.datasets import fakes

UPRIGHT = Rotation.from_euler("x", 90, degrees=True)  # y up -> z up


def write_sequence(path, num_frames, gender="male", seed=0, **changes):
    """Writes a sequence whose people stand on the floor z = 0; returns pose, betas, trans."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((num_frames, 52, 3))
    pose[:, :22] = fakes.random_pose(rng, num_frames, UPRIGHT)[:, :22]
    pose[:, 22:] = rng.normal(0, 0.3, (num_frames, 30, 3))  # fingers
    betas, trans = rng.normal(size=16), rng.normal(0, 1, (num_frames, 3)) + [0, 0, 1.1]
    arrays = {"poses": pose.reshape(num_frames, 156), "betas": betas, "trans": trans}
    arrays |= {"gender": np.array(gender), "mocap_framerate": 120.0}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays | changes)
    return pose, betas, trans


def write(root):
    """Writes sequences of all splits, one of no split, and a file that is no motion."""
    write_sequence(root / "CMU" / "01" / "01_01_poses.npz", 9)
    write_sequence(root / "KIT" / "3" / "walk_poses.npz", 2, np.bytes_(b"female"), seed=1)
    write_sequence(root / "HumanEva" / "S1" / "Box_1_poses.npz", 3)
    write_sequence(root / "SSM_synced" / "a" / "b_poses.npz", 3)
    write_sequence(root / "SomethingNew" / "a" / "b_poses.npz", 3)
    np.savez(root / "CMU" / "01" / "shape.npz", betas=np.zeros(16))
    return root
