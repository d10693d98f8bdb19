"""Writes the files of a fitted person: parameters, joints, meshes, pictures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nbf.prediction.fitted_person import FittedPerson, PredictedPerson
from smpl_tf import figures, measure, mesh_io, named_points, pictures, rotations
from smpl_tf.camera import Camera
from smpl_tf.files import write_json
from smpl_tf.measurements import LANDMARKS
from smpl_tf.nbf_scale import NBF_IMAGE_SIZE, NBF_TRANSLATION, nbf_camera
from smpl_tf.parts import PartScheme, colour_code
from smpl_tf.skeleton import SMPL_24
from smpl_tf.skeleton_points import find_skeleton

MESH_FORMATS = ("obj", "ply", "glb")
# In addition to SMPL's joints: common skeletons of data sets and other programs.
SKELETONS = ("coco_17", "h36m_17", "lsp_14")
SIDE_VIEW = 320  # pixels
_JPEG_QUALITY = 92


def parameters(person: FittedPerson, joints: np.ndarray, camera: Camera) -> dict:
    """Returns the arrays of a person for parameters.npz.

    Args:
      person: the person, at one moment or at T.
      joints: of the posed body, `[..., 24, 3]` metres, camera frame.
      camera: of the picture in the file.

    Returns:
      Name -> array: `gender` of the body; `betas` [10]; `pose` [..., 24, 3] parent-relative
      axis-angles, radians, and `rotations` [..., 24, 3, 3] the same as matrices, the root's in the
      camera frame; `translation` [..., 3] metres, camera frame; `intrinsics` [3, 3] pixels of the
      picture; `joint_names` [24]; `joints_3d` [..., 24, 3] metres, camera frame; `joints_2d` [...,
      24, 2] pixels. For each of SKELETONS the same for its points, as `coco_17_names`,
      `coco_17_3d` and `coco_17_2d`. `measurement_names` [11] and `measurements` [11], metres,
      cubic metres and kilograms, if the body has the necessary landmarks.
    """
    numbers = {
        "gender": np.array(person.body.model_data.gender),
        "betas": person.betas,
        "pose": rotations.matrix_to_axis_angle(person.pose).numpy(),
        "rotations": person.pose,
        "translation": person.translation,
        "intrinsics": np.asarray(camera.intrinsics),
        "joint_names": np.array(SMPL_24.names),
        "joints_3d": joints,
        "joints_2d": camera.project(joints).numpy(),
    }
    # From a copy, so that the surfaces of all moments are not kept.
    posed = dataclasses.replace(person).posed
    for name in SKELETONS:
        points = named_points(posed, name, person.body)
        numbers |= {
            f"{name}_names": np.array(find_skeleton(name).names),
            f"{name}_3d": points.numpy(),
            f"{name}_2d": camera.project(points).numpy(),
        }
    if set(LANDMARKS) <= set(person.body.model_data.landmarks):
        measured = measure(person.body, person.betas)
        numbers["measurement_names"] = np.array(measured._fields)
        numbers["measurements"] = np.array(measured)
    return numbers


def write_person(
    folder: Path,
    predicted: PredictedPerson,
    camera: Camera,
    side: np.ndarray,
    scheme: PartScheme | None,
    meshes: Sequence[str] = (),
) -> None:
    """Writes the files of one person in a picture.

    Args:
      folder: existing folder.
      predicted: the person.
      camera: of the picture in the file.
      side: the body from the side, `[S, S, 4]` uint8.
      scheme: of the person's part map, or None.
      meshes: some of MESH_FORMATS.
    """
    person = predicted.person
    numbers = parameters(person, person.joints_3d, camera)
    np.savez(folder / "parameters.npz", **numbers)
    write_joints(folder / "joints.json", numbers)
    # Meshes are on the floor above the origin, where programs look when they open a file.
    body, root = person.body, person.joints_3d[0]
    floor = person.vertices()[:, 1].max()  # y points down
    place = np.array([root[0], floor, root[2]], np.float32)
    vertices = person.vertices() - place
    if "obj" in meshes:
        mesh_io.write_obj(folder / "mesh.obj", vertices, body.faces, frame="camera")
    if "ply" in meshes:
        mesh_io.write_ply(folder / "mesh.ply", vertices, body.faces, frame="camera")
    if "glb" in meshes:
        mesh_io.write_animated_glb(
            folder / "mesh.glb",
            body.model_data,
            person.betas,
            numbers["pose"][None],
            (person.translation - place)[None],
            frame="camera",
        )
    if scheme is not None:
        coloured = colour_code(predicted.view.found_labels, scheme)
        write_picture(
            folder / "parts.png", figures.enlarge(coloured, NBF_IMAGE_SIZE, smooth=False)
        )
    write_picture(folder / "side.png", side)
    if predicted.verdict is not None:
        write_json(folder / "audit.json", predicted.verdict.record(scheme))


def write_joints(path: Path, numbers: Mapping[str, np.ndarray]) -> None:
    """Writes SMPL's joints, and the points of SKELETONS, by name, as JSON.

    Args:
      path: the file.
      numbers: from `parameters`, of one moment. Points that the body lacks are left out.
    """
    joints = _by_name(numbers["joint_names"], numbers["joints_3d"], numbers["joints_2d"])
    skeletons = {
        name: _by_name(*(numbers[f"{name}_{kind}"] for kind in ("names", "3d", "2d")))
        for name in SKELETONS
    }
    frame = "camera: x right, y down, z away; pixels from the picture's upper left corner"
    content = {"frame": frame, "joints": joints, "skeletons": skeletons}
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _by_name(names: np.ndarray, points: np.ndarray, pixels: np.ndarray) -> dict:
    return {
        str(name): {"metres": point.round(5).tolist(), "pixels": pixel.round(3).tolist()}
        for name, point, pixel in zip(
            names, points.astype(float), pixels.astype(float), strict=True
        )
        if np.isfinite(point).all()
    }


def side_view(person: FittedPerson, size: int = SIDE_VIEW) -> np.ndarray:
    """Draws a body from the side, centred at NBF's scale: `[size, size, 4]` uint8 RGBA."""
    middle = np.array(NBF_TRANSLATION, np.float32)
    vertices = dataclasses.replace(person, translation=middle).vertices()
    camera = nbf_camera(size)
    return figures.body_from_side(size, vertices, person.body.faces, camera, figures.PREDICTED)


