import numpy as np
import pytest
import tensorflow as tf

from datasets import example as example_lib
from datasets import person_crops, transforms
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24

SIZE = 64
# A made-up person in NBF's place: joints around the pelvis, metres, y down.
HEIGHTS = {
    **{"pelvis": 0.0, "left_hip": 0.08, "right_hip": 0.08, "left_knee": 0.48, "right_knee": 0.48},
    **{"left_ankle": 0.9, "right_ankle": 0.9, "left_shoulder": -0.5, "right_shoulder": -0.5},
    **{"left_elbow": -0.25, "right_elbow": -0.25, "left_wrist": 0.0, "right_wrist": 0.0},
}


def standing(smpl=True, scale=1.0, corner=(0.0, 0.0), side=SIZE):
    """An Example of that person, in a picture that shows NBF's crop at a scale and a place."""
    aside = {"left": 0.15, "right": -0.15}
    shape = np.zeros((24, 3), np.float32)
    for name, height in HEIGHTS.items():
        shape[SMPL_24.index(name)] = [aside.get(name.split("_")[0], 0.0), height, 0.0]
    joints = shape + np.float32(NBF_TRANSLATION)
    intrinsics = np.diag([scale, scale, 1.0]) @ nbf_camera(SIZE).intrinsics
    intrinsics[:2, 2] += corner
    known = [int(name in HEIGHTS) for name in SMPL_24.names]
    projected = joints @ intrinsics.T
    example = {
        **{k: v for k, v in example_lib.blank().items() if k in person_crops.CROP_FEATURES},
        "image": np.zeros((side, side, 3), np.uint8),
        "image/height": side,
        "image/width": side,
        "joints/3d": joints,
        "joints/3d/valid": np.array(known),
        "joints/2d": (projected[:, :2] / projected[:, 2:]).astype(np.float32),
        "joints/2d/valid": np.array(known),
        "smpl/translation": np.float32(NBF_TRANSLATION),
        "smpl/valid": int(smpl),
        "camera/intrinsics": intrinsics.astype(np.float32),
    }
    return {key: tf.convert_to_tensor(value) for key, value in example.items()}


@pytest.mark.parametrize(
    ("scale", "corner"), [(1.0, (0.0, 0.0)), (3.0, (40.0, -7.0)), (0.4, (1.5, 30.0))]
)
def test_a_fit_is_cut_to_where_nbf_sees_it(scale, corner):
    """Whatever part of the photograph the person fills."""
    cropped = person_crops.crop_by_fit(standing(scale=scale, corner=corner, side=200), SIZE)
    assert cropped["image"].shape == (SIZE, SIZE, 3)
    expected = standing()
    np.testing.assert_allclose(cropped["joints/2d"], expected["joints/2d"], atol=0.01)
    np.testing.assert_allclose(
        cropped["camera/intrinsics"], nbf_camera(SIZE).intrinsics, rtol=1e-3, atol=0.01
    )


def without_projected_joints(example, **points):
    nothing = {"joints/2d": tf.zeros([24, 2]), "joints/2d/valid": tf.zeros([24], tf.int64)}
    nothing |= {"smpl/valid": tf.constant(0)}
    return example | nothing | {key: tf.convert_to_tensor(v) for key, v in points.items()}


def from_joints(names, values):
    """The points of another skeleton that a person's joints give: values, and which are there."""
    found = np.zeros((len(names), values.shape[-1]), np.float32)
    valid = np.zeros(len(names), np.int64)
    for i, name in enumerate(names):
        name = name.removesuffix("_h36m")
        if name in HEIGHTS:
            found[i], valid[i] = values[SMPL_24.index(name)], 1
    return found, valid


@pytest.mark.parametrize("points", ["h36m/3d", "lsp/2d"])
def test_measured_and_annotated_points_give_the_crop_of_the_joints(points):
    example = standing(scale=2.5, corner=(20.0, 10.0), side=200)
    expected = person_crops.crop_by_joints(example, SIZE)
    if points == "h36m/3d":
        found, valid = from_joints(H36M_17.names, example["joints/3d"].numpy())
    else:
        found, valid = from_joints(LSP_14.names, example["joints/2d"].numpy())
    other = without_projected_joints(example, **{points: found, f"{points}/valid": valid})
    for crop in (person_crops.crop_by_joints, person_crops.crop_by_fit):
        cropped = crop(other, SIZE)
        shift = cropped["camera/intrinsics"] - expected["camera/intrinsics"]
        # LSP has no pelvis: between the hips is 8 cm lower on this person.
        below = [0, 0, 0] if points == "h36m/3d" else [0, 0.08 * nbf_camera(SIZE).intrinsics[0, 0]]
        assert abs(shift[0, 0]) < 0.5 and abs(shift[0, 2]) < 0.1
        assert abs(shift[1, 2]) < 0.1 + max(below) / NBF_TRANSLATION[2] * 1.2


def test_the_rule_of_joints_is_that_of_the_person_crop():
    example = standing(scale=2.0, corner=(9.0, 5.0), side=150)
    mine, plain = person_crops.crop_by_joints(example, SIZE), transforms.crop_person(example, SIZE)
    np.testing.assert_allclose(mine["joints/2d"], plain["joints/2d"], atol=1e-4)
    tall = mine["joints/2d"].numpy()[:, 1]
    # Ankle to shoulder is 1.4 m of a stature of some 1.7 m, which fills 440 of 512.
    ankle, shoulder = SMPL_24.index("left_ankle"), SMPL_24.index("left_shoulder")
    assert 0.6 < (tall[ankle] - tall[shoulder]) / SIZE < 0.86


def test_a_picture_without_a_known_person_is_taken_whole():
    example = without_projected_joints(standing(side=100))
    example["image"] = tf.fill([50, 100, 3], tf.constant(7, tf.uint8))
    cropped = person_crops.crop_by_fit(example, SIZE)
    assert cropped["image"].shape == (SIZE, SIZE, 3)
    assert np.all(np.isfinite(cropped["camera/intrinsics"]))
    focal = example["camera/intrinsics"][0, 0] * SIZE / 100
    np.testing.assert_allclose(cropped["camera/intrinsics"][0, 0], focal, rtol=1e-5)
