"""The types of a paper's table: rows, columns, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.tables.claims import Claim

SCALES = ("small", "paper")


class Column(NamedTuple):
    """A measure of every row.

    Attributes:
      key: in the run record; prefixes: `seen_` and `input_` for points, `chained_` for both stages
        chained.
      label: displayed, with the unit.
      digits: after the point.
    """

    key: str
    label: str
    digits: int = 1


class Variation(NamedTuple):
    """Changes of a run to its flag file.

    Attributes:
      name: appended to that of the flag file.
      flags: the flags that differ.
    """

    name: str
    flags: Sequence[str]


class Row(NamedTuple):
    """One row, or one cell of a matrix.

    Attributes:
      key: its name in claims and results; in a matrix those of row and column, with a slash.
      label: for people.
      run: scale -> flag file of the run, without folder and extension.
      published: column -> the paper's number.
      tried_on: scale -> flag file whose people (`--data`) it is evaluated on; None: its own.
      chained: whether the run's own segmenter provides its input.
      renamed: column -> its name in the record, if different.
      variation: changes to the flag file, or None.
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
    """The layout of a table as a matrix.

    Attributes:
      rows: key -> label.
      columns: key -> label.
      across: label of the columns.
    """

    rows: Mapping[str, str]
    columns: Mapping[str, str]
    across: str


class Table(NamedTuple):
    """One table of a paper.

    Attributes:
      key: its name on the command line.
      title: for people.
      columns: the first one is plotted.
      rows: as in the paper.
      reference: the row that others are plotted relative to.
      claims: of the paper.
      note: remark for the reader.
      matrix: layout as a matrix; None: rows below each other.
      scales: at which it exists.
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
    """Makes rows whose flag files are named after their keys.

    Args:
      small: what is put before the key at small scale; None: there is no small row.
      paper: prefix at paper scale.
      columns: of the published numbers.
      rows: key, label, published numbers of each; None if the paper has none.

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
