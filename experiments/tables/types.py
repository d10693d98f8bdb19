"""What a table of a paper consists of: rows, columns, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.tables.claims import Claim

SCALES = ("small", "paper")


class Column(NamedTuple):
    """A measure of every row.

    Attributes:
      key: in the run record; `seen_` and `input_` before it are of points, `chained_` of both
        stages in one.
      label: for people, with the unit.
      digits: after the point.
    """

    key: str
    label: str
    digits: int = 1


class Variation(NamedTuple):
    """What a run has other than its flag file says.

    Attributes:
      name: behind that of the flag file.
      flags: the flags that differ.
    """

    name: str
    flags: Sequence[str]


class Row(NamedTuple):
    """One row, or one cell of a matrix.

    Attributes:
      key: its name in claims and results; in a matrix those of its row and column, with a slash.
      label: for people.
      run: scale -> flag file of the run, without folder and ending.
      published: column -> the paper's number.
      tried_on: scale -> flag file whose people (`--data`) it is tried on; None: its own.
      chained: whether the run's own segmenter goes before it, picture by picture.
      renamed: column -> the name that the record has for it, where that differs.
      variation: of the flag file, or None.
    """

    key: str
    label: str
    run: Mapping[str, str]
    published: Mapping[str, float] = {}
    tried_on: Mapping[str, str] | None = None
    chained: bool = False
    renamed: Mapping[str, str] = {}
    variation: Variation | None = None


class Matrix(NamedTuple):
    """How the runs of a table are laid out in rows and columns.

    Attributes:
      rows: key -> label.
      columns: key -> label.
      across: what the columns differ in.
    """

    rows: Mapping[str, str]
    columns: Mapping[str, str]
    across: str


class Table(NamedTuple):
    """One table of a paper.

    Attributes:
      key: its name on the command line.
      title: for people.
      columns: the first is drawn.
      rows: as in the paper.
      reference: the row that others are drawn in proportion to.
      claims: what the paper says of it.
      note: what else a reader must know.
      matrix: how its rows are laid out, or None: one below the other.
      scales: at which it is run.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    reference: str
    claims: Sequence[Claim]
    note: str = ""
    matrix: Matrix | None = None
    scales: Sequence[str] = SCALES


def rows_of_flag_files(
    small: str | None, paper: str, columns: Sequence[Column], rows: Sequence[tuple]
) -> list[Row]:
    """Lays out rows whose flag files are named after their keys.

    Args:
      small: what is put before the key at small scale; None: there is no small row.
      paper: what is put before it at paper scale.
      columns: of the published numbers.
      rows: key, label, published numbers of each; None where the paper has none.

    Returns:
      The rows.
    """
    return [
        Row(
            key,
            label,
            ({"small": f"{small}{key}"} if small else {}) | {"paper": f"{paper}{key}"},
            {c.key: v for c, v in zip(columns, numbers, strict=False) if v is not None},
        )
        for key, label, *numbers in rows
    ]
