import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from experiments import reproduce_tables
from experiments.runs.common import REPOSITORY
from experiments.tables import report
from experiments.tables import runs as table_runs
from experiments.tables.flag_files import FlagFile
from experiments.tables.papers import TABLES
from experiments.tables.plan import Plan, Step
from experiments.tables.results import Results
from experiments.tables.types import SCALES

FLAG_FILES = REPOSITORY / "experiments/flags"


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    """Flag files name the ones that they include from there."""
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture(scope="module", params=SCALES)
def plan(request, tmp_path_factory):
    """All tables with one seed, nothing run yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        plan = Plan(request.param, Path("experiments/flags"), tmp_path_factory.mktemp("runs"))
        tables = [table for table in TABLES.values() if request.param in table.scales]
        sources = [plan.add(row, 3) for table in tables for row in table.rows]
        plan.open = plan.open_steps(sources)
    return plan


def test_what_tables_share_is_run_once(plan):
    digests = [step.flag_file.digest(3) for step in plan.steps.values() if step.flag_file]
    assert len(digests) == len({*digests}) > 30
    assert {step.name for step in plan.open} == plan.steps.keys()
    if plan.scale == "small":
        shared = {"t2_truth", "t3_lat_3d_2d", "t4_100"}
        assert not plan.steps.keys() & {f"nbf_small_{name}_seed3" for name in shared}
        assert {"nbf_small_t1_parts_12_seed3", "nbf_small_t3_lat_2d_seed3"} <= plan.steps.keys()


def test_every_step_comes_after_what_it_needs(plan):
    done = set()
    for step in plan.open:
        assert done >= {*step.needs}, step.name
        done.add(step.name)
    by_name = {step.name: step for step in plan.open}
    prefix = "smplr_small" if plan.scale == "small" else "smplr_t1"
    stitched = by_name[f"{prefix}_stitched_seed3"]
    parts = {f"{prefix}_{name}_seed3" for name in ("shn_l_aug", "dae", "pose_shape")}
    assert {*stitched.needs} >= parts
    # The parts of this seed, not those that the flag file names.
    named = next(flag for flag in stitched.command if flag.startswith("--networks="))
    assert all(name in named for name in parts) and "runs/smplr" not in named


def test_every_run_has_a_time(plan):
    # What evaluates or segments takes minutes; variations have no file of their own.
    files = [s.flag_file for s in plan.steps.values() if s.flag_file]
    trained = [file for file in files if file.name == file.stem and not file.evaluation]
    hours = [file.hours() for file in trained]
    assert all(hours), [f.stem for f, time in zip(trained, hours, strict=True) if not time]
    assert max(hours) < 0.2 if plan.scale == "small" else min(hours) >= 1


def test_the_plan_is_printed(call, tmp_path):
    answer = call(
        reproduce_tables,
        *("--table=nbf2", "--scale=paper", "--seeds=0,1", "--dry_run", f"--runs_dir={tmp_path}"),
    )
    assert answer.status == 0, answer.err
    line = next(line for line in answer.out.splitlines() if line.startswith("nbf_t2_refinenet_se"))
    assert "experiments/flags/nbf_t2_refinenet.cfg" in line
    assert "to run" in line and "1.50 h, flag file" in line
    steps = answer.out.split("\n\n")[0].splitlines()
    assert all("data/up3d" in line for line in steps)
    assert all(line.endswith(("neutral: open", "no body")) for line in steps)
    # Four networks of two seeds, and three segmenters of one.
    assert "11 runs and 36 other steps" in answer.out
    assert "data/up3d: missing" in answer.out
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, ["--table is missing", "nbf1"]),
        (["--table=nbf7"], 2, ["nbf7", "smplr3"]),
        (["--table=nbf1", "--seeds=0,x"], 2, ["--seeds=0,x", "0,1,2"]),
        (["--table=nbf1", "--seeds=1,1"], 2, ["--seeds=1,1"]),
        (["--table=nbf1", "--rows=parts_5"], 2, ["parts_5", "parts_6"]),
        (["--table=nbf1", "--scale=large"], 2, ["large", "paper"]),
        (["--table=nbf3_curve", "--scale=paper"], 2, ["nbf3_curve", "only for --scale=small"]),
        (["--table=nbf1", "--flag_files=/nowhere"], 1, ["/nowhere", "no such flag file"]),
    ],
)
def test_a_mistake_is_one_line(call, arguments, status, words):
    answer = call(reproduce_tables, *arguments)
    assert answer.status == status and answer.err.count("\n") == 1
    assert all(word in answer.err for word in words), answer.err


def test_what_is_trained_otherwise_varies_the_runs_of_its_table(tmp_path):
    plan = Plan("small", Path("experiments/flags"), tmp_path)
    tables = TABLES["nbf3_curve"], TABLES["nbf3_found"]
    rows = {row.key: row for table in tables for row in table.rows}
    table = next(row for row in TABLES["nbf3"].rows if row.key == "lat")
    assert plan.add(rows["lat/4000x4"], 0) == plan.add(table, 0)
    sources = {key: plan.add(row, 0) for key, row in rows.items() if key.startswith("lat/")}
    assert len({source.digest for source in sources.values()}) == 7
    longer = plan.steps[sources["lat/4000x16"].run]
    assert longer.name == "nbf_small_t3_lat_epochs_16_seed0"
    assert "--flagfile=experiments/flags/nbf_small_t3_lat.cfg" in longer.command
    assert "--epochs=16" in longer.command and "--run_name=" + longer.name in longer.command
    more = plan.steps[sources["lat/16000x4"].run].flag_file.values
    assert (more.synthetic_train, more.epochs) == (16000, 4)
    assert more.data != plan.steps["nbf_small_t3_lat_seed0"].flag_file.values.data
    found = plan.steps[sources["lat/found_4000x4"].run]
    assert "data/synthetic_tables_fine/train" in found.needs


@pytest.fixture
def toy(people, tmp_path):
    """The small tables' own flag files, with fewer people and smaller maps; where all goes."""
    base = FLAG_FILES / "nbf_small_tables.cfg"
    for file in FLAG_FILES.glob("nbf_small_t*.cfg"):
        text = file.read_text().replace(
            str(base.relative_to(REPOSITORY)), f"{tmp_path}/{base.name}"
        )
        (tmp_path / file.name).write_text(text)
    text = re.sub("--synthetic_.*\n", "", (tmp_path / base.name).read_text())
    smaller = {"data": people, "input_size": 16, "epochs": 1, "batch_size": 16}
    for name, value in smaller.items():
        text = re.sub(f"--{name}=.*", f"--{name}={value}", text)
    (tmp_path / base.name).write_text(text)
    return (
        *("--table=nbf3", "--rows=3d,lat_3d_2d", "--seeds=4", f"--flag_files={tmp_path}"),
        *(f"--runs_dir={tmp_path / 'runs'}", f"--results={tmp_path / 'results'}", "--jobs=2"),
        f"--page={tmp_path / 'RESULTS.md'}",
    )


