import os
import subprocess
import sys

import pytest
from absl import flags

from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder, git_commit, versions
from experiments.runs.shipped_runs import PRETRAINED
from smpl_tf.files import write_json, write_text, written_aside


def make_flags(*arguments):
    values = flags.FlagValues()
    flags.DEFINE_integer("epochs", 3, "", flag_values=values)
    flags.DEFINE_float("learning_rate", 1e-4, "", flag_values=values)
    flags.DEFINE_bool("mirror", True, "", flag_values=values)
    flags.DEFINE_string("body_model", None, "", flag_values=values)
    flags.DEFINE_list("networks", [], "", flag_values=values)
    flags.DEFINE_bool("debug", False, "", flag_values=values)
    values(["", *arguments])
    return values


@pytest.fixture
def folder(tmp_path):
    """A folder with a first checkpoint."""
    folder = RunFolder(tmp_path / "runs" / "one")
    write_text(folder.checkpoints / "epoch_0001.weights.h5", "")
    return folder


def test_a_file_has_its_old_content_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "record.json"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), written_aside(path) as aside:
        aside.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_text(path, "new")
    assert path.read_text() == "new"


def test_the_same_flags_are_taken_up_again(folder):
    folder.adopt_flags(make_flags("--epochs=5", "--nomirror", "--networks=runs/a,runs/b"))
    folder.adopt_flags(
        make_flags("--nomirror", "--networks=runs/a,runs/b", "--epochs=5", "--debug")
    )
    restored = make_flags()
    folder.restore_flags(restored)
    assert (restored.epochs, restored.mirror, restored.body_model) == (5, False, None)
    assert restored.networks == ["runs/a", "runs/b"]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (["--epochs=6"], ["--epochs=5", "--epochs=6"]),
        (["--epochs=5", "--nomirror"], ["--mirror=true", "--mirror=false"]),
        (["--epochs=5", "--learning_rate=0.01"], ["--learning_rate=0.0001", "0.01"]),
        (["--epochs=5", "--body_model=a.pkl"], ["--body_model=a.pkl", "not set"]),
    ],
)
def test_other_flags_are_refused_by_name(folder, now, words):
    folder.adopt_flags(make_flags("--epochs=5"))
    with pytest.raises(UserError) as error:
        folder.adopt_flags(make_flags(*now))
    assert all(word in str(error.value) for word in [*words, "--run_name", "--overwrite"])


def test_before_the_first_checkpoint_flags_may_change(tmp_path):
    folder = RunFolder(tmp_path)
    folder.adopt_flags(make_flags("--epochs=5"))
    folder.adopt_flags(make_flags("--epochs=6"))
    assert folder.read_flags()["epochs"] == "--epochs=6"


def test_a_flag_that_is_no_longer_given_is_refused_too(folder):
    folder.adopt_flags(make_flags("--body_model=a.pkl"))
    with pytest.raises(UserError, match=r"--body_model=a\.pkl, now not set"):
        folder.adopt_flags(make_flags())


def test_a_run_from_before_a_flag_existed_counts_as_its_default(folder):
    folder.adopt_flags(make_flags())
    lines = folder.flags_file.read_text().splitlines()
    folder.flags_file.write_text("\n".join(line for line in lines if "mirror" not in line))
    folder.adopt_flags(make_flags())
    with pytest.raises(UserError, match="--mirror=true, now --mirror=false"):
        folder.adopt_flags(make_flags("--nomirror"))


def test_a_run_from_before_a_flag_was_renamed_is_read_and_taken_up(folder):
    folder.adopt_flags(make_flags("--networks=runs/a,runs/b"))
    content = folder.flags_file.read_text()
    folder.flags_file.write_text(content.replace("--networks=", "--parts="))
    assert folder.read_flags()["networks"] == "--networks=runs/a,runs/b"
    restored = make_flags()
    folder.restore_flags(restored)
    assert restored.networks == ["runs/a", "runs/b"]
    folder.adopt_flags(make_flags("--networks=runs/a,runs/b"))
    with pytest.raises(UserError, match="--networks=runs/a,runs/b, now --networks=runs/c"):
        folder.adopt_flags(make_flags("--networks=runs/c"))


