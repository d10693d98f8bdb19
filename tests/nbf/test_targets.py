import numpy as np
import pytest
import tensorflow as tf

from nbf import parameters, targets
from smpl_tf import SMPL, kinematics
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.skeleton import LSP_14, SMPL_24
from tests.nbf.people import SIZE, people, person


def convert(example, **options):
    return targets.fitting_targets(example, input_map="joints_24", input_size=16, **options)


def test_smpl_turns_the_parameters_into_the_joint_targets():
    inputs, true = convert(people())
    betas, global_rotations = parameters.split_parameters(true["parameters"])
    relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents)
    joints = SMPL(vertex_ids=[])(betas=betas, pose=relative).joints
    np.testing.assert_allclose(joints, true["joints_3d"], atol=1e-5)
    camera = Camera(inputs["intrinsics"], 2, 2)
    projected = camera.project(joints + inputs["translation"][:, tf.newaxis])
    np.testing.assert_allclose(projected, true["joints_2d"], atol=1e-4)


@pytest.mark.parametrize("size", [64, 512])
def test_nbf_camera_does_not_depend_on_the_size_in_image_coordinates(size):
    intrinsics = targets.normalised_intrinsics(nbf_camera(size).intrinsics, size, size)
    np.testing.assert_allclose(intrinsics, targets.NBF_INTRINSICS, atol=1e-5)
    assert targets.NBF_INTRINSICS[0, 0] == 5000 / 256


def test_normalised_intrinsics_project_to_normalised_pixels():
    camera = Camera(np.array([[90.0, 2, 30], [0, 80, 25], [0, 0, 1]], np.float32), 64, 48)
    points = tf.constant([[0.1, -0.2, 2.0], [0.4, 0.3, 3.0]])
    normalised = Camera(targets.normalised_intrinsics(camera.intrinsics, 64, 48), 2, 2)
    np.testing.assert_allclose(
        normalised.project(points), camera.project(points) / [32.0, 24.0] - 1.0, atol=1e-5
    )
    seen = targets.picture_camera(normalised.intrinsics).resize(64, 48)
    np.testing.assert_allclose(seen.project(points), camera.project(points), atol=1e-4)


def test_a_batch_is_the_stack_of_its_people_in_tf_data_too():
    inputs, true = convert(people(), landmarks=14)
    single = tf.data.Dataset.from_tensor_slices(people()).map(lambda e: convert(e, landmarks=14))
    for stacked, batch in zip(next(iter(single.batch(8))), (inputs, true), strict=True):
        assert stacked.keys() == batch.keys()
        for name in batch:
            np.testing.assert_allclose(stacked[name], batch[name], atol=1e-5, err_msg=name)


def test_what_is_unknown_is_masked_and_falls_back_on_nbf():
    example = person(
        **{
            "smpl/valid": 0,
            "smpl/translation": np.zeros(3, np.float32),
            "camera/valid": 0,
            "joints/3d/valid": np.zeros(24, np.int64),
        }
    )
    inputs, true = convert(example, landmarks=91)
    np.testing.assert_allclose(inputs["translation"], NBF_TRANSLATION)
    np.testing.assert_allclose(inputs["intrinsics"], targets.NBF_INTRINSICS)
    for name in ("parameters", "joints_3d", "landmarks_3d", "landmarks_2d"):
        assert not np.any(true[f"{name}_valid"]), name
    assert np.all(true["joints_2d_valid"] == 1.0)


def test_pose_without_neutral_betas_still_teaches_rotations():
    _, true = convert(person(**{"smpl/neutral_betas/valid": 0}))
    np.testing.assert_array_equal(true["parameters_valid"], [0.0] * 10 + [1.0] * 216)


def test_landmarks_are_joints_and_vertices_of_the_true_body():
    example = people()
    _, true = convert(example, landmarks=14)
    ankle = LSP_14.index("right_ankle"), SMPL_24.index("right_ankle")
    np.testing.assert_allclose(
        true["landmarks_3d"][:, ankle[0]], true["joints_3d"][:, ankle[1]], atol=1e-5
    )
    smpl = SMPL()
    body = smpl(betas=example["smpl/neutral_betas"], pose=example["smpl/pose"])
    top = smpl.model_data.landmarks["head_top"]
    np.testing.assert_allclose(
        true["landmarks_3d"][:, LSP_14.index("head_top")], body.vertices[:, top], atol=1e-5
    )


def test_the_joint_map_of_14_shows_as_many_discs():
    inputs, _ = targets.fitting_targets(people(), input_map="joints_14", input_size=64)
    colours = {tuple(c) for c in inputs["input_map"].numpy().reshape(-1, 3)}
    assert 10 <= len(colours) <= 15


def test_a_larger_share_keeps_what_a_smaller_one_keeps():
    ids = tf.constant([f"person/{i}" for i in range(2000)])
    kept = {share: targets.keeps_labels(ids, share, 7).numpy() for share in (0, 0.2, 0.5, 1)}
    assert not kept[0].any() and kept[1].all()
    assert np.all(kept[0.5][kept[0.2]])
    assert abs(kept[0.2].mean() - 0.2) < 0.03 and abs(kept[0.5].mean() - 0.5) < 0.03
    assert np.any(kept[0.5] != targets.keeps_labels(ids, 0.5, 8))


def test_weak_supervision_leaves_2d_labels_alone():
    _, true = convert(people(), share_3d=0.0)
    assert not np.any(true["parameters_valid"]) and not np.any(true["joints_3d_valid"])
    assert np.all(true["joints_2d_valid"])


def test_who_keeps_3d_labels_is_among_those_who_keep_as_many_2d_labels():
    inputs, true = convert(people(), share_3d=0.3, share_2d=0.6, seed=3)
    has_3d = np.any(true["joints_3d_valid"], -1)
    has_2d = np.any(true["joints_2d_valid"], -1)
    assert 0 < has_3d.sum() < has_2d.sum() < len(has_2d)
    assert has_2d[has_3d].all()
    # What the network sees is not a label.
    whole, _ = convert(people())
    np.testing.assert_array_equal(inputs["input_map"], whole["input_map"])


def test_segmentation_targets_keep_labels_whole():
    pictures, true = targets.segmentation_targets(people(), num_parts=12, input_size=SIZE // 2)
    assert pictures.shape == (8, SIZE // 2, SIZE // 2, 3)
    assert true["labels"].shape == (8, SIZE // 2, SIZE // 2)
    assert set(np.unique(true["labels"])) == set(range(13))
    assert np.all(true["labels_valid"] == 1.0)
