"""Writes a tree that is laid out as Human3.6M is: CDF files, videos, metadata.xml."""

import json

import cdflib.cdfwrite
import h5py
import numpy as np
from scipy.spatial.transform import Rotation

from tests.datasets import fakes
from tests.smpl_tf.fake_model_files import write_python2_pickle

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
WIDTH, HEIGHTS = 1000, (1002, 1000, 1000, 1002)  # pixels
NUM_FRAMES = 12
# fx, fy, cx, cy, k1, k2, k3, p1, p2: Human3.6M's to four digits
LENSES = (
    (1145.0494, 1143.7811, 512.5415, 515.4515, -0.2071, 0.2478, -0.0031, -0.00142, -0.00098),
    (1149.6757, 1147.5916, 508.8486, 508.0649, -0.1942, 0.2404, 0.0068, -0.00274, -0.00162),
    (1149.1407, 1148.7990, 519.8158, 501.4027, -0.2083, 0.2555, -0.0025, -0.00076, 0.00148),
    (1145.5113, 1144.7739, 514.9682, 501.8820, -0.1984, 0.2183, -0.0090, -0.00181, -0.00059),
)
# The 24 joints that stand for the 17 points, and their places among the 32.
AS_SMPL = (0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 15, 16, 18, 20, 17, 19, 21)
AMONG_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
# (subject, action, trial) -> stem; S1 names some actions its own way, numbers are arbitrary
STEMS = {
    ("S1", "Directions", 1): "Directions 1",
    ("S1", "Photo", 1): "TakingPhoto 1",
    ("S9", "Greeting", 2): "Greeting",
    ("S11", "Directions", 2): "Directions",
    ("S11", "Phoning", 1): "Phoning 3",
}
# Written on request: a sequence of val's subject.
VAL_STEMS = {("S8", "Photo", 2): "Photo 1"}
ALL_STEMS = {**STEMS, **VAL_STEMS}
ACTION_IDS = {"Directions": 2, "Greeting": 5, "Phoning": 6, "Photo": 12}
UPRIGHT = Rotation.from_euler("x", 90, degrees=True)  # SMPL's y up -> world's z up


