"""Laws of the skeleton tables."""

import numpy as np
import pytest

from smpl_tf import skeleton

SKELETONS = [
    skeleton.SMPL_24,
    skeleton.LSP_14,
    skeleton.H36M_17,
    skeleton.UP_91,
    skeleton.SMPLR_42,
    skeleton.COCO_17,
    skeleton.OPENPOSE_25,
    skeleton.BLAZEPOSE_33,
    skeleton.HALPE_26,
    skeleton.MPI_INF_28,
    skeleton.MHR_70,
    skeleton.SMPL_22,
]


@pytest.mark.parametrize("table", SKELETONS, ids=lambda table: table.name)
def test_size_is_in_the_name(table):
    assert len(table) == int(table.name.rsplit("-", 1)[1])


@pytest.mark.parametrize("table", SKELETONS, ids=lambda table: table.name)
def test_mirror_twice_is_the_identity_and_swaps_every_side(table):
    mirror = table.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(table)))
    for i, name in enumerate(table.names):
        sided = "left_" in name or "right_" in name
        assert (mirror[i] != i) == sided, name


@pytest.mark.parametrize(
    "table", [s for s in SKELETONS if s.tree is not None], ids=lambda table: table.name
)
def test_parents_come_before_children_and_commute_with_mirroring(table):
    parents = np.array(table.parents)
    assert parents[0] == -1
    assert np.all(parents[1:] < np.arange(1, len(table)))
    assert np.all(parents[1:] >= 0)
    mirror = table.mirror
    np.testing.assert_array_equal(mirror[parents[1:]], parents[mirror[1:]])


def test_smpl_mirror_is_the_published_permutation():
    # NBF's data rule.
    expected = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15]
    expected += [17, 16, 19, 18, 21, 20, 23, 22]
    np.testing.assert_array_equal(skeleton.SMPL_24.mirror, expected)


def test_smpl_to_lsp_is_the_published_map():
    source, target = skeleton.shared_points(skeleton.SMPL_24, skeleton.LSP_14)
    np.testing.assert_array_equal(source, [8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20])
    np.testing.assert_array_equal(target, np.arange(12))


@pytest.mark.parametrize(
    ("table", "places"),
    [
        # Halpe-FullBody's README: head, neck, hip, then feet by twos.
        (skeleton.HALPE_26, {5: "left_shoulder", 16: "right_ankle", 17: "head_top"}),
        (skeleton.HALPE_26, {20: "left_big_toe", 22: "left_small_toe", 25: "right_heel"}),
        # The data set's 17 common joints among the 28, MATLAB's numbers:
        # 8 6 15 16 17 10 11 12 24 25 26 19 20 21 5 4 7.
        (skeleton.MPI_INF_28, {7: "head_top", 5: "neck_3dhp", 14: "right_shoulder"}),
        (skeleton.MPI_INF_28, {9: "left_shoulder", 11: "left_wrist", 23: "right_hip"}),
        (skeleton.MPI_INF_28, {20: "left_ankle", 4: "pelvis_3dhp", 3: "spine_3dhp"}),
        # SAM 3D Body: body to 20, right hand 21 to 40, wrist 41, left hand, wrist 62.
        (skeleton.MHR_70, {9: "left_hip", 14: "right_ankle", 15: "left_big_toe"}),
        (skeleton.MHR_70, {20: "right_heel", 21: "right_thumb4", 41: "right_wrist"}),
        (skeleton.MHR_70, {45: "left_thumb_third_joint", 61: "left_pinky_finger_third_joint"}),
        (skeleton.MHR_70, {62: "left_wrist", 63: "left_olecranon", 69: "neck_mhr"}),
        (skeleton.SMPL_22, {0: "pelvis", 15: "head", 21: "right_wrist"}),
    ],
)
def test_points_are_where_their_source_has_them(table, places):
    assert {place: table.names[place] for place in places} == places


def test_shared_points_name_the_same_point_on_both_sides():
    source, target = skeleton.shared_points(skeleton.UP_91, skeleton.H36M_17)
    assert len(source) > 0
    for i, j in zip(source, target, strict=True):
        assert skeleton.UP_91.names[i] == skeleton.H36M_17.names[j]


def test_no_shared_points_give_empty_maps():
    left, right = skeleton.Skeleton("a", ("x",)), skeleton.Skeleton("b", ("y",))
    source, target = skeleton.shared_points(left, right)
    assert source.shape == target.shape == (0,)


def test_smplr_tree_has_the_recovered_parents():
    expected = [9, 9, 0, 0, 0, 2, 1, 29, 30, 10, 11, 22, 16, 36, 17, 38, 23, 15]
    assert list(skeleton.SMPLR_42.parents[24:]) == expected


def test_unknown_point_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="LSP-14 has no point 'tail'; it has right_ankle"):
        skeleton.LSP_14.index("tail")


@pytest.mark.parametrize("table", [s for s in SKELETONS if s.tree is None], ids=lambda t: t.name)
def test_parents_of_a_skeleton_without_a_tree_are_refused(table):
    with pytest.raises(ValueError, match=f"{table.name} has no parents"):
        _ = table.parents


def test_contradictory_tables_are_refused():
    with pytest.raises(ValueError, match="distinct names"):
        skeleton.Skeleton("twice", ("a", "a"))
    with pytest.raises(ValueError, match="expected 2 parents"):
        skeleton.Skeleton("short", ("a", "b"), (-1,))
