"""The prediction methods, and the choice of one by the flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.models import ModelsMissingError, find_models
from experiments.nbf import networks, segmenters
from experiments.prediction import smplr_pictures
from experiments.prediction.lens import Lens
from experiments.prediction.point_fits import PointFits
from experiments.prediction.smplr_bodies import SMPLRBodies
from experiments.prediction.stopwatch import Stopwatch
from experiments.runs import shipped_runs
from experiments.runs.common import UsageError, UserError, quiet_c
from experiments.runs.run_folder import RunFolder
from nbf import FittingNetwork
from nbf import pretrained as nbf_pretrained
from nbf.prediction import audit, audit_calibration
from nbf.prediction.bodies import NBFBodies
from nbf.prediction.part_finder import PartFinder
from nbf.prediction.point_bodies import PointBodies
from nbf.prediction.predictor import Predictor
from smpl_tf.saved_models import ModelNotFoundError
from smplr import SMPLR
from smplr import pretrained as smplr_pretrained

_BY_QUALITY = ("heavy", "full", "lite")  # sizes of the landmark network, best first


class Chosen(NamedTuple):
    """The chosen method.

    Attributes:
      predictor: the networks.
      words: description for the page.
      finder: detects people; None: a segmenter does.
      audited: record of the calibration; None: none.
      remark: remark about the choice for the user, or "".
      lens: of the pictures' cameras; None: NBF's fixed camera.
    """

    predictor: Predictor
    words: str
    finder: LandmarkFinder | None = None
    audited: audit_calibration.Record | None = None
    remark: str = ""
    lens: Lens | None = None


def choose(values: Any, stopwatch: Stopwatch) -> Chosen:
    """Loads the method of the flags.

    Args:
      values: the flags of predict.py.
      stopwatch: of the stages.

    Returns:
      The predictor and its description.

    Raises:
      UserError: a network or the detector is missing, or flags contradict each other.
    """
    if values.gender not in (None, "neutral") and values.method != "fit":
        raise UsageError(
            f"--gender={values.gender} applies to --method=fit, not {values.method}: the networks "
            "were trained with the neutral body"
        )
    if values.run or values.segmentation_run:
        if values.method not in ("auto", "parts"):
            raise UsageError(
                f"--method={values.method} uses shipped networks; leave out --run and "
                "--segmentation_run, or --method"
            )
        return _of_run(values, stopwatch)
    if values.method == "parts":
        return _of_run(values, stopwatch)
    try:
        with quiet_c():  # TFLite prints its delegate
            finder = _finder(values.finder_model)
        return _of_points(values, finder, stopwatch)
    except (ModelsMissingError, ModelNotFoundError) as error:
        if values.method != "auto":
            raise UserError(str(error)) from error
        remark = f"{error}. Until then people are found by their body parts, which works poorly"
        return _of_run(values, stopwatch)._replace(remark=remark)


def _finder(model: str) -> LandmarkFinder:
    """Returns the detector of a size; for "auto" the best that was downloaded."""
    if model != "auto":
        return LandmarkFinder(model)
    for size in _BY_QUALITY:
        try:
            find_models(size)
        except ModelsMissingError:
            continue
        return LandmarkFinder(size)
    return LandmarkFinder()  # its message has the remedy


def _of_points(values: Any, finder: LandmarkFinder, stopwatch: Stopwatch) -> Chosen:
    camera_of = Lens(values.fov)
    fit: Callable[..., Any]
    if values.method in ("auto", "nbf"):
        network = FittingNetwork.from_pretrained(nbf_pretrained.POINTS)
        fit, words = PointBodies(network, camera_of), "NBF's network for detected points and masks"
    elif values.method == "smplr":
        model = SMPLR.from_pretrained(smplr_pretrained.PHOTOGRAPHS)
        fit = PointFits(model, "networks", camera_of)
        words = "SMPLR's networks for detected 3D points"
    else:
        fit = PointFits(camera_of=camera_of, gender=values.gender or "neutral")
        words = "optimisation with detected 3D points"
    refine = values.refine is not False
    predictor = Predictor(fit, fit.bodies, finder=finder, refine=refine, timed=stopwatch)
    if refine:
        words += ", then refined to the points"
    return Chosen(predictor, words, finder, lens=camera_of)


def _of_run(values: Any, stopwatch: Stopwatch) -> Chosen:
    run, segmentation_run = shipped_runs.chosen_runs(values)
    part_finder = audited = None
    if segmentation_run is not None:
        segmenter = segmenters.load_segmenter(segmentation_run)
        part_finder = PartFinder(segmenter)
    fit: Callable[..., Any]
    if run.method == "SMPLR":
        if values.body_model:
            raise UserError(f"{run.path}: an SMPLR run has its own bodies; leave out --body_model")
        fit = SMPLRBodies(smplr_pictures.restore_picture_model(run))
    else:
        network = networks.load_network(run, values.body_model)
        try:
            fit = NBFBodies(network, part_finder)
        except ValueError as error:
            raise UserError(f"--run={run.path} and --segmentation_run: {error}") from error
        if part_finder is not None:
            audited = _calibration(run, network, segmenter)
    predictor = Predictor(
        *(fit, fit.bodies, part_finder),
        calibration=audited and audited.calibration,
        refine=bool(values.refine),
        timed=stopwatch,
    )
    return Chosen(predictor, run.path.name, None, audited)


def _calibration(run: RunFolder, *trained: Any) -> audit_calibration.Record | None:
    path = run.path / audit_calibration.FILE
    return audit_calibration.read(path, audit.Evidence._fields, *trained)
