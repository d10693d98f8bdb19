"""SMPLR's trained networks by name, for `from_pretrained`.

`MODEL_CARD.md` in each folder describes the training data and the accuracy.
"""

from __future__ import annotations

from pathlib import Path

from smpl_tf.saved_models import find_model

POSE_SHAPE = "small_synthetic_pose_shape"
POSE_ANY_BODY = "small_synthetic_pose_any_body"
AUTOENCODER = "small_synthetic_autoencoder"
PHOTOGRAPHS = "photographs"
AUTOENCODER_FILE = "autoencoder.keras"
"""File of a model's autoencoder in the same folder, stored separately to keep files small."""
HOURGLASS_FILE = "hourglass.keras"
"""File of a model's hourglass in the same folder, stored separately to keep files small."""

NAMES = {
    POSE_SHAPE: "smplr_pose_shape",
    POSE_ANY_BODY: "smplr_pose_any_body",
    AUTOENCODER: "smplr_dae",
    PHOTOGRAPHS: "smplr_photographs",
}
"""Name of a shipped network -> its folder."""


def model_file(name: str | Path) -> Path:
    """Finds a trained network.

    Args:
      name: one of NAMES, the folder of a finished run, or a `.keras` file.

    Returns:
      The `.keras` file.

    Raises:
      ModelNotFoundError: it is not found.
    """
    return find_model(name, NAMES)
