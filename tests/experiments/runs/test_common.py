import os
import signal
import subprocess
import sys
import time

import pytest
import tqdm
from absl import flags

from experiments import evaluate_smplr, train_nbf, train_smplr
from experiments.nbf import flags as nbf_flags
from experiments.runs import common
from experiments.runs.common import REPOSITORY, UserError, run
from experiments.smplr import flags as smplr_flags


def define_flags(values):
    flags.DEFINE_integer("epochs", 3, "How many epochs.", lower_bound=1, flag_values=values)
    flags.DEFINE_enum("input", "rgb", ["rgb", "parts_12"], "What it sees.", flag_values=values)


def do_nothing(values):
    """Stands for a script."""


def raises(error):
    def main(values):
        raise error

    return main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epoch=3"], ["'epoch'", "epochs"]),
        (["--epochs=0"], ["--epochs=0"]),
        (["--epochs=many"], ["--epochs=many"]),
        (["--input=depth"], ["--input=depth", "parts_12"]),
        (["epochs=3"], ["'epochs=3'", "--flag=value"]),
        (["--flagfile=nowhere.cfg"], ["nowhere.cfg", "No such file"]),
        (["--epochs"], ["--epochs"]),
    ],
)
def test_a_wrong_flag_is_one_line_and_status_2(arguments, words, capsys):
    assert run(do_nothing, define_flags, ["train.py", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("train.py: ")
    assert captured.err.count("\n") == 1
    assert all(word in captured.err for word in [*words, "--help"])


@pytest.mark.parametrize(
    ("script", "define", "old", "new"),
    [
        (train_nbf, nbf_flags.define_run_flags, "--points=91", "--points is now --loss_points"),
        (train_smplr, smplr_flags.define_run_flags, "--parts=a", "--parts is now --networks"),
        (evaluate_smplr, evaluate_smplr.define_flags, "--parts=a", "--parts is now --networks"),
    ],
)
def test_an_old_flag_says_its_new_name(script, define, old, new, tmp_path, capsys):
    file = tmp_path / "mine.cfg"
    file.write_text(f"{old}\n")
    for argument in (old, f"--flagfile={file}"):
        assert run(script.main, define, ["t.py", argument]) == 2
        assert capsys.readouterr().err == f"t.py: {new} (--help lists the flags)\n"


def test_an_old_name_that_means_nothing_here_is_unknown(capsys):
    assert run(do_nothing, define_flags, ["t.py", "--points=91"]) == 2
    assert "Unknown command line flag 'points'" in capsys.readouterr().err


def test_the_flags_of_a_file_stand_where_the_file_is_named(tmp_path):
    file = tmp_path / "quick.cfg"
    file.write_text("# A comment.\n--epochs=7\n\n--input=parts_12\n")
    seen = []

    def main(values):
        seen.append((values.epochs, values.input))

    assert run(main, define_flags, ["t", f"--flagfile={file}", "--epochs=8"]) == 0
    assert run(main, define_flags, ["t", "--epochs=8", f"--flagfile={file}"]) == 0
    assert seen == [(8, "parts_12"), (7, "parts_12")]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("data/x: gone;\n  make it"), "t.py: data/x: gone; make it\n"),
        (ValueError("Expected 3, got 4."), "t.py: Expected 3, got 4.\n"),
        (FileNotFoundError(2, "No such file", "a.npz"), "t.py: a.npz: No such file\n"),
        (OSError("short"), "t.py: short\n"),
        (
            OSError(28, "No space left on device", "a.h5"),
            "t.py: a.h5: no space left on the disk; free some space and run the same "
            "command again (files under their final names are complete)\n",
        ),
        (
            # HDF5's, without a number.
            OSError("write failed: errno = 28, error message = 'No space left on device'"),
            "t.py: a file could not be written: no space left on the disk; free some space and "
            "run the same command again (files under their final names are complete)\n",
        ),
        (
            MemoryError("2 GiB"),
            "t.py: out of memory: reduce the image size or the number of inputs; 2 GiB\n",
        ),
        (
            KeyError("joints"),
            "t.py: unexpected KeyError: 'joints' (--debug shows the traceback)\n",
        ),
    ],
)
def test_an_error_is_one_line_and_status_1(error, line, capsys):
    assert run(raises(error), define_flags, ["t.py"]) == 1
    assert capsys.readouterr().err == line


def test_want_of_memory_names_the_batch(capsys):
    import tensorflow as tf

    def define(values):
        flags.DEFINE_integer("batch_size", 32, "Examples.", flag_values=values)

    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\ntensor[9,9]")
    assert run(raises(error), define, ["t.py", "--batch_size=64"]) == 1
    line = "t.py: out of memory: lower --batch_size=64; OOM when allocating tensor[9,9]\n"
    assert capsys.readouterr().err == line


def test_debug_shows_where_it_happened():
    with pytest.raises(UserError, match="gone"):
        run(raises(UserError("gone")), define_flags, ["t.py", "--debug"])


def test_ctrl_c_is_status_130_and_promises_to_go_on_only_where_that_is_so(capsys):
    main = raises(KeyboardInterrupt())
    assert run(main, define_flags, ["t.py"]) == 130
    assert capsys.readouterr().err == "\nt.py: stopped\n"
    assert run(main, define_flags, ["t.py"], resumes=True) == 130
    assert capsys.readouterr().err == "\nt.py: stopped; the same command continues from here\n"


