"""The SMPL implementations that `benchmark.py` compares, behind one interface.

Each one gets a body and the parameters of some bodies, and returns a function without arguments
for one call of a kind of work: all vertices and joints, their gradient, joints alone, or a subset
of vertices. Implementations whose package is not installed are left out.
"""

import contextlib
import dataclasses
import functools
import io
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from smpl_tf import SMPL, SMPLModelData

WORKS = ("forward", "gradient", "joints", "subset")
NUM_SUBSET = 18  # as many vertices as SMPLR has landmarks


class Bodies(NamedTuple):
    """Parameters of some bodies, and the upstream gradient of their vertices.

    Attributes:
      betas: [N, 10].
      pose: [N, 72] radians.
      upstream: [N, V, 3].
    """

    betas: np.ndarray
    pose: np.ndarray
    upstream: np.ndarray


def random_bodies(data: SMPLModelData, count: int, seed: int = 0) -> Bodies:
    """Draws parameters.

    Args:
      data: the body.
      count: number of bodies.
      seed: of the random numbers.

    Returns:
      float32 arrays.
    """
    rng = np.random.default_rng(seed)
    return Bodies(
        betas=rng.normal(size=(count, 10)).astype(np.float32),
        pose=rng.normal(0.0, 0.3, (count, 3 * data.num_joints)).astype(np.float32),
        upstream=rng.normal(size=(count, data.num_vertices, 3)).astype(np.float32),
    )


def subset_of(data: SMPLModelData) -> np.ndarray:
    """The vertices of the work "subset", spread over the body."""
    return np.linspace(0, data.num_vertices - 1, NUM_SUBSET).astype(np.int64)


Maker = Callable[[SMPLModelData, str, Bodies, Path], Callable[[], tuple] | None]


def dense_body(data: SMPLModelData, seed: int = 0) -> SMPLModelData:
    """The body with random weights and pose blend shapes that hold no zero.

    An official file has pose blend shapes without zeros, too; nothing can be left out there.

    Args:
      data: the body whose template, shapes, faces and joints are kept.
      seed: same seed, same body.

    Returns:
      A body made in memory.
    """
    rng = np.random.default_rng(seed)
    return dataclasses.replace(
        data,
        posedirs=rng.normal(0.0, 1e-3, data.posedirs.shape),
        weights=rng.dirichlet(np.ones(data.num_joints), data.num_vertices),
    )


def smpl_tf_eager(data, work, bodies, folder):
    """This library called eagerly, outside any tf.function."""
    import tensorflow as tf

    vertex_ids = {"joints": [], "subset": subset_of(data)}.get(work)
    smpl = SMPL(data, vertex_ids=vertex_ids)
    betas, pose, upstream = map(tf.constant, bodies)

    def forward():
        output = smpl(betas=betas, pose=pose)
        return (output.joints,) if work == "joints" else (output.vertices, output.joints)

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch((betas, pose))
            vertices = smpl(betas=betas, pose=pose).vertices
        return tape.gradient(vertices, (betas, pose), output_gradients=upstream)

    return gradient if work == "gradient" else forward


def smpl_tf(xla: bool) -> Maker:
    """This library under tf.function, with or without XLA."""

    def make(data, work, bodies, folder):
        import tensorflow as tf

        vertex_ids = {"joints": [], "subset": subset_of(data)}.get(work)
        smpl = SMPL(data, vertex_ids=vertex_ids)
        betas, pose, upstream = map(tf.constant, bodies)

        @tf.function(jit_compile=xla, autograph=False)
        def forward(betas, pose):
            output = smpl(betas=betas, pose=pose)
            return (output.joints,) if work == "joints" else (output.vertices, output.joints)

        @tf.function(jit_compile=xla, autograph=False)
        def gradient(betas, pose, upstream):
            with tf.GradientTape() as tape:
                tape.watch((betas, pose))
                vertices = smpl(betas=betas, pose=pose).vertices
            return tape.gradient(vertices, (betas, pose), output_gradients=upstream)

        if work == "gradient":
            return lambda: gradient(betas, pose, upstream)
        return lambda: forward(betas, pose)

    return make


