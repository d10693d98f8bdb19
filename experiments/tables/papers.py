"""The tables of both papers, by name."""

from __future__ import annotations

from experiments.tables import nbf, nbf_retrained, smplr

TABLES = {
    table.key: table
    for table in (
        nbf.INPUTS,
        nbf.HUMAN36M_INPUTS,
        nbf.PART_QUALITIES,
        nbf.LOSSES,
        nbf.PENALTIES,
        *nbf_retrained.LOSSES_RETRAINED,
        nbf.LABELS,
        *nbf_retrained.LABELS_RETRAINED,
        nbf.OTHERS,
        smplr.COMPONENTS,
        smplr.HOURGLASS_NOISE,
        smplr.END_TO_END,
        smplr.HUMAN36M,
        smplr.BODIES,
        smplr.UP3D,
    )
}
