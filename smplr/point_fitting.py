"""Fits SMPL to 3D points of any named skeleton in one call."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.model_data import SMPLModelData, load_model_data, require_smpl
from smpl_tf.rotations import matrix_to_axis_angle, project_to_rotation
from smpl_tf.skeleton import SMPL_24, SMPLR_42, Skeleton
from smpl_tf.skeleton_points import find_skeleton, looseness
from smplr.bones import observed_points
from smplr.landmarks import point_skeleton
from smplr.model import weighted_points
from smplr.point_model import PointModel
from smplr.probable_fit import choose, nearest_body, point_model
from smplr.traced_fit import fit_body_fast

Method = Literal["auto", "closed_form", "optimise", "denoise", "networks"]
METHODS = ("auto", "closed_form", "optimise", "denoise", "networks")

# Noise, metres per coordinate, from which "auto" uses the autoencoder's points or, without an
# autoencoder, SMPLR's result: there they become better than "optimise" (table in the README).
DENOISE_FROM = 0.015
NETWORKS_FROM = 0.045
# Plausible extents of a person, metres; otherwise the unit is wrong.
_LEAST_EXTENT, _LARGEST_EXTENT, _CENTIMETRES, _MILLIMETRES = 0.05, 8.0, 25.0, 250.0
# Turns a body from the model frame to face a camera.
_TO_CAMERA = np.diag([1.0, -1.0, -1.0])


class UnitError(ValueError):
    """Points that are not in metres.

    Attributes:
      unit: the likely unit, "mm" or "cm", or None.
    """

    def __init__(self, message: str, unit: str | None = None):
        super().__init__(message)
        self.unit = unit


class PointFit(NamedTuple):
    """Bodies fitted to points; metres, in the frame of the points.

    Attributes:
      betas: `[..., 10]`.
      rotations: parent-relative, the root's in the frame of the points, `[..., 24, 3, 3]`.
      pose: the same as axis-angles, radians, `[..., 24, 3]`.
      translation: such that `SMPL(betas, pose, translation)` is the body, `[..., 3]`.
      gender: `[...]`: +1 male, -1 female, 0 if there is one body for all.
      joints: SMPL's, `[..., 24, 3]`.
      points: the skeleton's points on the body, `[..., P, 3]`.
      residuals: distances to the given points, `[..., P]`; 0 where missing.
      noise: estimated standard deviation of the points' coordinates, `[...]`.
      joint_errors: expected errors of the joints, `[..., 24]`.
      method: the method that made the body, one of `METHODS`, a NumPy array of strings `[...]`.
    """

    betas: tf.Tensor
    rotations: tf.Tensor
    pose: tf.Tensor
    translation: tf.Tensor
    gender: tf.Tensor
    joints: tf.Tensor
    points: tf.Tensor
    residuals: tf.Tensor
    noise: tf.Tensor
    joint_errors: tf.Tensor
    method: np.ndarray


def fit_points(
    points: np.ndarray | tf.Tensor,
    skeleton: str | Skeleton = "smplr_42",
    weights: np.ndarray | None = None,
    valid: np.ndarray | None = None,
    method: Method = "auto",
    body: SMPLModelData | Sequence[SMPLModelData] | None = None,
    networks: keras.Model | None = None,
    camera_axes: bool = False,
) -> PointFit:
    """Fits SMPL bodies to points.

    "closed_form" is fast and assumes exact points. "optimise" continues from there to the most
    probable body, with the noise estimated from the residuals. "denoise" does the same with points
    that SMPLR's autoencoder has cleaned. "networks" runs all of SMPLR; networks for exactly this
    skeleton (`SMPLR.skeleton`) get the points unchanged. "auto" optimises; where the noise is
    large it denoises or, without an autoencoder, uses the networks, if given.

    Twists that the points do not determine follow the parent's orientation. If all points are
    missing, the result is the mean body at rest with its pelvis at the origin.

    Args:
      points: metres, any frame with right-handed axes, `[..., P, 3]`; missing points may be NaN
        or infinite.
      skeleton: name of the points' skeleton (`smpl_tf.skeleton_points.SKELETONS`).
      weights: confidence in each point, `[..., P]`; 0 is missing. Weight 4 means half the noise of
        weight 1.
      valid: bool `[..., P]`; false is missing.
      method: one of `METHODS`.
      body: one body, or a female and a male one, of which the better fit is chosen; None: the
        networks' body, or the open neutral one.
      networks: an `SMPLR` whose input is points; needed by "networks" and, with an autoencoder, by
        "denoise".
      camera_axes: whether the axes are a camera's (x right, y down, z away) and the noise comes
        from a picture. The networks then get the points unchanged; otherwise they get them turned
        upright and towards the camera.

    Returns:
      The fit, `[...]` bodies.

    Raises:
      ValueError: for an unknown skeleton or method, a wrong shape, or networks that are missing or
        do not match the body.
      UnitError: if the points are not in metres.

    Example:
      >>> import numpy as np
      >>> from smpl_tf import SMPL
      >>> from smplr import fit_points
      >>> joints = SMPL()().joints[np.newaxis]  # of one body
      >>> fit = fit_points(joints, "smpl_24", method="closed_form")
      >>> fit.pose.shape, bool(fit.residuals.numpy().max() < 0.001)
      (TensorShape([1, 24, 3]), True)
    """
    skeleton = find_skeleton(skeleton)
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; expected one of {', '.join(METHODS)}.")
    has_autoencoder = networks is not None and networks.autoencoder is not None
    if method == "networks" and networks is None:
        raise ValueError("method='networks' needs networks: an SMPLR whose input is points.")
    if method == "denoise" and not has_autoencoder:
        raise ValueError("method='denoise' needs networks with an autoencoder.")
    bodies = _bodies(body, networks)
    points, weights = checked_points(points, skeleton, weights, valid)
    leading = tf.shape(points)[:-2]
    points = tf.reshape(points, [-1, len(skeleton), 3])
    weights = tf.reshape(weights, [-1, len(skeleton)])

    # Networks for exactly these points need no fit to fill in others.
    asked_alone = method == "networks" and networks is not None and networks.skeleton == skeleton
    refine = method != "closed_form" and not asked_alone
    found = nearest_body(
        [fit_body_fast(points, weights, *_models(one, skeleton), refine=refine) for one in bodies]
    )
    used = METHODS.index("optimise" if refine else "closed_form")
    found["method"] = tf.fill(tf.shape(points)[:1], used)
    if networks is not None and method in ("auto", "denoise", "networks"):
        view = _view(points, found, camera_axes)
        seen, pelvis = _seen_by_networks(points, weights, found, skeleton, bodies, networks, view)
        if method == "networks" or not has_autoencoder:
            answer = _ask(points, weights, found, skeleton, bodies, networks, view, seen)
            threshold = NETWORKS_FROM
        else:
            answer = _denoise(found, bodies, networks, view, seen, pelvis)
            threshold = DENOISE_FROM
        ask = found["noise"] > (threshold if method == "auto" else -1.0)
        found = choose(ask, answer, found)
    return fit_result(points, weights, found, skeleton, bodies, leading)


def _models(body: SMPLModelData, skeleton: Skeleton) -> tuple[PointModel, PointModel]:
    return point_model(body, skeleton), point_model(body, SMPL_24)


def _bodies(
    body: SMPLModelData | Sequence[SMPLModelData] | None, networks: keras.Model | None
) -> list[SMPLModelData]:
    if body is None:
        return list(networks.body.bodies) if networks is not None else [load_model_data()]
    bodies = [body] if isinstance(body, SMPLModelData) else list(body)
    bodies = [require_smpl(one) for one in bodies]
    if networks is not None:
        known = [one.fingerprint for one in networks.body.bodies]
        if known != [one.fingerprint for one in bodies]:
            raise ValueError(
                f"The networks were trained on {', '.join(b.name for b in networks.body.bodies)}, "
                f"but the body is {', '.join(b.name for b in bodies)}; leave body out."
            )
    return bodies


def checked_points(
    points: np.ndarray | tf.Tensor,
    skeleton: Skeleton,
    weights: np.ndarray | None,
    valid: np.ndarray | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Checks points and weights.

    Args:
      points: the arguments are those of `fit_points`.
      skeleton: of the points.
      weights: `[..., P]` or None.
      valid: bool `[..., P]` or None.

    Returns:
      Points `[..., P, 3]` and weights `[..., P]`, 0 where missing.

    Raises:
      ValueError: if the number of points is not the skeleton's.
      UnitError: if the points are not in metres.
    """
    points = tf.convert_to_tensor(points)
    if points.dtype != tf.float64:
        points = tf.cast(points, tf.float32)
    if points.shape.rank < 2 or tuple(points.shape[-2:]) != (len(skeleton), 3):
        raise ValueError(
            f"Expected points [..., {len(skeleton)}, 3] for {skeleton.name}, got "
            f"{list(points.shape)}."
        )
    given = tf.reduce_all(tf.math.is_finite(points), axis=-1)
    if valid is not None:
        given = tf.logical_and(given, tf.cast(valid, tf.bool))
    trust = tf.cast(given, points.dtype)
    if weights is not None:
        weights = tf.cast(weights, points.dtype)
        trust *= tf.where(weights > 0, weights, tf.zeros_like(weights))
    _check_unit(points.numpy(), trust.numpy() > 0)
    return points, trust


