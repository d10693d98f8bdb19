"""NBF's cut into 12 parts: its regions by count and area, its mirror image, its label maps."""

import numpy as np
import pytest

from smpl_tf import load_model_data, part_cut, parts

# parts12.md: NBF's vertices less those of the bones' merge, left and right averaged.
_MOVED = {
    "elbow": 70,
    "knee": 58,
    "hip": 59,
    "collar": 25,
    "spine3_as_neck": 26,
    "spine1": 125,
}


@pytest.fixture(scope="module")
def body():
    return load_model_data()


def areas(body):
    corners = body.v_template[body.faces]
    return np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1
    )


def test_regions_have_the_vertex_counts_of_the_released_cut(body):
    counts = np.bincount(part_cut.vertex_regions(body), minlength=39)
    for label, name in enumerate(parts.REGIONS.names[25:], start=25):
        if name.endswith("collar_as_left_shoulder") or name.endswith("collar_as_right_shoulder"):
            continue  # the rest of a collar, which is upper arm in either cut
        expected = next((count for key, count in _MOVED.items() if key in name), 88)
        assert expected - 1 <= counts[label] <= expected, name  # one less where two tie


def test_as_much_of_the_surface_changes_its_part_as_in_the_released_cut(body):
    bones = parts.merge_labels(parts.face_labels(body), parts.PARTS_12)
    cut = parts.merge_labels(part_cut.face_regions(body), parts.PARTS_12)
    share = areas(body)[bones != cut].sum() / areas(body).sum()
    assert 0.11 < share < 0.22
    head_and_hands = parts.merge_labels(parts.face_labels(body), parts.PARTS_24)
    kept = np.isin(head_and_hands, [parts.PARTS_24.names.index(n) for n in ("head", "left_hand")])
    np.testing.assert_array_equal(bones[kept], cut[kept])


def test_a_region_lies_at_its_joint(body):
    regions, joints = part_cut.vertex_regions(body), body.J_regressor @ body.v_template
    for side in ("left", "right"):
        elbow = joints[parts.PARTS_24.names.index(f"{side}_elbow") - 1]
        moved = regions == parts.REGIONS.names.index(f"{side}_elbow_as_{side}_shoulder")
        stayed = regions == parts.REGIONS.names.index(f"{side}_elbow")
        far = np.linalg.norm(body.v_template - elbow, axis=-1)
        assert far[moved].max() < 0.12 and np.median(far[stayed]) > np.median(far[moved])


def test_the_cut_of_a_mirrored_body_is_the_mirrored_cut(body):
    regions = part_cut.vertex_regions(body)
    mirrored = parts.REGIONS.mirror[regions[body.vertex_mirror]]
    assert np.mean(mirrored != regions) < 0.002
    np.testing.assert_array_equal(parts.REGIONS.mirror[parts.REGIONS.mirror], np.arange(39))


def test_24_parts_are_bones_in_either_cut(body):
    for of in (parts.PARTS_24, parts.PARTS_1):
        np.testing.assert_array_equal(
            parts.merge_labels(part_cut.face_regions(body), of),
            parts.merge_labels(parts.face_labels(body), of),
        )


@pytest.mark.parametrize("scheme", [parts.PARTS_6, parts.PARTS_3])
def test_coarser_schemes_merge_the_12_parts(body, scheme):
    regions = part_cut.face_regions(body)
    of_12 = parts.merge_labels(regions, parts.PARTS_12)
    merged = parts.merge_labels(regions, scheme)
    for part in range(1, 13):
        assert len(set(merged[of_12 == part])) == 1


def test_a_mirrored_region_map_merges_to_the_mirrored_parts():
    labels = np.random.default_rng(0).integers(0, 39, [5, 8])
    for scheme in (parts.PARTS_1, parts.PARTS_3, parts.PARTS_6, parts.PARTS_12, parts.PARTS_24):
        mirrored = parts.mirror_labels(labels, parts.REGIONS)
        np.testing.assert_array_equal(
            parts.mirror_labels(parts.merge_labels(labels, scheme), scheme),
            parts.merge_labels(mirrored, scheme),
        )
