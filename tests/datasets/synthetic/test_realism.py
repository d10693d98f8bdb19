"""What makes synthetic people more like photographs: each changes what it says, and no label."""

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets.synthetic import SyntheticConfig, backgrounds, generator, people, scenes
from smpl_tf.camera import Camera

SIZE, COUNT = 64, 2


def made(**options):
    config = SyntheticConfig(seed=4, image_size=SIZE, occluder_share=0, **options)
    return list(generator.read_examples(config, "train", 0, COUNT))


def pixels(example, key):
    return cv2.imdecode(np.frombuffer(example[key], np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def plain():
    return made()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of one photograph, of one colour."""
    folder = tmp_path_factory.mktemp("photographs")
    Image.new("RGB", (90, 70), (10, 200, 30)).save(folder / "green.png")
    return str(folder)


@pytest.mark.parametrize("share", ["loose_share", "hard_light_share", "blur_share"])
def test_the_picture_changes_and_no_label(plain, share):
    for one, other in zip(plain, made(**{share: 1.0}), strict=True):
        changed = {
            key for key in one if not np.array_equal(np.asarray(one[key]), np.asarray(other[key]))
        }
        assert changed == {"image/encoded"}


def test_clothes_cover_what_is_around_the_body(plain):
    for one, other in zip(plain, made(loose_share=1.0), strict=True):
        body = pixels(one, "parts/encoded") > 0
        near = cv2.dilate(np.uint8(body), np.ones((5, 5))) > 0
        far = ~(cv2.dilate(np.uint8(body), np.ones((13, 13))) > 0)
        change = np.abs(
            pixels(one, "image/encoded").astype(int) - pixels(other, "image/encoded")
        ).max(-1)
        assert change[near & ~body].mean() > 4 * change[far].mean()


def test_a_near_camera_sees_the_same_people_as_large_and_in_perspective(plain):
    for one, other in zip(plain, made(near_share=1.0), strict=True):
        assert 1.8 <= other["smpl/translation"][2] <= 6 < one["smpl/translation"][2]
        camera = Camera(other["camera/intrinsics"], SIZE, SIZE)
        projected = camera.project(other["joints/3d"])
        np.testing.assert_allclose(projected, other["joints/2d"], atol=1e-3)
        np.testing.assert_array_equal(one["smpl/pose"], other["smpl/pose"])
        moved = np.linalg.norm(one["joints/2d"] - other["joints/2d"], axis=-1)
        assert 0.2 < moved.max() < 0.2 * SIZE
        labels = pixels(other, "parts/encoded")
        inside = np.clip(np.floor(projected[0]).astype(int), 0, SIZE - 1)
        assert labels[inside[1], inside[0]] > 0  # of the pelvis


def test_photographs_are_behind_people(photographs):
    for example in made(backgrounds=photographs):
        behind = pixels(example, "parts/encoded") == 0
        blue, green, red = np.median(pixels(example, "image/encoded")[behind], axis=0)
        assert green > 2.5 * max(blue, red)


def test_a_share_of_backgrounds_is_of_photographs(photographs):
    shown = made(backgrounds=photographs, background_share=0.0)
    assert [one["image/encoded"] for one in shown] == [one["image/encoded"] for one in made()]


def test_blur_keeps_the_brightness_and_smears_along_a_line():
    picture = np.zeros((100, 100, 3), np.float32)
    picture[50, 50] = 1
    for seed in range(4):
        blurred = scenes.motion_blur(np.random.default_rng(seed), picture)
        assert blurred.sum() == pytest.approx(3, rel=1e-4)
        rows, columns = np.nonzero(blurred[..., 0])
        spread = np.linalg.eigvalsh(np.cov(np.stack([rows, columns]).astype(float)))
        assert 1 <= max(np.ptp(rows), np.ptp(columns)) <= 6 and spread[0] < 0.3


def test_data_of_before_are_still_the_same(photographs):
    described = generator.described(SyntheticConfig(), "train")
    assert {*described} == {
        *("version", "seed", "image_size", "occluder_share", "translation_jitter", "poses")
    }
    named = generator.described(SyntheticConfig(backgrounds=photographs, blur_share=0.5), "train")
    assert named["backgrounds"] == backgrounds.fingerprint(photographs)
    assert named["blur_share"] == 0.5 and photographs not in named.values()


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(ValueError, match="no photograph in it or below"):
        SyntheticConfig(backgrounds=str(tmp_path))
    with pytest.raises(ValueError, match="loose_share must lie in"):
        SyntheticConfig(loose_share=1.5)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="cannot be read; the last"):
        backgrounds.draw(np.random.default_rng(0), str(tmp_path), 32)


def test_nearer_people_are_drawn_by_their_own_chance():
    person = people.draw(np.random.default_rng(0), 0.0)
    rng = np.random.default_rng(1)
    near = [generator._nearer(person, rng, 0.3).translation[2] < 10 for _ in range(400)]
    assert 0.22 < np.mean(near) < 0.38
