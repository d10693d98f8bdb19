"""Writes RESULTS.md: our results for the papers' tables, next to the published numbers."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from experiments.tables.claims import Claim
from experiments.tables.results import Results, distinct_runs, published
from experiments.tables.types import Column, Row, Table
from smpl_tf.files import write_text

_HEADS = {
    "small": """# Results

The tables of the two papers in miniature: the code that runs the full experiments, on synthetic
people, with small networks. The papers' numbers belong to licensed data sets and cannot be met
here; what is tested is what the papers say of them.""",
    "paper": """# Results at full size

The tables of the two papers, on their data sets and with their networks.""",
}
_MISSING = {
    "small": """\
Not reproduced here: every number of the papers, since their data sets and bodies are licensed;
NBF's Table 1 on Human3.6M and its Tables 5 and 6, SMPLR's Table 2 and its UP-3D, which have rows
at paper scale alone (`--scale=paper --dry_run` names their data, bodies and hours) and were never
run; SMPLR's comparisons of L2 with cross-entropy, of 32 depth bins with 16 and of L1 with L2, and
its training on 2D labels alone, which have no row ([differences](docs/differences.md)).""",
    "paper": "",
}
_OUTDATED = "† Trained before a change of what its flags mean, so that it judges no claim."
_HOW_TO_READ = """\
A cell is the median over the seeds with the range behind it, and the paper's number in italics.
A claim is judged by the medians; next to it is how many single seeds agree, and what comes of
the paper's own numbers. The machine may have done other work too: wall times are longer then.

`experiments/reproduce_tables.py` writes this page; the raw numbers are in `results/`."""


def write(every: Sequence[Results], scale: str, page: Path) -> None:
    """Writes the page, and a plot of each table next to its results.

    Args:
      every: the results of the tables.
      scale: of the runs.
      page: the Markdown file.
    """
    blocks = [_HEADS[scale], _HOW_TO_READ, _summary(every, scale), _MISSING[scale]]
    for results in every:
        table, plot = results.table, results.path.with_suffix(".svg")
        notes = results.path.with_suffix(".md")
        if not results.entries and not notes.is_file():
            continue
        blocks += [f"## {table.title}", _how(results, scale) if results.entries else ""]
        blocks += [table.note, _matrix(results) if table.matrix else "", _rows(results)]
        if results.entries:
            write_text(plot, _plot(results))
            blocks.append(f"![{table.title}]({os.path.relpath(plot, page.parent)})")
        if results.outdated:
            blocks.append(_OUTDATED)
        blocks.append(_claims(results))
        if notes.is_file():
            blocks.append(notes.read_text(encoding="utf-8").strip())
    write_text(page, "\n\n".join(block for block in blocks if block) + "\n")


def _summary(every: Sequence[Results], scale: str) -> str:
    """Summarises which of the papers' claims hold."""
    judged = [
        (claim, results.table, claim.judge(results.medians()))
        for results in every
        if scale in results.table.scales
        for claim in results.table.claims
        if of_paper(results.table, claim)
    ]
    failed = [
        f"{claim.text} ({table.title.split(':')[0]}, {finding.number})"
        for claim, table, finding in judged
        if finding and not finding.holds
    ]
    unknown = sum(finding is None for _, _, finding in judged)
    held = len(judged) - len(failed) - unknown
    text = f"Of the papers' {len(judged)} claims, {held} hold here and {len(failed)} do not"
    text += f"; {unknown} could not be judged yet." if unknown else "."
    if failed:
        text += " Not: " + "; ".join(failed) + "."
    text = f"**{text}**"
    ours = [
        claim.judge(results.medians())
        for results in every
        if scale in results.table.scales
        for claim in results.table.claims
        if not of_paper(results.table, claim)
    ]
    held = sum(finding is not None and finding.holds for finding in ours)
    if ours:
        text += (
            f" {len(ours)} further checks are ours, marked so below, as are those of rows trained "
            f"otherwise: {held} hold."
        )
    return text


def of_paper(table: Table, claim: Claim) -> bool:
    """Whether the paper says what a claim of a table does.

    Args:
      table: with the claim; what only small tables have is ours.
      claim: the claim.
    """
    return not claim.ours and "paper" in table.scales


def _how(results: Results, scale: str) -> str:
    """Returns command, machine, times and versions of a table."""
    runs = distinct_runs([results]).values()
    seeds = ",".join(str(seed) for seed in results.seeds())
    machines = sorted({run["machine"] for run in runs})
    versions = sorted(
        {f"TensorFlow {r['versions']['tensorflow']}, Keras {r['versions']['keras']}" for r in runs}
    )
    timed = [run for run in runs if "cpu_seconds" in run]
    cpu, wall = (sum(run[f"{kind}_seconds"] for run in timed) for kind in ("cpu", "wall"))
    command = (
        f"python experiments/reproduce_tables.py --table={results.table.key} --scale={scale} "
        f"--seeds={seeds}"
    )
    return (
        f"```sh\n{command}\n```\n\n{'; '.join(machines)}. {'; '.join(versions)}. {len(runs)} "
        f"trainings, {shown_time(cpu)} of CPU time, {shown_time(wall)} of wall time one after "
        "the other; those that other tables share are counted in each."
    )


