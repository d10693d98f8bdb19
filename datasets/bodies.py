"""Converts a data set's SMPL parameters to the body features of an Example."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from datasets.example import GENDERS, blank
from smpl_tf import SMPL, load_model_data, pictures
from smpl_tf.camera import Camera
from smpl_tf.model_data import SMPLModelData, require_smpl
from smpl_tf.part_cut import NBF_CUT, face_regions
from smpl_tf.rasterizer import RasterOutput, label_map, rasterize
from smpl_tf.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from smpl_tf.skeleton import SMPLR_LANDMARKS

PART_CUT = NBF_CUT  # of parts rendered from fits, so that they agree with UP-S31's
OPEN_BODY = "open"


class MissingBodyError(ValueError):
    """A body model of some gender is needed and was not given.

    Attributes:
      gender: of the body; a script can name the flag for it.
    """

    def __init__(self, message: str, gender: str | None = None):
        super().__init__(message)
        self.gender = gender


@dataclasses.dataclass(frozen=True)
class Bodies:
    """The bodies that a data set's SMPL parameters belong to: model files, or "open".

    The open body has its own shape space. It is correct for data that were made with it; with
    other data it is a substitute for first tests, whose label maps and landmarks are approximate.
    """

    neutral: str | None = None
    female: str | None = None
    male: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """Returns the given model files."""
        return tuple(path for path in dataclasses.astuple(self) if path)

    def data(self, gender: str) -> SMPLModelData:
        """Reads the body of a gender, once per process.

        Raises:
          MissingBodyError: it was not given.
          ModelFileError: it cannot be read.
        """
        path = getattr(self, gender)
        if path is None:
            raise MissingBodyError(
                f"the {gender} body is needed: give its model file, or '{OPEN_BODY}' for the open "
                "body instead",
                gender,
            )
        return _load(path, gender)

    def fingerprints(self, genders: Sequence[str]) -> dict[str, str]:
        """Returns gender -> fingerprint of bodies, and of the neutral one if it was given.

        Raises:
          MissingBodyError, ModelFileError: a body is missing.
        """
        wanted = set(genders) | ({"neutral"} if genders and self.neutral is not None else set())
        return {gender: self.data(gender).fingerprint for gender in sorted(wanted)}

    def neutral_betas(self, betas: np.ndarray, gender: str) -> np.ndarray | None:
        """Returns the same people's betas in the neutral shape space.

        Args:
          betas: [..., 10] in the space of `gender`'s body.
          gender: of the people.

        Returns:
          [..., 10], the least-squares fit over the vertices of the rest pose; None without a
          neutral body.
        """
        if gender == "neutral":
            return betas
        if self.neutral is None:
            return None
        matrix, offset = _neutral_map(self.data(gender), self.data("neutral"))
        return betas @ matrix.T + offset


@dataclasses.dataclass(frozen=True)
class Fits:
    """SMPL parameters of one person over T frames, as float64.

    Attributes:
      gender: "female", "male" or "neutral".
      pose: [T, 24, 3] axis-angles in radians, of any length; the root's in the outer frame.
      betas: [T, 10].
      translation: [T, 3] metres, outer frame.
      betas_valid: whether the betas belong exactly to the gender's body.
    """

    gender: str
    pose: np.ndarray
    betas: np.ndarray
    translation: np.ndarray
    betas_valid: bool = True

    def frames(self, indices: Any) -> "Fits":
        """Returns the parameters of some frames."""
        return dataclasses.replace(
            self,
            pose=self.pose[indices],
            betas=self.betas[indices],
            translation=self.translation[indices],
        )


def rest_root(data: SMPLModelData, betas: np.ndarray) -> np.ndarray:
    """Returns the position of the root joint in the unposed body, about which the root rotates.

    Args:
      data: the body.
      betas: [..., 10].

    Returns:
      [..., 3] metres.
    """
    regressor = data.J_regressor[0]
    shape = np.einsum("v,vcs->cs", regressor, data.shapedirs[..., :10])
    return regressor @ data.v_template + betas @ shape.T


def to_frame(
    fits: Fits, data: SMPLModelData, rotation: np.ndarray, translation: np.ndarray
) -> Fits:
    """Moves a body rigidly into another frame, x -> rotation x + translation.

    Args:
      fits: in the old frame.
      data: their body.
      rotation: [3, 3] or [T, 3, 3], proper.
      translation: [3] or [T, 3] metres.

    Returns:
      The fits in the new frame; every axis-angle is at most pi long. The root rotates about its
      rest position, not about the origin, so the new translation is not simply the transformed
      one.
    """
    matrices = axis_angle_to_matrix(fits.pose).numpy()
    matrices[:, 0] = rotation @ matrices[:, 0]
    root = rest_root(data, fits.betas)
    moved = np.einsum("...ab,...b->...a", rotation, root + fits.translation) + translation - root
    return dataclasses.replace(
        fits, pose=matrix_to_axis_angle(matrices).numpy(), translation=moved
    )


def motion_examples(
    fits: Fits, bodies: Bodies, rotation: np.ndarray, source: str, step: int
) -> Iterator[dict[str, Any]]:
    """Makes Examples without pictures from captured motion.

    Args:
      fits: in the world frame of the capture.
      bodies: have the body of their gender.
      rotation: [3, 3] from the world's axes to the camera's.
      source: data set and item, the prefix of the Examples' ids.
      step: captured frames between two consecutive fits.

    Yields:
      One Example per frame.
    """
    fits = to_frame(fits, bodies.data(fits.gender), rotation, np.zeros(3))
    posed = pose_bodies(fits, bodies, vertices=False)
    for index in range(len(fits.pose)):
        named = {"id": f"{source}/{index * step:06d}", "source": source}
        yield blank() | named | posed.fields(index)


@dataclasses.dataclass(frozen=True)
class PosedBodies:
    """Fits in the camera frame and their bodies, [T, ...] metres."""

    fits: Fits
    data: SMPLModelData
    joints: np.ndarray  # [T, 24, 3]
    landmarks: np.ndarray  # [T, 18, 3]
    vertices: np.ndarray | None  # [T, V, 3]
    neutral_betas: np.ndarray | None  # [T, 10]

    def fields(self, frame: int, camera: Camera | None = None) -> dict[str, Any]:
        """Returns an Example's body features of a frame: `smpl/...`, joints, landmarks.

        Args:
          frame: its index.
          camera: of the picture; None leaves the 2D joints unknown.
        """
        neutral = self.neutral_betas
        fields = {
            "smpl/pose": self.fits.pose[frame],
            "smpl/betas": self.fits.betas[frame],
            "smpl/betas/valid": int(self.fits.betas_valid),
            "smpl/neutral_betas": np.zeros(10) if neutral is None else neutral[frame],
            "smpl/neutral_betas/valid": int(neutral is not None and self.fits.betas_valid),
            "smpl/gender": GENDERS.index(self.fits.gender),
            "smpl/translation": self.fits.translation[frame],
            "smpl/valid": 1,
            "landmarks/3d": self.landmarks[frame],
            "landmarks/3d/valid": np.ones(18, np.int64),
        }
        return fields | joint_fields(self.joints[frame], camera)

    def moved(self, offset: np.ndarray) -> "PosedBodies":
        """Returns the bodies translated by [T, 3] metres."""
        fits = dataclasses.replace(self.fits, translation=self.fits.translation + offset)
        offset = offset[:, None]
        vertices = None if self.vertices is None else self.vertices + offset
        return dataclasses.replace(
            self,
            fits=fits,
            joints=self.joints + offset,
            landmarks=self.landmarks + offset,
            vertices=vertices,
        )

    def rasterize(self, frame: int, camera: Camera) -> RasterOutput:
        """Rasterizes the body of a frame.

        Raises:
          ValueError: if the bodies were posed without their vertices.
        """
        if self.vertices is None:
            raise ValueError("Expected posed vertices, got none: use pose_bodies(vertices=True).")
        return rasterize(self.vertices[frame], self.data.faces, camera)

    def labels(self, raster: RasterOutput) -> np.ndarray:
        """Returns the part labels of a raster of this body in NBF's cut, uint8 [H, W]."""
        return label_map(raster, _face_labels(self.data))