def test_help_names_every_flag_with_its_default(capsys):
    assert run(do_nothing, define_flags, ["t.py", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--epochs [3]" in text
    assert "How many epochs." in text
    assert "--flagfile" in text


def test_the_status_of_the_script_is_passed_on():
    assert run(lambda values: 1, define_flags, ["t.py"]) == 1


def test_another_package_called_datasets_is_refused(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    script = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(REPOSITORY)!r}]\n"
        "from experiments.runs import common\n"
        "sys.exit(common.run(lambda values: 0, lambda values: None, ['t.py']))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert str(tmp_path / "datasets") in answer.stderr
    assert "run the script by its path" in answer.stderr


def test_python_still_writes_to_the_screen_while_c_is_quiet(capfd):
    with common.quiet_c():
        os.write(2, b"chatter")
        print("progress", file=sys.stderr)
    os.write(2, b" afterwards")
    assert capfd.readouterr().err == "progress\n afterwards"


def test_what_c_wrote_is_shown_when_the_block_fails(capfd):
    with pytest.raises(RuntimeError), common.quiet_c():
        os.write(2, b"the reason")
        raise RuntimeError
    assert "the reason" in capfd.readouterr().err


class TestArguments:
    def test_arguments_without_a_name_go_to_the_flag_that_the_script_names(self, monkeypatch):
        seen = []
        monkeypatch.setattr(sys.modules[__name__], "POSITIONAL_FLAG", "files", raising=False)

        def main(values):
            seen.append((values.files, values.size))

        def define(values):
            flags.DEFINE_multi_string("files", None, "Files.", flag_values=values)
            flags.DEFINE_integer("size", 1, "Size.", flag_values=values)

        main.__module__ = __name__
        assert (
            common.run(main, define, ["s.py", "a.jpg", "--size=3", "--files=b.jpg", "c.jpg"]) == 0
        )
        assert seen == [(["b.jpg", "a.jpg", "c.jpg"], 3)]

    def test_other_scripts_refuse_them(self, capsys):
        def main(values):
            raise AssertionError

        assert common.run(main, lambda values: None, ["s.py", "a.jpg"]) == 2
        assert "unexpected argument 'a.jpg'; every option is a --flag=value" in (
            capsys.readouterr().err
        )

    def test_help_lists_first_what_the_script_says(self, monkeypatch, capsys):
        monkeypatch.setattr(sys.modules[__name__], "FIRST_FLAGS", ("z",), raising=False)

        def main(values):
            raise AssertionError

        def define(values):
            flags.DEFINE_string("z", "a", "Last letter.", flag_values=values)

        main.__module__ = __name__
        assert common.run(main, define, ["s.py", "-h"]) == 0
        text = capsys.readouterr().out
        assert text.index("Most used flags:\n  --z [a]") < text.index(
            "All other flags:\n  --debug"
        )


def test_sigterm_ends_a_script_as_ctrl_c_does(capsys):
    cleared = []

    def main(values):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            cleared.append(True)

    before = signal.getsignal(signal.SIGTERM)
    assert run(main, define_flags, ["t.py"], resumes=True) == common.EXIT_INTERRUPTED
    assert capsys.readouterr().err == "\nt.py: stopped; the same command continues from here\n"
    assert cleared and signal.getsignal(signal.SIGTERM) == before


def test_without_a_folder_for_temporary_files_scripts_work_or_say_so(monkeypatch, capsys):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with common.quiet_c():
        os.write(2, b"noise")
    assert run(lambda _: refuse(), define_flags, ["t.py"]) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "set TMPDIR to a writable folder" in line


def test_where_tmp_is_read_only_temporary_files_are_in_memory(monkeypatch, tmp_path):
    def refuse():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setenv("TMPDIR", "/nowhere")
    for folder, expected in (("/nowhere/either", "/nowhere"), (str(tmp_path), str(tmp_path))):
        with monkeypatch.context() as here:
            here.setattr("tempfile.gettempdir", refuse)
            here.setattr(common, "_IN_MEMORY", folder)
            common.find_temporary_folder()
        assert os.environ["TMPDIR"] == expected


def test_a_flag_file_is_read_as_utf_8_and_may_name_another(tmp_path):
    (tmp_path / "inner.cfg").write_text("# Ω\n--epochs=7\n", "utf-8")
    (tmp_path / "outer.cfg").write_text(f"--flagfile={tmp_path / 'inner.cfg'}\n// Ψ\n", "utf-8")
    seen = []
    arguments = ["t.py", "--flagfile", str(tmp_path / "outer.cfg"), "--input=parts_12"]
    assert run(lambda v: seen.append((v.epochs, v.input)), define_flags, arguments) == 0
    assert seen == [(7, "parts_12")]


def test_results_of_a_shipped_run_go_to_the_working_folder(tmp_path):
    from experiments.runs import shipped_runs
    from experiments.runs.run_folder import RunFolder

    run_folder = RunFolder(shipped_runs.PRETRAINED / "smplr_dae")
    assert str(shipped_runs.results_of(run_folder)) == "runs/smplr_dae"
    assert shipped_runs.results_of(RunFolder(tmp_path)).samefile(tmp_path)


def test_closed_streams_stop_no_script(monkeypatch):
    def main(values):
        del values
        print("result")
        for _ in tqdm.tqdm(range(2)):
            print("note", file=sys.stderr)

    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert common.run(main, lambda values: None, ["script.py"]) == 0
    sys.stdout.close()
    sys.stderr.close()