def shown_time(seconds: float) -> str:
    """Formats a time.

    Args:
      seconds: the time.

    Returns:
      Minutes, or hours.
    """
    if seconds < 3600:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds / 3600:.1f} hours"


def _rows(results: Results) -> str:
    """Formats the table, row by row; for a matrix, the measures other than the first."""
    table, columns, rows = results.table, results.table.columns, results.table.rows
    if table.matrix:
        columns = columns[1:]
        rows = [r for r in rows if any(results.values(r.key, c.key) for c in columns)]
        if not rows:
            return ""
    lines = []
    for row in rows:
        seeds = sorted({seed for key, seed in results.entries if key == row.key})
        cells = [_cell(results, row, column) for column in columns]
        seeds_run = ", ".join(map(str, seeds)) or "not run"
        if any(key == row.key for key, _ in results.outdated):
            seeds_run += " †"
        lines.append([row.label, *cells, seeds_run])
    return _markdown(["", *(column.label for column in columns), "seeds"], lines)


def _matrix(results: Results) -> str:
    column, matrix = results.table.columns[0], results.table.matrix
    by_key = {row.key: row for row in results.table.rows}
    seeds = len(results.seeds())
    lines = []
    for one, label in matrix.rows.items():
        cells = []
        for two in matrix.columns:
            row = by_key[f"{one}/{two}"]
            cells.append(_cell(results, row, column))
            if 0 < (run := len(results.values(row.key, column.key))) < seeds:
                cells[-1] += f", {run} of {seeds} seeds"
        lines.append([label, *cells])
    return _markdown([column.label, *matrix.columns.values()], lines)


def _cell(results: Results, row: Row, column: Column) -> str:
    values = results.values(row.key, column.key)
    parts = []
    if values:
        digits = column.digits
        parts.append(f"{statistics.median(values):.{digits}f}")
        if len(values) > 1:
            parts.append(f"({min(values):.{digits}f} to {max(values):.{digits}f})")
        if results.table.matrix and any(key == row.key for key, _ in results.outdated):
            parts.append("†")
    if column.key in row.published:
        parts.append(f"*{row.published[column.key]:g}*")
    return " ".join(parts) or "–"


def _claims(results: Results) -> str:
    lines = [_verdict(claim, results) for claim in results.table.claims]
    head = ["claim", "holds when", "here", "verdict", "seeds", "the paper's numbers"]
    return _markdown(head, lines)


def _verdict(claim: Claim, results: Results) -> list[str]:
    finding = claim.judge(results.medians())
    theirs = claim.judge(published(results.table))
    text = claim.text if of_paper(results.table, claim) else f"{claim.text} (ours)"
    start = [text, f"`{claim.when}`"]
    paper = "–" if theirs is None else theirs.number + ("" if theirs.holds else ": does not hold")
    if finding is None:
        return [*start, "–", "out of date" if results.outdated else "not run", "–", paper]
    single = [claim.judge(results.of_seed(seed)) for seed in results.seeds()]
    single = [one.holds for one in single if one is not None]
    verdict = "holds" if finding.holds else "**does not hold**"
    return [*start, finding.number, verdict, f"{sum(single)} of {len(single)}", paper]


def _plot(results: Results) -> str:
    from experiments.tables import (
        plot as table_plot,  # imported late: loads matplotlib, which a plan does not need
    )

    table, metric = results.table, results.table.columns[0].key
    reference = results.medians().get(table.reference, {}).get(metric)
    by_key = {row.key: row for row in table.rows}
    theirs = by_key[table.reference].published.get(metric)
    marks = {}
    for row in table.rows:
        ours = [v / reference for v in results.values(row.key, metric)] if reference else []
        paper = row.published[metric] / theirs if theirs and metric in row.published else None
        marks[row.key] = table_plot.Mark(ours, paper)
    axis = f"{table.columns[0].label.split(',')[0]}, {by_key[table.reference].label} = 1"
    if not table.matrix:
        return table_plot.rows({by_key[key].label: mark for key, mark in marks.items()}, axis)
    matrix = table.matrix
    lines = {
        label: [marks[f"{one}/{two}"] for two in matrix.columns]
        for one, label in matrix.rows.items()
    }
    return table_plot.lines(lines, [*matrix.columns.values()], axis, matrix.across)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])
