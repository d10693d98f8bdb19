"""Which way to bodies a command takes, with and without the finder's networks."""

from types import SimpleNamespace

import pytest

from datasets.photographs.models import ModelsMissingError
from experiments.prediction import methods
from experiments.prediction.stopwatch import Stopwatch
from experiments.runs.common import UsageError, UserError

PARTS = methods.Chosen(predictor=None, words="parts")


def flags(**others):
    values = dict.fromkeys(("run", "segmentation_run", "body_model", "refine", "fov", "gender"))
    return SimpleNamespace(**{**values, "method": "auto", "finder_model": "auto", **others})


@pytest.fixture
def no_networks(monkeypatch):
    def missing(*_):
        raise ModelsMissingError("pose_detection.tflite is not there; download it")

    monkeypatch.setattr(methods, "find_models", missing)
    monkeypatch.setattr(methods, "LandmarkFinder", missing)
    monkeypatch.setattr(methods, "_of_run", lambda *_: PARTS)


def test_auto_without_networks_takes_parts_and_says_so(no_networks):
    chosen = methods.choose(flags(), Stopwatch())
    assert chosen.words == "parts"
    assert chosen.finder is None
    assert chosen.remark.startswith("pose_detection.tflite is not there; download it")
    assert "body parts" in chosen.remark


@pytest.mark.parametrize("method", ["nbf", "smplr", "fit"])
def test_a_method_that_needs_the_networks_fails_in_one_line(no_networks, method):
    with pytest.raises(UserError, match="download it"):
        methods.choose(flags(method=method), Stopwatch())


def test_parts_ask_for_no_networks(no_networks):
    assert methods.choose(flags(method="parts"), Stopwatch()).remark == ""


@pytest.mark.parametrize("method", ["auto", "nbf", "parts"])
def test_a_gender_is_refused_where_the_networks_know_one_body(method):
    with pytest.raises(UsageError, match="--method=fit"):
        methods.choose(flags(method=method, gender="female"), Stopwatch())


def test_a_run_and_a_method_of_shipped_networks_do_not_go_together():
    with pytest.raises(UsageError, match="leave out --run"):
        methods.choose(flags(method="fit", run="runs/mine"), Stopwatch())


def test_fit_has_the_gender_and_the_field_of_view_that_were_asked_for(monkeypatch):
    monkeypatch.setattr(methods, "_finder", lambda _: "finder")
    chosen = methods.choose(flags(method="fit", gender="female", fov=40.0), Stopwatch())
    assert chosen.predictor.bodies[0].model_data.gender == "female"
    assert chosen.lens.field_of_view == 40.0
