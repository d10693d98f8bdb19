import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from experiments.prediction import smplr_pictures
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks
from experiments.smplr.flags import define_run_flags
from smplr import SMPLR, DenoisingAutoencoder, StackedHourglass
from tests.smplr.people import point_body


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """Untrained networks, and the folder that keeps them as one model."""
    hourglass = StackedHourglass(image_size=64, num_stacks=1, width=8, bins=4, num_limbs=0)
    model = SMPLR(autoencoder=DenoisingAutoencoder(), hourglass=hourglass)
    run = RunFolder(tmp_path_factory.mktemp("runs") / "joined")
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", "--stage=end_to_end", "--image_size=64"])
    networks.keep_joined(run, model, values)
    return model, run


@pytest.mark.slow
def test_a_kept_model_turns_pictures_into_bodies(joined):
    model, run = joined
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    restored = smplr_pictures.restore_picture_model(run)
    assert restored.image_size == 64
    assert [b.gender for b in restored.bodies] == ["female", "male"]
    found = restored(pictures)
    expected = model(tf.cast(pictures, tf.float32))
    np.testing.assert_allclose(found.points, expected["points"], atol=1e-5)
    np.testing.assert_allclose(found.betas, expected["shape"][:, :10], atol=1e-4)
    np.testing.assert_array_equal(found.body, (expected["shape"][:, 10] >= 0).numpy())
    squares = found.rotations @ found.rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(squares, np.broadcast_to(np.eye(3), squares.shape), atol=1e-5)
    # The rotations nearest to Ω's matrices: their product is symmetric, with no turn left in it.
    left = found.rotations.swapaxes(-1, -2) @ expected["rotations"].numpy()
    np.testing.assert_allclose(left, left.swapaxes(-1, -2), atol=1e-4)


def test_one_neutral_body_is_always_the_body(joined):
    model, _ = joined
    neutral = SMPLR(
        model.pose_regressor,
        model.shape_regressor,
        hourglass=model.hourglass,
        bodies=point_body().bodies[:1],
    )
    found = smplr_pictures.PictureModel(neutral)(np.zeros((1, 64, 64, 3), np.uint8))
    assert found.body == 0


def test_runs_that_cannot_see_pictures_are_refused(joined, tmp_path):
    model, _ = joined
    points_alone = RunFolder(tmp_path / "dae")
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", "--stage=dae"])
    networks.keep_joined(points_alone, model.autoencoder, values)
    with pytest.raises(UserError, match="--stage=dae does not predict bodies from pictures"):
        smplr_pictures.restore_picture_model(points_alone)
    with pytest.raises(UserError, match=r"model.keras: not found"):
        smplr_pictures.restore_picture_model(RunFolder(tmp_path / "nowhere"))


def test_joined_networks_do_not_replace_a_training(joined):
    model, run = joined
    values = networks.flags_of(run)
    (run.checkpoints / "epoch_0001").mkdir(parents=True)
    with pytest.raises(UserError, match="already has a training; give another --run_name"):
        networks.keep_joined(run, model, values)
