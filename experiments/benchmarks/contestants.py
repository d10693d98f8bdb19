"""The implementations that `benchmark.py` can run here, and their gradients at rest."""

import importlib.util
from pathlib import Path

import numpy as np

from experiments.benchmarks import peers
from smpl_tf import SMPLModelData

_STEP = 1e-6  # radians, step of the finite differences
_RELATIVE_TOLERANCE = 1e-3


def contestants(torch_compile: bool = False) -> dict[str, peers.Maker]:
    """Returns the available implementations; the first one is compared with the others.

    Args:
      torch_compile: also run smplx under `torch.compile`, which takes minutes to compile.

    Returns:
      Name -> function that returns the implementation's call.
    """
    makers = {
        "smpl_tf XLA": peers.smpl_tf(xla=True),
        "smpl_tf": peers.smpl_tf(xla=False),
        "smpl_tf eager": peers.smpl_tf_eager,
        "numpy": peers.numpy(np.float32),
        "floor": peers.floor,
    }
    if _installed("smplx") and _installed("torch"):
        makers["smplx"] = peers.smplx(compiled=False)
        if torch_compile:
            makers["smplx compiled"] = peers.smplx(compiled=True)
    if _installed("smplfitter"):
        makers["smplfitter XLA"] = peers.smplfitter_tf
    if _installed("body_models") and _installed("jax"):
        makers["body-models JAX"] = body_models_jax
    return makers


def _installed(package):
    return importlib.util.find_spec(package) is not None


def body_models_jax(data, work, bodies, folder):
    """body-models in JAX under `jax.jit`; it has a separate argument for the pelvis' rotation."""
    import jax
    from body_models.smpl.jax import SMPL

    path = folder / "body_models.pkl"
    peers.write_pickle(data, path)
    model = SMPL(model_path=path)
    betas, pose, upstream = map(jax.numpy.asarray, bodies)
    pose = pose.reshape(len(betas), -1, 3)
    chosen = peers.subset_of(data).tolist() if work == "subset" else None

    def vertices(betas, pose):
        return model.forward_vertices(
            pose[:, 1:], pelvis_rotation=pose[:, 0], shape=betas, vertex_indices=chosen
        )

    def joints(betas, pose):
        skeleton = model.forward_skeleton(pose[:, 1:], pelvis_rotation=pose[:, 0], shape=betas)
        return skeleton[..., :3, 3]

    @jax.jit
    def forward(betas, pose):
        found = joints(betas, pose)
        return (found,) if work == "joints" else (vertices(betas, pose), found)

    @jax.jit
    def gradient(betas, pose, upstream):
        _, pullback = jax.vjp(vertices, betas, pose)
        by_betas, by_pose = pullback(upstream)
        return by_betas, by_pose.reshape(len(betas), -1)

    if work == "gradient":
        return lambda: jax.block_until_ready(gradient(betas, pose, upstream))
    return lambda: jax.block_until_ready(forward(betas, pose))


def gradients_at_rest(
    makers: dict[str, peers.Maker], data: SMPLModelData, folder: Path
) -> dict[str, str]:
    """Compares each implementation's gradient at the rest pose with finite differences.

    Args:
      makers: from `contestants`.
      data: the body.
      folder: for body files.

    Returns:
      Name -> "right", "zero", "NaN" or "wrong"; implementations without gradients are left out.
    """
    body = peers.random_bodies(data, 1)
    body = body._replace(pose=np.zeros_like(body.pose))
    steps = _STEP * np.concatenate([np.eye(body.pose.size), -np.eye(body.pose.size)])
    moved = body._replace(pose=steps, betas=np.repeat(body.betas, len(steps), axis=0))
    vertices, _ = peers.numpy(np.float64)(data, "forward", moved, folder)()
    losses = np.einsum("nvc,vc->n", vertices, body.upstream[0].astype(np.float64))
    ahead, behind = np.split(losses, 2)
    exact = (ahead - behind) / (2.0 * _STEP)
    verdicts = {}
    for name, maker in makers.items():
        call = maker(data, "gradient", body, folder)
        if call is not None and name != "floor":
            verdicts[name] = verdict(np.asarray(call()[1], np.float64).ravel(), exact)
    return verdicts


def verdict(gradient: np.ndarray, exact: np.ndarray) -> str:
    """Classifies a gradient in one word.

    Args:
      gradient: of one implementation.
      exact: from finite differences, same shape.

    Returns:
      "right", "zero", "NaN" or "wrong".
    """
    if not np.isfinite(gradient).all():
        return "NaN"
    if not gradient.any():
        return "zero"
    error = np.abs(gradient - exact).max() / np.abs(exact).max()
    return "right" if error <= _RELATIVE_TOLERANCE else "wrong"
