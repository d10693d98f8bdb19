"""Reproduces the tables of the two papers, each claim as "holds" or "does not hold".

    python experiments/reproduce_tables.py --table=nbf1 --scale=small --seeds=0,1,2
    python experiments/reproduce_tables.py --table=all --scale=paper --dry_run

Plans the runs of the tables from the flag files, runs the training and evaluation scripts, and
writes results/<scale>/<table>.json, a plot, and a page. Runs that several tables share are run
once. Run the same command again after an interruption: finished runs are skipped, others continue.
To repeat finished runs, give your own --results=DIR and --page=FILE.

Small scale needs only this repository: a run takes about a minute of one core, and --jobs
runs several at a time. Paper scale needs the data sets, converted (datasets/README.md), and GPUs.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UsageError
from experiments.runs.flag_definer import FlagDefiner
from experiments.tables import report as table_report
from experiments.tables import runs as table_runs
from experiments.tables.papers import TABLES
from experiments.tables.plan import Plan, data_of, difference
from experiments.tables.results import Results, measured_hours
from experiments.tables.types import SCALES

_GENDERS = ("neutral", "female", "male")
_PAGES = {"small": "RESULTS.md", "paper": "RESULTS_PAPER.md"}


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.strings("table", [], f"Which tables: {', '.join(TABLES)}, or all.")
    f.enum("scale", "small", SCALES, "small: synthetic people on CPUs; paper: the papers' data.")
    f.strings("seeds", ["0", "1", "2"], "Seeds of the runs, separated by commas.")
    f.strings("rows", [], "Rows to run, by their names in the claims (default: all).")
    f.integer("jobs", 1, "Number of runs at the same time.", 1)
    f.integer("threads", None, "Threads per run (default: 1 at small scale, else all; 0: all).", 0)
    f.bool("dry_run", False, "Print the plan without running anything.")
    f.bool("report_only", False, "Write the report of finished runs without running anything.")
    f.string("flag_files", "experiments/flags", "Folder of the rows' flag files.")
    f.string("runs_dir", "runs", "Folder of all runs.")
    for gender in _GENDERS:
        text = f"Official {gender} body model, handed to every run that fits it."
        f.string(f"{gender}_body", None, text)
    f.string("results", "results", "Folder of the results.")
    f.string("page", None, "Page to write (default: RESULTS.md or RESULTS_PAPER.md).")


def main(values) -> int | None:
    """Plans, runs and reports.

    Args:
      values: the flags.

    Returns:
      1 if a run failed.
    """
    tables, seeds = _tables(values), table_runs.seeds_of(values.seeds)
    rows = _rows(tables, values.rows)
    bodies = {g: values[f"{g}_body"].value for g in _GENDERS if values[f"{g}_body"].value}
    for gender, path in bodies.items():
        if not Path(path).is_file():
            raise UsageError(f"--{gender}_body={path}: no such file")
    plan = Plan(values.scale, Path(values.flag_files), Path(values.runs_dir), bodies)
    folder, page = Path(values.results) / values.scale, Path(values.page or _PAGES[values.scale])
    every = {key: Results(folder, table) for key, table in TABLES.items()}
    sources = {table.key: {} for table in tables}
    for seed in seeds:  # all rows with the first seed before the next seed
        for table in tables:
            for row in rows[table.key]:
                sources[table.key][row.key, seed] = plan.add(row, seed)

    def gather():
        for table in tables:
            every[table.key].gather(plan, sources[table.key])

    def missing():
        return [
            source
            for table in tables
            for row in table.rows
            for (key, seed), source in sources[table.key].items()
            if key == row.key and not every[table.key].has(row, seed, source)
        ]

    def report():
        gather()
        whole = Plan(values.scale, Path(values.flag_files), Path(values.runs_dir), bodies)
        for results in every.values():
            if values.scale in results.table.scales:
                results.mark_outdated(whole)
        table_report.write([*every.values()], values.scale, page)

    if values.dry_run:
        return _print_plan(plan, tables, sources, every)
    with common.working_in(folder):
        return _run_and_report(values, plan, gather, missing, report, folder, page)


def _run_and_report(values, plan, gather, missing, report, folder, page) -> int | None:
    """Runs the missing steps and writes the results, in a locked folder."""
    gather()
    wanted = {step.name for step in ([] if values.report_only else plan.open_steps(missing()))}
    steps = [step for name, step in plan.steps.items() if name in wanted]
    threads = values.threads
    if threads is None:
        threads = 1 if values.scale == "small" else 0
    logs = Path(values.runs_dir) / "logs"
    failed = table_runs.execute(steps, values.jobs, threads, logs, report) if steps else []
    report()
    print(f"results  {folder}\npage     {page}")
    if failed:
        print("\n".join(failed), file=sys.stderr)
        return common.EXIT_ERROR
    return None


def _print_plan(plan, tables, sources, every) -> None:
    """Prints every step with its state and its time, and the total."""
    kept = {
        name
        for table in tables
        for row in table.rows
        for (key, seed), source in sources[table.key].items()
        if key == row.key and every[table.key].has(row, seed, source)
        for name in source.steps
    }
    measured = measured_hours(every.values())
    lines, left, unknown = [], 0.0, 0
    for step in plan.steps.values():
        changed = difference(step)
        state = "in results" if step.name in kept else step.state
        state = f"other flags: {changed}" if changed and step.name not in kept else state
        hours, origin = measured.get(step.stem), "measured"
        if hours is None and step.flag_file:
            hours, origin = step.flag_file.hours(), "flag file"
        if state.startswith("to "):
            left, unknown = left + (hours or 0), unknown + (hours is None)
        file = str(step.flag_file.path) if step.flag_file else step.command[0]
        time = "minutes" if hours is None else f"{hours:.2f} h, {origin}"
        lines.append([step.name, file, state, time, *_needs_of(step, plan)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    trainings = sum(step.flag_file is not None for step in plan.steps.values())
    other = f" and {unknown} steps of a few minutes" if unknown else ""
    print(
        f"\n{trainings} runs and {len(lines) - trainings} other steps; left: {left:.1f} hours, "
        f"one at a time{other}"
    )
    for data in plan.missing_data():
        print(f"{data}: missing; make it with convert_dataset.py (datasets/README.md)")
    if plan.scale == "paper":
        for gender in _GENDERS:
            if gender not in plan.bodies:
                print(
                    f"{gender} body: not given; real data need the official one as "
                    f"--{gender}_body=FILE (the open body is used instead)"
                )


def _needs_of(step, plan) -> list[str]:
    """Returns the data and the bodies of a step."""
    if step.flag_file:
        data, genders = data_of(step.flag_file), plan.bodies_of(step.flag_file)
    else:
        data = [one.removeprefix("--data=") for one in step.command if one.startswith("--data=")]
        # Segmenting pictures needs no body.
        genders = ("neutral",) if step.command[0].endswith("evaluate_nbf.py") else ()
    named = [f"{gender}: {plan.bodies.get(gender, 'open')}" for gender in genders]
    return [", ".join(data), "; ".join(named) or "no body"]


def _tables(values):
    if not values.table:
        raise UsageError(f"--table is missing: give {', '.join(TABLES)}, or all")
    unknown = {*values.table} - {*TABLES, "all"}
    if unknown:
        raise UsageError(f"--table={min(unknown)}: expected {', '.join(TABLES)}, or all")
    here = {key: table for key, table in TABLES.items() if values.scale in table.scales}
    for key in {*values.table} - {*here, "all"}:
        raise UsageError(f"--table={key}: exists only for --scale={TABLES[key].scales[0]}")
    return [t for key, t in here.items() if key in values.table or "all" in values.table]


def _rows(tables, wanted):
    known = {row.key for table in tables for row in table.rows}
    if {*wanted} - known:
        raise UsageError(f"--rows={','.join(wanted)}: expected some of {', '.join(sorted(known))}")
    return {
        table.key: [r for r in table.rows if not wanted or r.key in wanted] for table in tables
    }


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags, resumes=True))
