"""Single changes of the library, each with the tests that must notice it.

`python tests/mutants.py [--only=words]` makes each change in a copy of the tree, never in the tree
itself, runs its tests there, and prints whether they failed (killed) or not (survived). Status 1:
more than MOST_SURVIVORS survived. The first block holds what survived an attack at ab10a36.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

import keras  # noqa: F401  once, for all processes that are forked
import pytest
import tensorflow as tf  # noqa: F401

REPOSITORY = Path(__file__).resolve().parents[1]
MOST_SURVIVORS = 4
_SECONDS = 300  # of a file of tests; a mutant that hangs is noticed
_MEMORY = 16 << 30  # bytes of addresses; one that asks for all memory is noticed


class Mutant(NamedTuple):
    """One change.

    Attributes:
      file: that is changed.
      old: text that is there once.
      new: what takes its place.
      tests: the file of the tests that must notice.
      chosen: which of them, for pytest's -k.
    """

    file: str
    old: str
    new: str
    tests: str
    chosen: str


def _in(file: str, tests: str, *changes: tuple[str, str, str]) -> Iterator[Mutant]:
    for old, new, chosen in changes:
        yield Mutant(file, old, new, f"tests/{tests}", chosen)


MUTANTS = (
    # Survivors at ab10a36.
    *_in(
        *("smpl_tf/model_data/pickle_machine.py", "smpl_tf/test_unpickler.py"),
        ('("PROTO", "FRAME")', '("PROTO", "FRAME", "PERSID", "BINPERSID")', "persistent_id"),
        ("memory[place] = stack[-1]", "memory[place] = [*[None] * place, stack[-1]][-1]", "far"),
    ),
    *_in(
        *("smpl_tf/model_data/stand_ins.py", "smpl_tf/test_unpickler.py"),
        ("return math.prod(self._shape())", "return 1", "sparse_matrix"),
    ),
    *_in(
        *("smpl_tf/array_files.py", "smpl_tf/test_model_data.py"),
        ("bounds.check(claimed, 8 * most_numbers", "bounds.check(0, 8 * most_numbers", "claim"),
        ("bounds.check(max(count, *shape, 0)", "bounds.check(max(0, 0)", "claim"),
    ),
    *_in(
        *("smpl_tf/hdf5_files.py", "smpl_tf/test_model_data.py"),
        ("check(found.size or 0, bounds.MOST_NUMBERS", "check(0, bounds.MOST_NUMBERS", "hdf5"),
    ),
    *_in(
        *("datasets/manifests.py", "experiments/runs/test_side_files.py"),
        ("os.path.basename(shard.file) != shard.file", "False", "foreign_names"),
    ),
    *_in(
        *("datasets/records.py", "experiments/runs/test_side_files.py"),
        ("if size != shard.bytes", "if size < shard.bytes", "grown"),
    ),
    *_in(
        *("nbf/losses.py", "nbf/test_losses.py"),
        ("weight_decay: float = 1e-4", "weight_decay: float = 1e-3", "weight_decay"),
    ),
    *_in(
        *("smpl_tf/rotations.py", "smpl_tf/test_rotations.py"),
        ("> _LEAST_DETERMINANT * np.finfo(h.dtype.as_numpy_dtype).eps", "> 0.05", "small_sing"),
        ("axis=axes, keepdims=True))\n    return values / tf.where(size > 0, size", "axis=axes, "
         "keepdims=True))\n    return values / tf.where(size > 20, size", "scale"),
    ),
    *_in(
        *("smpl_tf/alignment.py", "smpl_tf/test_alignment.py"),
        ("source = tf.where(weights > 0, source, 0.0)", "source = source", "may_be_missing"),
    ),
    *_in(
        *("smplr/losses.py", "smplr/test_losses.py"),
        ("known = tf.math.is_finite(true)\n", "known = tf.equal(true, true)\n", "unknown"),
    ),
    *_in(
        *("smplr/volumes.py", "smplr/test_volumes.py"),
        ("_MAX_PROBABILITY = 1 - 1e-6", "_MAX_PROBABILITY = 1 - 1e-3", "log_odds"),
    ),
    *_in(
        *("datasets/transforms.py", "datasets/test_transforms.py"),
        ("shrunk, antialias=True", "shrunk, antialias=False", "shrinking"),
    ),
    *_in(
        *("datasets/photographs/people_files.py", "datasets/photographs/test_people_files.py"),
        ("_LEAST_SCORE = 0.3", "_LEAST_SCORE = 0.9", "scores_enough"),
    ),
    *_in(
        *("experiments/runs/checkpoints.py", "experiments/runs/test_checkpoints.py"),
        ("keep: int = 2", "keep: int = 1", "only_the_newest"),
    ),
    *_in(
        *("datasets/surreal.py", "datasets/test_surreal.py"),
        ("|143_21(_|$))", ")", "monstrous"),
        ("(18_|19_|", "(18_|", "monstrous"),
    ),
    # Readers.
    *_in(
        *("smpl_tf/model_data/unpickler.py", "smpl_tf/test_unpickler.py"),
        ("not isinstance(text, str) or not _PLAIN_TYPE.fullmatch(text)", "False", "hostile"),
        ("size not in (-1, self.dtype.itemsize)", "False", "hostile"),
        ("one is not None for one in (*state[2:5]", "False for one in (*state[2:5]", "hostile"),
        ('bounds.check(depth, bounds.MOST_DEPTH, "levels")', "pass", "hostile"),
        ("self._bytes += len(content)", "self._bytes = len(content)", "hostile"),
    ),
    *_in(
        *("smpl_tf/model_data/pickle_machine.py", "smpl_tf/test_unpickler.py"),
        ("if count >= bounds.MOST_PICKLE_OPERATIONS", "if False", "too_many"),
        ("if not isinstance(key, str | bytes | int | float | None)", "if False", "hostile"),
    ),
    *_in(
        *("smpl_tf/model_data/stand_ins.py", "smpl_tf/test_unpickler.py"),
        ("((places >= 0) & (places < across))", "(places < across)", "sparse_matrix"),
        ("not isinstance(state, dict) or self._state", "not isinstance(state, dict)", "hostile"),
    ),
    *_in(
        *("smpl_tf/hdf5_files.py", "smpl_tf/test_model_data.py"),
        ("if found.external or found.is_virtual", "if found.external", "hdf5"),
        ("if not isinstance(link, h5py.HardLink)", "if False", "hdf5"),
    ),
    *_in(
        *("smpl_tf/keras_files.py", "smpl_tf/test_keras_files.py"),
        ("bounds.check(abs(value)", "bounds.check(0", "configurations"),
        ("if one.filename == _WEIGHTS and one.compress_type", "if False and one", "packed"),
        ('if value.get("backbone_weights")', "if False", "configurations"),
    ),
    *_in(
        *("datasets/matlab.py", "datasets/test_matlab.py"),
        ('bounds.check(depth, bounds.MOST_DEPTH, "levels")', "pass", "claims"),
        ("self._bytes += _BYTES[cls]", "self._bytes = _BYTES[cls]", "claims"),
    ),
    *_in(
        *("smpl_tf/text_files.py", "datasets/photographs/test_people_files.py"),
        ('"utf-8-sig"', '"utf-8"', "differences_of_form"),
    ),
    *_in(
        *("smpl_tf/pictures.py", "smpl_tf/test_pictures.py"),
        ("content[:64]) not in FORMATS", "content[:64]) is FORMATS", "formats_that_we_mean"),
        ("6: Image.Transpose.ROTATE_270", "6: Image.Transpose.ROTATE_90", "sideways"),
    ),
    # Folders.
    *_in(
        *("smpl_tf/files.py", "smpl_tf/test_files.py"),
        ("if ours and ((folder / MARK).is_file()", "if ours or ((folder / MARK)", "not_ours"),
        ("        check_replaceable(folder)\n        if", "        if", "into_the_way"),
        ("return time.time() - age <= moment + 1", "return True", "given_again"),
        ("_LONGEST_NAME = 120", "_LONGEST_NAME = 255", "any_name"),
    ),
    *_in(
        *("experiments/runs/checkpoints.py", "experiments/runs/test_checkpoints.py"),
        ("if shutil.disk_usage(folder).free < size", "if False", "without_room"),
    ),
    *_in(
        *("experiments/runs/common.py", "experiments/runs/test_common.py"),
        ("before = signal.signal(signal.SIGTERM, interrupt)", "before = None", "sigterm"),
    ),
    # Numbers.
    *_in(
        *("smpl_tf/rotations.py", "smpl_tf/test_rotations.py"),
        ("_SERIES_BELOW_SQUARED_ANGLE = 0.01", "_SERIES_BELOW_SQUARED_ANGLE = 1.0", "rodrigues"),
        ("tf.where(quaternions[..., :1] < 0.0", "tf.where(quaternions[..., :1] < -2", "scipy"),
    ),
    *_in(
        *("smpl_tf/alignment.py", "smpl_tf/test_alignment.py"),
        ("project_to_rotation(covariance)", "project_to_rotation(covariance, False)", "reflect"),
    ),
    *_in(
        *("smpl_tf/kinematics.py", "smpl_tf/test_kinematics.py"),
        ("matmul(outer, rotations, transpose_a=True)", "matmul(outer, rotations)", "inverse"),
    ),
    *_in(
        *("smpl_tf/lbs.py", "smpl_tf/test_body_model.py"),
        ("(tf.eye(3, dtype=dtype), [3", "(0.0 * tf.eye(3, dtype=dtype), [3", "reference"),
    ),
    *_in(
        *("smpl_tf/lbs.py", "smpl_tf/test_lbs.py"),
        ("[points, tf.ones_like(", "[points, tf.zeros_like(", "own_gradient"),
    ),
    *_in(
        *("smpl_tf/metrics.py", "smpl_tf/test_metrics.py"),
        ("tf.where(mask > 0, values * mask, 0.0)", "values * mask", "mask"),
    ),
    *_in(
        *("smpl_tf/camera.py", "smpl_tf/test_camera.py"),
        ("tf.where(tf.abs(depth) < _MIN_DEPTH", "tf.where(tf.abs(depth) < 0", "camera_plane"),
        ("crop_matrix(0.5, 0.5), matrix", "crop_matrix(0, 0), matrix", "index_matrix"),
    ),
    *_in(
        *("smpl_tf/zbuffer.py", "smpl_tf/test_rasterizer.py"),
        ("if first > second:", "if first < 0:", "crack"),
    ),
    *_in(
        *("smplr/bones.py", "smplr/test_bones.py"),
        ("tf.logical_and(valid, tf.gather(", "tf.logical_or(valid, tf.gather(", "missing"),
    ),
    *_in(
        *("smplr/volumes.py", "smplr/test_volumes.py"),
        ("weights = tf.exp(logits - highest)", "weights = tf.exp(logits)", "huge"),
    ),
    *_in(
        *("nbf/losses.py", "nbf/test_losses.py"),
        ("tf.math.multiply_no_nan(values, valid)", "values * valid", "masked or any_3d"),
        ("tf.math.divide_no_nan(upstream, lengths)", "(upstream / lengths)", "zero_at_zero"),
    ),
    # Data sets.
    *_in(
        *("datasets/amass.py", "datasets/test_amass.py"),
        ("[0, 0, -1], [0, 1, 0]])", "[0, 0, 1], [0, 1, 0]])", "turned"),
    ),
    *_in(
        *("datasets/surreal.py", "datasets/test_surreal.py"),
        ('segm_{frame + 1}"][:, ::-1]', 'segm_{frame + 1}"]', "mirror_is_undone"),
    ),
    *_in(
        *("datasets/photographs/people_files.py", "datasets/photographs/test_people_files.py"),
        ("_LEAST_CONFIDENCE = 0.1", "_LEAST_CONFIDENCE = 0.001", "openpose"),
    ),
    *_in(
        *("datasets/photographs/squares.py", "datasets/photographs/test_squares.py"),
        ("if zoom < 0.5:", "if False:", "fine_detail"),
    ),
)  # fmt: skip


def changed(mutant: Mutant, text: str) -> str:
    """The text of the file with the change.

    Raises:
      ValueError: the old text is not there once.
    """
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file}: {text.count(mutant.old)} times {mutant.old!r}, not once")
    return text.replace(mutant.old, mutant.new)


def _run(tree: Path, files: list[str], chosen: str) -> tuple[int, str]:
    """Runs tests of a tree in a process of their own, which has TensorFlow from this one.

    Returns:
      pytest's status, below 0 for tests that crash or hang, and what it said.
    """
    with tempfile.TemporaryFile() as screen:
        child = os.fork()
        if child == 0:
            _run_and_exit(tree, files, chosen, screen.fileno())
        deadline = time.monotonic() + _SECONDS * len(files)
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.05)
        screen.seek(0)
        return os.waitstatus_to_exitcode(ended[1]), screen.read().decode(errors="replace")


def _run_and_exit(tree: Path, files: list[str], chosen: str, screen: int) -> NoReturn:
    status = 70
    try:
        for stream in (1, 2):
            os.dup2(screen, stream)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        own = {str(REPOSITORY), str(REPOSITORY / "tests")}
        sys.path[:] = [str(tree), *(one for one in sys.path if one not in own)]
        status = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *files, "-k", chosen])
    finally:
        sys.stdout.flush()
        os._exit(status)


@contextmanager
def _with_change(mutant: Mutant, path: Path, number: int) -> Iterator[None]:
    """Changes a file; its time is new, since Python compares no more than that and the size."""
    text, before = path.read_text("utf-8"), path.stat()
    path.write_text(changed(mutant, text), "utf-8")
    os.utime(path, (before.st_mtime + number,) * 2)
    yield
    path.write_text(text, "utf-8")
    os.utime(path, (before.st_mtime,) * 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="words, one of which file, text or tests hold")
    words = parser.parse_args().only.split(",")
    mutants = [
        one
        for one in MUTANTS
        if any(word in f"{one.file} {one.old} {one.tests} {one.chosen}" for word in words)
    ]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        left_out = shutil.ignore_patterns(".git", "__pycache__", ".*_cache")
        shutil.copytree(REPOSITORY, tree, ignore=left_out)
        every = " or ".join(sorted({one.chosen for one in mutants}))
        status, said = _run(tree, sorted({one.tests for one in mutants}), every)
        if status:
            print(f"the tests fail without any change:\n{said}")
            return 2
        survivors = 0
        for number, one in enumerate(mutants, start=1):
            with _with_change(one, tree / one.file, number):
                status, said = _run(tree, [one.tests], one.chosen)
            # 1: tests failed; below 0: hung or crashed. Others, such as no tests, prove nothing.
            killed = status == 1 or status < 0
            survivors += not killed
            print(
                f"{number:2} {'killed' if killed else 'SURVIVED'} {one.file}: "
                f"{one.old!r} -> {one.new!r} ({one.tests} -k {one.chosen!r}: {status})",
                flush=True,
            )
            if status > 1:
                print(said[-1000:])
    print(f"{len(mutants) - survivors} of {len(mutants)} killed")
    return survivors > MOST_SURVIVORS


if __name__ == "__main__":
    sys.exit(main())
