"""Calibrating the audit: what is written is what predict.py reads."""

import json

import pytest

from experiments import calibrate_audit
from experiments.nbf import networks as nbf_runs
from experiments.nbf import segmenters
from experiments.runs.run_folder import RunFolder
from nbf.prediction import audit_calibration
from nbf.prediction.audit import Evidence
from tests.experiments.test_predict import untrained


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Untrained networks; for the segmenter a picture is all torso."""
    folder = tmp_path_factory.mktemp("runs")
    tiny = ("--stage=segmentation", "--input_size=16", "--segmenter_width=4")
    fitting = untrained(folder / "fitting", "--input_size=16")
    return fitting, untrained(folder / "torso", *tiny, favoured=8)


@pytest.mark.slow
def test_a_calibration_is_written_for_the_pair_and_shown(pair, people, call, monkeypatch):
    fitting, torso = pair
    arguments = (f"--run={fitting}", f"--segmentation_run={torso}", f"--data={people}")
    answer = call(calibrate_audit, *arguments)
    assert answer.status == 1 and answer.err.count("\n") == 1
    assert "8 people are too few for a calibration" in answer.err
    assert not (fitting / "audit.json").exists()
    monkeypatch.setattr(audit_calibration, "_KNOTS", 3)
    answer = call(calibrate_audit, *arguments)
    assert answer.status == 0, answer.err
    networks = (
        nbf_runs.load_network(RunFolder(fitting)),
        segmenters.load_segmenter(RunFolder(torso)),
    )
    kinds = Evidence._fields
    found = audit_calibration.read(fitting / "audit.json", kinds, *networks)
    assert len(found.calibration.weights) == len(kinds)
    assert found.test["people"] == len(found.tested["expected_mm"]) == 16
    assert json.loads((fitting / "audit.json").read_text())["people"] == 8
    page = (fitting / "audit" / "index.html").read_text()
    assert "rank correlation of mirrored mm" in page
