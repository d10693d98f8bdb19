"""Every command that we show can be given: fast tests read its flags, slow ones run it."""

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets import synthetic
from datasets.example import decode, encode, parse
from experiments.runs import common
from smpl_tf import SMPL, load_model_data, named_points
from tests.commands import ROOT, commands
from tests.smpl_tf import fake_model_files

SHOWN = commands()
# In the place of a script's name, in a sentence about all of them.
ANY = "NAME"
# Run by the slow test, in this order; each leaves what later ones take.
RUN = (
    "python experiments/train_nbf.py --flagfile=experiments/flags/nbf_quickstart.cfg",
    "python experiments/evaluate_nbf.py --run=runs/nbf_quickstart",
    "python experiments/predict.py photos/ --run=runs/nbf_quickstart",
    "python experiments/predict.py --images=photos --output=predicted",
    "python experiments/predict.py photos/ clip.mp4 --output=predicted --mesh=obj",
    "python experiments/predict.py photo.jpg",
    "nbf-predict photo.jpg",
    *(
        f"nbf-convert-motion --parameters=predicted/clip.mp4/person_1/parameters.npz --output={to}"
        for to in ("clip.npz", "clip.npz --format=smplx", "clip.bvh --bvh_names=mixamo")
    ),
    "nbf-fit --points=points.npz --skeleton=coco_17 --output=fitted",
    "nbf-fit --points=joints.npz --skeleton=h36m_17 --output=fitted",
    "nbf-fit --points=joints.csv --skeleton=coco_17 --unit=mm --output=fitted",
    "python experiments/fit.py --points=joints.npz --skeleton=h36m_17 --output=fitted",
    "python experiments/fit.py --points=joints.csv --skeleton=coco_17 --unit=mm --output=fitted",
    "smpl-view",
    "python -m experiments.view",
    "python -m smpl_tf.model_data SMPL_NEUTRAL.pkl --output=neutral.h5",
    "python experiments/export.py --output=exported",
    "python experiments/export.py --run=experiments/pretrained/smplr_pose_shape --output=exported",
    *(
        "python experiments/convert_dataset.py --dataset=photos --source=DIR --output=data/mine "
        f"--held_out=0.2 --split={split}"
        for split in ("train", "test")
    ),
    "python experiments/train_nbf.py --flagfile=experiments/flags/nbf_own_photos.cfg",
    "python experiments/reproduce_tables.py --table=all --dry_run",
    "python experiments/reproduce_tables.py --table=all --scale=paper --dry_run",
)
# Why the others are not: what their line holds -> the reason.
NOT_RUN = {
    r"up3d|surreal|humaneva|lspet|=coco --|real_clip|SMPL_|01_01_poses": "data with a licence",
    r"reproduce_tables.py (?!.*dry_run)|smplr_t1": "hours of training",
    r"(train_\w+\.py|nbf-train|smplr-train) --\w+=experiments/flags": "hours of training",
    r"train_nbf.py --stage|--count=4000": "an hour",
    r"=RUN|runs/(?!nbf_quickstart)|synthetic_128|results/": "a run or result of one's own",
    r"my_photographs|--sequence|predicted/…|--points=FILE|--parameters=FILE": "files of one's own",
    r"benchmark|label_budget|check_device": "minutes of measuring, or hours",
    r"download.finder": "a download",
    r"--format=onnx": "has a test of its own, and packages that are not always there",
    r"^[a-z-]+$": "a name in a sentence, without what it needs",
}


def cases(of):
    return pytest.mark.parametrize("command", [c for c in SHOWN if of(c)], ids=lambda c: c.line)


def test_they_are_found():
    shown = {(source, one.line) for one in SHOWN for source in one.sources}
    assert {
        ("README.md", "make quickstart"),
        ("README.md", "nbf-predict photo.jpg"),
        ("README.md", "python experiments/predict.py photos/ --run=runs/nbf_quickstart"),
        ("README.md", "nbf-download-finder"),
        ("docs/index.md", "smpl-view"),
        ("docs/training.md", "python experiments/reproduce_tables.py --table=all --dry_run"),
        ("experiments/predict.py", "python experiments/predict.py photo.jpg"),
    } <= shown
    sources = {Path(source).name for source, _ in shown}
    assert {"nbf_own_photos.cfg", "MODEL_CARD.md", "smplr-results.md"} <= sources
    # Of a loop; of lines that a backslash continues.
    assert any(line.endswith("--strategy=multi_worker") for _, line in shown)
    assert any("--split=train --neutral_body=basicModel" in line for _, line in shown)


