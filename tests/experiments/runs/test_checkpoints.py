import shutil

import keras
import numpy as np
import pytest

from experiments.runs import checkpoints
from experiments.runs.common import UserError


def make_model(units=3):
    layers = [keras.layers.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(units)]
    model = keras.Sequential(layers)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 20)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    return model


def train(model, steps):
    generator = np.random.default_rng(5)
    inputs, targets = generator.normal(size=(8, 4)), generator.normal(size=(8, 3))
    model.fit(inputs, targets, batch_size=8, epochs=steps, verbose=0, shuffle=False)


def test_a_restored_training_goes_on_as_if_it_had_not_stopped(tmp_path):
    model = make_model()
    train(model, 3)
    checkpoints.save(tmp_path, 3, model, {"history": {"loss": [1.0]}})
    train(model, 4)
    resumed = make_model()
    checkpoint = checkpoints.latest(tmp_path)
    assert checkpoint.epoch == 3
    assert checkpoint.state == {"history": {"loss": [1.0]}}
    checkpoints.restore(checkpoint, resumed)
    train(resumed, 4)
    assert int(resumed.optimizer.iterations) == 7
    for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_without_an_optimiser_takes_the_weights_alone(tmp_path):
    model = make_model()
    train(model, 1)
    checkpoints.save(tmp_path, 1, model, {})
    plain = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    checkpoints.restore(checkpoints.latest(tmp_path), plain)
    np.testing.assert_array_equal(plain.get_weights()[0], model.get_weights()[0])


def test_only_the_newest_are_kept(tmp_path):
    model = make_model()
    for epoch in range(1, 5):
        checkpoints.save(tmp_path, epoch, model, {"epoch": epoch})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch_0003.json",
        "epoch_0003.weights.h5",
        "epoch_0004.json",
        "epoch_0004.weights.h5",
    ]


def test_a_kill_while_writing_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    model = make_model()
    checkpoints.save(tmp_path, 1, model, {"epoch": 1})

    def killed(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(tmp_path, 2, model, {"epoch": 2})
    assert checkpoints.latest(tmp_path).state == {"epoch": 1}


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    model = make_model()
    checkpoints.save(tmp_path, 1, model, {"epoch": 1})
    weights = sum(weight.nbytes for weight in model.get_weights())
    usage = shutil.disk_usage(tmp_path)._replace(free=weights - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"No space left on device: .*epoch_0002"):
        checkpoints.save(tmp_path, 2, model, {"epoch": 2})
    assert sorted(tmp_path.iterdir()) == before


def test_there_is_none_before_the_first_epoch(tmp_path):
    assert checkpoints.latest(tmp_path / "checkpoints") is None


@pytest.mark.filterwarnings("ignore:A total of")
def test_the_weights_of_another_network_are_refused(tmp_path):
    checkpoints.save(tmp_path, 1, make_model(units=2), {})
    with pytest.raises(UserError, match=r"epoch_0001\.weights\.h5: not the weights"):
        checkpoints.restore(checkpoints.latest(tmp_path), make_model())


def test_a_damaged_file_is_refused(tmp_path):
    checkpoints.save(tmp_path, 1, make_model(), {})
    (tmp_path / "epoch_0001.weights.h5").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(UserError, match=r"epoch_0001\.weights\.h5"):
        checkpoints.restore(checkpoints.latest(tmp_path), make_model())
