"""The tables of both papers, by name."""

from __future__ import annotations

from experiments import nbf_curves, nbf_tables, smplr_tables

TABLES = {
    table.key: table
    for table in (
        nbf_tables.INPUTS,
        nbf_tables.PART_QUALITIES,
        nbf_tables.LOSSES,
        nbf_curves.LOSSES_CURVE,
        nbf_tables.LABELS,
        nbf_curves.LABELS_CURVE,
        smplr_tables.COMPONENTS,
        smplr_tables.BODIES,
    )
}
