"""An official body file from people to prediction: the quick start with --body_model."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import manifests
from experiments import convert_dataset, evaluate_nbf, predict, train_nbf
from smpl_tf.model_data import save_model_data
from smpl_tf.skeleton import SMPLR_LANDMARKS
from tests.small_body import small_body
from tests.smpl_tf import fake_model_files

FLAGS = Path(train_nbf.__file__).parent / "flags"


@pytest.fixture
def small(tmp_path):
    landmarks = {name: vertex for vertex, name in enumerate(SMPLR_LANDMARKS)}
    save_model_data(dataclasses.replace(small_body(), landmarks=landmarks), tmp_path / "small.h5")
    return tmp_path / "small.h5"


def test_people_of_a_body_file_are_made_and_checked(small, call, tmp_path):
    made = (f"--output={tmp_path / 'people'}", "--workers=0")
    people = ("--dataset=synthetic", "--count=6", "--image_size=32")
    answer = call(convert_dataset, *people, *made, f"--body_model={small}")
    assert answer.status == 0 and "6 Examples" in answer.out, answer.err
    assert set(manifests.read(str(tmp_path / "people"), "train").bodies) == {"neutral"}
    answer = call(convert_dataset, "--check", *made, f"--neutral_body={small}")
    assert answer.status == 0 and "not checked" not in answer.out


@pytest.mark.parametrize(
    ("bodies", "status", "words"),
    [
        (("--body_model=none.pkl",), 1, "none.pkl: no such file"),
        (("--body_model=SMALL", "--male_body=SMALL"), 2, "give no other --..._body"),
        (("--male_body=SMALL", "--female_body=open"), 1, "not both"),
    ],
)
def test_bodies_that_cannot_work_are_refused(small, call, tmp_path, bodies, status, words):
    bodies = [flag.replace("SMALL", str(small)) for flag in bodies]
    output = f"--output={tmp_path / 'people'}"
    answer = call(convert_dataset, "--dataset=synthetic", "--workers=0", output, *bodies)
    assert answer.status == status and words in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "people").exists()


@pytest.mark.slow
def test_the_quick_start_runs_with_a_body_of_the_official_layout(call, tmp_path):
    body = fake_model_files.write_official_pickle(
        tmp_path / "SMPL_NEUTRAL.pkl", fake_model_files.random_arrays()
    )
    own = (f"--body_model={body}", "--workers=0")
    run = tmp_path / "runs" / "nbf_quickstart"
    answer = call(
        train_nbf,
        *(f"--flagfile={FLAGS / 'nbf_quickstart.cfg'}", f"--runs_dir={run.parent}", *own),
        *(f"--data={tmp_path / 'people'}", "--synthetic_train=32", "--synthetic_val=8"),
        *("--synthetic_test=8", "--epochs=1", "--batch_size=16"),
    )
    assert answer.status == 0 and (run / "report" / "index.html").exists(), answer.err
    measured = (f"--run={run}", f"--data={tmp_path / 'people'}", f"--body_model={body}")
    assert call(evaluate_nbf, *measured).status == 0
    Image.fromarray(np.full((120, 90, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    answer = call(
        predict,
        *(f"--run={run}", f"--body_model={body}", f"--images={tmp_path / 'photo.png'}"),
        f"--output={tmp_path / 'predicted'}",
    )
    assert (tmp_path / "predicted" / "index.html").exists(), answer.err
