import numpy as np
import pytest

from experiments import train_points
from experiments.nbf import point_people
from experiments.nbf.point_flags import define_run_flags
from experiments.runs import callbacks, common
from experiments.runs.run_folder import RunFolder
from nbf import FittingNetwork
from smpl_tf import load_model_data

TINY = (
    *("--people=16", "--test_people=8", "--steps_per_epoch=2", "--batch_size=8", "--epochs=2"),
    *("--workers=0", "--nodeterministic", "--input_size=32"),
)


@pytest.fixture
def run(call, tmp_path, monkeypatch):
    """Trains in an empty folder; gives the answer and the run folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_points, "define_flags", define_run_flags, raising=False)
    for name, value in (("FILE_SIZE", 16), ("_CHUNK", 8), ("_POSES", 16)):
        monkeypatch.setattr(point_people, name, value)

    def run(name):
        answer = call(train_points, *TINY, f"--run_name={name}")
        return answer, RunFolder(tmp_path / "runs" / name)

    return run


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_numbers_and_is_kept(run, monkeypatch):
    answer, undisturbed = run("undisturbed")
    assert answer.status == 0, answer.err

    def stop_in_epoch_2(self, batch, logs=None):
        if self.history and batch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.SaveEpochs, "on_train_batch_end", stop_in_epoch_2)
        answer, folder = run("killed")
    assert answer.status == common.EXIT_INTERRUPTED
    answer, _ = run("killed")
    assert answer.status == 0, answer.err
    assert "continues after epoch 1 of 2" in answer.out
    record = folder.read_record()
    assert record["metrics_by_input"] == undisturbed.read_record()["metrics_by_input"]
    assert set(record["metrics_by_input"]) == {"true", "corrupted", "corrupted_points", "rest"}
    network = FittingNetwork.from_pretrained(folder.path)
    assert network.sees_points and network.input_size == 32
    answer, _ = run("killed")
    assert "is finished" in answer.out and "| corrupted |" in answer.out


def test_stored_outlines_are_those_of_their_people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in (("FILE_SIZE", 8), ("_CHUNK", 8), ("_POSES", 16)):
        monkeypatch.setattr(point_people, name, value)
    body = load_model_data()
    people = point_people.load_people("train", 8, body, workers=0)
    again = point_people.load_people("train", 6, body, workers=0)
    for one, other in zip(people, again, strict=True):
        np.testing.assert_array_equal(one[:6], other)
    masks = np.unpackbits(people.outline, axis=-1).astype(bool)
    assert masks.shape == (8, 64, 64)
    # An outline fills its square but for a margin, and stays inside.
    spans = [max(np.ptp(np.nonzero(mask), axis=1) + 1) for mask in masks]
    assert min(spans) >= 56 and max(spans) <= 61
    assert not np.any(masks[:, 0]) and not np.any(masks[:, :, -1])
    assert people.translation[:, 2].min() > 1.0
