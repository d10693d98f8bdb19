"""Rows of NBF's tables with less and more training: would a claim that does not hold, then?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments import paper_claims as claims
from experiments.nbf_tables import LABELS, LOSSES, SUFFICIENT
from experiments.table_types import Matrix, Table, Variation

_E = LOSSES.columns[0].key
_MORE_PEOPLE = ["--synthetic_train=16000", "--data=data/synthetic_tables_16000"]
# By the shipped segmenter. The paper's Tables 3 and 4 have found parts, the small ones true ones.
_FOUND_PARTS = ["--data=data/synthetic_tables_fine"] + [
    f"--synthetic_{split}=0" for split in ("train", "val", "test")
]
# How much the small runs are trained, from little to much; what the tables have is among it.
_AMOUNTS = {
    "4000x2": ("4,000 people × 2", Variation("epochs_2", ["--epochs=2"])),
    "4000x4": ("4,000 × 4", None),
    "4000x8": ("4,000 × 8", Variation("epochs_8", ["--epochs=8"])),
    "4000x16": ("4,000 × 16", Variation("epochs_16", ["--epochs=16"])),
    "16000x4": ("16,000 × 4", Variation("people_16000", _MORE_PEOPLE)),
    "found_4000x4": ("4,000 × 4, found parts", Variation("found_parts", _FOUND_PARTS)),
    "found_4000x16": (
        "4,000 × 16, found parts",
        Variation("found_parts_epochs_16", [*_FOUND_PARTS, "--epochs=16"]),
    ),
}


def _curve(
    key: str, title: str, of: Table, rows: Sequence[str], judged: Sequence[Callable]
) -> Table:
    """Lays out how some rows of a table, and claims about them, change with more training.

    Args:
      key: its name on the command line.
      title: for people.
      of: the table, whose small runs are taken.
      rows: keys of its rows.
      judged: (label of an amount, its key) -> claim, each.

    Returns:
      A table at small scale.
    """
    by_key = {row.key: row for row in of.rows}
    cells = [
        by_key[row]._replace(
            key=f"{row}/{amount}",
            label=f"{by_key[row].label}, {label}",
            run={"small": by_key[row].run["small"]},
            published={},
            variation=variation,
        )
        for row in rows
        for amount, (label, variation) in _AMOUNTS.items()
    ]
    return Table(
        key,
        title,
        of.columns[:1],
        cells,
        f"{of.reference}/4000x4",
        [claim(label, amount) for claim in judged for amount, (label, _) in _AMOUNTS.items()],
        "The tables have 4,000 people × 4 epochs with true parts; 4,000 × 16 is as many steps as "
        "16,000 × 4. Found parts are those of the shipped segmenter, in training and in the test.",
        Matrix(
            {row: by_key[row].label for row in rows},
            {amount: label for amount, (label, _) in _AMOUNTS.items()},
            "people × epochs",
        ),
        ["small"],
    )


LOSSES_CURVE = _curve(
    "nbf3_curve",
    "NBF, Table 3 with less and more training",
    LOSSES,
    SUFFICIENT,
    [
        lambda label, amount: claims.alike(
            f"L_lat suffices, {label}",
            _E,
            [f"{row}/{amount}" for row in SUFFICIENT],
            0.1,
        )
    ],
)
LABELS_CURVE = _curve(
    "nbf4_curve",
    "NBF, Table 4 with less and more training",
    LABELS,
    ["100", "20", "0"],
    [
        lambda label, amount: claims.within(
            f"20 % suffice, {label}", _E, f"20/{amount}", 0.1, f"100/{amount}"
        ),
        lambda label, amount: claims.at_least(
            f"without 3D labels it fails, {label}",
            _E,
            f"0/{amount}",
            1.7,
            f"100/{amount}",
        ),
    ],
)
