"""The AMASS reader on a fake tree, and on a real sequence with its markers."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from datasets import amass, example, sources
from smpl_tf.skeleton import SMPL_24
from tests.datasets import fake_amass, fakes
from tests.datasets.fake_amass import write_sequence

REAL = Path("/work/shared/real/amass/amass_sample.npz")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return fake_amass.write(tmp_path_factory.mktemp("amass"))


def source(root, split="train", every=4):
    return amass.AMASS(str(root), split, fakes.OPEN_BODIES, every)


def test_the_authors_split(tree):
    assert source(tree).items() == ["CMU/01/01_01_poses", "KIT/3/walk_poses"]
    assert source(tree, "val").items() == ["HumanEva/S1/Box_1_poses"]
    assert source(tree, "test").items() == ["SSM_synced/a/b_poses"]
    assert source(tree).inventory() == (2, None, "sequences")


def test_every_layout_of_the_releases_is_read_and_the_rest_is_counted(tmp_path):
    write_sequence(tmp_path / "BioMotionLab_NTroje" / "rub001" / "0000_poses.npz", 3)
    write_sequence(tmp_path / "CMU" / "CMU" / "01" / "01_01_poses.npz", 3)
    write_sequence(tmp_path / "CMU" / "02" / "02_01_poses.npz", 3)
    for name in ("a", "b"):
        write_sequence(tmp_path / "DanceDB" / "x" / f"{name}_poses.npz", 3)
    write_sequence(tmp_path / "KIT" / "3" / "walk_stageii.npz", 3)
    write_sequence(tmp_path / "CMU" / "02" / "02_01_stageii.npz", 3)  # there as SMPL+H, too
    (tmp_path / "notes").mkdir()
    assert source(tmp_path).items() == [
        "BioMotionLab_NTroje/rub001/0000_poses",
        "CMU/02/02_01_poses",
        "CMU/CMU/01/01_01_poses",
        "KIT/3/walk_stageii",
    ]
    assert source(tmp_path).left_out() == (
        "DanceDB: 2 sequences are in none of AMASS's official splits",
    )


def test_the_release_of_smplx_gives_the_joints_that_smpl_has(tmp_path):
    for release in ("poses", "stageii"):
        path = tmp_path / "CMU" / "01" / f"{release}_{release}.npz"
        pose, _, _ = write_sequence(path, 3, seed=4)
        if release == "stageii":  # jaw and eyes come before the fingers
            rows = np.concatenate([pose[:, :22], np.ones((3, 3, 3)), pose[:, 22:]], 1)
            write_sequence(path, 3, seed=4, poses=rows.reshape(3, 165))
    read = [list(source(tmp_path, every=1).read(f"CMU/01/{r}_{r}")) for r in ("poses", "stageii")]
    for one, other in zip(*read, strict=True):
        np.testing.assert_allclose(other["smpl/pose"], one["smpl/pose"], atol=1e-6)
        assert one["smpl/betas"].any() and not other["smpl/betas"].any()


def test_an_archive_that_claims_much_is_refused(tmp_path):
    path = tmp_path / "CMU" / "01" / "01_poses.npz"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("poses.npy", "w") as member:
            for _ in range(600):
                member.write(bytes(1 << 20))
    with pytest.raises(ValueError, match="declares 6.29e.08 bytes of arrays"):
        list(source(tmp_path).read("CMU/01/01_poses"))


def test_the_world_is_turned_to_the_camera(tree, tmp_path):
    pose, betas, trans = write_sequence(tmp_path / "CMU" / "01" / "01_01_poses.npz", 9)
    examples = list(source(tree).read("CMU/01/01_01_poses"))
    assert [one["id"][-6:] for one in examples] == ["000000", "000004", "000008"]
    smpl_pose = pose[:, :24].copy()
    smpl_pose[:, 22:] = 0
    world = fakes.joints_of("male", smpl_pose, betas[:10], trans)[::4]
    for one, joints in zip(examples, world, strict=True):
        example.encode(one)
        x, y, z = joints.T
        np.testing.assert_allclose(one["joints/3d"], np.stack([x, -z, y], -1), atol=1e-6)
        posed = fakes.joints_of(
            "male", one["smpl/pose"][None], one["smpl/betas"], one["smpl/translation"]
        )
        np.testing.assert_allclose(posed[0], one["joints/3d"], atol=1e-6)
        assert not np.any(one["smpl/pose"][22:])
        assert one["smpl/valid"] and not one["smpl/betas/valid"] and not one["camera/valid"]
        assert one["joints/3d"][15, 1] < one["joints/3d"][[7, 8], 1].min() - 1  # head up


def test_genders_as_bytes(tree):
    genders = {one["smpl/gender"] for one in source(tree).read("KIT/3/walk_poses")}
    assert genders == {example.GENDERS.index("female")}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"poses": np.zeros((3, 60))}, r"poses have shape \(3, 60\) instead of"),
        ({"gender": np.array("unknown")}, "unknown gender 'unknown'"),
    ],
)
def test_odd_files_are_refused(tmp_path, changes, reason):
    write_sequence(tmp_path / "CMU" / "01" / "a_poses.npz", 3, **changes)
    with pytest.raises(sources.BadItemError, match=reason):
        list(source(tmp_path).read("CMU/01/a_poses"))


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(sources.SourceError, match="none of AMASS's data sets"):
        source(tmp_path).items()


@pytest.mark.skipif(not REAL.exists(), reason="the real sequence is not here")
def test_the_real_sequence_lies_in_its_markers(tmp_path):
    folder = tmp_path / "CMU" / "01"
    folder.mkdir(parents=True)
    (folder / "01_poses.npz").symlink_to(REAL)
    examples = list(source(tmp_path, every=60).read("CMU/01/01_poses"))
    with np.load(REAL) as file:
        labels = [label.decode() for label in file["marker_labels"]]
        x, y, z = np.moveaxis(file["marker_data"][::60], -1, 0)
    markers = np.stack([x, -z, y], -1)  # [T, M, 3] in the camera frame
    joints = np.stack([one["joints/3d"] for one in examples])
    assert len(examples) == 11
    pairs = {"LANK": "ankle", "LKNE": "knee", "LELB": "elbow", "LOWR": "wrist"}
    for marker, name in pairs.items():
        for side, other in (("left", "right"), ("right", "left")):
            place = markers[:, labels.index(side[0].upper() + marker[1:])]
            own = joints[:, SMPL_24.index(f"{side}_{name}")]
            far = joints[:, SMPL_24.index(f"{other}_{name}")]
            distance = np.linalg.norm(place - own, axis=-1)
            # The open body stands in for SMPL+H's; markers lie on the skin.
            assert distance.max() < 0.25
            assert distance.mean() < np.linalg.norm(place - far, axis=-1).mean()
