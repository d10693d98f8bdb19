"""The HumanEva-I reader on a fake tree: offsets of the videos, the lens, lost markers."""

import numpy as np
import pytest
import scipy.io

from datasets import example, humaneva, sources
from datasets.sources import Skip
from smpl_tf.skeleton import H36M_17, SMPL_24
from tests.datasets import fake_humaneva, fakes
from tests.datasets.fake_humaneva import FIRST, ROWS, lens


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return fake_humaneva.write(tmp_path_factory.mktemp("HumanEva"))


def read(tree, every=60):
    return list(humaneva.HumanEva(str(tree), "val", every).read(humaneva.Clip("S1", "Box", "C1")))


def test_sequences_are_counted_and_the_damaged_one_is_left_out(tree):
    source = humaneva.HumanEva(str(tree), "val")
    assert source.inventory() == (2, 15, "sequences")
    assert [str(item) for item in source.items()] == [f"S1/Box_1_(C{n})" for n in (1, 2, 3)]


def test_capture_video_and_lens_agree(tree):
    camera_points = fake_humaneva.in_camera()
    for row, one in zip(range(0, ROWS, 60), read(tree), strict=True):
        if row == 180:
            assert one == Skip("no marker was seen")
            continue
        example.encode(one)
        assert one["id"] == f"humaneva/S1/Box_1_(C1)/{FIRST + row:06d}"
        for name, joint in (
            ("left_wrist", 20),
            ("right_knee", 5),
            ("pelvis_h36m", 0),
            ("left_ankle", 7),
        ):
            index = H36M_17.index(name)
            lost = (row, name) in ((60, "left_wrist"), (120, "left_ankle"))
            assert one["h36m/3d/valid"][index] == (not lost)
            expected = np.zeros(3) if lost else camera_points[row, joint] / 1000
            np.testing.assert_allclose(one["h36m/3d"][index], expected, atol=1e-6)
        assert one["h36m/3d/valid"].sum() == 14 - (row in (60, 120))
        # Without the lens, a pinhole camera says where the dots are.
        pinhole = fakes.project(one["camera/intrinsics"], camera_points[row])
        assert fakes.dot_errors(fakes.picture_of(one), pinhole).max() < 0.5
        assert np.abs(pinhole - lens(camera_points[row])).max() > 1.5
        box = one["person/box"]
        limbs = pinhole[SMPL_24.indices(["right_wrist", "right_ankle"])]
        assert np.all(limbs > box[:2]) and np.all(limbs < box[2:])


@pytest.mark.parametrize(
    ("item", "reason"),
    [(("S1", "Box", "C2"), "C2.cal"), (("S1", "Walking", "C1"), "Walking_1.mat")],
)
def test_what_is_missing_is_named(tree, item, reason):
    with pytest.raises(FileNotFoundError, match=reason):
        list(humaneva.HumanEva(str(tree), "val").read(humaneva.Clip(*item)))


def test_a_capture_of_the_wrong_length_is_refused(tree, tmp_path):
    path = tmp_path / "converted_15j" / "Validate" / "S1" / "Box_1.mat"
    path.parent.mkdir(parents=True)
    scipy.io.savemat(path, {"poses_3d": np.zeros((379, 15, 3))})
    with pytest.raises(sources.BadItemError, match=r"\(379, 15, 3\) instead of \(380, 15, 3\)"):
        read(tmp_path)


def test_a_tree_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(sources.SourceError, match="no folder converted_15j; run VideoPose3D's"):
        humaneva.HumanEva(str(tmp_path), "val").items()


def test_the_script_converts_it(tree, convert_and_check):
    train, val = (
        convert_and_check("humaneva", tree, split, "--every=60") for split in ("train", "val")
    )
    # 404 and 380 frames; one of frames 0, 60, ... has no marker; cameras C2 and C3 lack all files.
    assert len(train.examples) == 6 and train.manifest.skipped == 2
    assert len(val.examples) == 6 and val.manifest.skipped == 2