def _check_unit(points: np.ndarray, given: np.ndarray) -> None:
    """Rejects points that span far more or less than a person in metres."""
    where = given[..., None]
    low = np.min(points, axis=-2, where=where, initial=np.inf)
    high = np.max(points, axis=-2, where=where, initial=-np.inf)
    several = given.sum(axis=-1) > 1
    if not several.any():
        return
    extent = np.median((high - low)[several].max(axis=-1))
    if _LEAST_EXTENT <= extent <= _LARGEST_EXTENT:
        return
    unit, words = None, "no unit of length; all points may be the same"
    if extent > _MILLIMETRES:
        unit, words = "mm", "millimetres; divide by 1000"
    elif extent > _CENTIMETRES:
        unit, words = "cm", "centimetres; divide by 100"
    raise UnitError(
        f"Expected points in metres, but people span {extent:.4g}: this looks like {words}.", unit
    )


def _view(points, found, camera_axes):
    """Returns the rotations from points to the networks' view, `[N, 3, 3]`."""
    if camera_axes:
        return tf.eye(3, batch_shape=[tf.shape(points)[0]], dtype=points.dtype)
    to_camera = tf.constant(_TO_CAMERA, points.dtype)
    return tf.matmul(to_camera, found["rotations"][:, 0], transpose_b=True)


