import dataclasses

import numpy as np
import pytest

from smpl_tf.model_data import load_model_data
from smpl_tf.skeleton import OFFICIAL_LANDMARK_VERTICES, SMPL_24, SMPLR_42, SMPLR_LANDMARKS
from smplr import landmarks
from tests.small_body import small_body


def test_every_parent_stands_before_its_children():
    assert all(parent < point for point, parent in enumerate(SMPLR_42.parents))
    assert SMPLR_42.parents[:24] == SMPL_24.parents


def test_template_lengths_are_the_released_ones():
    lengths = dict(zip(SMPLR_42.names[1:], landmarks.SMPL_TEMPLATE_LENGTHS, strict=True))
    assert len(lengths) == 41
    assert lengths["spine3"] == 0.0565
    assert lengths["left_knee"] == 0.3656
    assert lengths["right_hand"] == 0.0814
    assert lengths["left_breast"] == 0.1461
    assert lengths["right_biceps"] == 0.1423
    assert lengths["face"] == 0.1187


def test_a_body_in_the_official_order_has_the_released_vertices_and_lengths():
    body = dataclasses.replace(
        small_body(),
        v_template=np.zeros((6890, 3)),
        shapedirs=np.broadcast_to(0.0, (6890, 3, 10)),
        posedirs=np.broadcast_to(0.0, (6890, 3, 207)),
        weights=np.broadcast_to(1 / 24, (6890, 24)),
        J_regressor=np.broadcast_to(1 / 6890, (24, 6890)),
        landmarks=OFFICIAL_LANDMARK_VERTICES,
    )
    ids = landmarks.landmark_vertex_ids(body)
    assert ids[SMPLR_LANDMARKS.index("belly")] == 3503
    assert ids[-1] == 331
    np.testing.assert_array_equal(
        landmarks.template_lengths(body), landmarks.SMPL_TEMPLATE_LENGTHS
    )


def test_a_body_with_named_landmarks_has_its_own_vertices_and_lengths():
    body = load_model_data()
    ids = landmarks.landmark_vertex_ids(body)
    assert [body.landmarks[name] for name in SMPLR_LANDMARKS] == ids.tolist()
    lengths = landmarks.template_lengths(body)
    elbow, shoulder = SMPL_24.index("left_elbow"), SMPL_24.index("left_shoulder")
    joints = body.J_regressor @ body.v_template
    assert lengths[elbow - 1] == pytest.approx(np.linalg.norm(joints[elbow] - joints[shoulder]))
    face = body.v_template[body.landmarks["face"]]
    assert lengths[-1] == pytest.approx(np.linalg.norm(face - joints[SMPL_24.index("head")]))


def test_the_open_body_is_built_like_the_papers():
    ours = landmarks.template_lengths(load_model_data(gender="female"))
    assert np.abs(ours - landmarks.SMPL_TEMPLATE_LENGTHS).mean() < 0.03


def test_a_foreign_body_is_refused_with_a_remedy():
    with pytest.raises(
        ValueError, match=r"200 vertices\) lacks the landmarks left_breast, .*; use an"
    ):
        landmarks.landmark_vertex_ids(small_body(200))
    body = load_model_data()
    names = {name: vertex for name, vertex in body.landmarks.items() if name != "belly"}
    with pytest.raises(ValueError, match="lacks the landmarks belly; use"):
        landmarks.landmark_vertex_ids(dataclasses.replace(body, landmarks=names))


def test_the_number_of_points_tells_the_tree():
    assert landmarks.point_skeleton(41) is SMPLR_42
    assert landmarks.point_skeleton(23) is SMPL_24
    with pytest.raises(ValueError, match="got 42; leave the pelvis out"):
        landmarks.point_skeleton(42)


def test_limbs_are_chains_of_bones():
    for joints in landmarks.LIMBS.values():
        indices = SMPLR_42.indices(joints)
        assert [SMPLR_42.parents[joint] for joint in indices[1:]] == indices[:-1].tolist()
