"""Shared code of all scripts: flags, one-line errors, exit statuses, and a quiet TensorFlow.

A script is a function `main(flags)` and a function that defines its flags; `run` combines them.
Its module may define POSITIONAL_FLAG, the flag for positional arguments, and FIRST_FLAGS, which
--help lists first. `load_tensorflow` loads TensorFlow after the flags are parsed, so that a
mistyped flag is reported at once and importing a script has no effects.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

from absl import flags

from experiments.runs.renamed_flags import explain
from smpl_tf import locks, text_files
from smpl_tf.errors import one_line
from smpl_tf.files import remove_leftovers

REPOSITORY = Path(__file__).resolve().parents[2]

_IN_MEMORY = "/dev/shm"  # Linux
# absl's addition to the help of a flag that may be repeated.
_REPEATED = "; repeat this option to specify a list of values"
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A mistake that the user can fix; the one-line message names the remedy."""


# Mistakes that the user can fix, and Ctrl-C; all other errors are bugs.
EXPECTED = (UserError, ValueError, OSError, KeyboardInterrupt)


class UsageError(UserError):
    """Flags contradict each other, or are missing."""


def run(
    main: Callable[[flags.FlagValues], int | None],
    define_flags: Callable[[flags.FlagValues], None],
    argv: Sequence[str] | None = None,
    *,
    resumes: bool = False,
) -> int:
    """Parses the flags, runs a script, and reports errors in one line.

    Args:
      main: the script; takes the parsed flags and returns an exit status (None is 0).
      define_flags: adds the script's flags.
      argv: program name and arguments; None: of this process.
      resumes: whether the script continues when it is run again after Ctrl-C.

    Returns:
      The exit status: 0, 1 after an error, 2 for wrong flags, 130 after Ctrl-C.
    """
    argv = ["--help" if one == "-h" else one for one in (sys.argv if argv is None else argv)]
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        text_files.tolerate_any_text(stream)
    script = Path(argv[0]).name
    values = flags.FlagValues()
    values.set_gnu_getopt(True)  # flags may follow arguments
    flags.DEFINE_bool("help", False, "Print this help (also -h).", flag_values=values)
    flags.DEFINE_bool("debug", False, "Show the traceback of an error.", flag_values=values)
    define_flags(values)
    try:
        _take_arguments(values(_with_flag_files(argv))[1:], main, values)
    except (flags.Error, ValueError) as error:
        print(f"{script}: {explain(error, values)} (--help lists the flags)", file=sys.stderr)
        return EXIT_USAGE
    if values.help:
        print(usage(main, values))
        return 0
    try:
        check_packages()
        with _terminated_as_interrupted():
            return main(values) or 0
    except KeyboardInterrupt:
        further = "; the same command continues from here" if resumes else ""
        print(f"\n{script}: stopped{further}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if values.debug:
            raise
        print(f"{script}: {describe(error, values)}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR


def _replace_closed_streams() -> None:
    """Opens the null device where standard streams are closed.

    Progress bars and prints work then, and no other file gets a number to which C++ code writes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def _take_arguments(rest: Sequence[str], main: Callable, values: flags.FlagValues) -> None:
    """Appends positional arguments to their flag."""
    name = getattr(sys.modules[main.__module__], "POSITIONAL_FLAG", None)
    if rest and name is None:
        raise flags.Error(f"unexpected argument {rest[0]!r}; every option is a --flag=value")
    if rest:
        values[name].value = [*(values[name].value or []), *rest]


@contextmanager
def working_in(output: Path) -> Iterator[None]:
    """Locks a folder of results, and removes unfinished files of killed processes.

    Args:
      output: the folder; created if missing, and removed if nothing was written.

    Yields:
      Nothing.

    Raises:
      InUseError: another process uses it; the one-line message says which.
    """
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        with locks.locked(output):
            remove_leftovers(output)
            yield
    finally:
        for folder in made:  # an empty folder is removed
            if not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def require(values: flags.FlagValues, *names: str) -> None:
    """Checks that required flags are given.

    Args:
      values: the flags.
      names: required flags.

    Raises:
      UsageError: one of them is missing.
    """
    for name in names:
        if values[name].value is None:
            raise UsageError(f"--{name} is missing: {_help_of(values[name])}")


def describe(error: Exception, values: flags.FlagValues | None = None) -> str:
    """Describes an error in one line.

    Args:
      error: raised by a script.
      values: its flags.

    Returns:
      The message; for an unexpected error, its type and how to see the traceback.
    """
    text = one_line(error)
    # HDF5 and TensorFlow give only the text, without an error number.
    if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in text:
        path = getattr(error, "filename", None) or "a file could not be written"
        return (
            f"{path}: no space left on the disk; free some "
            "space and run the same command again (files under their final names are complete)"
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        remedy = "reduce the image size or the number of inputs"
        if values is not None and "batch_size" in values:
            remedy = f"lower --batch_size={values.batch_size}"
        return f"out of memory: {remedy}; {_shortened(text)}"
    if isinstance(error, FileNotFoundError) and "No usable temporary directory" in text:
        return f"{text}; set TMPDIR to a writable folder"
    if isinstance(error, OSError) and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror}")
    if isinstance(error, EXPECTED):
        return text
    shown = _shortened(text)
    return f"unexpected {type(error).__name__}: {shown} (--debug shows the traceback)"


def _shortened(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[:most] + " ..."


def _help_of(flag: flags.Flag) -> str:
    return one_line(flag.help).removesuffix(_REPEATED)


def usage(main: Callable, values: flags.FlagValues) -> str:
    """Returns the help text of a script: its module's docstring and its flags.

    Args:
      main: the script's main function.
      values: its flags.

    Returns:
      The text.
    """
    module = sys.modules[main.__module__]
    first = [name for name in getattr(module, "FIRST_FLAGS", ()) if name in values]
    others = [name for name in sorted(values) if name not in first]
    lines = [(module.__doc__ or "").strip()]
    titles = ("Most used flags:", "All other flags:") if first else ("", "Flags:")
    for title, names in zip(titles, (first, others), strict=True):
        if names:
            lines += ["", title]
        for name in names:
            flag = values[name]
            default = "" if flag.default is None else f" [{_shown_default(flag.default)}]"
            lines.append(f"  --{name}{default}\n      {_help_of(flag)}")
    lines.append(
        "  --flagfile\n      Read flags from this file, such as those in experiments/flags/."
    )
    return "\n".join(lines)


def _shown_default(value) -> str:
    """Formats a default as it is written after the flag."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def check_packages() -> None:
    """Rejects another package named `datasets`.

    Raises:
      UserError: Hugging Face's package of that name was imported instead of ours.
    """
    import datasets

    found = Path(datasets.__file__).resolve()
    if found.parents[1] != REPOSITORY:
        raise UserError(
            f"the package 'datasets' comes from {found.parent}, not from {REPOSITORY}: run the "
            "script by its path, or 'python -m experiments.<script>' inside the repository"
        )


def load_tensorflow(deterministic: bool = False) -> ModuleType:
    """Imports TensorFlow without start-up messages; sets Keras to it, float32, channels last.

    Args:
      deterministic: use deterministic operations.

    Returns:
      The module `tensorflow`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    find_temporary_folder()
    # In the scripts' process, independent of the user's Keras settings.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet_c():  # some messages are printed before that variable is read
        import tensorflow as tf

        tf.config.list_physical_devices()
        import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return tf


def find_temporary_folder() -> None:
    """Sets TMPDIR to a folder in memory where the usual ones are read-only.

    TensorFlow cannot be imported without one; where there is none at all, its error names TMPDIR.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if os.access(_IN_MEMORY, os.W_OK):
            os.environ["TMPDIR"] = _IN_MEMORY  # also for child processes


def prepare_keras(seed: int, mixed_precision: str) -> None:
    """Seeds the weights and dropouts of a training, and sets its precision.

    Args:
      seed: of the run.
      mixed_precision: name of a Keras policy, or "none".
    """
    import keras
    import numpy as np

    # A random stream separate from the order of the data, which uses the seed itself.
    keras.utils.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    if mixed_precision != "none":
        import tensorflow as tf

        keras.mixed_precision.set_global_policy(mixed_precision)
        alone = len(tf.config.list_logical_devices()) == 1  # the only device is the CPU
        if mixed_precision == "mixed_bfloat16" and alone and not _multiplies_bfloat16():
            print(
                "warning: mixed_bfloat16 makes a training step up to 8 times slower on a CPU that "
                "has no instructions for it; leave --mixed_precision out",
                file=sys.stderr,
            )


def _multiplies_bfloat16() -> bool:
    """Whether the processor has a matrix unit for bfloat16; unknown counts as no."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _with_flag_files(argv: Sequence[str]) -> list[str]:
    """Inserts the flags of flag files, like absl, but reads the files as UTF-8."""
    flat = [argv[0]]
    rest = iter(argv[1:])
    for argument in rest:
        name, _, path = argument.partition("=")
        if name == "--":
            return [*flat, argument, *rest]
        if name not in ("--flagfile", "-flagfile"):
            flat.append(argument)
            continue
        flat += _flags_of_file(path or next(rest, ""), ())
    return flat


def _flags_of_file(path: str, includers: tuple[str, ...]) -> Iterator[str]:
    try:
        content = Path(path).expanduser().read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise flags.Error(f"--flagfile={path}: {reason}") from error
    for line in text_files.decode(content).splitlines():
        line = line.strip()
        if line.startswith("--flagfile="):
            inner = line.partition("=")[2]
            if inner not in (*includers, path):
                yield from _flags_of_file(inner, (*includers, path))
        elif line and not line.startswith(("#", "//")):
            yield line


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Treats SIGTERM, which schedulers and containers send, like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # only once, during cleanup
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _captured() -> IO[bytes]:
    """Opens a file without a name; in memory if no folder for such files is writable."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        if not hasattr(os, "memfd_create"):
            return open(os.devnull, "w+b")
        return os.fdopen(os.memfd_create("screen"), "w+b")


@contextmanager
def quiet_c() -> Iterator[None]:
    """Hides what C++ code and child processes write to standard error.

    Python's `sys.stderr`, and so progress bars, still work; the hidden text is shown if the block
    raises an unexpected error.

    Yields:
      Nothing.
    """
    python_stderr = sys.stderr
    try:
        python_stderr.flush()
        screen = os.dup(2)
    except (OSError, ValueError, AttributeError):  # closed: nothing can be shown
        yield
        return
    encoding = {"encoding": python_stderr.encoding, "errors": "backslashreplace"}
    with _captured() as captured, os.fdopen(os.dup(2), "w", **encoding) as to_screen:
        os.dup2(captured.fileno(), 2)
        sys.stderr = to_screen
        try:
            yield
        except BaseException as error:
            if isinstance(error, EXPECTED):
                raise
            captured.seek(0)
            os.write(screen, captured.read())
            raise
        finally:
            to_screen.flush()
            sys.stderr = python_stderr
            os.dup2(screen, 2)
            os.close(screen)
