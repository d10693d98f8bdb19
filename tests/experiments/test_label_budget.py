"""How many labels are needed: the curve, what is said of it, and what is run again."""

import json
import math

import numpy as np
import pytest

from experiments import label_budget
from experiments.runs.run_folder import RunFolder, serialize_flags
from experiments.tables import budget_page
from experiments.tables import label_budget as budget
from experiments.tables.label_budget import Cell


def cells_of(errors, share_2d=1.0):
    """Cells of share -> error of each seed."""
    return [Cell(share, share_2d, dict(enumerate(of))) for share, of in errors.items()]


def test_the_interval_is_students():
    values = [100.0, 103.0, 98.0, 101.0]
    expected = 3.1824463 * np.std(values, ddof=1) / 2  # t of 3 degrees of freedom, from a table
    assert budget.half_interval(values) == pytest.approx(expected, rel=1e-6)
    assert budget.half_interval([5.0]) is None
    # Nineteen of twenty intervals hold the mean.
    drawn = np.random.default_rng(0).normal(7, 2, (400, 3))
    inside = [abs(row.mean() - 7) <= budget.half_interval(row) for row in drawn]
    assert 0.93 < np.mean(inside) < 0.97


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (
            {
                1: [90, 91, 92],
                0.5: [90.5, 91.6, 92.4],
                0.2: [91, 92.1, 93.2],
                0.1: [120, 131, 125],
            },
            ["3D labels of 20 % of the people (800 of 4000) are enough", "+1.1 ±"],
        ),
        (
            {1: [90, 91, 92], 0.5: [100, 101.5, 101], 0.2: [130, 131, 132]},
            ["Label more people in 3D", "from 50 % to 100 %", "-9.8 ±"],
        ),
        ({1: [90, 120, 100], 0.5: [118, 90, 109]}, ["differ too much", "more seeds"]),
        ({1: [90], 0.5: [91]}, ["One seed", "more seeds"]),
        ({1: [90, 91]}, ["One share alone", "90.5 mm with 100 %"]),
    ],
)
def test_the_advice_follows_from_the_errors(errors, words):
    sentence = budget.advice(cells_of(errors), "3D", "mm", 0.05, 4000)
    assert all(word in sentence for word in words), sentence
    assert sentence.count(". ") == 0 and sentence.endswith(".")


def test_a_share_behind_a_worse_larger_one_is_not_enough():
    errors = {1: [90, 91, 92], 0.5: [120, 121, 122], 0.2: [90, 91, 92]}
    assert "are enough" not in budget.advice(cells_of(errors), "3D", "mm", 0.05, 4000)


def test_2d_labels_are_judged_where_3d_labels_are_few():
    cells = cells_of({1: [90, 91, 92], 0.1: [100, 101, 102]})
    cells += cells_of({1: [90, 91, 92], 0.1: [140, 141, 142]}, share_2d=0.5)
    _, of_2d = budget.advise(cells, "mm", 0.05, 100)
    assert "With 3D labels of 10 %: Label more people in 2D" in of_2d and "-40.0 ±" in of_2d


def trained(steps, jobs, threads, logs, after):
    """Stands for trainings: errors fall with the logarithm of the share, seeds differ by 1 mm."""
    for step in steps:
        flags = budget._parsed(step.command)
        error = 100 - 20 * math.log10(flags.share_3d + 0.01) + flags.seed
        step.folder.mkdir(parents=True)
        lines = serialize_flags(flags).values()
        (step.folder / "flags.cfg").write_text("\n".join(lines))
        metrics = {"err_joints3d_mm": error, "pckh_percent": 50.0}
        record = {"flags": {}, "training_people": 400, "metrics": metrics}
        RunFolder(step.folder).record_file.write_text(json.dumps(record))
    after()
    trained.names += [step.name for step in steps]
    trained.commands += [step.command for step in steps]
    return []


@pytest.fixture
def asked(call, tmp_path, monkeypatch):
    """Calls the script with trainings that take no time; gives the answer, and which ran."""
    monkeypatch.setattr(label_budget.table_runs, "execute", trained)

    def asked(*arguments):
        trained.names, trained.commands = [], []
        answer = call(label_budget, f"--output={tmp_path / 'budget'}", *arguments)
        return answer, trained.names

    return asked


