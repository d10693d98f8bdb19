import json

import keras
import numpy as np
import pytest

from experiments.runs import checkpoints
from experiments.runs.callbacks import (
    LeaveOutUnknown,
    LogPictures,
    SaveEpochs,
    StopAtNonFinite,
)
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder


@pytest.fixture
def model():
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    return model


def fit(model, callback, initial_epoch, epochs, targets=1.0):
    inputs = np.ones((8, 4))
    model.fit(
        inputs,
        np.full((8, 3), targets),
        initial_epoch=initial_epoch,
        epochs=epochs,
        callbacks=[callback],
        verbose=0,
    )


def test_every_epoch_is_saved_with_all_that_came_before(model, tmp_path):
    fit(model, SaveEpochs(tmp_path, {"history": {}, "seconds": 0.0}, {"body": "ab12"}), 0, 2)
    first = checkpoints.latest(tmp_path)
    assert first.epoch == 2
    assert len(first.state["history"]["loss"]) == 2
    assert first.state["body"] == "ab12"
    fit(model, SaveEpochs(tmp_path, first.state, {"body": "ab12"}), 2, 3)
    second = checkpoints.latest(tmp_path)
    assert second.epoch == 3
    assert second.state["history"]["loss"][:2] == first.state["history"]["loss"]
    assert len(second.state["history"]["loss"]) == 3
    assert second.state["seconds"] > first.state["seconds"] > 0


def test_numbers_that_are_not_finite_stop_the_training_before_they_are_saved(model, tmp_path):
    earlier = {"history": {}, "seconds": 0.0}
    fit(model, SaveEpochs(tmp_path, earlier, {}), 0, 1)
    state = checkpoints.latest(tmp_path).state
    with pytest.raises(UserError, match=r"loss not finite in epoch 2; .*--learning_rate"):
        fit(model, SaveEpochs(tmp_path, state, {}), 1, 3, targets=np.nan)
    assert checkpoints.latest(tmp_path).epoch == 1


def test_the_step_and_the_examples_of_a_loss_that_is_not_finite_are_named(model, tmp_path):
    asked = []

    def name_batch(epoch, step):
        asked.append((epoch, step))
        return [f"person_{i}" for i in range(12)]

    targets = np.ones((8, 3))
    targets[5] = np.inf  # in the third batch of two
    with pytest.raises(UserError) as error:
        model.fit(
            np.ones((8, 4)),
            targets,
            batch_size=2,
            initial_epoch=4,
            epochs=6,
            callbacks=[StopAtNonFinite(RunFolder(tmp_path), name_batch)],
            verbose=0,
            shuffle=False,
        )
    assert asked == [(4, 2)]
    words = ("loss not finite in step 3 of epoch 5", "person_0, ", "person_7 and 4 more in")
    assert all(word in str(error.value) for word in (*words, "not_finite.json", "checkpoints"))
    kept = json.loads((tmp_path / "not_finite.json").read_text())
    assert kept["terms"] == ["loss"] and len(kept["examples"]) == 12


def test_pictures_are_drawn_after_each_epoch(model, tmp_path):
    drawn = []

    def draw():
        drawn.append(None)
        return {"input": np.zeros((2, 4, 4, 3), np.uint8)}

    fit(model, LogPictures(tmp_path, draw), 0, 2)
    assert len(drawn) == 2
    assert list(tmp_path.glob("events*"))


class Unlabelled(keras.metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return float("nan")


@pytest.mark.parametrize("verbose", [1, 2])
def test_measures_without_labels_are_neither_kept_nor_printed(model, tmp_path, capsys, verbose):
    model.compile("sgd", "mse", metrics=["mae", Unlabelled(name="unlabelled")])
    inputs, targets = np.ones((8, 4)), np.ones((8, 3))
    save = SaveEpochs(tmp_path, {"history": {}, "seconds": 0.0}, {})
    model.fit(
        *(inputs, targets),
        validation_data=(inputs, targets),
        callbacks=[LeaveOutUnknown(), save],
        verbose=verbose,
    )
    assert set(save.history) == {"loss", "mae", "val_loss", "val_mae"}
    printed = capsys.readouterr().out
    assert "val_mae" in printed and "unlabelled" not in printed and "nan" not in printed


def test_a_training_that_diverges_keeps_all_that_is_not_finite(model, tmp_path):
    logs = {"loss": float("nan"), "mae": float("nan"), "val_loss": 1.0, "val_mae": float("nan")}
    LeaveOutUnknown().on_epoch_end(0, logs)
    assert list(logs) == ["loss", "mae", "val_loss"]
