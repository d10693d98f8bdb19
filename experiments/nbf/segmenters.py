"""The part segmenter of a run: its input, construction, compilation and loading."""

from __future__ import annotations

from absl import flags

from experiments.nbf import networks
from experiments.nbf.data import Feed
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from nbf import (
    DeepLab,
    FittingNetwork,
    NeuralBodyFitting,
    RefineNet,
    SegmentationLoss,
    SmallSegmenter,
    input_maps,
    targets,
)
from nbf.optimizers import paper_optimizer
from nbf.segmentation import PartSegmenter

FEATURES = ("image/encoded", "image/height", "image/width", "parts/encoded", "parts/valid")


def feed(values: flags.FlagValues, held_out: bool = False) -> Feed:
    """Returns the conversion of Examples for a segmenter.

    Args:
      values: the flags of the run.
      held_out: ignored.

    Returns:
      The features it needs, and the function that makes pictures and label maps.
    """
    del held_out
    return Feed(
        FEATURES,
        lambda examples: targets.segmentation_targets(
            examples, values.num_parts, values.input_size
        ),
    )


def build_segmenter(values: flags.FlagValues, body: None = None) -> PartSegmenter:
    """Builds the segmenter of a run.

    Args:
      values: the flags of the run.
      body: not used by a segmenter.

    Returns:
      The segmenter, not compiled.
    """
    size = {"num_parts": values.num_parts, "input_size": values.input_size}
    if values.segmenter == "small":
        return SmallSegmenter(width=values.segmenter_width, **size)
    options = {"backbone": values.backbone, "backbone_weights": networks.backbone_weights(values)}
    if values.segmenter == "refinenet":
        return RefineNet(**options, frozen_backbone=values.frozen_backbone, **size)
    if values.frozen_backbone:
        raise UserError("--frozen_backbone is of --segmenter=refinenet and of the fitting network")
    return DeepLab(**options, **size)


def compile_segmenter(segmenter: PartSegmenter, values: flags.FlagValues, steps: int) -> None:
    """Compiles a segmenter with its loss and its optimiser.

    Args:
      segmenter: the segmenter.
      values: the flags of the run.
      steps: batches of the whole training, over which the learning rate falls to 0.
    """
    segmenter.compile(
        paper_optimizer(steps, values.learning_rate, values.decay_power, values.beta_1),
        loss=SegmentationLoss(weight_decay=values.weight_decay),
        jit_compile=values.jit_compile,
    )
    # With all variables created, the training step is traced only once.
    segmenter.optimizer.build(segmenter.trainable_variables)


def load_segmenter(run: RunFolder) -> PartSegmenter:
    """Loads the segmenter of a finished run.

    Args:
      run: the run.

    Returns:
      The segmenter, not compiled.

    Raises:
      UserError: the run is unfinished, or of the other stage.
    """
    return PartSegmenter.from_pretrained(networks.finished_model(run))


def join_stages(segmenter: PartSegmenter, network: FittingNetwork) -> NeuralBodyFitting:
    """Joins a segmenter and a fitting network to one model, from pictures to bodies.

    Args:
      segmenter: the first stage.
      network: the second stage.

    Returns:
      The model.

    Raises:
      UserError: the second stage needs other parts than the first one predicts.
    """
    check_parts(segmenter, network.input_map)
    return NeuralBodyFitting(segmenter, network)


def check_parts(segmenter: PartSegmenter, input_map: str) -> None:
    """Rejects a segmenter with other parts than a fitting network needs.

    Args:
      segmenter: the first stage.
      input_map: of the fitting network.

    Raises:
      UserError: the parts differ.
    """
    scheme = input_maps.input_map(input_map).scheme
    if scheme is None or scheme.name != segmenter.scheme.name:
        raise UserError(
            f"--segmentation_run predicts {segmenter.scheme.name}, but the fitting network takes "
            f"{input_map}; give a fitting run with --input_map={segmenter.scheme.name}"
        )
