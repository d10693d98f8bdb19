"""An interactive 3D viewer as one HTML fragment, without network access.

The page contains the quantised body model, so its sliders pose the body like `SMPL`, with up to
MAX_CORRECTIONS pose blend shapes. The drawing is hand-written JavaScript in this folder.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.figures import PREDICTED
from smpl_tf.measurements import LANDMARKS
from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import SMPL_24
from smpl_tf.viewer.shape_words import shape_words
from smpl_tf.viewer.templates import template

_FOLDER = Path(__file__).parent

# In the order that the browser needs.
_SCRIPTS = (
    "body.js",
    "measurements.js",
    "matrices.js",
    "ground_shadow.js",
    "mesh_painter.js",
    "flat_painter.js",
    "viewer.js",
    "controls.js",
    "start.js",
)

MAX_CORRECTIONS = 24_000
"""The number of joint-vertex pairs whose pose blend shapes a page keeps, the largest first.

The open body has some 6,500 above the quantisation step, so nothing is lost. An official SMPL file
has ten times as many small ones; all of them would take 6 MB.
"""

_FEWEST_BETAS = 10  # sliders, if the model has that many

_REGIONS = {
    "Whole body": ("pelvis",),
    "Trunk and head": ("spine1", "spine2", "spine3", "neck", "head"),
    "Left arm": ("left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    "Right arm": ("right_collar", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    "Left leg": ("left_hip", "left_knee", "left_ankle", "left_foot"),
    "Right leg": ("right_hip", "right_knee", "right_ankle", "right_foot"),
}


class ViewedBody(NamedTuple):
    """A body on a page, still or moving.

    Attributes:
      name: shown on the page.
      betas: [B] shape.
      pose: [24, 3] or [T, 24, 3] parent-relative axis-angles, radians.
      translation: [3] or [T, 3] metres.
      frame: "camera" (y down, z away, as predictions are) or "model" (y up, z forward).
      frame_rate: frames per second of a moving body.
      scene: bodies with the same scene are shown together; empty: a separate scene with the body's
        name.
      note: one line under the picture, such as its error.
      model: index of the page's model.
      colour: RGB 0..255.
    """

    name: str
    betas: np.ndarray
    pose: np.ndarray
    translation: np.ndarray = np.zeros(3)
    frame: str = "camera"
    frame_rate: float = 30.0
    scene: str = ""
    note: str = ""
    model: int = 0
    colour: tuple[int, int, int] = PREDICTED


def body_viewer(
    bodies: Sequence[ViewedBody], *models: SMPLModelData, poses: np.ndarray | None = None
) -> str:
    """Makes an interactive 3D view of bodies.

    Call it once per page with all bodies: the model is embedded by every call. The fragment uses
    the colours of report.html.

    Args:
      bodies: the bodies to show; the reader of the page chooses a scene.
      *models: of the bodies; with several (of one topology, such as the open body's genders) the
        reader can switch a body to another model.
      poses: [N, 24, 3] axis-angles, model frame, for the button of random poses; if given, the
        page has sliders for every joint.

    Returns:
      A self-contained HTML fragment, shown by `report.Page(viewer=...)`. The button of a
      `report.Person` with a `scene` switches to that scene.

    Raises:
      ValueError: if there is no body, or one does not fit the models.
    """
    if not bodies or not models:
        raise ValueError(f"Expected bodies and a model, got {len(bodies)} and {len(models)}.")
    for model in models[1:]:
        if not np.array_equal(model.faces, models[0].faces):
            raise ValueError(
                f"Expected models of one topology, got {models[0].name} and {model.name}."
            )
    if any(body.model not in range(len(models)) for body in bodies):
        raise ValueError(f"Expected bodies of the {len(models)} models given.")
    # Official files hold up to 300 shape components; a page has those that its bodies use.
    used = max(len(np.atleast_1d(body.betas)) for body in bodies)
    num_betas = min(max(used, _FEWEST_BETAS), *(model.num_betas for model in models))
    content = {
        "shared": _shared(models[0]),
        "models": [_packed(model, num_betas) for model in models],
        "bodies": [_body(body, len(models[0].parents), num_betas) for body in bodies],
        "poses": None if poses is None else np.round(np.asarray(poses, float), 4).tolist(),
    }
    return template(_FOLDER / "viewer.html").render(
        # "<" would end the script element.
        content=json.dumps(content, allow_nan=False, separators=(",", ":")).replace(
            "<", "\\u003c"
        ),
        styles=(_FOLDER / "viewer.css").read_text(encoding="utf-8"),
        scripts="\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS),
        num_betas=num_betas,
        models=models,
        regions={
            region: [(SMPL_24.index(name), name) for name in names]
            for region, names in _REGIONS.items()
        }
        if poses is not None
        else {},
    )


def _shared(model: SMPLModelData) -> dict[str, Any]:
    """The arrays that all models of one topology share."""
    order = np.argsort(-model.weights, axis=1, kind="stable")[:, :4]
    chosen = np.take_along_axis(model.weights, order, axis=1)
    return {
        "joint_names": list(SMPL_24.names),
        "parents": model.parents.tolist(),
        "mirror": SMPL_24.mirror.tolist(),
        "wide_faces": _index_type(model) is np.uint32,
        "faces": _text(model.faces, _index_type(model)),
        "weight_joints": _text(order, np.uint8),
        "weights": _text(np.rint(chosen / chosen.sum(axis=1, keepdims=True) * 65535), np.uint16),
    }


def _packed(model: SMPLModelData, num_betas: int) -> dict[str, Any]:
    """The arrays of one model, quantised."""
    template, template_step = _quantised(model.v_template, np.int16)
    shapedirs = model.shapedirs[..., :num_betas]
    shapes = [_quantised(shape, np.int16) for shape in np.moveaxis(shapedirs, -1, 0)]
    counts, vertices, offsets, pose_step = _corrections(model)
    return {
        "name": model.name,
        "gender": model.gender,
        "fingerprint": model.fingerprint,
        "template": _text(template, np.int16),
        "template_step": template_step,
        "shapes": _text(np.stack([values for values, _ in shapes]), np.int16),
        "shape_steps": [step for _, step in shapes],
        "joint_template": _rounded(model.J_regressor @ model.v_template),
        "joint_shapes": _rounded(np.einsum("jv,vcb->bjc", model.J_regressor, shapedirs)),
        "pose_counts": counts,
        "pose_vertices": _text(vertices, _index_type(model)),
        "pose_offsets": _text(offsets, np.int8),
        "pose_step": pose_step,
        "shape_words": shape_words(model, num_betas),
        "measured": _measured(model),
    }


def _measured(model: SMPLModelData) -> list[int] | None:
    """The vertices that the girths need, if the body names them."""
    known = set(LANDMARKS) <= set(model.landmarks)
    return model.landmark_ids(LANDMARKS) if known else None


def _corrections(model):
    """The pose blend shapes of each joint, for the vertices that they move."""
    per_joint = model.posedirs.reshape(model.num_vertices, 3, -1, 9).transpose(2, 0, 1, 3)
    quantised, step = _quantised(per_joint, np.int8)
    size = np.abs(per_joint).max(axis=(2, 3)) * (quantised != 0).any(axis=(2, 3))
    if np.count_nonzero(size) > MAX_CORRECTIONS:
        size *= size >= np.partition(size, -MAX_CORRECTIONS, axis=None)[-MAX_CORRECTIONS]
    joints, vertices = np.nonzero(size)
    counts = np.bincount(joints, minlength=len(per_joint)).tolist()
    return counts, vertices, quantised[joints, vertices], step


def _body(body: ViewedBody, num_joints: int, num_betas: int) -> dict[str, Any]:
    """One body in the page's format."""
    pose = np.asarray(body.pose, np.float64)
    pose = pose if pose.ndim == 3 else pose[np.newaxis]
    betas = np.asarray(body.betas, np.float64)
    translation = np.broadcast_to(np.asarray(body.translation, np.float64), (len(pose), 3))
    if pose.shape[1:] != (num_joints, 3) or betas.ndim != 1 or not len(betas) <= num_betas:
        raise ValueError(
            f"{body.name}: expected a pose [{num_joints}, 3] or [T, {num_joints}, 3] and at most "
            f"{num_betas} betas, got shapes {np.shape(body.pose)} and {betas.shape}."
        )
    if body.frame not in ("camera", "model"):
        raise ValueError(f"{body.name}: expected frame 'camera' or 'model', got {body.frame!r}.")
    if not all(np.isfinite(values).all() for values in (pose, betas, translation)):
        raise ValueError(f"{body.name}: expected finite parameters, got NaN or infinity.")
    quaternions = Rotation.from_rotvec(pose.reshape(-1, 3)).as_quat()
    return {
        "name": body.name,
        "scene": body.scene or body.name,
        "note": body.note,
        "model": body.model,
        "colour": [int(channel) for channel in body.colour],
        "upside_down": body.frame == "camera",
        "frame_rate": float(body.frame_rate),
        "betas": _rounded(betas),
        "rotations": _text(np.rint(quaternions * 32767), np.int16),
        "translations": _rounded(translation),
    }


def _quantised(values, dtype):
    """Returns integers and the step size by which the largest value just fits."""
    largest = np.iinfo(dtype).max
    step = float(np.abs(values).max()) / largest or 1.0
    return np.rint(values / step).astype(dtype), step


def _rounded(values):
    """Rounds metres to a hundredth of a millimetre."""
    return np.round(np.asarray(values, np.float64), 5).tolist()


def _index_type(model):
    return np.uint16 if model.num_vertices <= 2**16 else np.uint32


def _text(values, dtype):
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
