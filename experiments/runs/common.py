"""What every script shares: flags, one-line errors, exit statuses, and a quiet TensorFlow.

A script is a function `main(flags)` and a function that defines its flags; `run` joins them. Its
module may name POSITIONAL_FLAG, the flag that takes arguments without a name, and FIRST_FLAGS, the
ones that --help lists first.
TensorFlow is loaded by `load_tensorflow` after the flags are read, so that a mistyped flag is
answered at once and importing a script does nothing.
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

# What absl adds to the help of a flag that may be repeated.
_REPEATED = "; repeat this option to specify a list of values"
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A mistake that the user can mend; the message is one line and names the remedy."""


# What the user can mend, and Ctrl-C; anything else is a defect of ours.
EXPECTED = (UserError, ValueError, OSError, KeyboardInterrupt)


class UsageError(UserError):
    """Flags that do not make sense together, or are missing."""


def run(
    main: Callable[[flags.FlagValues], int | None],
    define_flags: Callable[[flags.FlagValues], None],
    argv: Sequence[str] | None = None,
    *,
    resumes: bool = False,
) -> int:
    """Reads the flags, runs a script, and turns what goes wrong into one line.

    Args:
      main: the script; gets the parsed flags and returns an exit status (None is 0).
      define_flags: adds the script's flags.
      argv: program name and arguments; None takes the process's own.
      resumes: whether the script, given again after Ctrl-C, keeps what it has done.

    Returns:
      The exit status: 0, 1 after an error, 2 for wrong flags, 130 after Ctrl-C.
    """
    argv = ["--help" if one == "-h" else one for one in (sys.argv if argv is None else argv)]
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


def _take_arguments(rest: Sequence[str], main: Callable, values: flags.FlagValues) -> None:
    """Adds arguments without a name to the flag that takes them."""
    name = getattr(sys.modules[main.__module__], "POSITIONAL_FLAG", None)
    if rest and name is None:
        raise flags.Error(f"unexpected argument {rest[0]!r}; every option is a --flag=value")
    if rest:
        values[name].value = [*(values[name].value or []), *rest]


@contextmanager
def working_in(output: Path) -> Iterator[None]:
    """Keeps other processes out of a folder of results, and removes what killed ones left there.

    Args:
      output: the folder; made if need be, and gone again if nothing was written.

    Yields:
      Nothing.

    Raises:
      InUseError: another process works there; one line says which.
    """
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        with locks.locked(output):
            remove_leftovers(output)
            yield
    finally:
        for folder in made:  # where nothing was written, nothing is left
            if not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def require(values: flags.FlagValues, *names: str) -> None:
    """Refuses to run without some flags.

    Args:
      values: the flags.
      names: those that must be given.

    Raises:
      UsageError: one of them is not.
    """
    for name in names:
        if values[name].value is None:
            raise UsageError(f"--{name} is missing: {one_line(values[name].help)}")


def describe(error: Exception, values: flags.FlagValues | None = None) -> str:
    """Says in one line what went wrong.

    Args:
      error: what a script raised.
      values: its flags.

    Returns:
      The message; for an error that is no mistake of the user, its type and how to see more.
    """
    text = one_line(error)
    # HDF5 and TensorFlow have the words alone.
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
        return f"{text}; set TMPDIR to a folder that can be written"
    if isinstance(error, OSError) and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror}")
    if isinstance(error, EXPECTED):
        return text
    shown = _shortened(text)
    return f"unexpected {type(error).__name__}: {shown} (--debug shows the traceback)"


def _shortened(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[:most] + " ..."


def usage(main: Callable, values: flags.FlagValues) -> str:
    """The help text of a script: its module's docstring and its flags.

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
            text = one_line(flag.help).removesuffix(_REPEATED)
            lines.append(f"  --{name}{default}\n      {text}")
    lines.append("  --flagfile\n      Read flags from this file; experiments/flags/ has ours.")
    return "\n".join(lines)


def _shown_default(value) -> str:
    """A default as one writes it after the flag."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def check_packages() -> None:
    """Refuses to run with somebody else's `datasets`.

    Raises:
      UserError: Hugging Face's package of that name was imported in place of ours.
    """
    import datasets

    found = Path(datasets.__file__).resolve()
    if found.parents[1] != REPOSITORY:
        raise UserError(
            f"the package 'datasets' comes from {found.parent}, not from {REPOSITORY}: run the "
            "script by its path, or 'python -m experiments.<script>' inside the repository"
        )


def load_tensorflow(deterministic: bool = False) -> ModuleType:
    """Imports TensorFlow without its greetings, and sets Keras to it, float32 and channels last.

    Args:
      deterministic: ask TensorFlow for operations that give the same bits on every run.

    Returns:
      The module `tensorflow`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The scripts' own process: what the user's other programs are set to is nothing to them.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet_c():  # some of the greetings come before that variable is read
        import tensorflow as tf

        tf.config.list_physical_devices()
        import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return tf


def prepare_keras(seed: int, mixed_precision: str) -> None:
    """Seeds the weights and dropouts of a training, and sets its precision.

    Args:
      seed: of the run.
      mixed_precision: name of a Keras policy, or "none".
    """
    import keras
    import numpy as np

    # Another stream of chance than the order of the data, which the seed itself gives.
    keras.utils.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    if mixed_precision != "none":
        import tensorflow as tf

        keras.mixed_precision.set_global_policy(mixed_precision)
        if mixed_precision == "mixed_bfloat16" and len(tf.config.list_logical_devices()) == 1:
            print(  # the only device is the CPU
                "warning: mixed_bfloat16 on a CPU makes a training step up to 8 times slower; "
                "leave --mixed_precision out",
                file=sys.stderr,
            )


def _with_flag_files(argv: Sequence[str]) -> list[str]:
    """Puts the flags of flag files in their place, as absl does, but reads them as UTF-8."""
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
    """Makes SIGTERM, by which schedulers and containers end a process, the same as Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what is unfinished is removed now
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _captured() -> IO[bytes]:
    """A file without a name; in memory where no folder for such files can be written."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        if not hasattr(os, "memfd_create"):
            return open(os.devnull, "w+b")
        return os.fdopen(os.memfd_create("screen"), "w+b")


@contextmanager
def quiet_c() -> Iterator[None]:
    """Keeps what C++ code and child processes write to the standard error off the screen.

    Python's own `sys.stderr`, and so every progress bar, still reaches it; what was kept back is
    shown if the block raises what it should not.

    Yields:
      Nothing.
    """
    python_stderr = sys.stderr
    try:
        python_stderr.flush()
        screen = os.dup(2)
    except (OSError, ValueError, AttributeError):  # closed: nothing of it reaches a screen
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
