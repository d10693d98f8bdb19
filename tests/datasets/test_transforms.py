import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import example as example_lib
from datasets import pipelines, synthetic, transforms
from smpl_tf import SMPL
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.parts import PARTS_24, face_labels
from smpl_tf.rasterizer import label_map, rasterize

SIZE = 96
laws = settings(derandomize=True, deadline=None, max_examples=10)


def decoded(**changes):
    config = synthetic.SyntheticConfig(seed=1, image_size=SIZE, occluder_share=0, **changes)
    for example in synthetic.read_examples(config, "train", 0, 4):
        yield example_lib.decode(example_lib.parse(example_lib.encode(example)))


# In graphs, as in tf.data; each is traced once.
mirror, rotate, zoom = (
    tf.function(transform, reduce_retracing=True)
    for transform in (transforms.mirror, transforms.rotate, transforms.zoom)
)


@functools.cache
def people():
    return list(decoded(translation_jitter=0.1))


@functools.cache
def bodies():
    return {gender: SMPL(gender=gender) for gender in ("female", "male")}


def body_of(example):
    return bodies()[example_lib.GENDERS[int(example["smpl/gender"])]](
        betas=example["smpl/betas"],
        pose=example["smpl/pose"],
        translation=example["smpl/translation"],
    )


def assert_consistent(example):
    """The parameters give the joints, and the camera projects them to the 2D joints."""
    body = body_of(example)
    height, width = example["image"].shape[:2]
    camera = Camera(example["camera/intrinsics"], width, height)
    np.testing.assert_allclose(body.joints, example["joints/3d"], atol=1e-4)
    np.testing.assert_allclose(camera.project(body.joints), example["joints/2d"], atol=0.01)
    assert example["parts"].shape == (height, width)
    rows, columns = np.nonzero(example["parts"].numpy())
    left, top, right, bottom = example["person/box"].numpy()
    assert left - 1 <= columns.min() and columns.max() <= right
    assert top - 1 <= rows.min() and rows.max() <= bottom
    assert (example["image/height"], example["image/width"]) == (height, width)


def assert_labels_fit(example):
    """A rendering of the parameters has each label of the Example within a pixel."""
    body = body_of(example)
    height, width = example["image"].shape[:2]
    data = bodies()["female"].model_data
    raster = rasterize(
        body.vertices.numpy(), data.faces, Camera(example["camera/intrinsics"], width, height)
    )
    fresh, found = label_map(raster, face_labels(data)), example["parts"].numpy()
    around = np.lib.stride_tricks.sliding_window_view(np.pad(fresh, 1), (3, 3))
    near = (around == found[..., None, None]).any(axis=(-1, -2))
    assert near[(fresh > 0) | (found > 0)].mean() > 0.95


@laws
@given(st.integers(0, 3))
def test_mirror_law(index):
    example = people()[index]
    mirrored = mirror(example)
    assert_consistent(mirrored)
    assert_labels_fit(mirrored)
    swapped = example["joints/2d"].numpy()[np.array(PARTS_24.mirror[1:]) - 1]
    np.testing.assert_allclose(mirrored["joints/2d"], [[SIZE, 0]] + swapped * [-1, 1], atol=1e-4)
    landmarks = Camera(mirrored["camera/intrinsics"], SIZE, SIZE).project(mirrored["landmarks/3d"])
    before = Camera(example["camera/intrinsics"], SIZE, SIZE).project(example["landmarks/3d"])
    np.testing.assert_allclose(
        np.sort(landmarks[:, 0]), np.sort(SIZE - before.numpy()[:, 0]), atol=0.01
    )
    twice = mirror(mirrored)
    for key, value in example.items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(twice[key], value, atol=1e-4)
        else:
            np.testing.assert_array_equal(twice[key], value)


@laws
@given(st.integers(0, 3), st.floats(-3.1, 3.1))
def test_rotation_law(index, angle):
    turned = rotate(people()[index], tf.constant(angle, tf.float64))
    assert_consistent(turned)
    assert_labels_fit(turned)


@laws
@given(st.integers(0, 3), st.floats(0.5, 2), st.floats(-20, 20), st.floats(-20, 20))
def test_zoom_law(index, scale, right, down):
    zoomed = zoom(people()[index], tf.constant(scale), tf.constant([right, down]))
    assert_consistent(zoomed)
    assert_labels_fit(zoomed)
    centre = np.full(2, SIZE / 2)
    expected = (people()[index]["joints/2d"] - centre) * scale + centre + [right, down]
    np.testing.assert_allclose(zoomed["joints/2d"], expected, atol=1e-3)