def camera_pose(subject, camera):
    """Euler angles, rotation and centre (mm) of a camera: 4.5 m away, at chest height."""
    number = int(subject[1:]) * 4 + camera
    around = Rotation.from_euler("z", 90 * camera + number, degrees=True)
    looking = Rotation.from_matrix([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # along the world's y
    rotation = Rotation.from_rotvec([0.03, 0.02, 0.05]) * looking * around.inv()
    centre = 1000 * (around.apply([0.0, -4.5, 0]) + [0, 0, 1.1])
    return rotation.as_euler("XYZ"), rotation, centre


def metadata():
    """The text of metadata.xml: table of names, and 300 numbers of cameras."""
    subjects = [f"S{n}" for n in range(1, 12)]
    rows = [["", "", *subjects]]
    for action in range(1, 17):
        for trial in (1, 2):
            names = []
            for subject in subjects:
                own = [
                    stem
                    for (who, what, count), stem in ALL_STEMS.items()
                    if (who, ACTION_IDS[what], count) == (subject, action, trial)
                ]
                names.append(own[0] if own else f"Action{action} {trial}")
            rows.append([str(action), str(trial), *names])
    rows.append(["this", "is", *["no", "sequence"] * 5, "x"])
    cells = [["<td>" + name + "</td>" for name in row] for row in rows]
    mapping = "".join("<tr>" + "".join(row) + "</tr>" for row in cells)
    numbers = [
        number
        for camera in range(4)
        for subject in subjects
        for number in (*camera_pose(subject, camera)[0], *camera_pose(subject, camera)[2])
    ]
    numbers += [number for lens in LENSES for number in lens]
    text = " ".join(f"{number:.10g}" for number in numbers)
    return f"<metadata><mapping>{mapping}</mapping><w0>[{text}]</w0></metadata>"


def people(key):
    """Pose [T, 24, 3] and translation in the world, betas, joints [T, 24, 3] in the world."""
    rng = np.random.default_rng([ord(letter) for letter in "".join(map(str, key))])
    pose = np.tile(fakes.random_pose(rng, 1, UPRIGHT), (NUM_FRAMES, 1, 1))
    betas = np.clip(rng.normal(size=10), -2.5, 2.5)
    start = fakes.joints_of("neutral", pose[:1], betas, np.array([-0.2, 0, 1.0]))
    step = np.linspace(0, [0.5, 0.1, 0], NUM_FRAMES)
    return pose, betas, step + [-0.2, 0, 1.0], start + step[:, None]


def to_camera(subject, camera, world):
    """World points in metres -> camera frame."""
    _, rotation, centre = camera_pose(subject, camera)
    return rotation.apply(world.reshape(-1, 3) - centre / 1000).reshape(world.shape)


def through_lens(camera, points):
    """Camera points -> pixels of the distorted picture; the formula of the release code."""
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = LENSES[camera]
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    r2 = x**2 + y**2
    scale = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
    return np.stack([fx * (x * scale + p2 * r2) + cx, fy * (y * scale + p1 * r2) + cy], -1)


def write_cdf(path, points):
    """Writes points [T, 17, 3] in metres as the 32 of a CDF file in millimetres."""
    path.parent.mkdir(parents=True, exist_ok=True)
    all_points = np.zeros((len(points), 32, 3))
    all_points[:, AMONG_32] = 1000 * points
    aside = path.parent / "aside.cdf"  # the writer takes the camera's number for an ending
    file = cdflib.cdfwrite.CDF(aside, {"Encoding": 6})
    description = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True}
    description |= {"Dim_Sizes": [len(points), 96], "Var_Type": "zVariable"}
    file.write_var(description, var_data=np.float32(all_points.reshape(1, len(points), 96)))
    file.close()
    aside.rename(path)


def write_masks(path, boxes):
    """Writes the official boxes: a MATLAB 7.3 file of references to masks, columns first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_dataset("Masks", (len(boxes), 1), h5py.ref_dtype)
        for row, (left, top, right, bottom) in enumerate(boxes):
            mask = np.zeros((HEIGHTS[0], WIDTH), np.uint8)
            mask[top:bottom, left:right] = 1
            stored = file.create_dataset(f"#refs#/{row}", data=mask.T, compression="gzip")
            references[row, 0] = stored.ref
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))


def boxes_around(in_picture):
    """The box of whole pixels around the joints [T, J, 2] of each frame."""
    low, high = np.floor(in_picture.min(1)), np.ceil(in_picture.max(1))
    return np.concatenate([low, high], 1).astype(int)


def write(root, cameras=(0, 3), stems=STEMS):
    """Writes the tree: some cameras, 12 frames."""
    (root / "metadata.xml").write_text(metadata())
    for key, stem in stems.items():
        subject = key[0]
        world = people(key)[3]
        captured = world + ([0.2, 0, 0] if (subject, stem) == ("S9", "Greeting") else 0)
        features = root / subject / "MyPoseFeatures"
        for camera in cameras:
            name = f"{stem}.{CAMERAS[camera]}"
            if subject != "S11":
                points = to_camera(subject, camera, captured[:, AS_SMPL])
                write_cdf(features / "D3_Positions_mono" / f"{name}.cdf", points)
            in_picture = through_lens(camera, to_camera(subject, camera, world))
            size = HEIGHTS[camera], WIDTH
            pictures = [fakes.picture_with_dots(*size, joints) for joints in in_picture]
            if stem == "TakingPhoto 1":  # the video ends a frame before the capture
                pictures = pictures[:-1]
            fakes.write_video(root / subject / "Videos" / f"{name}.mp4", pictures)
            if (subject, camera) in (("S1", 3), ("S9", 3)):
                masks = root / subject / "MySegmentsMat" / "ground_truth_bb" / f"{name}.mat"
                wrong = 90 if subject == "S9" else 0  # where the capture stands aside
                write_masks(masks, boxes_around(in_picture) + [wrong, 0, wrong, 0])
        if subject == "S11":  # only the world's file
            write_cdf(features / "D3_Positions" / f"{stem}.cdf", captured[:, AS_SMPL])
    return root


def write_mosh(root, key, camera):
    """MoSh's form: camera frame, upside down in its own, every fifth frame."""
    pose, betas, _, _ = people(key)
    _, rotation, _ = camera_pose(key[0], camera)
    root_pose = rotation * Rotation.from_rotvec(pose[:, 0]) * Rotation.from_rotvec([-np.pi, 0, 0])
    pose = np.concatenate([root_pose.as_rotvec()[:, None], pose[:, 1:]], 1)[::5]
    folder = root / "neutrSMPL_H3.6" / key[0]
    folder.mkdir(parents=True, exist_ok=True)
    write_python2_pickle(
        folder / f"{ALL_STEMS[key]}_cam{camera}_aligned.pkl",
        {"new_poses": pose.reshape(-1, 72), "betas": betas},
    )


def write_neural_annot(root, key):
    """NeuralAnnot's form: world, by action, trial and frame; frame 5 has failed betas."""
    pose, betas, translation, _ = people(key)
    fits = {
        str(frame): {
            "pose": pose[frame].ravel().tolist(),
            "shape": (betas * (10 if frame == 5 else 1)).tolist(),
            "trans": translation[frame].tolist(),
        }
        for frame in (0, 5, 10)
    }
    content = {str(ACTION_IDS[key[1]]): {str(key[2]): fits}}
    path = root / f"Human36M_subject{key[0][1:]}_smpl_param.json"
    path.write_text(json.dumps(content))


def picture_names(key, camera, frames):
    """SPIN's names of pictures: spaces become _, frames count from 1."""
    stem = STEMS[key].replace(" ", "_")
    name = f"{key[0]}_{stem}.{CAMERAS[camera]}"
    return np.array([f"images/{name}_{frame + 1:06d}.jpg" for frame in frames])


def camera_pose_of(key, camera):
    """Pose with the root in the camera frame, and betas of every frame."""
    pose, betas, _, _ = people(key)
    _, rotation, _ = camera_pose(key[0], camera)
    root_pose = (rotation * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    return np.concatenate([root_pose[:, None], pose[:, 1:]], 1), np.tile(betas, (NUM_FRAMES, 1))


def write_spin(path, key, camera):
    """SPIN's form; frame 5 has no fit."""
    pose, betas = camera_pose_of(key, camera)
    np.savez(
        path,
        imgname=picture_names(key, camera, range(NUM_FRAMES)),
        pose=pose.reshape(-1, 72),
        shape=betas,
        has_smpl=np.arange(NUM_FRAMES) != 5,
    )


def write_human_data(path, key, camera):
    """MMHuman3D's form: parameters in a pickled dict."""
    pose, betas = camera_pose_of(key, camera)
    smpl = {"global_orient": pose[:, 0], "body_pose": pose[:, 1:], "betas": betas}
    names = picture_names(key, camera, range(NUM_FRAMES))
    np.savez(path, image_path=names, smpl=np.array(smpl, dtype=object))
