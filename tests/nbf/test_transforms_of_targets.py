"""What the network is taught stays consistent when pictures are mirrored, turned and shifted."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import transforms
from nbf import parameters, targets
from smpl_tf import SMPL, kinematics
from smpl_tf.camera import Camera
from smpl_tf.skeleton import SMPL_24
from tests.nbf.people import SIZE, person

TRANSFORMS = {
    "none": dict,
    "mirror": transforms.mirror,
    "rotate": lambda example: transforms.rotate(example, 0.7),
    "scale": lambda example: transforms.zoom(example, 1.1, [0.0, 0.0]),
    "jitter": lambda example: transforms.zoom(example, 1.0, [3.3, -2.1]),
    "crop": lambda example: transforms.crop(example, [5.0, -3.0, 40.0, 37.0], 37, 35),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("index", [0, 3])
def test_the_body_of_the_targets_projects_onto_their_joints(name, index):
    example = {key: tf.convert_to_tensor(value) for key, value in person(index).items()}
    changed = TRANSFORMS[name](example)
    inputs, true = targets.fitting_targets(changed, "joints_24", 16)
    betas, turned = parameters.split_parameters(true["parameters"])
    relative = kinematics.global_to_relative(turned, SMPL_24.parents)
    joints = SMPL(vertex_ids=[])(betas=betas, pose=relative).joints
    np.testing.assert_allclose(joints, true["joints_3d"], atol=1e-5)
    camera = Camera(inputs["intrinsics"], 2, 2)
    projected = camera.project(joints + inputs["translation"])
    # A hundredth of a pixel.
    np.testing.assert_allclose(projected, true["joints_2d"], atol=0.01 * 2 / SIZE)