def pose_bodies(fits: Fits, bodies: Bodies, *, vertices: bool) -> PosedBodies:
    """Computes the bodies of fits in the camera frame.

    Args:
      fits: camera frame.
      bodies: have the body of their gender.
      vertices: whether to compute all vertices, for drawing.

    Returns:
      Joints, landmarks and, if asked for, vertices.
    """
    data = bodies.data(fits.gender)
    landmark_ids = tuple(data.landmark_ids(SMPLR_LANDMARKS))
    layer = _layer(data, None if vertices else landmark_ids)
    body = layer(betas=fits.betas, pose=fits.pose, translation=fits.translation)
    points = body.vertices.numpy()
    return PosedBodies(
        fits=fits,
        data=data,
        joints=body.joints.numpy(),
        landmarks=points[:, landmark_ids] if vertices else points,
        vertices=points if vertices else None,
        neutral_betas=bodies.neutral_betas(fits.betas, fits.gender),
    )


def joint_fields(joints: np.ndarray, camera: Camera | None) -> dict[str, Any]:
    """Returns an Example's 3D joints, and the 2D joints they project to.

    Args:
      joints: [24, 3] metres, camera frame.
      camera: of the picture; None leaves the 2D joints unknown.
    """
    fields = {"joints/3d": joints, "joints/3d/valid": np.ones(24, np.int64)}
    if camera is not None:
        fields["joints/2d"] = camera.project(tf.constant(joints, tf.float64)).numpy()
        fields["joints/2d/valid"] = (joints[:, 2] > 0).astype(np.int64)
    return fields


