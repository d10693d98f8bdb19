"""Says of a folder whether all files with a final name are whole."""

import json
import zipfile

import cv2
import h5py
import numpy as np

from datasets import frames


def _npz(path):
    with np.load(path) as file:
        assert [file[name] for name in file.files]


def _h5(path):
    with h5py.File(path) as file:
        file.visititems(lambda _, one: one[()] if hasattr(one, "shape") else None)


def _video(path):
    capture = cv2.VideoCapture(str(path))
    assert capture.read()[0], path


def _zip(path):
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None


def _page(path):
    assert path.read_text("utf-8").rstrip().endswith("</html>"), path


def _picture(path):
    assert cv2.imread(str(path)) is not None, path


_READERS = {
    ".json": lambda path: json.loads(path.read_text("utf-8")),
    ".npz": _npz,
    ".h5": _h5,
    ".keras": _zip,
    ".html": _page,
    ".jpg": _picture,
    ".png": _picture,
    ".mp4": _video,
    ".tfrecord": lambda path: frames.check(str(path)),
}


def unfinished(folder):
    """What is there of files that are still being written, and locks."""
    found = [*folder.rglob(".aside-*"), *folder.rglob("*.writing"), *folder.rglob("*.lock")]
    return sorted(str(path.relative_to(folder)) for path in found)


def check(folder):
    """Reads every file with a final name to its end; returns how many there are."""
    count = 0
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not path.is_file() or any(part.startswith(".") for part in parts):
            continue
        if path.suffix in _READERS:
            _READERS[path.suffix](path)
            count += 1
    return count
