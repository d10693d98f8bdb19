"""A training opens each split and each body file once, however many parts of it need them."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from datasets import manifests
from experiments import train_nbf, train_smplr
from experiments.runs import checkpoints, training
from experiments.smplr.flags import define_run_flags
from smpl_tf import load_model_data
from smpl_tf.model_data import unpickler
from tests.eager import eagerly
from tests.experiments.conftest import COUNTS
from tests.smpl_tf import fake_model_files

# The people are there already, and are asked for all the same, as flag files do.
_PEOPLE = (
    *(f"--synthetic_{split}={count}" for split, count in COUNTS.items()),
    "--synthetic_image_size=32",
)


@pytest.fixture
def opened(monkeypatch):
    """Counts what is read or looked at, by its name."""
    counts = Counter()

    def count(module, function, name_of):
        call = getattr(module, function)

        def counted(path, *arguments):
            counts[name_of(path)] += 1
            return call(path, *arguments)

        monkeypatch.setattr(module, function, counted)

    count(manifests, "_read_json", lambda path: path.rsplit("/", 1)[1])
    count(tf.io.gfile, "stat", lambda path: path.rsplit("/", 1)[1])
    count(unpickler, "load", lambda file: file.name.rsplit("/", 1)[1])
    return counts


def once_each(*further):
    names = [f"{split}.manifest.json" for split in COUNTS]
    names += [f"{split}-00000.tfrecord" for split in COUNTS]
    return Counter([*names, *further])


@pytest.mark.parametrize(
    "stage", ["fitting", pytest.param("segmentation", marks=pytest.mark.slow)]
)
def test_a_training_of_nbf_opens_each_split_once(call, tiny, tmp_path, opened, stage):
    arguments = (f"--stage={stage}", f"--runs_dir={tmp_path}", "--epochs=1")
    with eagerly():
        answer = call(train_nbf, *tiny, *_PEOPLE, *arguments)
    assert answer.status == 0, answer.err
    assert opened == once_each()


@pytest.mark.slow
def test_a_picture_stage_of_smplr_opens_each_split_and_body_once(
    call, people, tmp_path, opened, monkeypatch
):
    monkeypatch.setattr(train_smplr, "define_flags", define_run_flags, raising=False)
    bodies = []
    for gender in ("female", "male"):
        body = load_model_data(gender=gender)
        names = ("v_template", "shapedirs", "posedirs", "weights", "J_regressor")
        arrays = {name: getattr(body, name) for name in names}
        arrays |= {"kintree_table": np.stack([body.parents, np.arange(24)]), "f": body.faces}
        names, ids = np.array([*body.landmarks]), np.array([*body.landmarks.values()])
        path = tmp_path / f"basicmodel_{gender[0]}_lbs_10_207_0_v1.1.0.pkl"
        arrays |= {"landmark_names": names, "landmark_ids": ids}
        fake_model_files.write_official_pickle(path, arrays)
        bodies.append(path)

    def fit(opened, values, model, batches, steps, watched, checkpoint, facts, *_):
        # Compiling its steps takes half a minute, and what they read is opened by now.
        state = {**facts, "history": {"loss": [1.0]}, "seconds": 0.0}
        checkpoints.save(opened.run.checkpoints, 1, model, state)

    monkeypatch.setattr(training, "fit", fit)
    answer = call(
        train_smplr,
        *("--stage=hourglass", "--stacks=1", "--width=8", "--bins=4", "--image_size=64"),
        *(f"--data={people}", "--epochs=1", "--batch_size=8", "--nodeterministic"),
        *(f"--female_body={bodies[0]}", f"--male_body={bodies[1]}", f"--runs_dir={tmp_path}"),
    )
    assert answer.status == 0, answer.err
    assert opened == once_each(*(path.name for path in bodies))