@cases(lambda command: command.script not in (None, ANY))
def test_a_script_knows_its_flags_and_their_values(command, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    script = importlib.import_module(f"experiments.{command.script}")

    def main(values):
        for name in ("run", "segmentation_run"):
            shipped = name in values and values[name].value
            if shipped and str(shipped).startswith("experiments/"):
                assert Path(shipped, "flags.cfg").exists(), f"no run: {shipped}"

    main.__module__ = script.__name__  # which names the flag of arguments without a name
    define_flags = getattr(script, "define_flags", None) or script.define_run_flags
    status = common.run(main, define_flags, [f"{command.script}.py", *command.arguments])
    assert status == 0, capsys.readouterr().err


@cases(lambda command: command.module and command.script is None)
def test_a_module_is_there_and_knows_its_flags(command):
    module = importlib.util.find_spec(command.module)
    assert module, f"no module {command.module}"
    if module.submodule_search_locations:
        module = importlib.util.find_spec(f"{command.module}.__main__")
    if Path(module.origin).is_relative_to(ROOT):
        known = re.findall(r'"(--\w+)"', Path(module.origin).read_text(encoding="utf-8"))
        assert {one.split("=")[0] for one in command.arguments if one[:2] == "--"} <= {*known}
    for word in command.arguments:
        if word.startswith("tests/"):
            assert (ROOT / word).exists(), word


@cases(lambda command: command.words[0] == "make")
def test_make_has_the_target(command):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*command.words[1:]} <= {*targets}


@cases(lambda command: command.words[0] == "pip")
def test_pip_installs_extras_that_there_are(command):
    assert command.words[1] in ("install", "list", "download")
    extras = re.findall(r'^    "(\w+)": \[', (ROOT / "setup.py").read_text(), re.MULTILINE)
    for names in re.findall(r"^\.\[(.*)\]$", command.words[-1]):
        assert {*names.split(",")} <= {*extras}


@cases(lambda command: command.script not in (None, ANY) and command.line not in RUN)
def test_what_is_not_run_has_a_reason(command):
    assert any(re.search(line, command.line) for line in NOT_RUN), command.line


def test_what_is_run_is_shown():
    assert {*RUN} <= {command.line for command in SHOWN}


def test_each_is_one_of_these():
    for command in SHOWN:
        first = command.words[0]
        known = first in ("make", "pip") or command.module or command.script
        assert known, f"{command.sources}: {command.line}"


def person(index):
    """A picture of somebody, RGB."""
    config = synthetic.SyntheticConfig(seed=5, image_size=128)
    (example,) = synthetic.read_examples(config, "commands", index, index + 1)
    return decode(parse(encode(example)))["image"].numpy()


@pytest.fixture
def folder(tmp_path):
    """A folder with the scripts and what the commands name."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    pictures = [person(index)[..., ::-1] for index in range(14)]  # a batch, and some held out
    cv2.imwrite(str(tmp_path / "photo.jpg"), pictures[0])
    for name in ("photos", "DIR"):
        (tmp_path / name).mkdir()
        for index, picture in enumerate(pictures if name == "DIR" else pictures[:2]):
            cv2.imwrite(str(tmp_path / name / f"{index}.jpg"), picture)
    film = cv2.VideoWriter(
        str(tmp_path / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (128, 128)
    )
    for _ in range(5):
        film.write(pictures[0])
    film.release()
    smpl = SMPL()
    body = smpl(pose=np.random.default_rng(0).normal(0, 0.2, (1, 24, 3)))
    for name, skeleton in (("points", "coco_17"), ("joints", "h36m_17")):
        np.savez(tmp_path / f"{name}.npz", points=named_points(body, skeleton, smpl))
    points = np.load(tmp_path / "points.npz")["points"].reshape(1, -1)
    np.savetxt(tmp_path / "joints.csv", 1000 * points, delimiter=",")
    data = load_model_data()
    names = ("v_template", "shapedirs", "posedirs", "weights", "J_regressor")
    arrays = {name: getattr(data, name) for name in names}
    arrays |= {"kintree_table": np.stack([data.parents, np.arange(24)]), "f": data.faces}
    fake_model_files.write_official_pickle(tmp_path / "SMPL_NEUTRAL.pkl", arrays)
    return tmp_path


@pytest.mark.slow
def test_they_run(folder):
    environment = os.environ | {
        **{"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "BROWSER": "true"},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    failed = []
    for command in sorted(
        (one for one in SHOWN if one.line in RUN), key=lambda c: RUN.index(c[0])
    ):
        words = command.words
        if words[0] != "python":  # as its entry point does
            start = f"from neural_body_fitting import commands; commands.{command.script}()"
            words = ["python", "-c", start, *command.arguments]
        shutil.rmtree(folder / "exported", ignore_errors=True)  # it is never replaced
        answer = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
        print(f"{answer.returncode}  {command.line}", flush=True)
        if answer.returncode:
            failed.append(f"{command.line}: {answer.stderr[-2000:]}")
    assert not failed, "\n".join(failed)
