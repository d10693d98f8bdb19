"""Points of other skeletons on a body: sums of its joints and named vertices."""

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import SMPL, named_points
from smpl_tf.skeleton import COCO_17, H36M_17, OPENPOSE_25
from smpl_tf.skeleton_points import SKELETONS
from smplr import fit_points
from tests.small_body import small_body


@pytest.fixture(scope="module")
def layer():
    return SMPL()


@pytest.fixture(scope="module")
def posed(layer):
    rng = np.random.default_rng(0)
    return layer(
        betas=rng.normal(size=(2, 10)),
        pose=rng.normal(0, 0.3, (2, 24, 3)),
        translation=rng.normal(size=(2, 3)),
    )


def test_points_are_the_sums_that_the_convention_says(layer, posed):
    coco = named_points(posed, "coco_17", layer).numpy()
    nose = layer.model_data.landmarks["nose"]
    np.testing.assert_allclose(coco[:, COCO_17.index("nose")], posed.vertices[:, nose])
    np.testing.assert_allclose(coco[:, COCO_17.index("left_knee")], posed.joints[:, 4])
    h36m = named_points(posed, H36M_17, layer).numpy()
    middle = (posed.joints[:, 12] + (posed.joints[:, 16] + posed.joints[:, 17]) / 2) / 2
    np.testing.assert_allclose(h36m[:, H36M_17.index("neck_h36m")], middle, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["h36m_17", *(pytest.param(name, marks=pytest.mark.slow) for name in ("coco_17", "lsp_14"))],
)
def test_they_are_the_points_that_a_fit_compares(layer, posed, name):
    fit = fit_points(named_points(posed, name, layer), name, method="closed_form")
    body = layer(betas=fit.betas, pose=fit.pose, translation=fit.translation)
    np.testing.assert_allclose(named_points(body, name, layer), fit.points, atol=1e-5)


def test_what_a_body_lacks_is_missing_and_harms_no_gradient(layer, posed):
    points = named_points(posed, "openpose_25", layer).numpy()
    missing = np.isnan(points).any(axis=(0, 2))
    assert [OPENPOSE_25.names[i] for i in np.flatnonzero(missing)] == [
        *("left_small_toe", "right_small_toe")
    ]
    joints = tf.Variable(posed.joints)
    with tf.GradientTape() as tape:
        points = named_points(posed._replace(joints=joints), "openpose_25", layer)
        loss = tf.reduce_sum(points[:, OPENPOSE_25.index("left_knee")])
    expected = np.zeros((2, 24, 3))
    expected[:, 4] = 1
    np.testing.assert_allclose(tape.gradient(loss, joints), expected)


def test_the_model_that_made_the_body_must_be_given(posed):
    body = small_body()
    with pytest.raises(ValueError, match=r"the 200 vertices of small_body_200_0, got \d+; give"):
        named_points(posed, "coco_17", body)
    assert named_points(SMPL(body)(), "smpl_24", body).shape == (24, 3)
    with pytest.raises(ValueError, match="Unknown skeleton 'coco_18'; expected one of smpl_24"):
        named_points(posed, "coco_18", body)


def test_every_skeleton_has_points(layer, posed):
    for name, skeleton in SKELETONS.items():
        points = named_points(posed, name, layer)
        assert points.shape == (2, len(skeleton), 3)
        assert np.isfinite(points).any(axis=(0, 2)).sum() > 10
