"""NBF's trained networks by name, for `from_pretrained`.

`MODEL_CARD.md` in each folder describes the training data and the accuracy.
"""

from __future__ import annotations

from pathlib import Path

from smpl_tf.saved_models import find_model

FITTING = "small_synthetic_parts"
SEGMENTER = "small_synthetic_segmenter"
POINTS = "photographs_points_mask"

NAMES = {
    FITTING: "nbf_fitting_small_segmented",
    SEGMENTER: "nbf_segmentation_small",
    POINTS: "nbf_photographs",
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
