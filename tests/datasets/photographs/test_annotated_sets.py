"""Readers of annotated photographs, on trees with the traps of the real ones."""

import json

import numpy as np
import pytest
import scipy.io

from datasets.photographs.coco import COCO
from datasets.photographs.joint_files import JointFile
from datasets.photographs.lsp import LSP
from datasets.photographs.mpii import MPII
from datasets.sources import BadItemError, SourceError
from smpl_tf.skeleton import COCO_17, LSP_14, MPII_16
from tests.datasets.photographs import fake_sets

WRIST = LSP_14.index("left_wrist")


def at(person, joint):
    return person.points_2d[person.skeleton.index(joint)]


@pytest.mark.parametrize("swapped", [False, True], ids=["own layout", "the other's layout"])
@pytest.mark.parametrize("extended", [False, True], ids=["LSP", "LSPET"])
def test_lsp(tmp_path, extended, swapped):
    found = LSP(fake_sets.lsp(tmp_path, extended, swapped), extended=extended)
    first = "im00001" if extended else "im0001"
    assert len(found.items()) == 3 and found.items()[0] == first
    picture = found.read(first)
    (person,) = picture.people
    assert picture.path == tmp_path / "images" / f"{first}.jpg"
    expected = fake_sets.points(LSP_14) - 0.5  # the first pixel's centre is 0.5, theirs 1
    others = np.arange(14) != WRIST
    np.testing.assert_allclose(person.points_2d[others], expected[others], atol=1e-5)
    assert (person.visibility[others] == 1).all()
    if extended:  # not marked: whatever the file has there is no place
        assert np.isnan(person.points_2d[WRIST]).all() and person.visibility[WRIST] == 0
    else:  # hidden but marked
        np.testing.assert_allclose(person.points_2d[WRIST], expected[WRIST], atol=1e-5)
        assert person.visibility[WRIST] == 0.5
    with pytest.raises(BadItemError, match="no im0*3.jpg"):
        found.read(found.items()[-1])


@pytest.mark.parametrize("extended", [False, True])
def test_lsp_read_as_the_other_set_is_refused(tmp_path, extended):
    fake_sets.lsp(tmp_path, extended)
    with pytest.raises(SourceError, match=f"read it as {'LSPET' if extended else 'LSP'}$"):
        LSP(tmp_path, extended=not extended)


def test_lsp_of_high_resolution_has_its_pictures_beside_the_file(tmp_path):
    fake_sets.lsp(tmp_path, extended=True, count=1)
    fake_sets.picture(tmp_path / "im00001.png")
    assert LSP(tmp_path, extended=True).read("im00001").path == tmp_path / "im00001.png"


def test_splits_of_lsp_are_those_of_the_whole_set(tmp_path):
    joints = np.zeros((3, 14, 2000))
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints})
    assert LSP(tmp_path, "test").items()[0] == "im1001" and len(LSP(tmp_path).items()) == 2000
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints[..., :5]})
    with pytest.raises(SourceError, match="only the 2000 pictures of LSP have splits"):
        LSP(tmp_path, "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; give the folder"),
        (b"no MATLAB", "expected a .mat file with `joints`"),
        ({"points": 1}, "expected a .mat file with `joints`"),
        ({"joints": np.zeros((14, 2, 5))}, r"expected joints .* got \[14, 2, 5\]"),
    ],
)
def test_a_damaged_joints_mat_is_named(tmp_path, content, message):
    path = tmp_path / "joints.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        scipy.io.savemat(path, content)
    with pytest.raises(SourceError, match=message):
        LSP(tmp_path)


def test_coco(tmp_path):
    found = COCO(fake_sets.coco(tmp_path))
    assert found.items() == ["two.jpg", "missing.jpg", "damaged.jpg", "broken.jpg", "box.jpg"]
    picture = found.read("two.jpg")
    assert picture.path == tmp_path / "val2017" / "two.jpg"
    first, second = picture.people  # neither the crowd nor the dog
    np.testing.assert_allclose(at(first, "nose"), fake_sets.points(COCO_17)[0], atol=1e-5)
    assert np.isnan(first.points_2d[3]).all() and first.visibility[[3, 4, 5]].tolist() == [
        0,
        0.5,
        1,
    ]
    assert second.box.tolist() == [35, 5, 65, 55]
    with pytest.raises(BadItemError, match="no such picture"):
        found.read("missing.jpg")
    with pytest.raises(BadItemError, match=r"damaged annotation .*17 \(COCO-17\), .*got 1\)"):
        found.read("damaged.jpg")


