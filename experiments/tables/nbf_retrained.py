"""Rows of NBF's tables with other trainings: does a failed claim then hold?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from experiments.tables import claims
from experiments.tables.claims import Claim
from experiments.tables.nbf import LABELS, LOSSES, SUFFICIENT
from experiments.tables.types import Matrix, Table, Variation

_E = LOSSES.columns[0].key
_FOUND = ["--data=data/synthetic_tables_fine"] + [
    f"--synthetic_{split}=0" for split in ("train", "val", "test")
]


class _Retraining(NamedTuple):
    """Ways to train the rows of a table.

    Attributes:
      key: appended to the table's key.
      title: appended to the table's title.
      trainings: key -> label, and changes to the flag file.
      note: remark for the reader.
    """

    key: str
    title: str
    trainings: Mapping[str, tuple[str, Variation | None]]
    note: str


_AMOUNTS = _Retraining(
    "curve",
    "with less and more training",
    {
        "4000x2": ("4,000 people × 2 epochs", Variation("epochs_2", ["--epochs=2"])),
        "4000x4": ("4,000 × 4", None),
        "4000x8": ("4,000 × 8", Variation("epochs_8", ["--epochs=8"])),
        "4000x16": ("4,000 × 16", Variation("epochs_16", ["--epochs=16"])),
        "16000x4": (
            "16,000 × 4",
            Variation(
                "people_16000", ["--synthetic_train=16000", "--data=data/synthetic_tables_16000"]
            ),
        ),
    },
    "The table has 4,000 × 4. 4,000 × 16 and 16,000 × 4 are equally many steps.",
)
_FOUND_PARTS = _Retraining(
    "found",
    "with found parts",
    {
        "found_4000x4": ("4,000 people × 4 epochs", Variation("found_parts", _FOUND)),
        "found_4000x16": (
            "4,000 × 16",
            Variation("found_parts_epochs_16", [*_FOUND, "--epochs=16"]),
        ),
    },
    "In the paper's table a segmenter found the parts, in the small one they are true. Here the "
    "shipped segmenter found them, in training and in the test.",
)


def _retrained(
    of: Table,
    rows: Sequence[str],
    judged: Sequence[Callable[[str, str], Claim]],
    how: _Retraining,
) -> Table:
    """Makes a table of some rows and claims under different trainings.

    Args:
      of: the table, at small scale.
      rows: keys of its rows.
      judged: (label of a training, its key) -> claim, each.
      how: the trainings.

    Returns:
      A table at small scale.
    """
    by_key = {row.key: row for row in of.rows}
    labels = {training: label for training, (label, _) in how.trainings.items()}
    cells = [
        by_key[row]._replace(
            key=f"{row}/{training}",
            label=f"{by_key[row].label}, {label}",
            run={"small": by_key[row].run["small"]},
            published={},
            variation=variation,
        )
        for row in rows
        for training, (label, variation) in how.trainings.items()
    ]
    return Table(
        f"{of.key}_{how.key}",
        f"{of.title.split(':')[0]}, {how.title}",
        of.columns[:1],
        cells,
        cells[0].key,
        [claim(label, training) for claim in judged for training, label in labels.items()],
        how.note,
        Matrix({row: by_key[row].label for row in rows}, labels, "training"),
        ["small"],
    )


def _suffices(label: str, training: str) -> Claim:
    rows = [f"{row}/{training}" for row in SUFFICIENT]
    return claims.alike(f"L_lat suffices, {label}", _E, rows, 0.1)


def _few_suffice(label: str, training: str) -> Claim:
    few, every = f"20/{training}", f"100/{training}"
    return claims.within(f"20 % suffice, {label}", _E, few, 0.1, every)


def _none_fails(label: str, training: str) -> Claim:
    none, every = f"0/{training}", f"100/{training}"
    return claims.at_least(f"without 3D labels it fails, {label}", _E, none, 1.7, every)


LOSSES_RETRAINED = [
    _retrained(LOSSES, SUFFICIENT, [_suffices], how) for how in (_AMOUNTS, _FOUND_PARTS)
]
LABELS_RETRAINED = [
    _retrained(LABELS, ["100", "20", "0"], [_few_suffice, _none_fails], how)
    for how in (_AMOUNTS, _FOUND_PARTS)
]