def test_a_run_from_before_a_flag_was_free_is_taken_up(folder):
    folder.adopt_flags(make_flags())
    with open(folder.flags_file, "a") as file:
        file.write("--workers=4\n")
    folder.adopt_flags(make_flags())


def test_a_second_process_is_refused_and_told_who_works_there(folder):
    script = (
        "import sys\n"
        "from experiments.runs.run_folder import RunFolder\n"
        "from experiments.runs.common import UserError\n"
        "try:\n"
        f"    with RunFolder({str(folder.path)!r}).locked(): pass\n"
        "except UserError as error: sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", script]
    with folder.locked():
        refused = subprocess.run(command, capture_output=True, text=True)
    assert f"{folder.path}: in use by process {os.getpid()}" in refused.stderr
    assert subprocess.run(command).returncode == 0


def test_a_record_can_be_read_back_and_says_how_it_was_made(folder):
    assert folder.read_record() is None
    record = folder.make_record(make_flags("--epochs=5"), {"metrics": {"mpjpe_mm": 98.5}})
    write_json(folder.record_file, record)
    assert folder.read_record() == record
    assert record["run"] == "one"
    assert record["flags"]["epochs"] == 5
    assert record["metrics"] == {"mpjpe_mm": 98.5}
    assert record["versions"]["tensorflow"] == versions()["tensorflow"]
    assert record["git_commit"] == git_commit()


def test_a_record_without_numbers_is_refused(folder):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(folder.record_file, {"mpjpe_mm": float("nan")})
    assert folder.read_record() is None


def test_clear_leaves_no_flags_and_no_results(folder):
    folder.adopt_flags(make_flags())
    write_json(folder.record_file, {})
    with folder.locked():
        folder.clear()
    assert [path.name for path in folder.path.iterdir()] == []


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no run here .*train_nbf.py or train_smplr.py printed"):
        RunFolder.existing(tmp_path)
    with pytest.raises(UserError, match=r"no run here .*that train_smplr.py printed") as error:
        RunFolder.existing(tmp_path, "SMPLR")
    assert "nbf" not in str(error.value)


def test_a_run_of_the_other_method_is_refused():
    run = RunFolder.existing(PRETRAINED / "smplr_dae", "SMPLR")
    assert run.method == "SMPLR"
    with pytest.raises(UserError, match="a run of SMPLR, not of NBF; .*that train_nbf.py printed"):
        RunFolder.existing(run.path, "NBF")
    segmentation = RunFolder.existing(PRETRAINED / "nbf_segmentation_small", "NBF")
    assert segmentation.method == "NBF"
    with pytest.raises(UserError, match="a run of NBF, not of SMPLR"):
        RunFolder.existing(segmentation.path, "SMPLR")


def test_what_a_killed_process_was_writing_is_removed(folder):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    half = folder.checkpoints / f".aside-{ended.pid}-epoch_0001.weights.h5"
    half.write_bytes(b"half")
    (folder.path / f".aside-{ended.pid}-exported" / "saved_model").mkdir(parents=True)
    writing = folder.path / f".aside-{os.getppid()}-exported"  # of a process that works
    writing.mkdir()
    with folder.locked():
        assert not list(folder.path.rglob(f".aside-{ended.pid}-*"))
        assert writing.exists()


def test_what_belongs_to_no_run_is_not_cleared(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="report: belongs to no run"):
        RunFolder(tmp_path).clear()
    assert (tmp_path / "report" / "thesis.tex").exists()


def test_a_worker_that_does_not_see_the_folder_of_the_chief_is_told(tmp_path, folder):
    with pytest.raises(UserError, match="one folder that all workers share"):
        RunFolder(tmp_path / "elsewhere").check_flags(make_flags())
    folder.adopt_flags(make_flags("--epochs=5"))
    folder.check_flags(make_flags("--epochs=5"))
    with pytest.raises(UserError, match="--epochs=5, now --epochs=3"):
        folder.check_flags(make_flags())
