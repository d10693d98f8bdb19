"""The UP-3D reader on a fake tree with its traps, and on a real photograph with its fit."""

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from datasets import example as example_lib
from datasets import sources, up3d, up_s31
from smpl_tf.parts import PARTS_6, PARTS_12, merge_labels
from tests.datasets import fake_up3d, fakes
from tests.smpl_tf.fake_model_files import write_python2_pickle

REAL = Path("/work/shared/real/up")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return fake_up3d.write(tmp_path_factory.mktemp("up"))


def read(root, split="train", **options):
    return list(up3d.read_examples(str(root), split, fakes.OPEN_BODIES, **options))


@pytest.fixture(scope="module")
def examples(tree):
    return {e["id"]: e for split in ("train", "val", "test") for e in read(tree, split)}


def test_every_id_comes_once_under_its_name(examples):
    assert sorted(examples) == [f"up3d/{i:05d}" for i in range(1, 10)]
    assert examples["up3d/00002"]["source"] == "up3d/mpii 77"
    for example in examples.values():
        example_lib.encode(example)


def test_fits_in_crops_come_back_to_the_photograph(examples):
    for example_id, example in examples.items():
        *_, in_picture = fake_up3d.fit(example_id.removeprefix("up3d/"))
        np.testing.assert_allclose(example["joints/2d"], in_picture, atol=1e-6)
        assert fakes.reprojection_errors(example).max() < 1e-6
        assert fakes.dot_errors(fakes.picture_of(example), example["joints/2d"]).max() < 0.5


def test_camera_frame_and_unwrapped_angles(examples):
    for example_id, example in examples.items():
        pose, betas, translation, joints, *_ = fake_up3d.fit(example_id.removeprefix("up3d/"))
        np.testing.assert_allclose(example["joints/3d"], joints, atol=1e-6)
        np.testing.assert_allclose(example["smpl/betas"], betas)
        np.testing.assert_allclose(example["smpl/neutral_betas"], betas)
        np.testing.assert_allclose(example["smpl/translation"], translation, atol=1e-6)
        assert np.linalg.norm(example["smpl/pose"], axis=-1).max() <= np.pi + 1e-6
        turned = Rotation.from_rotvec(example["smpl/pose"]) * Rotation.from_rotvec(pose).inv()
        assert turned.magnitude().max() < 1e-6


def test_labels_lie_on_the_person_and_know_left_from_right(examples):
    for example in examples.values():
        labels = fakes.labels_of(example)
        assert labels.shape == fakes.picture_of(example).shape[:2]
        rows, columns = np.nonzero(labels)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_array_equal(example["person/box"], box)
        parts = merge_labels(labels, PARTS_6)
        for side in ("left", "right"):
            rows, columns = np.nonzero(parts == PARTS_6.names.index(f"{side}_leg"))
            knee = example["joints/2d"][4 if side == "left" else 5]
            other = example["joints/2d"][5 if side == "left" else 4]
            centre = np.array([columns.mean(), rows.mean()])
            assert np.linalg.norm(centre - knee) < np.linalg.norm(centre - other)


def test_annotated_points_without_fashionpose(examples):
    example = examples["up3d/00002"]
    assert example["lsp/2d/valid"].all()
    np.testing.assert_allclose(example["lsp/2d"][0], example["joints/2d"][8])  # right ankle
    assert not examples["up3d/00003"]["lsp/2d/valid"].any()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda f: (f / "00001_body.pkl").write_bytes(b"\x80\x02}q"), "truncated|EOF"),
        (lambda f: (f / "00001_body.pkl").write_bytes(pickle.dumps(os.system)), "system"),
        (lambda f: (f / "00001_body.pkl").unlink(), "00001_body.pkl"),
        (lambda f: (f / "00001_image.png").write_bytes(b"\x89PNG"), "does not decode"),
        (lambda f: np.save(f / "00001_joints.npy", np.zeros((14, 3))), r"instead of \(3, 14\)"),
        (lambda f: move_away(f / "00001_body.pkl"), "no person is visible"),
    ],
)
def test_a_damaged_id_is_refused_with_its_reason(tmp_path, damage, reason):
    folder = fake_up3d.write(tmp_path)
    damage(folder)
    with pytest.raises(Exception, match=reason):
        read(folder)


def move_away(path):
    body = pickle.loads(path.read_bytes(), encoding="latin1")
    body["t"] = body["t"] + [30, 0, 0]
    write_python2_pickle(path, body)


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(sources.SourceError, match="no train.txt.*give the folder into which"):
        read(tmp_path)
    folder = fake_up3d.write(tmp_path)
    with pytest.raises(sources.SourceError, match="splits train, val, test; got 'trian'"):
        read(folder, "trian")
    (folder / "val.txt").write_text("/00002_image.png\n")
    with pytest.raises(sources.SourceError, match="00002 is listed in both val.txt and train.txt"):
        read(folder, "val")


def test_the_parent_folder_will_do(tree):
    assert up3d.UP3D(str(tree.parent), "val", fakes.OPEN_BODIES).items() == [
        "00004",
        "00005",
        "00006",
    ]


