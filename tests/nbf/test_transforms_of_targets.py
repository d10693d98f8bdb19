"""Pictures mirrored, turned, scaled and shifted stay one world with what is taught of them."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import transforms
from nbf import parameters, targets
from nbf.input_maps import part_map
from smpl_tf import SMPL, camera, kinematics
from smpl_tf.camera import Camera
from smpl_tf.parts import PARTS_12, face_labels
from smpl_tf.rasterizer import label_map, rasterize
from smpl_tf.skeleton import SMPL_24
from tests.nbf.people import SIZE, person

ANGLE, SHIFT = 0.7, np.array([3.3, -2.1])


def similarity(scale, shift_x, shift_y):
    return np.array([[scale, 0, shift_x], [0, scale, shift_y], [0, 0, 1.0]])


# Name -> the transform, and its map of old pixels to new ones, worked out by hand.
TRANSFORMS = {
    "none": (dict, np.eye(3)),
    "mirror": (transforms.mirror, np.array([[-1, 0, SIZE], [0, 1, 0], [0, 0, 1.0]])),
    "rotate": (
        lambda example: transforms.rotate(example, ANGLE),
        camera.rotation_matrix(ANGLE, SIZE, SIZE),
    ),
    "scale": (
        lambda example: transforms.zoom(example, 1.1, [0.0, 0.0]),
        similarity(1.1, -0.1 * SIZE / 2, -0.1 * SIZE / 2),
    ),
    "jitter": (lambda example: transforms.zoom(example, 1.0, SHIFT), similarity(1, *SHIFT)),
    "crop": (
        lambda example: transforms.crop(example, [4.0, -2.0, 40.0, 40.0], 30, 30),
        similarity(30 / 40, -4 * 30 / 40, 2 * 30 / 40),
    ),
}


@pytest.fixture(scope="module")
def smpl():
    return SMPL()


@pytest.mark.parametrize("index", [0, 3])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_body_joints_picture_and_labels_move_together(name, index, smpl):
    transform, matrix = TRANSFORMS[name]
    original = person(index)
    changed = transform({key: tf.convert_to_tensor(value) for key, value in original.items()})
    inputs, true = targets.fitting_targets(changed, "parts_12", 24)

    # The body that the parameters describe has the joints that are taught.
    betas, global_rotations = parameters.split_parameters(true["parameters"])
    relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents)
    body = smpl(betas=betas, pose=relative, translation=inputs["translation"])
    joints = body.joints - inputs["translation"]
    np.testing.assert_allclose(joints, true["joints_3d"], atol=1e-5)

    # The camera sees them on the moved pixels of the original's, to a hundredth of a pixel.
    size = changed["image"].shape[0]
    expected = original["joints/2d"]
    if name == "mirror":
        expected = expected[SMPL_24.mirror]
    expected = camera.transform_points(matrix, expected)
    projected = Camera(inputs["intrinsics"], 2, 2).project(body.joints)
    np.testing.assert_allclose((projected + 1) * size / 2, expected, atol=0.01)
    np.testing.assert_allclose((true["joints_2d"] + 1) * size / 2, expected, atol=0.01)

    # Drawn through the camera it has the parts that the network is shown, within a pixel.
    data = smpl.model_data
    pixels = Camera(changed["camera/intrinsics"], size, size)
    drawn = label_map(rasterize(body.vertices, data.faces, pixels), face_labels(data))
    expected_map = part_map(drawn, PARTS_12, size).numpy()
    shown = part_map(changed["parts"], PARTS_12, size).numpy()
    around = np.pad(expected_map, [(1, 1), (1, 1), (0, 0)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(0, 1))
    near = (windows == shown[..., None, None]).all(2).any((-2, -1))
    person_there = (expected_map > -1).any(-1) | (shown > -1).any(-1)
    assert person_there.mean() > 0.05
    assert near[person_there].mean() > 0.97
    np.testing.assert_array_equal(
        inputs["input_map"], part_map(changed["parts"], PARTS_12, 24).numpy()
    )


def test_two_mirrors_are_none():
    example = {key: tf.convert_to_tensor(value) for key, value in person(2).items()}
    once = transforms.mirror(example)
    inputs, true = targets.fitting_targets(transforms.mirror(once), "parts_12", 24)
    for twice, before in zip(
        (inputs, true), targets.fitting_targets(example, "parts_12", 24), strict=True
    ):
        for name, value in before.items():
            np.testing.assert_allclose(twice[name], value, atol=1e-5, err_msg=name)
    # And one is not: left and right are other classes.
    _, mirrored = targets.fitting_targets(once, "parts_12", 24)
    assert np.abs(mirrored["parameters"] - true["parameters"]).max() > 0.1
