"""Files written aside, folders replaced by their mark, locks, and what killed processes leave."""

import errno
import os
import subprocess
import sys

import pytest

from smpl_tf import files, locks
from smpl_tf.files import ASIDE, MARK, NotOursError, folder_aside, written_aside

ODD_NAMES = [
    *(b"a" * 246 + b".json", b"." + b"b" * 254),
    *(b"\xe4\xff.json", "ä人.json".encode(), b"n\nl.json"),
]


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_that_the_disk_takes_is_written(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    files.write_text(path, "whole")
    assert [os.fsencode(one.name) for one in tmp_path.iterdir()] == [name]
    assert path.read_text() == "whole"
    path.unlink()
    with folder_aside(path) as aside:
        assert os.fsencode(aside.name).isascii()
        (aside / "a").touch()
    with folder_aside(path) as aside:  # and again
        (aside / "b").touch()
    assert {one.name for one in path.iterdir()} == {MARK, "b"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_with_a_name_that_is_no_text_is_written(tmp_path):
    files.write_text(tmp_path / "a", os.fsdecode(b"\xe4.jpg"))
    assert (tmp_path / "a").read_text() == "\\udce4.jpg"


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_what_is_not_ours_is_not_replaced(tmp_path, kind):
    target, own = tmp_path / "holiday", tmp_path / "own"
    own.mkdir()
    (own / "thesis.tex").write_text("mine")
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
        (target / "thesis.tex").write_text("mine")
    else:
        target.symlink_to(own if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(NotOursError, match="holiday: already exists and was not written by"):
        with folder_aside(target):
            pytest.fail("work was done for nothing")
    assert (target.is_symlink()) == (kind in ("link", "dangling"))
    assert (own / "thesis.tex").read_text() == "mine"
    assert {one.name for one in tmp_path.iterdir()} == {"holiday", "own"}
    if kind == "file":
        assert target.read_text() == "mine"


def test_what_comes_into_the_way_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(NotOursError), folder_aside(target):
        target.mkdir()
        (target / "mine").touch()
    assert [one.name for one in target.iterdir()] == ["mine"]


def test_leftovers_of_ended_processes_are_removed_and_no_others(tmp_path, ended):
    dead = [tmp_path / f"{ASIDE}{ended}-a", tmp_path / "sub" / f"{ASIDE}{ended}-exported"]
    dead[1].mkdir(parents=True)
    (dead[1] / "weights").touch()
    dead[0].touch()
    alive = tmp_path / f"{ASIDE}{os.getppid()}-b"
    other = tmp_path / f"{ASIDE}mine"
    alive.touch()
    other.touch()
    files.remove_leftovers(tmp_path)
    assert not any(one.exists() for one in dead)
    assert alive.exists() and other.exists()


@pytest.mark.skipif(not os.path.exists("/proc/uptime"), reason="only Linux tells when")
def test_a_number_that_was_given_again_keeps_nothing(tmp_path):
    old = tmp_path / f"{ASIDE}{os.getppid()}-a"
    old.touch()
    os.utime(old, (1e9, 1e9))  # before the process of this number began
    files.remove_leftovers(tmp_path)
    assert not old.exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("write failed: errno = 28, error message = 'No space left on device'"),
    ],
)
def test_a_full_disk_is_told_with_the_final_name(tmp_path, error):
    for write in (written_aside, folder_aside):
        with pytest.raises(OSError) as raised, write(tmp_path / "x"):
            raise error
        assert raised.value.errno == errno.ENOSPC
        assert raised.value.filename == str(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_second_process_is_told_who_works_in_a_folder(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom smpl_tf import locks\n"
        f"with locks.locked(Path({str(tmp_path / 'data')!r})): pass\n"
    )
    command = [sys.executable, "-c", program]
    with locks.locked(tmp_path / "data"):
        refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert f"data: in use by process {os.getpid()} on" in refused.stderr.splitlines()[-1]
    assert subprocess.run(command).returncode == 0
    assert not list((tmp_path / "data").iterdir())


def test_the_lock_of_a_killed_process_blocks_nobody(tmp_path):
    program = (
        "import os\nfrom pathlib import Path\nfrom smpl_tf import locks\n"
        f"with locks.locked(Path({str(tmp_path)!r})): os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert (tmp_path / ".lock").exists()
    with locks.locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_system_without_locks_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with pytest.raises(OSError, match=r"no locks .*Linux"), locks.locked(tmp_path):
        pass
