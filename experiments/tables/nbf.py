"""NBF's tables: rows, sources of their numbers, published numbers, claims."""

from __future__ import annotations

from typing import NamedTuple

from experiments.tables import claims
from experiments.tables.types import Column, Matrix, Row, Table, rows_of_flag_files


class SegmentedPeople(NamedTuple):
    """The source of a data set whose parts a segmenter found.

    Attributes:
      segmenter: flag file of its training; with a slash: folder of a shipped run.
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
    "data/human36m_refinenet": SegmentedPeople("nbf_segmentation_human36m", "data/human36m"),
}

_ERROR = Column("err_joints3d_mm", "err_joints3D, mm")
_PCKH = Column("pckh_percent", "PCKh, %")
_QUAT = Column("err_quat_rad", "err_quat, rad", 3)
_NBF = (_ERROR, Column("pa_mpjpe_mean_mm", "PA-MPJPE, mm"), _PCKH, _QUAT)
_E, _P, _Q = _ERROR.key, _PCKH.key, _QUAT.key

INPUTS = Table(
    "nbf1",
    "NBF, Table 1: what the fitting network sees (UP-3D)",
    _NBF,
    rows_of_flag_files(
        "nbf_small_t1_",
        "nbf_t1_up3d_",
        (_ERROR,),
        [
            ("rgb", "RGB", 98.5),
            ("parts_1", "1 part", 95.5),
            ("parts_3", "3 parts", 36.5),
            ("parts_6", "6 parts", 29.4),
            ("parts_12", "12 parts", 27.8),
            ("parts_24", "24 parts", 28.8),
            ("joints_14", "14 joints", 28.8),
            ("joints_24", "24 joints", 27.7),
        ],
    ),
    "parts_12",
    (
        claims.at_most("12 parts beat RGB", _E, "parts_12", 0.75, "rgb"),
        claims.falling("more parts are better", _E, ["parts_1", "parts_3", "parts_12"]),
        claims.within("12 parts suffice", _E, "parts_24", 0.1, "parts_12"),
        claims.within("14 joints do as well as parts", _E, "joints_14", 0.1, "parts_12"),
        claims.within("24 joints do as well as parts", _E, "joints_24", 0.1, "parts_12"),
    ),
)

_MEASURED = (
    Column("measured_pa_mpjpe_mean_mm", "PA-MPJPE, mean, mm"),
    Column("measured_pa_mpjpe_median_mm", "median, mm"),
)
# Flag files of evaluate_nbf.py.
EVALUATED = ("nbf_t5_humaneva", "nbf_t6_human36m")
HUMAN36M_INPUTS = Table(
    "nbf1_human36m",
    "NBF, Table 1: what the fitting network sees (Human3.6M)",
    _NBF,
    rows_of_flag_files(
        None,
        "nbf_t1_human36m_",
        (_ERROR,),
        [
            ("rgb", "RGB", 48.9),
            ("parts_1", "1 part", 43.0),
            ("parts_3", "3 parts", 37.5),
            ("parts_6", "6 parts", 36.2),
            ("parts_12", "12 parts", 33.5),
            ("parts_24", "24 parts", 31.8),
            ("joints_14", "14 joints", 33.4),
            ("joints_24", "24 joints", 33.4),
        ],
    ),
    "parts_12",
    INPUTS.claims,
    scales=["paper"],
)
OTHERS = Table(
    "nbf56",
    "NBF, Tables 5 and 6: HumanEva-I and Human3.6M",
    _MEASURED,
    [
        Row(
            key,
            label,
            {"paper": f"nbf_{key}"},
            dict(zip((c.key for c in _MEASURED), errors, strict=True)),
        )
        for key, label, errors in (
            ("t5_humaneva", "HumanEva-I", (64.0, 49.4)),
            ("t6_human36m", "Human3.6M", (59.9, 52.3)),
        )
    ],
    "t6_human36m",
    (),
    scales=["paper"],
)

_QUALITIES = ("worst", "middle", "best", "truth")
_TRAINED_ON = {
    "worst": {"small": "nbf_small_t2_coarse", "paper": "nbf_t2_deeplab_vgg16"},
    "middle": {"small": "nbf_small_t2_medium", "paper": "nbf_t2_deeplab_resnet101"},
    "best": {"small": "nbf_small_t2_fine", "paper": "nbf_t2_refinenet"},
    "truth": {"small": "nbf_small_t2_truth", "paper": "nbf_t2_truth"},
}
# Trained on -> evaluated on, in the order of the qualities.
_PUBLISHED = {
    "worst": (107.2, 97.1, 89.6, 62.3),
    "middle": (119.9, 96.3, 89.9, 60.5),
    "best": (135.5, 112.2, 82.0, 35.7),
    "truth": (140.7, 115.6, 83.3, 27.8),
}
PART_QUALITIES = Table(
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
            f"trained on {trained}, tested on {tried}",
            _TRAINED_ON[trained],
            {_E: _PUBLISHED[trained][i]},
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
        {kind: f"trained on {kind}" for kind in _QUALITIES},
        {kind: f"tested on {kind}" for kind in _QUALITIES},
        "quality of the parts in the test",
    ),
)

_LOSS_ROWS = rows_of_flag_files(
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
SUFFICIENT = [row.key for row in _LOSS_ROWS[:4]]
LOSSES = Table(
    "nbf3",
    "NBF, Table 3: losses (UP-3D)",
    _NBF,
    _LOSS_ROWS,
    "lat_3d_2d",
    (
        claims.alike("L_lat suffices", _E, SUFFICIENT, 0.1),
        claims.at_least("L_3D alone turns limbs wrongly", _Q, "3d", 1.5, "lat_3d_2d"),
        claims.at_least("L_2D alone: wrong in 3D", _E, "2d", 1.7, "lat_3d_2d"),
        claims.near_the_best("L_2D alone: right in the picture", _P, "2d", 2),
    ),
)

_NO_BETTER = 0.98  # of the error; the seeds of one row differ by as much


def _no_better(text: str, row: str) -> claims.Claim:
    return claims.at_least(text, _E, row, _NO_BETTER, "lat_3d_2d")


PENALTIES = Table(
    "nbf3_penalties",
    "NBF, in addition to Table 3: other penalties, other points (UP-3D)",
    _NBF,
    rows_of_flag_files(
        "nbf_small_t3_",
        "nbf_t3_",
        (_ERROR,),
        [
            ("lat_3d_2d", "L1 on parameters, 24 joints", 82.0),
            ("l2", "L2 on parameters"),
            ("geman_mcclure", "Geman-McClure on parameters"),
            ("tukey", "Tukey's biweight on parameters"),
            ("landmarks_91", "91 landmarks"),
            ("mesh", "all vertices"),
            ("projected_rotations", "L1 after the projection to rotations"),
        ],
    ),
    "lat_3d_2d",
    (
        _no_better("L2 is no better than L1", "l2"),
        _no_better("Geman-McClure is no better than L1", "geman_mcclure"),
        _no_better("Tukey's biweight is no better than L1", "tukey"),
        _no_better("91 landmarks are no better than 24 joints", "landmarks_91"),
    ),
    "The paper says in words how these compare with L_lat + L_3D + L_2D, and gives no numbers. "
    "Its text puts L_lat behind the projection to rotations, its code before it, as we do.",
)

LABELS = Table(
    "nbf4",
    "NBF, Table 4: the share of people with 3D labels (UP-3D)",
    _NBF,
    rows_of_flag_files(
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
        claims.within("10 % hardly cost anything", _E, "10", 0.1, "100"),
        claims.within("5 % hardly cost anything", _E, "5", 0.1, "100"),
        claims.at_least("without 3D labels it fails", _E, "0", 1.7, "100"),
        claims.at_most("2D labels of the others help", _E, "20", 1.0, "20_alone"),
    ),
    "All people have 2D labels, except in the last row. The paper calls that row poor, without a "
    "number.",
)
