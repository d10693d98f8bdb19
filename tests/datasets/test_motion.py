"""Motion of other skeletons as SMPL's: fakes of several makers, whose true poses are known."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datasets import conversion, sources, synthetic
from datasets.bodies import Bodies
from datasets.motion.bvh import read_bvh
from datasets.motion.retargeting import retarget
from datasets.motion.source import Motion, _acclaim
from datasets.sources import BadItemError, SourceError
from datasets.splits import open_split
from smpl_tf.bvh import write_bvh
from smpl_tf.skeleton import SMPL_24
from tests.datasets import fake_motion
from tests.datasets.fake_motion import REST
from tests.datasets.fakes import joints_of

REAL = Path("/work/shared/real/motion")
OPEN = Bodies(neutral="open")
Z_UP = Rotation.from_euler("x", 90, degrees=True)
LIMBS = [name for name in SMPL_24.names if "_" in name and not name.endswith(("collar", "hand"))]


@pytest.fixture(scope="module")
def truth():
    """Poses, root places, and joints `[T, 24, 3]` by another forward kinematics; y up."""
    pose, places = fake_motion.motion()
    return pose, places, joints_of("neutral", pose, np.zeros(10), places - REST[0])


def degrees_between(pose, other):
    """`[T, 24]` between axis-angles."""
    first, second = (Rotation.from_rotvec(one.reshape(-1, 3)) for one in (pose, other))
    return np.degrees((first.inv() * second).magnitude()).reshape(pose.shape[:2])


MAKERS = {
    "T-pose": {},
    "z up, inches, hanging arms": {
        **{"style": 1, "turns": fake_motion.arms_down(), "world": Z_UP},
        **{"unit": 1 / 0.0254, "order": "YXZ"},
    },
}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_skeleton_like_smpl_gives_smpls_own_pose(maker, truth, tmp_path):
    pose, places, joints = truth
    fake_motion.write_bvh(tmp_path / "a.bvh", pose, places, **MAKERS[maker])
    motion = read_bvh(tmp_path / "a.bvh")
    assert motion.frame_rate == pytest.approx(30, abs=0.01)
    found = retarget(motion, REST)
    assert found.upright_rest and found.up == ("+z" if "z up" in maker else "+y")
    assert found.unit == pytest.approx(0.0254 if "inches" in maker else 0.01, rel=1e-4)
    assert found.errors.max() < 1e-4
    # A world whose z is up may be turned about it.
    moved, true = (one - one[:1, :1] for one in (found.joints, joints))
    heading, _ = Rotation.align_vectors(moved[0], true[0])
    np.testing.assert_allclose(moved, true @ heading.as_matrix().T, atol=5e-3)
    # Turns about bones, too; of a hand the rest pose shows no bone, the forearm's is taken.
    off, wrists = degrees_between(found.poses, pose)[:, 1:], [19, 20]
    assert np.delete(off, wrists, 1).max() < 1 and off[:, wrists].max() < 4


def test_a_rest_pose_that_is_nobodys(truth, tmp_path):
    pose, places, joints = truth
    turns = fake_motion.along_x()
    fake_motion.write_bvh(tmp_path / "a.bvh", pose, places, turns=turns)
    found = retarget(read_bvh(tmp_path / "a.bvh"), REST)
    assert not found.upright_rest
    limbs = SMPL_24.indices(LIMBS)
    assert np.linalg.norm(found.joints - joints, axis=-1)[:, limbs].max() < 0.01
    # Turns about the bones are right but for what they are on average.
    assert degrees_between(found.poses, pose)[:, limbs].mean() < 20


@pytest.mark.skipif(not REAL.exists(), reason="the real motions are not here")
@pytest.mark.parametrize("clip", ["bvh/fair1_dab.bvh", "bvh/rokoko_dance.bvh", "cmu/01_14.amc"])
def test_real_motions_are_followed(clip):
    path = REAL / clip
    motion = _acclaim(path) if path.suffix == ".amc" else read_bvh(path)
    found = retarget(motion.frames(4), REST)
    assert found.upright_rest == ("rokoko" not in clip)
    assert found.errors.mean(0).max() < 0.03 and found.errors.mean() < 0.003
    assert np.percentile(found.errors, 99) < 0.06


def test_acclaim(truth, tmp_path, convert_and_check):
    pose, places, joints = truth
    fake_motion.write_acclaim(tmp_path / "cmu", pose, places)
    found = convert_and_check(
        "acclaim", tmp_path / "cmu", "train", "--neutral_body=open", "--every=1", official=False
    )
    stored = np.stack([one["joints/3d"] for one in sorted(found.examples, key=lambda e: e["id"])])
    names = [one["id"] for one in sorted(found.examples, key=lambda e: e["id"])]
    assert names[1] == b"acclaim/01_01.amc/000001" and len(names) == 5
    limbs = SMPL_24.indices([*LIMBS, "pelvis"])
    # The units are found by the length of the legs; y up became y down.
    np.testing.assert_allclose(stored[:, limbs], (joints * [1, -1, -1])[:, limbs], atol=3e-3)


@pytest.mark.parametrize(
    ("frame", "options", "most"),
    [
        ("model", {}, 1e-3),
        ("camera", {}, 1e-3),
        ("camera", {"names": "mixamo"}, 1e-3),
        # Straight limbs do not say how our rest pose turns a wrist about its bone.
        ("model", {"names": "mixamo", "rest": "t_pose"}, 4.0),
    ],
)
def test_what_we_write_is_read_back_equal(truth, tmp_path, frame, options, most):
    pose, places, _ = truth
    flip = Rotation.from_rotvec([np.pi, 0, 0])
    given, moved = pose.copy(), places - REST[0]
    if frame == "camera":
        given[:, 0] = (flip * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
        moved = flip.apply(places) - REST[0]
    write_bvh(tmp_path / "own.bvh", given, moved, REST, frame_rate=25, frame=frame, **options)
    motion = read_bvh(tmp_path / "own.bvh")
    found = retarget(motion, REST)
    assert motion.frame_rate == pytest.approx(25)
    off = degrees_between(found.poses, pose)
    assert off.max() < most and np.median(off) < 0.1
    np.testing.assert_allclose(found.translations, places - REST[0], atol=1e-4)


def test_aist(truth, tmp_path):
    pose, places, joints = truth
    content = {
        "smpl_poses": pose.reshape(-1, 72),
        "smpl_trans": 90.0 * (places - REST[0]),
        "smpl_scaling": np.array([90.0]),
        "smpl_loss": 0.1,
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    examples = list(Motion("aist", str(tmp_path), "train", OPEN, every=2).read("a.pkl"))
    assert [one["id"] for one in examples] == [f"aist/a.pkl/{i:06d}" for i in (0, 2, 4)]
    found = np.stack([one["joints/3d"] for one in examples])
    np.testing.assert_allclose(found, joints[::2] * [1, -1, -1], atol=1e-4)
    content["smpl_poses"] = content["smpl_poses"][:, :66]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(BadItemError, match=r"expected smpl_poses \[T, 72\]"):
        list(Motion("aist", str(tmp_path), "train", OPEN).read("a.pkl"))


def test_bvh_files_are_converted_and_bad_ones_listed(truth, tmp_path, convert_and_check):
    pose, places, _ = truth
    tree = tmp_path / "tree"
    for name in ("a.bvh", "walks/b.BVH", "walks/c.bvh", "d.bvh"):
        fake_motion.write_bvh(tree / name, pose, places)
    text = (tree / "walks" / "c.bvh").read_text()
    (tree / "walks" / "c.bvh").write_text(text[: len(text) // 2])
    (tree / "d.bvh").write_text((tree / "d.bvh").read_text().replace("ForeArm", "Thing"))
    found = convert_and_check("bvh", tree, "train", "--neutral_body=open", official=False)
    assert (found.manifest.count, found.manifest.num_items, found.manifest.skipped) == (10, 4, 2)
    assert not any(one["smpl/betas/valid"] for one in found.examples)
    reasons = (tmp_path / "out" / "train.skipped.jsonl").read_text()
    assert "truncated?" in reasons and "no joint has a known name for left elbow" in reasons


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("HIERARCHY", "HIER", "expected a BVH file"),
        ("CHANNELS 6 Xposition", "CHANNELS 6 Wposition", "unknown channels"),
        ("MOTION", "}\nMOTION", "a closing brace"),
        ("JOINT Neck", "ROOT Neck", "expected one ROOT"),
        ("JOINT Neck", "BONE Neck", "unknown word in its hierarchy: 'BONE'"),
        ("End Site", "End Site {", "before all braces are closed"),
        ("Frames:\t5", "Frames:\t6", "expected 6 frames of 75 numbers, got 375"),
        ("Frame Time: .0333333", "Frame Time: 0", "5 frames of 0.0 s"),
        ("OFFSET 0.000000", "OFFSET 1e99", "reasonable size"),
    ],
)
def test_a_damaged_bvh_is_told(truth, tmp_path, old, new, reason):
    pose, places, _ = truth
    fake_motion.write_bvh(tmp_path / "a.bvh", pose, places)
    text = (tmp_path / "a.bvh").read_text()
    assert old in text
    (tmp_path / "a.bvh").write_text(text.replace(old, new, 1))
    with pytest.raises(BadItemError, match=reason):
        read_bvh(tmp_path / "a.bvh")


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("01.asf", "angle deg", "angle rad", "expected angles in degrees"),
        ("01.asf", "name lfemur", "name lfemoral", "damaged ASF"),
        ("01.asf", "dof rx ry rz", "dof rx rw rz", "unknown channels"),
        ("01_01.amc", "lfemur", "lfemoral", "expected 3 numbers of lfemur, got 0"),
        ("01_01.amc", ":DEGREES", ":RADIANS", "its angles are in radians"),
    ],
)
def test_damaged_acclaim_files_are_told(truth, tmp_path, file, old, new, reason):
    fake_motion.write_acclaim(tmp_path, *truth[:2])
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    with pytest.raises(BadItemError, match=reason):
        list(Motion("acclaim", str(tmp_path), "train", OPEN).read("01_01.amc"))


def test_a_motion_without_its_skeleton_or_folder_is_told(tmp_path):
    (tmp_path / "02_01.amc").write_text("1\nroot 0 0 0 0 0 0\n")
    with pytest.raises(BadItemError, match=r"02\.asf, .* is not next to it"):
        list(Motion("acclaim", str(tmp_path), "train", OPEN).read("02_01.amc"))
    with pytest.raises(SourceError, match=r"no \.bvh file"):
        Motion("bvh", str(tmp_path), "train", OPEN).items()
    with pytest.raises(SourceError, match="no such folder"):
        sources.read_examples(Motion("bvh", str(tmp_path / "x"), "train", OPEN)).__next__()


def test_synthetic_people_move_as_captured_motion(tmp_path):
    pose, places = fake_motion.motion(frames=4)
    pose[:, SMPL_24.index("left_hip")] = [-1.5, 0, 0]  # what no activity does with both arms
    fake_motion.write_bvh(tmp_path / "bvh" / "a.bvh", pose, places)
    motion = str(tmp_path / "shards")
    conversion.convert(
        Motion("bvh", str(tmp_path / "bvh"), "train", OPEN), motion, workers=0, progress=False
    )
    config = synthetic.SyntheticConfig(seed=1, image_size=32, poses=motion)
    people = list(synthetic.read_examples(config, "val", 0, 16))  # there is no split val
    mirrored = pose[:, SMPL_24.mirror] * [1, -1, -1]
    known = np.concatenate([pose, mirrored])
    headings = []
    for person in people:
        own = np.tile(person["smpl/pose"], (len(known), 1, 1))
        assert degrees_between(own, known)[:, 1:].max(1).min() < 1
        turned = Rotation.from_rotvec(person["smpl/pose"][0])
        assert turned.apply([0, 1, 0])[1] < -0.8  # upright, y down
        headings.append(turned.apply([0, 0, 1])[0])
    assert np.std(headings) > 0.3  # whichever way the captured person faced
    fingerprint = open_split(motion, "train").fingerprint
    manifest = synthetic.generate(
        str(tmp_path / "people"), "train", 2, config, workers=0, progress=False
    )
    assert manifest.config["poses"] == fingerprint
