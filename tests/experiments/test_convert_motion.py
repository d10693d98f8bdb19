"""A motion of predict.py in the files of other programs, and back."""

import re

import numpy as np
import pytest

from experiments import convert_motion
from smpl_tf import SMPL
from smpl_tf.motion_files import read_motions


@pytest.fixture(scope="module")
def parameters(tmp_path_factory):
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.2, (3, 24, 3))
    pose[:, 0] = [np.pi, 0, 0]  # upright before a camera
    path = tmp_path_factory.mktemp("motion") / "parameters.npz"
    np.savez(
        path,
        betas=rng.normal(size=10),
        pose=pose,
        translation=rng.normal(0, 1, (3, 3)) + [0, 0, 20],
        gender="male",
        frame_rate=25.0,
    )
    return path


@pytest.mark.parametrize(
    "name, flags, up",
    [
        ("a.npz", (), 2),
        ("b.npz", ("--format=smplx",), 2),
        ("c.npz", ("--up=y",), 1),
        ("d.smpl", (), 1),
    ],
)
def test_a_motion_stands_on_the_floor_in_every_format(call, parameters, tmp_path, name, flags, up):
    out = tmp_path / "new" / name
    answer = call(convert_motion, f"--parameters={parameters}", f"--output={out}", *flags)
    assert answer.status == 0, answer.err
    assert "3 frames at 25 per second" in answer.out
    (found,) = read_motions(out)
    assert found.gender == "male" and found.frame_rate == 25
    body = SMPL(gender="male")(
        betas=found.betas, pose=found.pose, translation=found.translation
    ).vertices.numpy()
    assert body[..., up].min() == pytest.approx(0, abs=2e-3)  # SMPL+H's hands are flat
    assert body[..., up].max() > 1.2


def test_bvh_and_glb_are_written(call, parameters, tmp_path):
    for name, words in (("a.bvh", b"JOINT mixamorig:LeftArm"), ("a.glb", b"skins")):
        out = tmp_path / name
        flags = (f"--parameters={parameters}", f"--output={out}", "--bvh_names=mixamo")
        answer = call(convert_motion, *flags)
        assert answer.status == 0, answer.err
        assert words in out.read_bytes()


def test_mistakes_are_answered_in_one_line(call, parameters, tmp_path):
    given, out = f"--parameters={parameters}", f"--output={tmp_path}/a.npz"
    cases = [
        ((given,), 2, "--output is missing"),
        ((given, f"--output={tmp_path}/a.fbx"), 2, "ending in .npz, .smpl, .bvh, .glb"),
        ((given, out, "--format=bvh"), 2, "--format=bvh writes files ending in .bvh, got"),
        ((given, f"--output={tmp_path}/a.bvh", "--up=z"), 2, "bvh files always have y up"),
        ((f"--parameters={tmp_path}/no.npz", out), 1, "no such file"),
        ((given, out, "--person=2"), 1, "--person=2: .*has 1 people; give 1 to 1"),
    ]
    for flags, status, message in cases:
        answer = call(convert_motion, *flags)
        assert answer.status == status
        assert re.search(message, answer.err) and answer.err.count("\n") == 1
    assert not any(tmp_path.iterdir())
