"""The papers' tables as data: rows, where their numbers come from, published ones, claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from experiments import paper_claims as claims
from experiments.table_types import Column, Matrix, Row, Table, Variation


class SegmentedPeople(NamedTuple):
    """Where a data set whose parts a segmenter found comes from.

    Attributes:
      segmenter: flag file of its training; with a slash, the folder of a shipped run.
      people: the data set with the pictures.
    """

    segmenter: str
    people: str


SEGMENTED = {
    **{
        f"data/synthetic_tables_{name}": SegmentedPeople(segmenter, "data/synthetic_tables")
        for name, segmenter in (
            ("coarse", "nbf_small_t2_segmenter_coarse"),
            ("medium", "nbf_small_t2_segmenter_medium"),
            ("fine", "experiments/pretrained/nbf_segmentation_small"),
        )
    },
    **{
        f"data/up3d_{name}": SegmentedPeople(f"nbf_segmentation_{name}", "data/up3d")
        for name in ("deeplab_vgg16", "deeplab_resnet101", "refinenet")
    },
}

# Flag files of evaluate_smplr.py.
EVALUATED = ("smplr_small_stitched", "smplr_t1_stitched", "smplr_t3_surreal")

_ERROR = Column("err_joints3d_mm", "err_joints3D, mm")
_PCKH = Column("pckh_percent", "PCKh, %")
_QUAT = Column("err_quat_rad", "err_quat, rad", 3)
_NBF = (_ERROR, Column("pa_mpjpe_mean_mm", "PA-MPJPE, mm"), _PCKH, _QUAT)
_E, _P, _Q = _ERROR.key, _PCKH.key, _QUAT.key


def _rows(small: str, paper: str, columns: Sequence[Column], rows: Sequence[tuple]) -> list[Row]:
    """Lays out rows that stand in flag files of one name: key, label, published numbers."""
    return [
        Row(
            key,
            label,
            {"small": f"{small}{key}", "paper": f"{paper}{key}"},
            {c.key: v for c, v in zip(columns, numbers, strict=False) if v is not None},
        )
        for key, label, *numbers in rows
    ]


def _inputs(paper: str, numbers: Sequence[float]) -> list[Row]:
    keys = ["rgb", *(f"parts_{n}" for n in (1, 3, 6, 12, 24)), "joints_14", "joints_24"]
    labels = ["RGB", "1 part", *(f"{n} parts" for n in (3, 6, 12, 24)), "14 joints", "24 joints"]
    return _rows("nbf_small_t1_", paper, [_ERROR], [*zip(keys, labels, numbers, strict=True)])


_NBF1 = Table(
    "nbf1",
    "NBF, Table 1: what the fitting network sees (UP-3D)",
    _NBF,
    _inputs("nbf_t1_up3d_", (98.5, 95.5, 36.5, 29.4, 27.8, 28.8, 28.8, 27.7)),
    "parts_12",
    (
        claims.at_most("12 parts beat RGB", _E, "parts_12", 0.75, "rgb"),
        claims.falling("more parts are better", _E, ["parts_1", "parts_3", "parts_12"]),
        claims.within("12 parts suffice", _E, "parts_24", 0.1, "parts_12"),
    ),
)

_QUALITIES = ("worst", "middle", "best", "truth")
_TRAINED_ON = {
    "worst": {"small": "nbf_small_t2_coarse", "paper": "nbf_t2_deeplab_vgg16"},
    "middle": {"small": "nbf_small_t2_medium", "paper": "nbf_t2_deeplab_resnet101"},
    "best": {"small": "nbf_small_t2_fine", "paper": "nbf_t2_refinenet"},
    "truth": {"small": "nbf_small_t2_truth", "paper": "nbf_t2_truth"},
}
# Trained on -> tried on, in the order of the qualities.
_NBF2_PUBLISHED = {
    "worst": (107.2, 97.1, 89.6, 62.3),
    "middle": (119.9, 96.3, 89.9, 60.5),
    "best": (135.5, 112.2, 82.0, 35.7),
    "truth": (140.7, 115.6, 83.3, 27.8),
}
_NBF2 = Table(
    "nbf2",
    "NBF, Table 2: quality of the parts, in training and in the test (UP-3D)",
    (
        _ERROR,
        Column("chained_f1_percent", "F1 of the parts, %"),
        Column("chained_iou_percent", "IoU of the parts, %"),
        Column("chained_rank_correlation", "rank correlation of F1 and error", 2),
    ),
    [
        Row(
            f"{trained}/{tried}",
            f"learnt from {trained}, tried on {tried}",
            _TRAINED_ON[trained],
            {_E: _NBF2_PUBLISHED[trained][i]},
            None if tried == trained else _TRAINED_ON[tried],
            chained=tried == trained != "truth",
        )
        for trained in _QUALITIES
        for i, tried in enumerate(_QUALITIES)
    ],
    "truth/truth",
    (
        claims.always_falling(
            "a better segmenter at test time always helps",
            _E,
            [[f"{trained}/{tried}" for tried in _QUALITIES] for trained in _QUALITIES],
        ),
        claims.correlated(
            "the better the parts of a person, the better the fit (Figure 3)",
            "chained_rank_correlation",
            "best/best",
            -0.3,
        ),
    ),
    "Worst, middle and best are the paper's DeepLab on VGG-16, DeepLab on ResNet-101 and "
    "RefineNet; at small scale the small segmenter after one epoch on 4,000 people, after three, "
    "and as it is shipped.",
    Matrix(
        {kind: f"learnt from {kind}" for kind in _QUALITIES},
        {kind: f"tried on {kind}" for kind in _QUALITIES},
        "quality of the parts in the test",
    ),
)

_LOSSES = _rows(
    "nbf_small_t3_",
    "nbf_t3_",
    (_ERROR, _PCKH, _QUAT),
    [
        ("lat", "L_lat", 83.7, 93.1, 0.278),
        ("lat_3d", "L_lat + L_3D", 82.3, 93.4, 0.280),
        ("lat_2d", "L_lat + L_2D", 83.1, 93.5, 0.278),
        ("lat_3d_2d", "L_lat + L_3D + L_2D", 82.0, 93.5, 0.279),
        ("3d", "L_3D", 83.7, 93.5, 1.962),
        ("2d", "L_2D", 198.0, 94.0, 1.971),
    ],
)
_SUFFICIENT = [row.key for row in _LOSSES[:4]]
_NBF3 = Table(
    "nbf3",
    "NBF, Table 3: losses (UP-3D)",
    _NBF,
    _LOSSES,
    "lat_3d_2d",
    (
        claims.alike("L_lat suffices", _E, _SUFFICIENT, 0.1),
        claims.at_least("L_3D alone turns limbs wrongly", _Q, "3d", 1.5, "lat_3d_2d"),
        claims.at_least("L_2D alone: wrong in 3D", _E, "2d", 1.7, "lat_3d_2d"),
        claims.near_the_best("L_2D alone: right in the picture", _P, "2d", 2),
    ),
)

_NBF4 = Table(
    "nbf4",
    "NBF, Table 4: the share of people with 3D labels (UP-3D)",
    _NBF,
    _rows(
        "nbf_small_t4_",
        "nbf_t4_",
        (_ERROR, _QUAT),
        [
            ("100", "100 %", 83.1, 0.28),
            ("50", "50 %", 82.8, 0.28),
            ("20", "20 %", 82.8, 0.27),
            ("10", "10 %", 83.6, 0.28),
            ("5", "5 %", 84.5, 0.29),
            ("2", "2 %", 88.1, 0.30),
            ("1", "1 %", 93.9, 0.33),
            ("0", "0 %", 198.0, 1.97),
            ("20_alone", "20 %, no 2D labels", None, None),
        ],
    ),
    "100",
    (
        claims.within("20 % suffice", _E, "20", 0.1, "100"),
        claims.at_least("without 3D labels it fails", _E, "0", 1.7, "100"),
        claims.at_most("2D labels of the others help", _E, "20", 1.0, "20_alone"),
    ),
    "All people have 2D labels, except in the last row. The paper calls that row poor, without a "
    "number.",
)

# How much the small runs are trained, from little to much; what the tables have is among it.
_AMOUNTS = {
    "4000x2": ("4,000 people × 2", Variation("epochs_2", ["--epochs=2"])),
    "4000x4": ("4,000 × 4", None),
    "4000x8": ("4,000 × 8", Variation("epochs_8", ["--epochs=8"])),
    "4000x16": ("4,000 × 16", Variation("epochs_16", ["--epochs=16"])),
    "16000x4": (
        "16,000 × 4",
        Variation(
            "people_16000", ["--synthetic_train=16000", "--data=data/synthetic_tables_16000"]
        ),
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
      judged: (what is added to a claim's text, (row's key) -> key in the curve) -> claim.

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
        "The tables have 4,000 people × 4 epochs; 4,000 × 16 is as many steps as 16,000 × 4.",
        Matrix(
            {row: by_key[row].label for row in rows},
            {amount: label for amount, (label, _) in _AMOUNTS.items()},
            "people × epochs",
        ),
        ["small"],
    )


_NBF3_CURVE = _curve(
    "nbf3_curve",
    "NBF, Table 3 with less and more training",
    _NBF3,
    _SUFFICIENT,
    [
        lambda label, amount: claims.alike(
            f"L_lat suffices, {label}", _E, [f"{row}/{amount}" for row in _SUFFICIENT], 0.1
        )
    ],
)
_NBF4_CURVE = _curve(
    "nbf4_curve",
    "NBF, Table 4 with less and more training",
    _NBF4,
    ["100", "20", "0"],
    [
        lambda label, amount: claims.within(
            f"20 % suffice, {label}", _E, f"20/{amount}", 0.1, f"100/{amount}"
        ),
        lambda label, amount: claims.at_least(
            f"without 3D labels it fails, {label}", _E, f"0/{amount}", 1.7, f"100/{amount}"
        ),
    ],
)

_J, _L, _B = "joints_16_mm", "landmarks_mm", "bones_mm"
_SMPLR = (
    Column(_J, "joints, mm"),
    Column(_L, "landmarks, mm"),
    Column(_B, "bones, mm"),
    Column(f"input_{_J}", "joints that went in, mm"),
)
# Behind an end-to-end training, the record names the points of the hourglass like this.
_POINTS = {key: f"seen_{key}" for key in (_J, _L, _B)}
_SMPLR1 = Table(
    "smplr1",
    "SMPLR, Table 1: its components (SURREAL)",
    _SMPLR,
    _rows(
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
        for row in _rows("smplr_small_", "smplr_t1_", _SMPLR, [("all", "ALL", 51.8, 52.9, 9.5)])
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
    "structured noise, which stands for an hourglass's errors.",
)

_BODY, _SURFACE = Column(f"body_{_J}", "joints of SMPL, mm"), Column("surface_mm", "surface, mm")
_SMPLR3 = Table(
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

TABLES = {
    t.key: t for t in (_NBF1, _NBF2, _NBF3, _NBF3_CURVE, _NBF4, _NBF4_CURVE, _SMPLR1, _SMPLR3)
}
