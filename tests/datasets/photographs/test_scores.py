"""PCKh, PCK and matching, against numbers worked out by hand."""

import dataclasses

import numpy as np
import pytest

from datasets.photographs import scores
from smpl_tf import SMPL
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import LSP_14, SMPL_24

# A person of whom head (40 pixels) and torso (100 pixels: 60 across, 80 down) are round numbers.
PLACES = {
    **{"head_top": (130, 10), "lsp_neck": (130, 50)},
    **{"left_shoulder": (160, 60), "right_shoulder": (100, 60)},
    **{"left_elbow": (170, 100), "right_elbow": (90, 100)},
    **{"left_wrist": (175, 140), "right_wrist": (85, 140)},
    **{"left_hip": (160, 140), "right_hip": (100, 140)},
    **{"left_knee": (160, 200), "right_knee": (100, 200)},
    **{"left_ankle": (160, 260), "right_ankle": (100, 260)},
}


def person(moved=None, without=(), by=(0, 0), depth=None, box=None):
    """The person; some joints moved by pixels to the right, some unknown, all moved."""
    points = np.array([PLACES[name] for name in LSP_14.names], float) + by
    for name, pixels in (moved or {}).items():
        points[LSP_14.index(name), 0] += pixels
    points[LSP_14.indices(without)] = np.nan
    known = np.isfinite(points).all(-1)
    return FoundPerson(box, LSP_14, points, known.astype(float), points_3d=depth)


def test_sizes():
    assert scores.head_size(person()) == 40 and scores.torso_size(person()) == 100
    assert scores.head_size(person(without=["head_top"])) == 50  # half the torso
    assert scores.torso_size(person(without=["left_shoulder"])) == 100  # the other diagonal
    neither = person(without=["left_shoulder", "left_hip", "lsp_neck"])
    assert np.isnan([scores.torso_size(neither), scores.head_size(neither)]).all()


def test_half_a_torso_is_the_head_of_the_open_body():
    posed = SMPL()()
    landmarks = posed.vertices.numpy()[[SMPL().model_data.landmarks[n] for n in LSP_14.names[12:]]]
    joints = posed.joints.numpy()[SMPL_24.indices(("left_shoulder", "right_hip"))]
    head, torso = (np.linalg.norm(ends[0] - ends[1]) for ends in (landmarks, joints))
    assert head / torso == pytest.approx(0.5, abs=0.01)


def test_joints_are_right_within_half_the_head_and_a_fifth_of_the_torso():
    moved = {"left_knee": 19.9, "right_knee": 20.1, "left_ankle": 0.0, "left_wrist": 20.0}
    score = scores.score(person(), person(moved))
    assert score.found and score.pckh == score.pck == pytest.approx(11 / 12)
    summary = scores.summarise([score])
    assert summary["pckh_knee"] == 0.5 and summary["pckh_right_knee"] == 0
    assert summary["people"] == 1 and summary["joints"] == 12


def test_the_limit_comes_from_the_torso_where_there_is_no_head():
    true = person(without=["head_top"])
    assert scores.score(true, person({"left_knee": 24.9})).pckh == 1
    assert scores.score(true, person({"left_knee": 25.1})).pckh == pytest.approx(11 / 12)


def test_a_joint_without_annotation_does_not_count_and_one_not_found_is_wrong():
    true = person(without=["left_wrist", "left_elbow"])
    score = scores.score(true, person({"left_wrist": 500}, without=["right_wrist"]))
    assert score.pckh == pytest.approx(9 / 10)
    summary = scores.summarise([score])
    assert "pckh_left_wrist" not in summary and summary["pckh_wrist"] == 0
    assert summary["joints"] == 10


def test_perfect_people_score_1_and_people_not_found_0():
    perfect = scores.summarise([scores.score(person(), person())] * 3)
    missed = scores.summarise([scores.score(person(), None)] * 3)
    shares = [name for name in perfect if name.startswith(("pck", "found"))]
    assert len(shares) == 3 + 6 + 12
    assert {perfect[name] for name in shares} == {1.0}
    assert {missed[name] for name in shares} == {0.0}


def test_joints_are_averaged_and_not_people():
    half = person(without=[name for name in LSP_14.names if "wrist" in name or "elbow" in name])
    summary = scores.summarise([scores.score(half, None), scores.score(person(), person())])
    assert summary["pckh"] == pytest.approx(12 / 20) and summary["found"] == 0.5


def test_what_is_unknown_is_left_out():
    unknown = person(without=["left_shoulder", "left_hip", "lsp_neck"])
    score = scores.score(unknown, person())
    assert np.isnan([score.pckh, score.pck, score.pa_mpjpe_mm]).all()
    assert scores.summarise([score]) == {"people": 0}
    head_alone = person(without=["left_shoulder", "left_hip"])
    summary = scores.summarise([scores.score(head_alone, person())])
    assert summary["pckh"] == 1 and "pck" not in summary


def test_pa_mpjpe_of_a_similarity_is_0_and_absent_without_depth():
    depth = np.random.default_rng(0).normal(0, 0.4, (14, 3))
    turned = 1.3 * depth @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]) + [1, 2, 3]
    turned[LSP_14.index("head_top")] += 9  # not a limb
    found = person(depth=turned)
    assert scores.score(person(depth=depth), found).pa_mpjpe_mm == pytest.approx(0, abs=0.01)
    assert np.isnan(scores.score(person(), found).pa_mpjpe_mm)
    turned[LSP_14.index("left_knee")] += 0.5
    moved = scores.score(person(depth=depth), person(depth=turned))
    assert 10 < moved.pa_mpjpe_mm < 500
    summary = scores.summarise([moved, scores.score(person(depth=depth), None)])
    assert summary["pa_mpjpe_mm"] == moved.pa_mpjpe_mm and summary["people_3d"] == 1


def test_matching_goes_by_boxes_and_not_by_joints():
    true = [person(), person(by=(300, 0))]
    mirrored = dataclasses.replace(person(), points_2d=person().points_2d[LSP_14.mirror])
    assert scores.match(true, [person(by=(310, 5)), mirrored]) == [1, 0]
    assert scores.match(true, [person(by=(290, 0))]) == [None, 0]
    assert scores.match(true, [person(by=(900, 0))]) == [None, None]
    assert scores.match(true, []) == [None, None] and scores.match([], true) == []


def test_one_found_person_is_not_two():
    assert scores.match([person(), person(by=(5, 0))], [person(by=(4, 0))]) == [None, 0]


def test_people_with_a_box_alone_keep_theirs():
    boxed = person(without=LSP_14.names, box=np.array([300.0, 60, 460, 260]))
    assert scores.match([person(), boxed], [person(by=(300, 0))]) == [None, 0]


def test_the_largest_person_can_be_scored():
    small = dataclasses.replace(person(), points_2d=person().points_2d / 2)
    without_size = dataclasses.replace(person(without=["lsp_neck", "left_hip", "left_shoulder"]))
    assert scores.largest([small, person(), without_size]) == 1
    assert scores.largest([small, without_size]) == 0
    boxed = dataclasses.replace(small, box=np.array([0.0, 0, 300, 300]))  # it is seen whole
    assert scores.largest([person(), boxed]) == 1
    assert scores.largest([without_size]) is scores.largest([]) is None