@pytest.mark.slow
def test_a_table_of_toy_size_from_end_to_end(toy, call, tmp_path):
    answer = call(reproduce_tables, *toy)
    assert answer.status == 0, answer.err
    content = json.loads((tmp_path / "results/small/nbf3.json").read_text())
    entries = {entry["row"]: entry for entry in content["runs"]}
    assert [*entries] == ["lat_3d_2d", "3d"]
    for entry in entries.values():
        record = json.loads((tmp_path / "runs" / entry["run"] / "record.json").read_text())
        assert record["flags"]["seed"] == 4
        assert entry["metrics"]["err_quat_rad"] == pytest.approx(
            record["metrics"]["err_quat_rad"], rel=1e-5
        )
        assert entry["cpu_seconds"] > 1 and entry["people"] == 16
    ratio = entries["3d"]["metrics"]["err_quat_rad"]
    ratio /= entries["lat_3d_2d"]["metrics"]["err_quat_rad"]
    page = (tmp_path / "RESULTS.md").read_text()
    # The name under which Table 1 has it.
    assert entries["lat_3d_2d"]["run"] == "nbf_small_t1_parts_12_seed4"
    assert f"`3d ≥ 1.5 × lat_3d_2d` | {ratio:.2f} |" in page
    assert "| L_lat suffices |" in page and "| not run |" in page
    assert "*1.962*" in page and "--table=nbf3 --scale=small --seeds=4" in page
    plot = (tmp_path / "results/small/nbf3.svg").read_text()
    assert "<svg" in plot and ">L_lat + L_3D + L_2D<" in plot

    # Again: nothing is left to run, even where the run folders are gone.
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    again = call(reproduce_tables, *toy)
    assert again.status == 0 and "runs" not in again.err
    assert json.loads((tmp_path / "results/small/nbf3.json").read_text()) == content
    planned = call(reproduce_tables, *toy, "--dry_run").out
    assert planned.count("in results") == 2 and "left: 0.0 hours" in planned

    # With another flag, the results do not count, and the run folders are refused.
    (tmp_path / "elsewhere").rename(tmp_path / "runs")
    base = tmp_path / "nbf_small_tables.cfg"
    base.write_text(base.read_text().replace("--epochs=1", "--epochs=2"))
    refused = call(reproduce_tables, *toy)
    assert refused.status == 1 and refused.err.count("\n") == 1
    assert "--epochs=1, now --epochs=2" in refused.err and "--runs_dir" in refused.err