def test_crop_of_whole_pixels_copies_them():
    example = people()[0]
    cropped = transforms.crop(example, [10, 20, 40, 30], 30, 40)
    np.testing.assert_array_equal(cropped["image"], example["image"][20:50, 10:50])
    np.testing.assert_array_equal(cropped["parts"], example["parts"][20:50, 10:50])
    assert_consistent(cropped)


def test_crop_beyond_the_border_continues_it():
    cropped = transforms.crop(people()[0], [-20, 0, SIZE, SIZE], SIZE, SIZE)
    border = np.broadcast_to(people()[0]["image"][:, :1], (SIZE, 20, 3))
    np.testing.assert_array_equal(cropped["image"][:, :20], border)
    assert not cropped["parts"].numpy()[:, :20].any()


def test_shrinking_averages():
    checks = np.indices((SIZE, SIZE)).sum(0)[..., None] % 2 * np.full(3, 255)
    lines = np.indices((SIZE, SIZE))[1][..., None] % 4 // 3 * np.full(3, 255)  # none is sampled
    for picture, mean in ((checks, 127), (lines, 64)):
        example = people()[0] | {"image": tf.constant(picture.astype(np.uint8))}
        small = transforms.crop(example, [0, 0, SIZE, SIZE], SIZE // 4, SIZE // 4)["image"]
        assert np.abs(small.numpy()[2:-2, 2:-2].astype(int) - mean).max() < 12


def test_person_crop_finds_nbf_scale_and_place_again():
    for example in people():
        away = transforms.crop(example, [-100, -60, 300, 300], 300, 300)
        back = transforms.crop_person(away, SIZE)
        assert_consistent(back)
        factor = back["camera/intrinsics"][0, 0] / nbf_camera(SIZE).intrinsics[0, 0]
        assert 0.8 < factor < 1.25
        pelvis = back["joints/2d"][0].numpy() / SIZE
        np.testing.assert_allclose(pelvis, (0.5, 230 / 512), atol=1e-4)


RANDOM = [
    transforms.random_mirror,
    transforms.random_rotate,
    transforms.random_zoom,
    transforms.random_colour,
]


@pytest.mark.parametrize("transform", [*RANDOM, transforms.chain(*RANDOM)])
def test_random_transforms_are_functions_of_the_seed_in_graphs_too(transform):
    in_graph = tf.function(transform)
    changed = [in_graph(people()[0], tf.constant([1, draw], tf.int64)) for draw in range(6)]
    for example in changed:
        assert_consistent(example)
        assert example.keys() == people()[0].keys()
    assert len({example["image"].numpy().tobytes() for example in changed}) > 1
    for key, value in transform(people()[0], tf.constant([1, 3], tf.int64)).items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(changed[3][key], value, atol=1e-4)
        elif value.dtype == tf.string:
            assert changed[3][key] == value
        else:  # the last bit of a colour may round differently
            assert np.abs(changed[3][key].numpy().astype(int) - value.numpy()).max() <= 1


def test_colour_leaves_all_but_the_picture():
    changed = transforms.random_colour(people()[0], [1, 2])
    for key, value in people()[0].items():
        if key != "image":
            assert changed[key] is value
    difference = np.abs(changed["image"].numpy().astype(int) - people()[0]["image"].numpy())
    assert 1 < difference.mean() < 60


def test_asymmetric_landmarks_become_invalid():
    mirrored = transforms.mirror(people()[0], symmetric_landmarks=False)
    assert not mirrored["landmarks/3d/valid"].numpy().any()


def test_rotation_without_a_root_joint_gives_no_smpl_parameters():
    unknown = people()[0] | {"joints/3d/valid": tf.zeros([24], tf.int64)}
    assert transforms.rotate(unknown, 0.3)["smpl/valid"] == 0


def test_load_gives_each_example_a_seed_of_its_own(tiny):
    def stamped(example, seed):
        return {"id": example["id"], "draw": tf.random.stateless_uniform([], seed)}

    def draws(**kwargs):
        dataset = pipelines.load(str(tiny), "train", transform=stamped, **kwargs)
        return [(one["id"], float(one["draw"])) for one in dataset.as_numpy_iterator()]

    both = draws(seed=3, epochs=2)
    assert len({draw for _, draw in both}) == 20
    assert draws(seed=3, epoch=1) == both[10:]
    assert sorted(draws(seed=3, cache=True)) == sorted(both[:10])
    shares = [draws(seed=3, worker=worker, num_workers=2) for worker in range(2)]
    assert sorted(shares[0] + shares[1]) == sorted(both[:10])