def _seen_by_networks(points, weights, found, skeleton, bodies, networks, view):
    """Returns the networks' inputs, points in their view and weights, and the pelvises.

    Points that the networks need and the skeleton lacks come from the fit. So do missing points,
    except for networks of exactly this skeleton, which can handle missing points.
    """
    wanted = networks.skeleton or SMPLR_42
    if wanted == skeleton:
        seen, trust = points, weights
    else:
        seen, _ = _posed(found, bodies, wanted)
        trust = tf.ones_like(seen[..., 0])
        if set(skeleton.names) <= set(wanted.names) and not looseness(skeleton).any():
            given = tf.where((weights > 0)[..., None], points, np.nan)
            columns = tf.unstack(seen, axis=1)
            for place, name in enumerate(skeleton.names):
                columns[wanted.index(name)] = given[:, place]
            given = tf.stack(columns, axis=1)
            seen = tf.where(tf.math.is_finite(given), given, seen)
    turned = tf.matmul(seen, view, transpose_b=True)
    if networks.skeleton is not None:
        return {"points": turned, "weights": trust}, found["pelvis"]
    return {"points": (turned[:, 1:] - turned[:, :1])[:, : networks.num_points]}, seen[:, 0]


def _denoise(found, bodies, networks, view, seen, pelvis):
    """Optimises bodies on points that the autoencoder has cleaned, with or without landmarks."""
    skeleton = point_skeleton(networks.num_points)
    points, valid = observed_points(seen["points"])
    if networks.skeleton is not None:
        points = weighted_points(points, valid, seen["weights"])
    cleaned = tf.cast(networks.autoencoder(points, training=False), view.dtype)
    cleaned = tf.concat([tf.zeros_like(cleaned[:, :1]), cleaned], axis=1)
    cleaned = tf.matmul(cleaned, view) + pelvis[:, None]
    weights = tf.ones_like(cleaned[..., 0])
    answer = nearest_body([fit_body_fast(cleaned, weights, *_models(b, skeleton)) for b in bodies])
    index = tf.fill(tf.shape(found["method"]), METHODS.index("denoise"))
    return {**answer, "noise": found["noise"], "method": index}