def write_s31(root, numbered_by_place):
    """UP-S31 for the train split: regions as stripes, pictures scaled by 1.7 and cut."""
    folder = root / "up-s31"
    folder.mkdir()
    lines = []
    for place, up3d_id in enumerate(("00001", "00002", "00003")):
        picture = cv2.imread(str(root / "up-3d" / f"{up3d_id}_image.png"))
        height, width = (round(1.7 * side) for side in picture.shape[:2])
        whole = cv2.resize(picture, (width, height))
        stripes = np.uint8((np.arange(height) + 0.5) * 32 / height)[:, None].repeat(width, 1)
        x, y = (10, 20) if place else (0, 7)
        name = f"{place:05d}" if numbered_by_place else up3d_id
        cv2.imwrite(str(folder / f"{name}_image.png"), whole[y : y + 513, x : x + 513])
        cv2.imwrite(str(folder / f"{name}_ann.png"), stripes[y : y + 513, x : x + 513])
        lines.append(f"/31/500/pkg_dorder/{name}_image.png /31/500/pkg_dorder/{name}_ann.png 1.7")
    (folder / "train_31_500_pkg_dorder.txt").write_text("\n".join(lines))


@pytest.mark.parametrize("numbered_by_place", [False, True])
def test_up_s31_labels_come_back_to_the_photograph(tmp_path, numbered_by_place):
    folder = fake_up3d.write(tmp_path)
    write_s31(tmp_path, numbered_by_place)
    for example in read(folder):
        labels = fakes.labels_of(example)
        height = labels.shape[0]
        expected = up_s31._TO_24[((np.arange(height) + 0.5) * 32 / height).astype(int)]
        middle = labels[:, labels.shape[1] // 2]
        kept = slice(13, int((20 + 513) / 1.7))  # rows that are in the cut
        wrong = (middle != expected)[kept].mean()
        assert wrong < 0.05  # the rows next to the borders of the stripes


def test_up_s31_of_another_picture_is_refused(tmp_path):
    folder = fake_up3d.write(tmp_path)
    write_s31(tmp_path, numbered_by_place=False)
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "up-s31" / "00001_image.png"), noise)
    with pytest.raises(sources.BadItemError, match="00001_image.png shows another picture"):
        read(folder)
    with pytest.raises(sources.SourceError, match="no train_31_500_pkg_dorder.txt"):
        read(folder, up_s31_root=str(tmp_path / "nowhere"))


def test_up_s31_regions_merge_to_the_parts_of_nbf():
    # UP-S31's order: right hand, wrist, lower arm, elbow, upper arm, shoulder, upper body, ...
    side = [10, 10, 10, 4, 4, 4, 2, 8, 6, 6, 12, 12, 12]
    mirrored = PARTS_12.mirror[side]
    expected = [0, *side, *mirrored, 1, 1, 1, 1, 7]
    np.testing.assert_array_equal(PARTS_12.from_24[up_s31._TO_24], expected)


@pytest.mark.skipif(not REAL.exists(), reason="the real photograph is not here")
def test_the_real_fit_projects_onto_its_photograph(tmp_path):
    info = scipy.io.loadmat(REAL / "00001_info.mat")
    folder = tmp_path / "up-3d"
    folder.mkdir()
    (folder / "train.txt").write_text("/00001_image.png\n")
    (folder / "00001_image.png").write_bytes((REAL / "00001_image.png").read_bytes())
    (folder / "00001_fit_crop_info.txt").write_text(info["cropinfo"][0])
    (folder / "00001_dataset_info.txt").write_text(info["datasetinfo"][0])
    np.save(folder / "00001_joints.npy", info["joints2Ddeepercut"])
    names = {"pose": "pose", "shape": "betas", "t": "t", "rt": "rt", "trans": "trans", "f": "f"}
    write_python2_pickle(
        folder / "00001_body.pkl",
        {key: np.float64(np.squeeze(info[name])) for name, key in names.items()},
    )
    (example,) = read(folder)
    # The body in the tests is not SMPL's: its joints lie some pixels from SMPL's on the person.
    errors = np.linalg.norm(example["joints/2d"] - info["joints2D"][:24], axis=-1)
    height = np.ptp(info["joints2D"][:, 1])
    assert errors.mean() < 0.05 * height and errors.max() < 0.12 * height
    assert fakes.reprojection_errors(example).max() < 1e-6
    swapped = example["joints/2d"][np.array([0, 2, 1, 3, 5, 4, 6, 8, 7])]
    stored = info["joints2D"][:9]
    assert errors[:9].mean() < 0.5 * np.linalg.norm(swapped - stored, axis=-1).mean()


def test_the_script_converts_it(tree, convert_and_check):
    for split in ("train", "val", "test"):
        examples, manifest = convert_and_check("up3d", tree, split, "--neutral_body=open")
        assert len(examples) == 3 and manifest.skipped == 0
        assert all(one["lsp/2d/valid"].any() or b"fashion" in one["source"] for one in examples)