def test_what_was_recorded_with_the_mean_of_all_3d_labels_is_out_of_date(tmp_path, monkeypatch):
    table = TABLES["nbf4"]

    def sources():
        plan = Plan("small", Path("experiments/flags"), tmp_path)
        return {row.key: plan.add(row, 0) for row in table.rows}

    with monkeypatch.context() as earlier:
        earlier.setattr(FlagFile, "_changed_meaning", lambda self: [])
        measured = {column.key: 1.0 for column in table.columns}
        recorded = {
            (key, 0): {"digest": old.digest, "metrics": measured} for key, old in sources().items()
        }
    results = Results(tmp_path, table)
    results.entries = recorded
    now = sources()
    assert [row.key for row in table.rows if results.has(row, 0, now[row.key])] == ["100"]


@pytest.mark.slow
def test_two_runs_of_one_seed_give_the_same_numbers(toy, call, tmp_path):
    numbers = []
    for name in ("one", "two"):
        others = [f"--runs_dir={tmp_path / name}", f"--results={tmp_path / name / 'results'}"]
        assert call(reproduce_tables, *toy, *others).status == 0
        content = json.loads((tmp_path / name / "results/small/nbf3.json").read_text())
        numbers.append([entry["metrics"] for entry in content["runs"]])
    assert numbers[0] == numbers[1]


def results_of(folder, key, metric, numbers):
    """Results of a table with made-up numbers: row -> one value per seed."""
    runs = [
        {
            **{"row": row, "seed": seed, "digest": "", "run": f"{row}_{seed}", "machine": "m"},
            **{"metrics": {metric: value}, "cpu_seconds": 60.0, "wall_seconds": 90.0},
            "versions": {"tensorflow": "2", "keras": "3"},
        }
        for row, values in numbers.items()
        for seed, value in enumerate(values)
    ]
    (folder / f"{key}.json").write_text(json.dumps({"table": key, "runs": runs}))
    return Results(folder, TABLES[key])


def test_a_claim_that_does_not_hold_is_shown_as_such(tmp_path):
    numbers = {"rgb": [100.0, 90.0, 110.0], "parts_12": [80.0, 60.0, 82.0]}
    results = results_of(tmp_path, "nbf1", "err_joints3d_mm", numbers)
    (tmp_path / "nbf1.md").write_text("Why it does not hold.\n")
    report.write([results], "small", tmp_path / "RESULTS.md")
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    assert "| RGB | 100.0 (90.0 to 110.0) *98.5* | – | – | – | 0, 1, 2 |" in lines
    assert "| 6 parts | *29.4* | – | – | – | not run |" in lines
    when = "`parts_12 ≤ 0.75 × rgb`"
    assert f"| 12 parts beat RGB | {when} | 0.80 | **does not hold** | 2 of 3 | 0.28 |" in lines
    assert any("more parts are better" in line and "| not run |" in line for line in lines)
    assert (
        "**Of the papers' 5 claims, 0 hold here and 1 do not; 4 could not be judged yet. Not: 12 "
        "parts beat RGB (NBF, Table 1, 0.80).**"
    ) in lines
    assert lines[-1] == "Why it does not hold."
    assert "6 trainings, 6.0 minutes of CPU time" in "\n".join(lines)


