"""Three commands from a folder of photographs to a network that learnt from them, and its page."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import records
from datasets.photographs import found_set, source
from datasets.photographs.finder import LandmarkFinder
from experiments import convert_dataset, predict, train_nbf
from experiments.runs.run_folder import RunFolder
from tests.datasets.photographs import fake_networks, fake_sets

EXPERIMENTS = Path(train_nbf.__file__).parent
FLAGS = EXPERIMENTS / "flags" / "nbf_own_photos.cfg"
PRETRAINED = EXPERIMENTS / "pretrained"

pytestmark = pytest.mark.slow


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """Thirty photographs of painted people, and a finder that sees paint."""
    finder = LandmarkFinder(networks=fake_networks.FakeNetworks().pair, thorough=False)
    monkeypatch.setattr(found_set, "_finder", lambda model: finder)
    monkeypatch.setattr(found_set, "find_models", lambda model: ())
    source._open.cache_clear()
    rng = np.random.default_rng(0)
    for number in range(30):
        person = (rng.uniform(120, 180), rng.uniform(100, 140), 70, rng.uniform(-0.3, 0.3))
        picture = fake_networks.paint(240, 300, [person])
        path = tmp_path / "photographs" / f"{number:02}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path)
    return path.parent


@pytest.fixture
def learn(call, tmp_path):
    """Trains from the shipped network on; gives the answer and the run."""

    def learn(*arguments):
        answer = call(
            *(train_nbf, f"--flagfile={FLAGS}", f"--data={tmp_path / 'mine'}"),
            *(f"--runs_dir={tmp_path / 'runs'}", "--epochs=2"),
            f"--initial_run={PRETRAINED / 'nbf_fitting_small_segmented'}",
            f"--segmentation_run={PRETRAINED / 'nbf_segmentation_small'}",
            *arguments,
        )
        return answer, RunFolder(tmp_path / "runs" / "nbf_own_photos")

    return learn


def test_from_a_folder_of_photographs(photographs, learn, call, tmp_path):
    for split in ("train", "test"):
        answer = call(
            *(convert_dataset, "--dataset=photos", f"--source={photographs}", "--workers=0"),
            *(f"--output={tmp_path / 'mine'}", "--held_out=0.2", f"--split={split}"),
        )
        assert answer.status == 0, answer.err
    answer, run = learn()
    assert answer.status == 0, answer.err
    record = run.read_record()
    assert set(record["metrics"]) == {"pckh_percent"} and record["people"] == 6
    page = run.report.read_text()
    assert "PCKh@0.5" in page and "photos/" in page
    assert not any("mpjpe" in name or "joints3d" in name for name in record["history"])
    first, last = (record["history"]["L_2D"][i] for i in (0, -1))
    assert last < first  # it learns where the points are
    answer = call(
        *(predict, f"--run={run.path}", f"--images={photographs / '00.jpg'}"),
        *(f"--output={tmp_path / 'predicted'}", "--method=parts"),
    )
    assert (tmp_path / "predicted" / "index.html").exists(), answer.err


def test_from_cocos_keypoints(learn, call, tmp_path):
    tree = fake_sets.coco(tmp_path / "coco")
    file = tree / "annotations" / "person_keypoints_val2017.json"
    train = file.with_name("person_keypoints_train2017.json")
    train.write_text(file.read_text().replace('"two.jpg"', '"first.jpg"'))
    fake_sets.picture(tree / "train2017" / "first.jpg")
    for split, own in (("train", "train"), ("val", "test")):
        answer = call(
            *(convert_dataset, "--dataset=coco", f"--source={tree}", "--workers=0"),
            *(f"--output={tmp_path / 'mine'}", f"--split={split}"),
        )
        assert answer.status == 0, answer.err
        assert records.check(str(tmp_path / "mine"), split).count == 2, own
    answer, run = learn("--test_split=val", "--batch_size=2")
    assert answer.status == 0, answer.err
    assert set(run.read_record()["metrics"]) == {"pckh_percent"}