def test_the_file_or_split_of_coco_can_be_given(tmp_path):
    fake_sets.coco(tmp_path)
    file = tmp_path / "annotations" / "person_keypoints_val2017.json"
    assert COCO(file).items() == COCO(tmp_path, "val2017").items() == COCO(tmp_path).items()
    with pytest.raises(SourceError, match="expected COCO's annotations"):
        COCO(tmp_path, "train2017")
    with pytest.raises(SourceError, match="got 0; give the file itself"):
        COCO(tmp_path, "test2017")


def test_mpii_json(tmp_path):
    found = MPII(fake_sets.mpii_json(tmp_path))
    assert found.items() == ["a.jpg"]
    first, second = found.read("a.jpg").people
    np.testing.assert_allclose(first.points_2d, fake_sets.points(MPII_16) - 0.5, atol=1e-5)
    assert np.isnan(at(second, "head_top")).all() and np.isfinite(at(second, "lsp_neck")).all()
    file = tmp_path / "annot" / "valid.json"
    broken = json.loads(file.read_text())
    broken[0]["joints"] = [[1, 2]]
    file.write_text(json.dumps(broken))
    with pytest.raises(BadItemError, match="expected 16 joints"):
        MPII(file).read("a.jpg")
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(BadItemError, match="no such picture"):
        MPII(file).read("a.jpg")
    with pytest.raises(SourceError, match="expected one of annot/train.json"):
        MPII(tmp_path, "train")


def test_mpii_release(tmp_path):
    found = MPII(fake_sets.mpii_release(tmp_path))
    assert found.items() == ["a.jpg", "b.jpg"]
    first, second = found.read("a.jpg").people  # the third has no points
    np.testing.assert_allclose(
        first.points_2d[:14], fake_sets.points(MPII_16)[:14] - 0.5, atol=1e-5
    )
    # 1, 0, "1", "0", empty; the last two points are not in the file
    assert first.visibility.tolist() == [1, 0.5, 1, 0.5, 1] * 2 + [1, 0.5, 1, 0.5, 0, 0]
    assert at(second, "pelvis_mpii").tolist() == [2.5, 3.5] and second.visibility.sum() == 1
    with pytest.raises(BadItemError, match="no person is annotated"):
        found.read("b.jpg")


def test_a_damaged_release_is_named(tmp_path):
    scipy.io.savemat(tmp_path / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": {"annolist": 3.0}})
    with pytest.raises(SourceError, match="expected MPII's annotations"):
        MPII(tmp_path)


def test_joint_file(tmp_path):
    found = JointFile(fake_sets.joint_file(tmp_path))
    assert found.items() == ["a.png"]
    first, second = found.read("a.png").people
    assert first.points_3d.shape == (14, 3) and first.skeleton.names == LSP_14.names
    np.testing.assert_allclose(at(second, "head_top") - at(first, "head_top"), [40, 2], atol=1e-4)
    (tmp_path / "a.png").unlink()
    with pytest.raises(BadItemError, match="no such picture"):
        found.read("a.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"joints_2d": np.zeros((2, 13, 2))},
            r"expected joints_2d \[2, 14, 2\], got \[2, 13, 2\]",
        ),
        ({"joints_3d": np.zeros((2, 14))}, "expected joints_3d"),
        ({"pictures": ["a.png"]}, "expected pictures"),
        ({"joint_names": None}, "expected an .npz file"),
        ({"joints_3d": np.full((2, 14, 3), "x")}, "expected an .npz file.*could not convert"),
        ({"visibility": np.full((2, 14), 1j)}, "expected an .npz file.*complex numbers"),
    ],
)
def test_a_damaged_joint_file_is_named(tmp_path, change, message):
    path = fake_sets.joint_file(tmp_path)
    with np.load(path) as file:
        arrays = {**file, **change}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(SourceError, match=message):
        JointFile(path)