def top_view(person: FittedPerson, size: int = SIDE_VIEW) -> np.ndarray:
    """Draws a body from above, the photographer below: `[size, size, 4]` uint8 at NBF's scale."""
    middle = np.array(NBF_TRANSLATION, np.float32)
    vertices = dataclasses.replace(person, translation=middle).vertices()
    camera = nbf_camera(size)
    return figures.body_from_above(size, vertices, person.body.faces, camera, figures.PREDICTED)


def shared_camera(cameras: Sequence[Camera]) -> Camera:
    """Returns one camera for people with different cameras: with their median focal length.

    Args:
      cameras: of one picture, or of the frames of one video.

    Returns:
      A camera with the principal point in the middle of the picture.
    """
    width, height = cameras[0].width, cameras[0].height
    focal = float(np.median([np.asarray(camera.intrinsics)[0, 0] for camera in cameras]))
    intrinsics = [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    return Camera(np.array(intrinsics), width, height)


def moved_to(shared: Camera, camera: Camera, translation, root) -> np.ndarray:
    """Returns the translation that gives a body the same position and size in another camera.

    Args:
      shared: the other camera.
      camera: the body's own.
      translation: `[3]` metres, in its frame.
      root: `[3]` metres, the body's root joint in its frame.

    Returns:
      `[3]` metres, the translation in the frame of `shared`. Exact for the root; at 20 m the rest
      of the body is exact to a hundredth of its size.
    """
    root = np.asarray(root, np.float64)
    focal = [np.asarray(each.intrinsics)[0, 0] for each in (shared, camera)]
    depth = root[2:] * focal[0] / focal[1]
    place = shared.unproject(camera.project(root[None]), depth)[0].numpy()
    return np.asarray(translation, np.float64) + place - root


def people_over(pixels: np.ndarray, people: Sequence[PredictedPerson]) -> np.ndarray:
    """Draws all people over their picture, near people in front of far ones.

    Each person has a separate camera at the same distance. In a common camera, people in large
    squares are nearer.

    Args:
      pixels: `[H, W, 3]` uint8.
      people: the people.

    Returns:
      `[H, W, 3]` uint8.
    """
    for one in sorted(people, key=lambda one: one.view.window.side):
        pixels = body_over(pixels, one.person)
    return pixels


def body_over(pixels: np.ndarray, person: FittedPerson) -> np.ndarray:
    """Draws one person over the picture, `[H, W, 3]` uint8."""
    return figures.body_over(
        pixels, person.vertices(), person.body.faces, person.camera, figures.PREDICTED
    )


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Writes `[H, W, 3]` RGB or `[H, W, 4]` RGBA uint8 as PNG or JPEG, by the file's ending."""
    path.write_bytes(pictures.encode(pixels, path.suffix, _JPEG_QUALITY))
