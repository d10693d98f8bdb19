"""Writes a tree that is laid out as UP-3D is, with the open body in place of SMPL."""

import cv2
import numpy as np

from tests.datasets import fakes
from tests.smpl_tf.fake_model_files import write_python2_pickle

# id -> split, data set of origin, size of the photograph, crop in which the fit was made
IDS = {
    "00001": ("train", "lsp 2", (201, 145), "201 145 0 201 0 145"),
    "00002": ("train", "mpii 77", (360, 300), "150 120 40 340 10 250"),
    "00003": ("train", "fashionpose 9", (240, 180), "240 180 0 240 0 180"),
    "00004": ("val", "lspext 31", (200, 220), "200 220 0 200 0 220"),
    "00005": ("val", "lsp 1727", (210, 150), "210 150 0 210 0 150"),
    "00006": ("val", "mpii 1", (400, 320), "180 120 20 380 40 280"),
    "00007": ("test", "lsp 1001", (200, 200), "200 200 0 200 0 200"),
    "00008": ("test", "lsp 1002", (200, 200), "200 200 0 200 0 200"),
    "00009": ("test", "lsp 1003", (200, 200), "200 200 0 200 0 200"),
}


def fit(up3d_id):
    """The SMPL parameters of an id, their joints in the camera frame, and those in pixels."""
    rng = np.random.default_rng(int(up3d_id))
    pose = fakes.random_pose(rng, 1, fakes.FACING_CAMERA)
    betas = rng.normal(size=10)
    height, width, top, bottom, left, right = map(int, IDS[up3d_id][3].split())
    depth = 5000 * 2.1 / height  # the person fills the crop
    translation = np.array([0.02, 0.25, depth])
    joints = fakes.joints_of("neutral", pose, betas, translation)[0]
    intrinsics = np.array([[5000, 0, width / 2], [0, 5000, height / 2], [0, 0, 1]])
    in_crop = fakes.project(intrinsics, joints)
    scale = (height / (bottom - top) + width / (right - left)) / 2
    return pose[0], betas, translation, joints, in_crop, in_crop / scale + (left, top)


def write_id(folder, up3d_id, pose=None):
    """Writes the five files of an id; `pose` replaces the pickled one."""
    _, origin, (height, width), crop = IDS[up3d_id]
    own_pose, betas, translation, joints, in_crop, in_picture = fit(up3d_id)
    pose = own_pose if pose is None else pose
    picture = fakes.picture_with_dots(height, width, in_picture)
    cv2.imwrite(str(folder / f"{up3d_id}_image.png"), picture[..., ::-1])
    body = {
        "pose": pose.ravel(),
        "betas": betas,
        "t": translation,
        "rt": np.zeros(3),
        "trans": np.zeros(3),
        "f": np.float64(5000.0),
        "j2d": np.concatenate([in_crop, in_crop[:1]]),
    }
    write_python2_pickle(folder / f"{up3d_id}_body.pkl", body)
    lsp = in_picture[[8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20, 12, 15]]
    np.save(folder / f"{up3d_id}_joints.npy", np.concatenate([lsp.T, np.ones((1, 14))]))
    (folder / f"{up3d_id}_fit_crop_info.txt").write_text(f"{crop}\n")
    (folder / f"{up3d_id}_dataset_info.txt").write_text(f"{origin}\n")


def write(root):
    """Writes the tree below `root`/up-3d and returns that folder."""
    folder = root / "up-3d"
    folder.mkdir(parents=True)
    for split in ("train", "val", "test"):
        ids = [up3d_id for up3d_id, entry in IDS.items() if entry[0] == split]
        lines = "".join(f"/{up3d_id}_image.png\n" for up3d_id in ids)
        (folder / f"{split}.txt").write_text(lines)
        for up3d_id in ids:
            write_id(folder, up3d_id)
    # The root's axis-angle of a fit may be many turns long.
    pose = fit("00001")[0]
    angle = np.linalg.norm(pose[0])
    pose[0] *= (angle + 8 * np.pi) / angle
    write_id(folder, "00001", pose)
    return folder