def test_shares_and_seeds_make_a_curve_with_advice(asked, tmp_path):
    answer, ran = asked("--shares_3d=0.1,1,0", "--seeds=0,1", "--epochs=3")
    assert answer.status == 0, answer.err
    assert ran == [f"3d_{share}_2d_100_seed{seed}" for seed in (0, 1) for share in (100, 10, 0)]
    record = json.loads((tmp_path / "budget/record.json").read_text())
    by_share = {cell["share_3d"]: cell for cell in record["cells"]}
    assert by_share[1.0]["by_seed"] == pytest.approx({"0": 99.914, "1": 100.914}, abs=1e-3)
    assert by_share[0]["mean"] == pytest.approx(140.5)
    assert by_share[0]["half_interval_95"] == pytest.approx(12.706 * 0.5, abs=1e-2)
    assert record["people"] == 400 and record["error"] == "err_joints3d_mm"
    (sentence,) = record["advice"]
    assert sentence in answer.out and "Label more people in 3D" in sentence
    page = (tmp_path / "budget/index.html").read_text()
    assert "140.5 ± 6.4" in page and "data:image/svg+xml" in page
    curve = (tmp_path / "budget/curve.svg").read_text()
    assert ">0 %<" in curve and ">10 %<" in curve and ">err_joints3D, mm<" in curve


def test_what_is_finished_is_not_run_again_and_other_flags_are_refused(asked):
    few = ("--shares_3d=1,0.5", "--seeds=0")
    asked(*few)
    answer, ran = asked("--shares_3d=1,0.5", "--seeds=0,1")
    assert answer.status == 0 and ran == ["3d_100_2d_100_seed1", "3d_50_2d_100_seed1"]
    answer, ran = asked(*few, "--epochs=4")
    assert answer.status == 1 and answer.err.count("\n") == 1 and not ran
    assert "--epochs=10, now --epochs=4" in answer.err and "--output" in answer.err


def test_nobody_is_trained_without_any_label(asked):
    _, ran = asked("--shares_3d=1,0", "--shares_2d=1,0", "--seeds=0", "--workers=0")
    assert ran == [f"{name}_seed0" for name in ("3d_100_2d_100", "3d_0_2d_100", "3d_100_2d_0")]
    assert all("--workers=0" in command for command in trained.commands)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--shares_3d=1,2", ["--shares_3d=1,2", "from 0 to 1"]),
        ("--shares_2d=a", ["--shares_2d=a"]),
        ("--seeds=1,1", ["--seeds=1,1"]),
        ("--share_3d=0.5", ["--share_3d", "give --shares_3d"]),
        ("--stage=segmentation", ["--stage=fitting"]),
    ],
)
def test_a_mistake_is_one_line(asked, argument, words):
    answer, _ = asked(argument)
    assert answer.status == 2 and answer.err.count("\n") == 1
    assert all(word in answer.err for word in words), answer.err


def test_zero_has_a_place_on_the_logarithmic_axis():
    places = budget_page._places([0, 0.02, 0.1, 1])
    assert places == {0: pytest.approx(0.004), 0.02: 0.02, 0.1: 0.1, 1: 1}


@pytest.mark.slow
def test_two_real_trainings(call, tiny, tmp_path):
    arguments = [*tiny, f"--output={tmp_path}", "--shares_3d=1,0", "--seeds=0", "--threads=1"]
    answer = call(label_budget, *arguments)
    assert answer.status == 0, answer.err
    cells = json.loads((tmp_path / "record.json").read_text())["cells"]
    assert [cell["share_3d"] for cell in cells] == [1, 0]
    for cell in cells:
        name = budget.name_of(cell["share_3d"], 1.0, 0)
        record = RunFolder(tmp_path / "runs" / name).read_record()
        assert cell["mean"] == record["metrics"]["err_joints3d_mm"] and record["people"] == 16
    # All of the held-out people are measured, whatever the share: without 3D labels too.
    assert cells[0]["mean"] != cells[1]["mean"]
