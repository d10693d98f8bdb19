"""SMPLR's tables: rows, sources of their numbers, published numbers, claims."""

from __future__ import annotations

from experiments.tables import claims
from experiments.tables.types import Column, Row, Table, Variation, rows_of_flag_files

# Flag files of evaluate_smplr.py.
EVALUATED = ("smplr_small_stitched", "smplr_t1_stitched", "smplr_t3_surreal")

_J, _L, _B = "joints_16_mm", "landmarks_mm", "bones_mm"
_INPUT = f"input_{_J}"
_SMPLR = (
    Column(_J, "joints, mm"),
    Column(_L, "landmarks, mm"),
    Column(_B, "bones, mm"),
    Column(_INPUT, "input joints, mm"),
    Column("gender_accuracy", "gender, share right", 3),
)
# Name of the hourglass's points in the record of an end-to-end training.
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
            ("psi", "Ψ", 14.4, 11.5, 6.6, None, 0.895),
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
        claims.below("landmarks help the hourglass", _J, "shn", "shn_nl"),
        claims.below("augmentation helps the hourglass", _J, "shn_aug", "shn"),
        claims.below("limbs help the hourglass", _J, "shn_l_aug", "shn_aug"),
        claims.lowers("DAE lowers its input's error", _J, "dae"),
        claims.below("structured noise teaches DAE more than uniform", _J, "dae", "dae_uniform"),
        claims.gains("DAE removes structured error", _J, "dae", "dae_uniform", 0.1, 2)._replace(
            ours=True
        ),
        claims.at_most("landmarks help Ψ", _L, "psi", 0.9, "psi_nl"),
        claims.at_most("the SMPL loss helps Ω", _J, "omega_smpl", 0.96, "omega"),
        claims.below("training end to end improves the hourglass", _J, "all", "shn_l_aug"),
    ),
    "Ψ is given the true pose and Ω the true shape, as in the paper; joints are the mean of 16, "
    "and of ALL those of its hourglass. At small scale the points that go into DAE, Ψ and Ω have "
    "structured noise, which imitates an hourglass's errors.",
)

HOURGLASS_NOISE = Table(
    "smplr1_hourglass_noise",
    "SMPLR, Table 1: DAE on the hourglass's own points",
    _SMPLR[:4],
    [
        Row(
            key,
            label,
            {"small": f"smplr_small_dae_{key}"},
            dict(zip((_J, _INPUT), of, strict=True)),
        )
        for key, label, of in (
            ("hourglass", "DAE, learnt from the hourglass's points", (59.2, 61.9)),
            ("uniform_hourglass", "DAE, learnt from uniform noise", (61.7, 61.9)),
        )
    ],
    "hourglass",
    (
        claims.lowers("DAE lowers the hourglass's error", _J, "hourglass"),
        claims.below(
            "its own noise teaches more than uniform", _J, "hourglass", "uniform_hourglass"
        ),
    ),
    "In the table above, noise that imitates an hourglass's errors taught the DAE and tried it. "
    "Here the points are those of SHN on pictures.",
    scales=["small"],
)

_BODY, _SURFACE = Column(f"body_{_J}", "joints of SMPL, mm"), Column("surface_mm", "surface, mm")
# The record of a body names the hourglass's points `seen_`.
_OF_BOTH = {_J: _POINTS[_J], _BODY.key: _J}
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
            renamed=_OF_BOTH,
        )
    ],
    "smplr",
    (claims.offset("SMPL's output is worse than the points", "smplr", _BODY.key, _J),),
)

_PROTOCOLS = (Column("joints_23_mm", "joints, mm"), Column("pa_joints_mm", "protocol 2, mm"))
HUMAN36M = Table(
    "smplr2",
    "SMPLR, Table 2: Human3.6M",
    _PROTOCOLS,
    [
        Row(
            key,
            label,
            {"paper": f"smplr_t2_{key}"},
            dict(zip((c.key for c in _PROTOCOLS), errors, strict=True)),
        )
        for key, label, errors in (
            ("hourglass", "SHN-final", (62.4, 50.9)),
            ("all", "SMPLR", (71.7, 56.4)),
        )
    ],
    "hourglass",
    (),
    "The paper compares the 17 captured points; here they are SMPL's 23 joints of the fits.",
    scales=["paper"],
)
UP3D = Table(
    "smplr_up3d",
    "SMPLR, 4.6: UP-3D",
    (_SURFACE, _BODY, Column(_J, "points of the hourglass, mm")),
    [
        Row(
            "smplr",
            "SMPLR",
            {"paper": "smplr_up3d_all"},
            {_SURFACE.key: 90.0},
            renamed=_OF_BOTH,
        )
    ],
    "smplr",
    (),
    "The paper says around 90 mm.",
    scales=["paper"],
)

_WEIGHTS = {
    "paper": ("the paper's weights", None),
    "none": ("weights 0", ("0", "0")),
    "1000": ("1,000 times", ("1e-2", "1e-3")),
}


def _weighed(key: str, weights: tuple[str, str] | None) -> Variation | None:
    if weights is None:
        return None
    flags = [f"--end_to_end_weight={weights[0]}", f"--intermediate_weight={weights[1]}"]
    return Variation(f"weights_{key}", flags)


END_TO_END = Table(
    "smplr1_end_to_end",
    "SMPLR, Table 1: is it the epochs or SMPLR that betters the hourglass?",
    (Column(_J, "points of the hourglass, mm"), _BODY),
    [
        Row(
            key,
            label,
            {"small": "smplr_small_all_truth"},
            renamed=_OF_BOTH,
            variation=_weighed(key, weights),
        )
        for key, (label, weights) in _WEIGHTS.items()
    ],
    "none",
    (claims.below("SMPLR improves the hourglass beyond the epochs", _J, "paper", "none"),),
    "DAE, Ω and Ψ are trained on the truth, frozen and appended, as the paper found it to work; "
    "the control trains the hourglass for as long with weights 0.",
    scales=["small"],
)
