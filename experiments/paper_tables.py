"""The tables of both papers, by name."""

from __future__ import annotations

from experiments import nbf_retrained, nbf_tables, smplr_tables

TABLES = {
    table.key: table
    for table in (
        nbf_tables.INPUTS,
        nbf_tables.PART_QUALITIES,
        nbf_tables.LOSSES,
        *nbf_retrained.LOSSES_RETRAINED,
        nbf_tables.LABELS,
        *nbf_retrained.LABELS_RETRAINED,
        smplr_tables.COMPONENTS,
        smplr_tables.BODIES,
    )
}
