"""The benchmark on photographs, with a fake finder on trees of two or three pictures."""

import json

import numpy as np
import pytest

from datasets.photographs import finder
from experiments import evaluate_photos
from experiments.prediction import photo_methods, photo_page, photo_scores
from experiments.prediction.photo_methods import MethodPerson
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import LSP_14
from tests.datasets.photographs import fake_sets


@pytest.fixture
def methods(monkeypatch):
    """Ways that know the truth, see nobody, and fail."""

    def fail(pixels, people):
        raise RuntimeError("out of luck")

    told = {
        "perfect": lambda pixels, people: [MethodPerson(one) for one in people[::-1]],
        "blind": lambda pixels, people: [],
        "failing": fail,
    }
    for name, method in told.items():
        monkeypatch.setitem(photo_methods.METHODS, name, lambda tools, method=method: method)


def evaluate(call, tmp_path, dataset, source, *arguments):
    output = tmp_path / "output"
    answer = call(
        *(evaluate_photos, f"--dataset={dataset}", f"--source={source}", f"--output={output}"),
        *arguments,
    )
    record = output / "record.json"
    return answer, json.loads(record.read_text()) if record.exists() else None


def test_perfect_people_score_100_and_nobody_0(call, methods, tmp_path):
    source = fake_sets.lsp(tmp_path / "lspet", extended=True, count=4)
    (source / "images" / "im00002.jpg").write_bytes(b"no picture")
    answer, record = evaluate(call, tmp_path, "lspet", source, "--method=perfect,blind,failing")
    assert answer.status == 1  # two pictures and a method failed, the rest was done
    lines = [line for line in answer.err.splitlines() if line.startswith("evaluate_photos.py")]
    assert len(lines) == len(record["failures"]) == 4
    assert "im00002: " in lines[1] and "not a picture" in lines[1]
    assert "im00001, failing: unexpected RuntimeError: out of luck" in lines[0]
    assert "im00004: no im00004.jpg" in lines[3]
    assert record["pictures"] == 2 and record["listed"] == 4
    scores = record["largest"]
    assert scores["perfect"]["pckh"] == scores["perfect"]["pck"] == scores["perfect"]["found"] == 1
    assert scores["blind"]["pckh"] == scores["failing"]["pckh"] == scores["blind"]["found"] == 0
    assert scores["blind"]["people"] == 2 and scores["blind"]["joints"] == 22
    assert "pckh_left_wrist" not in scores["perfect"]  # never marked
    assert record["people"][0]["pckh"] == {"perfect": 1.0, "blind": 0.0, "failing": 0.0}
    results = (tmp_path / "output" / "results.md").read_text()
    row = next(line for line in results.splitlines() if line.startswith("| perfect"))
    assert row.startswith("| perfect | 2 | 100.0 | 100.0 | 100.0 |") and row in answer.out
    assert results.count("\n| ") == 2 + 3  # nobody is alone: no rows of everybody
    page = (tmp_path / "output" / "index.html").read_text()
    assert "Best by perfect" in page and "not found" in page and "im00004: no" in page


def test_a_finder_and_a_body_at_rest(call, monkeypatch, tmp_path):
    class FakeFinder:
        def __init__(self, model):
            assert model == "lite"

        def __call__(self, pixels):
            assert pixels.shape == (*fake_sets.SIZE[::-1], 3)
            points = fake_sets.points(LSP_14) - 0.5
            mask = np.zeros(pixels.shape[:2], np.uint8)
            return [FoundPerson(None, LSP_14, points, np.ones(14), mask=mask)]

    monkeypatch.setattr(finder, "LandmarkFinder", FakeFinder)
    source = fake_sets.lsp(tmp_path / "lsp", count=2)
    arguments = ("--method=finder,rest", "--finder_model=lite", "--pictures=1")
    answer, record = evaluate(call, tmp_path, "lsp", source, *arguments)
    assert answer.status == 0, answer.err
    assert record["largest"]["finder"]["pckh"] == 1 and record["largest"]["rest"]["found"] == 1
    assert record["largest"]["rest"]["pckh"] < 1 and record["finder_model"] == "lite"
    assert record["cpu_seconds_per_picture"] == {}  # of one picture, unknown


