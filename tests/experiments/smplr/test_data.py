import numpy as np
import pytest
from absl import flags

from datasets import records
from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.run_folder import MODEL_FILE
from experiments.smplr import data as smplr_data
from experiments.smplr import motion
from experiments.smplr.flags import POINT_STAGES, define_run_flags
from experiments.smplr.flags import define_evaluation_flags as define_flags
from smplr import noise
from tests.smplr.people import people, point_body

FLAG_FILES = sorted((REPOSITORY / "experiments/flags").glob("smplr_*.cfg"))


def run_flags(*arguments, define=define_run_flags):
    values = flags.FlagValues()
    define(values)
    values(["", *arguments])
    return values


@pytest.mark.parametrize("file", FLAG_FILES, ids=lambda file: file.stem)
def test_every_flag_file_is_read(file):
    values = run_flags(f"--flagfile={file}", define=define_flags)
    assert values.run or values.run_name == file.stem
    assert file.read_text().startswith("# ")
    for network in values.networks:
        trained = (file.parent / network.removeprefix("runs/")).with_suffix(".cfg")
        assert trained.exists() or (REPOSITORY / network / MODEL_FILE).exists()


def test_noise_goes_in_and_the_truth_stays():
    truth = people(4)
    values = run_flags("--noise=uniform", "--noise_scale=2")
    batch = smplr_data.with_noise(truth, [1, 2], values)
    np.testing.assert_array_equal(batch["points"], truth["points"])
    limits = 2 * noise.noise_limits(41)
    assert 0 < np.abs(batch["seen"] - truth["points"]).max() <= limits.max()
    clean = smplr_data.with_noise(truth, [1, 2], values, kind="none")
    np.testing.assert_array_equal(clean["seen"], truth["points"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--augment", "--cache"), "leave 'rotation' out"),
        (
            ("--augment", "--augmentations=mirror,fog"),
            "mirror, rotation, scenery, colour, got fog",
        ),
    ],
)
def test_augmentations_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        smplr_data.augmentation(run_flags(*arguments))


def test_points_can_be_flat_and_missing_and_without_landmarks():
    truth = people(4)
    values = run_flags("--lift_2d", "--missing_rate=0.5", "--nolandmarks")
    seen = smplr_data.with_noise(truth, [1, 2], values)["seen"].numpy()
    assert seen.shape == (4, 23, 3)
    assert 0.2 < np.isnan(seen).mean() < 0.8
    assert np.nanmax(np.abs(seen[..., 2])) == 0


@pytest.mark.parametrize(
    ("stage", "given", "wanted"),
    [
        ("pose", {"points", "shape"}, {"rotations", "joints", "landmarks"}),
        ("shape", {"points", "rotations"}, {"shape", "joints", "landmarks"}),
        ("pose_shape", {"points"}, {"rotations", "shape", "joints", "landmarks"}),
    ],
)
def test_a_stage_gets_the_truth_of_the_other_and_answers_its_own(stage, given, wanted):
    truth = people(4)
    batch = smplr_data.with_noise(truth, [1, 2], run_flags("--noise=gaussian"))
    inputs, targets = smplr_data.inputs_and_targets(batch, stage)
    assert (set(inputs), set(targets)) == (given, wanted)
    np.testing.assert_array_equal(inputs["points"], batch["seen"])
    np.testing.assert_array_equal(targets["joints"], truth["points"][:, :23])
    assert stage in POINT_STAGES


def test_the_autoencoder_gets_missing_points_at_the_origin():
    truth = people(4)
    values = run_flags("--missing_rate=0.5")
    batch = smplr_data.with_noise(truth, [1, 2], values)
    inputs, targets = smplr_data.inputs_and_targets(batch, "dae")
    lost = np.isnan(batch["seen"].numpy())
    assert lost.any() and (inputs.numpy()[lost] == 0).all()
    np.testing.assert_array_equal(inputs.numpy()[~lost], truth["points"][~lost])
    np.testing.assert_array_equal(targets, truth["points"])


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_drawn_poses_are_kept_and_the_splits_differ(in_a_folder):
    values = run_flags("--motion_poses=20", "--test_bodies=10", "--workers=0")
    train = motion.pose_pool(values, "train")
    assert train.shape == (20, 24, 3)
    np.testing.assert_array_equal(motion.pose_pool(values, "train"), train)
    test = motion.pose_pool(values, "test")
    assert test.shape == (10, 24, 3)
    assert np.abs(test - train[:10]).max() > 0.1


def test_held_out_bodies_are_the_same_every_time(in_a_folder):
    values = run_flags("--test_bodies=10", "--batch_size=8", "--workers=0", "--noise=structured")
    first = list(smplr_data.held_out_bodies(values, point_body()))
    again = list(smplr_data.held_out_bodies(values, point_body()))
    assert [len(batch["points"]) for batch in first] == [8, 2]
    for one, other in zip(first, again, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_resumed_training_sees_what_it_would_have_seen(in_a_folder):
    values = run_flags(
        "--motion_poses=20", "--batch_size=4", "--workers=0", "--noise=structured", "--seed=3"
    )
    whole, source = smplr_data.training_bodies(values, point_body(), 0)
    (rest,) = smplr_data.training_bodies(values, point_body(), 2)[0].take(1)
    *_, last = whole.take(3)
    assert source is None
    for name in last:
        np.testing.assert_array_equal(last[name], rest[name])


@pytest.mark.slow
def test_motion_comes_from_shards_too(people, in_a_folder):
    poses = motion.pose_pool(run_flags(f"--motion={people}"), "train")
    assert poses.shape == (32, 24, 3)
    with pytest.raises(records.RecordError, match="nowhere: no such folder"):
        motion.pose_pool(run_flags("--motion=nowhere"), "train")
