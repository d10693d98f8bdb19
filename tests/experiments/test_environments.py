"""Where scripts are started: a table of environments, each with what comes of it.

Slow: each start loads TensorFlow.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.smpl_tf import fake_model_files

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

NOWHERE = "/proc/nowhere"  # where root cannot make a folder either
NO_HOME = {"HOME": NOWHERE, "XDG_CACHE_HOME": None}
# Run in a file system of the process's own. $1: the repository, $2: the folder to write to.
READ_ONLY_INSTALLATION = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"'
READ_ONLY_TMP = """
    mount --bind /tmp /tmp; mount --bind /var/tmp /var/tmp; mount --bind "$2" "$2"
    mount -o remount,bind,ro /tmp; mount -o remount,bind,ro /var/tmp"""

# Name -> changed variables (None: taken away), how the process is started, status, words it says.
ENVIRONMENTS = {
    "no home": (NO_HOME, {}, 0, ""),
    "read-only installation": (NO_HOME, {"mounts": READ_ONLY_INSTALLATION}, 0, ""),
    "/tmp read-only": ({"TMPDIR": None}, {"mounts": READ_ONLY_TMP, "cwd": "/proc"}, 0, ""),
    "no place for numba": ({**NO_HOME, "NUMBA_CACHE_DIR": NOWHERE}, {}, 0, ""),
    "C locale": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {}, 0, ""),
    "cp1252": ({"PYTHONIOENCODING": "cp1252"}, {}, 0, ""),
    "ASCII": ({"PYTHONIOENCODING": "ascii"}, {}, 0, ""),
    "other Keras settings": ({"KERAS_HOME": "{keras}", "KERAS_BACKEND": None}, {}, 0, ""),
    "Keras in float16": ({"KERAS_HOME": "{keras16}", "KERAS_BACKEND": None}, {}, 0, ""),
    "another Keras backend": ({"KERAS_BACKEND": "jax"}, {}, 0, ""),
    "TMPDIR that is not there": ({"TMPDIR": NOWHERE}, {}, 0, ""),
    "another working folder": ({}, {"cwd": "/"}, 0, ""),
    "closed input": ({}, {"closed": (0,)}, 0, ""),
    "closed streams": ({}, {"closed": (0, 1, 2)}, 0, ""),
    "closed error stream": ({}, {"closed": (2,)}, 0, ""),
}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(0)
    np.savez(folder / "points.npz", points=rng.normal(0, 0.3, (2, 24, 3)))
    (folder / "pictures").mkdir()
    for name in (b"a.jpg", "ä.jpg".encode(), b"\xe4.jpg"):  # the last as old archives have it
        shutil.copy(REPOSITORY / "nbf_synthetic.jpg", folder / "pictures" / os.fsdecode(name))
    settings = {"keras": ("float32", "jax"), "keras16": ("float16", "tensorflow")}
    for name, (floatx, backend) in settings.items():
        (folder / name).mkdir()
        content = {"floatx": floatx, "epsilon": 1e-7, "backend": backend}
        content["image_data_format"] = "channels_first"
        (folder / name / "keras.json").write_text(json.dumps(content))
    return folder


def start(script, arguments, changed, how, given, output=Path("/nowhere")):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": ""}
    for name, value in changed.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value.format(keras=given / "keras", keras16=given / "keras16")
    program = [sys.executable, str(REPOSITORY / "experiments" / script), *arguments]
    if closed := how.get("closed"):
        redirections = " ".join(f"{number}>&-" for number in closed)
        program = ["sh", "-c", f'exec "$@" {redirections}', "sh", *program]
    if mounts := how.get("mounts"):
        prepare = f'set -e; {mounts}\nshift 2; exec "$@"'
        own = ["unshare", "--mount", "sh", "-c", prepare, "sh", str(REPOSITORY), str(output)]
        program = [*own, *program]
    return subprocess.run(
        program, env=environment, cwd=how.get("cwd"), capture_output=True, timeout=600
    )


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_fit_and_a_prediction(name, given, tmp_path):
    changed, how, status, words = ENVIRONMENTS[name]
    if "mounts" in how and subprocess.run(["unshare", "--mount", "true"]).returncode:
        pytest.skip("may not mount here")
    answers = [
        start(
            "fit.py",
            (
                *(f"--points={given / 'points.npz'}", "--skeleton=smpl_24", "--meshes=1"),
                *("--method=closed_form", f"--output={tmp_path / 'fit'}"),
            ),
            *(changed, how, given, tmp_path),
        ),
        start(
            "predict.py",
            (
                *("--method=parts", f"--images={given / 'pictures'}"),
                f"--output={tmp_path / 'predicted'}",
            ),
            *(changed, how, given, tmp_path),
        ),
    ]
    for answer in answers:
        said = answer.stderr.decode(errors="replace")
        assert answer.returncode == status, said
        assert words in said and "Traceback" not in said
    assert (tmp_path / "fit" / "parameters.npz").is_file()
    pages = list((tmp_path / "predicted").glob("*/person_1/parameters.npz"))
    assert len(pages) == 3


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("script", ["fit.py", "evaluate_smplr.py", "train_smplr.py"])
def test_help_is_printed_in_any_encoding(script, encoding, given):
    answer = start(script, ["--help"], {"PYTHONIOENCODING": encoding}, {}, given)
    assert answer.returncode == 0 and b"--run" in answer.stdout


def test_a_flag_file_is_read_in_the_c_locale(given, tmp_path):
    changed = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    flags = REPOSITORY / "experiments" / "flags" / "smplr_pose.cfg"  # its comments have Greek
    arguments = (f"--flagfile={flags}", "--motion=/nowhere", f"--runs_dir={tmp_path}")
    answer = start("train_smplr.py", arguments, changed, {}, given)
    assert b"/nowhere" in answer.stderr and b"Unicode" not in answer.stderr


def test_nothing_but_results_is_printed(given, tmp_path):
    """No greetings of TensorFlow's, whatever is set."""
    changed = {"TF_CPP_MIN_LOG_LEVEL": None}
    arguments = (
        *(f"--points={given / 'points.npz'}", "--skeleton=smpl_24", "--meshes=0"),
        *("--method=closed_form", f"--output={tmp_path / 'fit'}"),
    )
    answer = start("fit.py", arguments, changed, {}, given)
    assert answer.returncode == 0 and answer.stderr == b"", answer.stderr
    environment = {name: one for name, one in os.environ.items() if name not in changed}
    body = fake_model_files.write_npz(tmp_path / "body.npz", fake_model_files.random_arrays(60))
    program = [sys.executable, "-m", "smpl_tf.model_data", str(body)]
    answer = subprocess.run(program, env=environment, cwd=REPOSITORY, capture_output=True)
    assert answer.returncode == 0 and answer.stderr == b"", answer.stderr