def camera_fields(camera: Camera) -> dict[str, Any]:
    """Returns an Example's camera features."""
    return {
        "image/height": camera.height,
        "image/width": camera.width,
        "camera/intrinsics": camera.intrinsics,
        "camera/valid": 1,
    }


def label_fields(labels: np.ndarray) -> dict[str, Any]:
    """Returns an Example's label map, and the box around the person in it.

    Args:
      labels: [H, W] uint8, `parts.REGIONS`; at least one pixel is not background.
    """
    return {
        "parts/encoded": pictures.encode(labels, ".png"),
        "parts/valid": 1,
    } | box_of(labels)


def box_of(mask: np.ndarray) -> dict[str, Any]:
    """Returns an Example's person box from the person's pixels.

    Args:
      mask: [H, W], nonzero at the person; at least one pixel is.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return {"person/box": np.array(box, np.float32), "person/box/valid": 1}


def box_around(points_2d: np.ndarray, width: int, height: int) -> dict[str, Any]:
    """Returns an Example's person box from points of the person.

    Args:
      points_2d: [N, 2] pixels, N >= 1.
      width: of the picture, pixels.
      height: of the picture, pixels.

    Returns:
      The box around the points, enlarged by a fifth about its centre, since the body extends
      beyond its joints, and clipped to the picture; unknown if it is outside the picture.
    """
    low, high = points_2d.min(0), points_2d.max(0)
    margin = 0.1 * (high - low)
    box = np.clip(np.concatenate([low - margin, high + margin]), 0, [width, height] * 2)
    if box[0] >= box[2] or box[1] >= box[3]:
        return {}
    return {"person/box": box, "person/box/valid": 1}


@functools.lru_cache
def _load(path: str, gender: str) -> SMPLModelData:
    return require_smpl(load_model_data(None if path == OPEN_BODY else path, gender))


@functools.lru_cache
def _layer(data: SMPLModelData, vertex_ids: tuple[int, ...] | None) -> SMPL:
    # In double precision, so that rounding does not make the bytes depend on the batching.
    return SMPL(data, vertex_ids=vertex_ids, dtype="float64")


@functools.lru_cache
def _face_labels(data: SMPLModelData) -> np.ndarray:
    return face_regions(data)


@functools.lru_cache
def _neutral_map(own: SMPLModelData, neutral: SMPLModelData) -> tuple[np.ndarray, np.ndarray]:
    """The affine map of `neutral_betas`: [10, 10] and [10]."""
    inverse = np.linalg.pinv(neutral.shapedirs[..., :10].reshape(-1, 10))
    offset = inverse @ (own.v_template - neutral.v_template).ravel()
    return inverse @ own.shapedirs[..., :10].reshape(-1, 10), offset
