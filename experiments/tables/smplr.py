"""SMPLR's tables: rows, where their numbers come from, published ones, claims."""

from __future__ import annotations

from experiments.tables import claims
from experiments.tables.types import Column, Row, Table, rows_of_flag_files

# Flag files of evaluate_smplr.py.
EVALUATED = ("smplr_small_stitched", "smplr_t1_stitched", "smplr_t3_surreal")

_J, _L, _B = "joints_16_mm", "landmarks_mm", "bones_mm"
_SMPLR = (
    Column(_J, "joints, mm"),
    Column(_L, "landmarks, mm"),
    Column(_B, "bones, mm"),
    Column(f"input_{_J}", "joints that went in, mm"),
)
# Behind an end-to-end training, the record names the points of the hourglass like this.
_POINTS = {key: f"seen_{key}" for key in (_J, _L, _B)}
COMPONENTS = Table(
    "smplr1",
    "SMPLR, Table 1: its components (SURREAL)",
    _SMPLR,
    rows_of_flag_files(
        "smplr_small_",
        "smplr_t1_",
        _SMPLR,
        [
            ("shn_nl", "SHN_nL", 62.8, None, 10.4),
            ("shn", "SHN", 61.9, 61.5, 9.3),
            ("shn_aug", "SHN_aug", 57.5, 59.3, 9.0),
            ("shn_l_aug", "SHN^L_aug", 53.0, 54.3, 9.7),
            ("dae", "DAE", 59.2, 61.1, 9.5, 61.9),
            ("dae_uniform", "DAE, uniform noise", 61.7, None, None, 61.9),
            ("dae_2d", "DAE_2d", 65.2, 66.1, 11.8),
            ("psi_nl", "Ψ_nL", 14.3, 14.3, 6.6),
            ("psi", "Ψ", 14.4, 11.5, 6.6),
            ("omega", "Ω", 67.8),
            ("omega_smpl", "Ω_smpl", 63.8),
            ("stitched", "DAE + Ψ + Ω", 66.0, 68.5, 8.9),
        ],
    )
    + [
        row._replace(renamed=_POINTS)
        for row in rows_of_flag_files(
            "smplr_small_", "smplr_t1_", _SMPLR, [("all", "ALL", 51.8, 52.9, 9.5)]
        )
    ],
    "dae",
    (
        claims.gains("DAE removes structured error", _J, "dae", "dae_uniform", 0.1, 2),
        claims.at_most("landmarks help Ψ", _L, "psi", 0.9, "psi_nl"),
        claims.at_most("the SMPL loss helps Ω", _J, "omega_smpl", 0.96, "omega"),
        claims.at_most("end to end does not hurt the hourglass", _J, "all", 1.0, "shn_l_aug"),
    ),
    "Ψ is given the true pose and Ω the true shape, as in the paper; joints are the mean of 16, "
    "and of ALL those of its hourglass. At small scale the points that go into DAE, Ψ and Ω have "
    "structured noise, which imitates an hourglass's errors.",
)

_BODY, _SURFACE = Column(f"body_{_J}", "joints of SMPL, mm"), Column("surface_mm", "surface, mm")
BODIES = Table(
    "smplr3",
    "SMPLR, Table 3: SMPL's body and the points behind it (SURREAL)",
    (_BODY, Column(_J, "points of the hourglass, mm"), _SURFACE),
    [
        Row(
            "smplr",
            "SMPLR",
            {"small": "smplr_small_all", "paper": "smplr_t3_surreal"},
            {_BODY.key: 55.8, _J: 45.8, _SURFACE.key: 75.4},
            renamed={_J: _POINTS[_J], _BODY.key: _J},
        )
    ],
    "smplr",
    (claims.offset("SMPL's output is worse than the points", "smplr", _BODY.key, _J),),
)