def _ask(points, weights, found, skeleton, bodies, networks, view, seen):
    """Runs SMPLR."""
    outputs = networks(seen, training=False)
    rotations = tf.cast(project_to_rotation(outputs["rotations"]), points.dtype)
    root = tf.matmul(view, rotations[:, 0], transpose_a=True)
    shape = tf.cast(outputs["shape"], points.dtype)
    answer = {
        **found,
        "rotations": tf.concat([root[:, None], rotations[:, 1:]], axis=1),
        "betas": shape[:, :-1],
        "gender": tf.zeros_like(found["gender"])
        if len(bodies) == 1
        else tf.where(shape[:, -1] >= 0, 1.0, -1.0),
        "pelvis": tf.zeros_like(found["pelvis"]),
        "method": tf.fill(tf.shape(found["method"]), METHODS.index("networks")),
    }
    posed, _ = _posed(answer, bodies, skeleton)
    misses = tf.where((weights > 0)[..., None], points - posed, 0.0)
    shares = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-1, keepdims=True))
    return {**answer, "pelvis": tf.reduce_sum(shares[..., None] * misses, axis=1)}


def _posed(found, bodies, skeleton):
    """Returns the points `[N, P, 3]` of fitted bodies, and their pelvises at rest `[N, 3]`."""
    answers = []
    for body in bodies:
        model = point_model(body, skeleton)
        rest = model.rest_sources(found["rotations"], found["betas"])
        global_rotations = relative_to_global(found["rotations"], model.parents)
        answers.append(
            (model.pose(rest, global_rotations).points + found["pelvis"][:, None], rest[:, 0])
        )
    points, roots = (tf.stack(values, axis=1) for values in zip(*answers, strict=True))
    # With one body the gender is 0, with two it is -1 or +1.
    which = tf.cast(found["gender"] > 0, tf.int32)
    return tf.gather(points, which, batch_dims=1), tf.gather(roots, which, batch_dims=1)


def fit_result(
    points: tf.Tensor,
    weights: tf.Tensor,
    found: Mapping[str, tf.Tensor],
    skeleton: Skeleton,
    bodies: Sequence[SMPLModelData],
    leading: tf.Tensor,
) -> PointFit:
    """Completes what `fit_body` found.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`, 0 is missing.
      found: what `nearest_body` returns, and `method` `[N]`, an index of `METHODS`.
      skeleton: whose points.
      bodies: one, or a female and a male one.
      leading: the dimensions that N is split into.

    Returns:
      The fit.
    """
    fitted, pelvis_at_rest = _posed(found, bodies, skeleton)
    joints, _ = _posed(found, bodies, SMPL_24)
    missed = tf.where((weights > 0)[..., None], points - fitted, 0.0)

    def shaped(values):
        return tf.reshape(values, tf.concat([leading, tf.shape(values)[1:]], axis=0))

    return PointFit(
        betas=shaped(found["betas"]),
        rotations=shaped(found["rotations"]),
        pose=shaped(matrix_to_axis_angle(found["rotations"])),
        translation=shaped(found["pelvis"] - pelvis_at_rest),
        gender=shaped(found["gender"]),
        joints=shaped(joints),
        points=shaped(fitted),
        residuals=shaped(tf.norm(missed, axis=-1)),
        noise=shaped(found["noise"]),
        joint_errors=shaped(found["joint_errors"]),
        method=np.array(METHODS)[shaped(found["method"]).numpy()],
    )
