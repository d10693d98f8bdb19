"""The 3DPW reader on a fake tree: moving camera, two people, betas of 300, untrusted frames."""

import numpy as np
import pytest

from datasets import example, sources, three_dpw
from tests.datasets import fake_three_dpw, fakes
from tests.datasets.conftest import OPEN_BODIES
from tests.datasets.fake_three_dpw import in_camera, truth


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return fake_three_dpw.write(tmp_path_factory.mktemp("3dpw"))


def source(root, split="val", **options):
    return three_dpw.ThreeDPW(str(root), split, fakes.OPEN_BODIES, **options)


def test_usable_frames_of_each_person(tree):
    assert source(tree).inventory() == (2, 12, "sequences")
    items = source(tree).items()
    assert [str(item) for item in items] == ["street_00/00000", "without_pictures_00/00000"]
    ids = [one["id"] for one in source(tree).read(items[0])]
    expected = [(0, 0), (1, 0), (1, 1), (0, 2), (1, 2), (0, 4), (1, 4)]
    assert ids == [f"three_dpw/street_00/{person}/{frame:05d}" for person, frame in expected]
    with pytest.raises(FileNotFoundError, match="image_00000.jpg"):
        list(source(tree).read(items[1]))


def test_bodies_are_brought_to_the_moving_camera(tree):
    for one in source(tree).read(source(tree).items()[0]):
        example.encode(one)
        person, frame = (int(part) for part in one["id"].split("/")[2:])
        gender, _, betas, _, joints = truth(person)
        np.testing.assert_allclose(one["joints/3d"], in_camera(joints)[frame], atol=1e-6)
        posed = fakes.joints_of(
            gender, one["smpl/pose"][None], one["smpl/betas"], one["smpl/translation"]
        )
        np.testing.assert_allclose(posed[0], one["joints/3d"], atol=1e-6)
        np.testing.assert_allclose(one["smpl/betas"], betas)
        assert one["smpl/neutral_betas/valid"]
        assert fakes.reprojection_errors(one).max() < 1e-6
        if person == 0:
            assert fakes.dot_errors(fakes.picture_of(one), one["joints/2d"]).max() < 0.5


def test_the_nearer_person_hides_the_other(tree):
    first, second, *_ = source(tree).read(source(tree).items()[0])
    near, far = (fakes.labels_of(one) > 0 for one in (first, second))
    assert not np.any(near & far)
    assert near.sum() > far.sum() > 0.2 * near.sum()


def test_every_nth_frame(tree):
    ids = [one["id"][-7:] for one in source(tree, every=2).read(source(tree).items()[0])]
    assert ids == ["0/00000", "1/00000", "0/00002", "1/00002", "0/00004", "1/00004"]


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(sources.SourceError, match="unpack sequenceFiles.zip and imageFiles.zip"):
        source(tmp_path).items()


def test_the_script_converts_it(tree, convert_and_check):
    train, val = (
        convert_and_check("three_dpw", tree, split, *OPEN_BODIES) for split in ("train", "val")
    )
    assert len(train.examples) == 7 and train.manifest.skipped == 0
    assert len(val.examples) == 7 and val.manifest.skipped == 1
    assert all(one["source"].startswith(b"three_dpw/market_00") for one in train.examples)
