import json
from types import SimpleNamespace

import cv2
import pytest

from experiments import evaluate_nbf
from experiments.runs.run_folder import RunFolder


def test_the_evaluation_of_a_run_gives_the_numbers_of_the_training(finished, call, tmp_path):
    answer = call(evaluate_nbf, f"--run={finished}", f"--output={tmp_path}")
    assert answer.status == 0, answer.err
    again = json.loads((tmp_path / "record.json").read_text())
    record = RunFolder(finished).read_record()
    for key in ("metrics", "mean_pose_metrics"):
        assert again[key] == pytest.approx(record[key], rel=1e-5)
    assert f"{record['metrics']['err_joints3d_mm']:.1f} mm" in answer.out
    assert (tmp_path / "index.html").exists()
    sheet = cv2.imread(str(tmp_path / "figure_4.png"))
    # Two people of each quarter and the two worst, six pictures each.
    assert sheet.shape[0] > 10 * 256 and sheet.shape[1] > 6 * 256


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, ["--run is missing"]),
        (["--run=/nowhere"], 1, ["/nowhere: no run here"]),
        (["--split=valid"], 1, ["valid.manifest.json"]),
        (["--data=/nowhere"], 1, ["/nowhere: no such folder"]),
        (["--body_model=/nowhere/smpl.pkl"], 1, ["/nowhere/smpl.pkl"]),
    ],
)
def test_a_mistake_is_one_line(finished, call, arguments, status, words):
    if arguments and not arguments[0].startswith("--run"):
        arguments = [f"--run={finished}", *arguments]
    answer = call(evaluate_nbf, *arguments)
    assert answer.status == status
    assert answer.err.count("\n") == 1
    assert all(word in answer.err for word in words)


def test_another_body_than_the_one_trained_on_is_refused(finished, call, other_body):
    answer = call(evaluate_nbf, f"--run={finished}", f"--body_model={other_body}")
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert "model.keras" in answer.err and "--body_model" in answer.err


@pytest.mark.parametrize(
    ("data", "split", "name"),
    [
        ("data/small", "test", ""),
        ("data/small/", "test", ""),
        ("data/small", "val", "_val"),
        ("data/humaneva", "test", "_humaneva"),
        ("data/human36m/,data/up3d", "val", "_human36m_up3d_val"),
    ],
)
def test_results_on_other_people_do_not_replace_those_on_the_runs_own(data, split, name):
    own = SimpleNamespace(data="data/small", test_split="test")
    values = SimpleNamespace(data=data, test_split=split)
    assert evaluate_nbf.named_people(values, own) == name