def test_everybody_is_scored_where_there_are_several(call, methods, tmp_path):
    source = fake_sets.coco(tmp_path)
    answer, record = evaluate(call, tmp_path, "coco", source, "--method=perfect,blind")
    assert answer.status == 1 and record["pictures"] == 1 and len(record["failures"]) == 3
    assert record["unscored"] == ["box.jpg"] and "1 photographs in which nobody" in answer.out
    assert record["largest"]["perfect"]["people"] == 1
    assert record["everybody"]["perfect"]["people"] == 2
    assert record["everybody"]["perfect"]["pckh"] == 1 > record["everybody"]["blind"]["pckh"]
    assert "| perfect, everybody | 2 | 100.0 |" in answer.out


def test_depth_is_scored_where_it_is_given(call, methods, tmp_path):
    file = fake_sets.joint_file(tmp_path)
    answer, record = evaluate(call, tmp_path, "npz", file, "--method=perfect,blind")
    assert answer.status == 0, answer.err
    summary = record["everybody"]
    assert summary["perfect"]["pa_mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert summary["perfect"]["people_3d"] == 2 and "pa_mpjpe_mm" not in summary["blind"]
    assert "PA-MPJPE mm" in answer.out
    fake_sets.joint_file(tmp_path, with_depth=False)
    answer, _ = evaluate(call, tmp_path, "npz", file, "--method=perfect")
    assert answer.status == 0 and "PA-MPJPE" not in answer.out


def test_a_finder_without_its_networks_is_left_out(call, methods, monkeypatch, tmp_path):
    monkeypatch.setenv("NBF_CACHE", str(tmp_path / "nothing"))
    source = fake_sets.mpii_json(tmp_path)
    answer, record = evaluate(call, tmp_path, "mpii", source, "--method=finder,blind")
    assert answer.status == 0 and list(record["largest"]) == ["blind"]
    (line,) = answer.err.splitlines()
    assert "finder is left out" in line and "python -m datasets.photographs.models" in line
    answer, _ = evaluate(call, tmp_path, "mpii", source, "--method=finder")
    assert answer.status == 1 and "no method is left" in answer.err


@pytest.mark.parametrize(
    ("dataset", "arguments", "status", "message"),
    [
        ("lsp", ["--method=guess"], 2, "--method=guess: expected finder, rest"),
        ("lsp", [], 1, "joints.mat: no such file"),
        ("npz", ["--split=test"], 2, "--dataset=npz has no splits"),
        ("coco", ["--split=test2017"], 1, "expected one person_keypoints_test2017.json"),
    ],
)
def test_mistakes_get_one_line(call, tmp_path, dataset, arguments, status, message):
    answer, record = evaluate(call, tmp_path, dataset, tmp_path, *arguments)
    assert (answer.status, record) == (status, None)
    assert answer.err.count("\n") == 1 and message in answer.err


def test_a_set_without_a_usable_picture_is_an_error(call, methods, tmp_path):
    source = fake_sets.lsp(tmp_path, count=1)
    answer, record = evaluate(call, tmp_path, "lsp", source, "--method=blind")
    assert answer.status == 1 and record is None
    assert "none of 1 pictures could be scored" in answer.err


def test_the_page_shows_the_best_the_middle_and_the_worst():
    place = np.stack([np.arange(14.0), np.arange(14.0) ** 2], -1)
    true = FoundPerson(None, LSP_14, place, np.ones(14))
    people = []
    for i in range(20):
        moved = np.where(np.arange(14) < i, 1e3, 0)[:, None] + place
        found = FoundPerson(None, LSP_14, moved + i / 100, np.ones(14))
        score = photo_scores.scores.score(true, found)
        people.append(photo_scores.ScoredPerson(f"{i}", true, True, {}, {"a": score}))
    evaluation = photo_scores.Evaluation(20, people[::-1], {"a": []}, [], [])
    chosen = photo_page.choose(evaluation, "a")
    numbers = [[int(one.picture) for one in group] for group in chosen.values()]
    assert numbers == [[0, 1, 2, 3], [8, 9, 10, 11], [19, 18, 17, 16]]
    few = photo_page.choose(evaluation._replace(people=people[:2]), "a")
    assert [[int(one.picture) for one in group] for group in few.values()] == [[0], [1]]