def test_a_page_says_at_what_size_it_was_run(tmp_path):
    results = results_of(tmp_path, "nbf1", "err_joints3d_mm", {"rgb": [100.0]})
    for scale, words in (("small", "synthetic"), ("paper", "on their data sets")):
        report.write([results], scale, tmp_path / "RESULTS.md")
        page = (tmp_path / "RESULTS.md").read_text()
        assert words in page.split("##")[0] and f"--scale={scale} --seeds=0" in page


def test_a_matrix_stands_as_one(tmp_path):
    kinds = ("worst", "middle", "best", "truth")
    numbers = {
        f"{a}/{b}": [100.0 + 10 * i - j] for i, a in enumerate(kinds) for j, b in enumerate(kinds)
    }
    results = results_of(tmp_path, "nbf2", "err_joints3d_mm", numbers)
    report.write([results], "small", tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert (
        "| trained on best | 120.0 *135.5* | 119.0 *112.2* | 118.0 *82* | 117.0 *35.7* |" in page
    )
    assert "| every ordering" not in page and "12 of 12 orderings | holds | 1 of 1 |" in page
    plot = ElementTree.parse(tmp_path / "nbf2.svg")
    words = [text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")]
    assert {"trained on truth", "tested on worst", "the paper"} <= {*words}
    more = results_of(tmp_path, "nbf2", "err_joints3d_mm", numbers | {"best/best": [1.0, 2.0]})
    report.write([more], "small", tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| 1.5 (1.0 to 2.0) *82* |" in page and "| 117.0 *35.7*, 1 of 2 seeds |" in page


def test_what_needs_a_run_that_failed_is_not_run(tmp_path):
    def step(name, text, *needs):
        script = tmp_path / f"{name}.py"
        script.write_text(text)
        folder = tmp_path / name
        return Step(name, (str(script),), folder, folder / "record.json", needs)

    made = "from pathlib import Path; Path(__file__).with_suffix('.made').touch()"
    steps = [
        step("bad", "import sys; sys.exit('bad.py: no such data')"),
        step("good", made),
        step("behind_bad", made, "bad"),
        step("behind_both", made, "good", "behind_bad"),
        step("behind_good", made, "good"),
    ]
    after = []
    failed = table_runs.execute(steps, 2, 1, tmp_path / "logs", lambda: after.append(1))
    assert {line.split(":")[0] for line in failed} == {"bad", "behind_bad", "behind_both"}
    assert "bad.py: no such data (status 1; full output: " in failed[0]
    assert {p.stem for p in tmp_path.glob("*.made")} == {"good", "behind_good"}
    assert len(after) == 3
    assert json.loads((tmp_path / "good/timing.json").read_text())["wall_seconds"] >= 0


def test_the_script_is_run_by_this_python(tmp_path):
    script = tmp_path / "which.py"
    script.write_text("import os, sys; print(sys.executable, os.environ['OMP_NUM_THREADS'])")
    step = Step("which", (str(script),), tmp_path / "which", tmp_path / "none")
    assert table_runs.execute([step], 1, 3, tmp_path / "logs", lambda: None) == []
    assert (tmp_path / "logs/which.log").read_text().split() == [sys.executable, "3"]


def test_an_outdated_row_is_shown_and_judges_nothing(tmp_path):
    plan = Plan("small", Path("experiments/flags"), tmp_path)
    rows = {row.key: row for row in TABLES["nbf4"].rows}
    numbers = {"100": [98.0], "20": [100.0], "20_alone": [140.0]}
    results = results_of(tmp_path, "nbf4", "err_joints3d_mm", numbers)
    for key in ("100", "20"):
        results.entries[key, 0] |= {"digest": plan.add(rows[key], 0).digest}
    results.mark_outdated(plan)
    assert results.outdated == {("20_alone", 0)}
    report.write([results], "small", tmp_path / "RESULTS.md")
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    assert "| 20 %, no 2D labels | 140.0 | – | – | – | 0 † |" in lines
    assert any(line.startswith("† Trained before") for line in lines)
    assert any("20 % suffice" in line and "| holds |" in line for line in lines)
    assert any("2D labels of the others help" in line and "out of date" in line for line in lines)
    results.entries["20_alone", 0] |= {"digest": plan.add(rows["20_alone"], 0).digest}
    results.mark_outdated(plan)
    assert not results.outdated and results.medians().keys() == numbers.keys()