def smplfitter_tf(data, work, bodies, folder):
    """smplfitter's TensorFlow body under XLA; its gradient as a plain graph, since XLA fails."""
    import tensorflow as tf
    from smplfitter.tf import BodyModel

    np.save(folder / "kid_template.npy", np.zeros((data.num_vertices, 3)))
    write_pickle(data, folder / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl")
    subset = subset_of(data) if work == "subset" else None
    model = BodyModel("smpl", "neutral", str(folder), num_betas=10, vertex_subset=subset)
    betas, pose = tf.constant(bodies.betas), tf.constant(bodies.pose)

    @tf.function(jit_compile=True)
    def forward(betas, pose):
        output = model(pose, betas, return_vertices=work != "joints")
        return tuple(output[name] for name in ("vertices", "joints") if name in output)

    @tf.function
    def gradient(betas, pose, upstream):
        with tf.GradientTape() as tape:
            tape.watch((betas, pose))
            vertices = model(pose, betas, return_vertices=True)["vertices"]
        return tape.gradient(vertices, (betas, pose), output_gradients=upstream)

    if work == "gradient":
        upstream = tf.constant(bodies.upstream)
        return lambda: gradient(betas, pose, upstream)
    return lambda: forward(betas, pose)


def smplx(compiled: bool) -> Maker:
    """smplx in PyTorch, eager or compiled; it always computes all vertices."""
    return functools.partial(_smplx, compiled)


def _smplx(compiled, data, work, bodies, folder):
    import smplx as package
    import torch

    write_pickle(data, folder / "SMPL_NEUTRAL.pkl")
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = package.SMPL(str(folder), gender="neutral", batch_size=len(bodies.betas))
    betas, pose, upstream = (torch.tensor(array) for array in bodies)
    num_joints = data.num_joints
    if compiled:
        model = torch.compile(model)

    def run(betas, pose):
        return model(betas=betas, body_pose=pose[:, 3:], global_orient=pose[:, :3])

    def forward():
        with torch.no_grad():
            output = run(betas, pose)
        joints = output.joints[:, :num_joints].numpy()
        vertices = output.vertices.numpy()
        if work == "joints":
            return (joints,)
        return (vertices[:, subset_of(data)] if work == "subset" else vertices, joints)

    def gradient():
        inputs = betas.requires_grad_(), pose.requires_grad_()
        output = run(*inputs)
        by = torch.autograd.grad(output.vertices, inputs, grad_outputs=upstream)
        return tuple(tensor.numpy() for tensor in by)

    return gradient if work == "gradient" else forward


def numpy(dtype: type) -> Maker:
    """SMPL in NumPy with one product for the blend shapes; the reference in float64."""

    def make(data, work, bodies, folder):
        if work == "gradient":
            return None
        chosen = {"joints": np.zeros(0, np.int64), "subset": subset_of(data)}.get(
            work, slice(None)
        )
        template = data.v_template[chosen].astype(dtype)
        directions = np.concatenate([data.shapedirs[chosen][..., :10], data.posedirs[chosen]], 2)
        directions = directions.reshape(-1, directions.shape[-1]).T.astype(dtype, order="C")
        weights = data.weights[chosen].astype(dtype)
        joint_template = (data.J_regressor @ data.v_template).astype(dtype)
        joint_directions = np.einsum("jv,vcs->sjc", data.J_regressor, data.shapedirs[..., :10])
        joint_directions = joint_directions.astype(dtype)
        betas, pose = bodies.betas.astype(dtype), bodies.pose.astype(dtype)
        count, parents = len(betas), data.parents

        def forward():
            rotations = _rodrigues(pose.reshape(count, -1, 3))
            rest = joint_template + np.tensordot(betas, joint_directions, 1)
            global_rotations, joints = [rotations[:, 0]], [rest[:, 0]]
            for joint, parent in enumerate(parents[1:], start=1):
                bone = (rest[:, joint] - rest[:, parent])[..., None]
                joints.append(joints[parent] + (global_rotations[parent] @ bone)[..., 0])
                global_rotations.append(global_rotations[parent] @ rotations[:, joint])
            global_rotations, joints = np.stack(global_rotations, 1), np.stack(joints, 1)
            if work == "joints":
                return (joints,)
            features = (rotations[:, 1:] - np.eye(3, dtype=dtype)).reshape(count, -1)
            points = np.concatenate([betas, features], 1) @ directions
            points = template + points.reshape(count, -1, 3)
            offsets = joints - (global_rotations @ rest[..., None])[..., 0]
            motions = np.concatenate([global_rotations, offsets[..., None]], -1).reshape(
                count, -1, 12
            )
            blended = (weights @ motions).reshape(count, -1, 3, 4)
            vertices = (blended[..., :3] @ points[..., None])[..., 0] + blended[..., 3]
            return vertices, joints

        return forward

    return make


def floor(data, work, bodies, folder):
    """The machine's floor: only the two matrix products with NumPy's BLAS."""
    if work not in ("forward", "gradient"):
        return None
    rng = np.random.default_rng(0)
    count = len(bodies.betas)

    def random(*shape):
        return rng.normal(size=shape).astype(np.float32)

    features, basis = random(count, 218), random(218, 3 * data.num_vertices)
    motions, weights = random(12 * count, 24), random(24, data.num_vertices)
    points = np.empty((count, 3 * data.num_vertices), np.float32)
    blended = np.empty((12 * count, data.num_vertices), np.float32)

    def products():
        np.matmul(features, basis, out=points)
        np.matmul(motions, weights, out=blended)
        return ()

    return products


def _rodrigues(axis_angles):
    angles = np.maximum(np.linalg.norm(axis_angles, axis=-1), np.finfo(axis_angles.dtype).tiny)
    x, y, z = np.moveaxis(axis_angles / angles[..., None], -1, 0)
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    sine, versine = np.sin(angles)[..., None, None], 1.0 - np.cos(angles)[..., None, None]
    return np.eye(3, dtype=skew.dtype) + sine * skew + versine * (skew @ skew)


def write_pickle(data: SMPLModelData, path: Path) -> None:
    """Writes a body in the format of `smplx` and `smplfitter`, once."""
    if path.exists():
        return
    kintree = np.stack([data.parents, np.arange(data.num_joints)]).astype(np.int64)
    names = ("v_template", "shapedirs", "posedirs", "weights", "J_regressor")
    contents = {name: getattr(data, name) for name in names}
    contents.update(kintree_table=kintree, f=data.faces.astype(np.uint32))
    path.write_bytes(pickle.dumps(contents))
