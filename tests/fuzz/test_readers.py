"""No damaged file crashes a reader, hangs it, takes its memory, or gets another error than ours.

The program that reads them is `run.py`; a failure names the seed and where the file is kept.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.fuzz.cases import KINDS
from tests.fuzz.run import MEMORY

REPOSITORY = Path(__file__).resolve().parents[2]
FEW = {
    **{"shard": 10, "example": 10, "features": 10, "manifest": 15},
    **{"model_bytes": 15, "model_npz": 20, "model_pickle": 20, "model_h5": 10, "open_body": 10},
    **{"checkpoint": 2, "picture": 30, "people": 20, "points": 20},
    **{"pickle_grammar": 50, "npz_grammar": 20, "coco_grammar": 30, "openpose_grammar": 10},
    **{"table_grammar": 30, "side_files": 20, "picture_grammar": 25},
}
MANY = {
    **{"shard": 1000, "example": 500, "features": 500, "manifest": 700, "pipeline": 50},
    **{"model_bytes": 1000, "model_npz": 1000, "model_pickle": 1000, "model_h5": 500},
    **{"open_body": 500, "checkpoint": 200, "keras_file": 50},
    **{"picture": 1500, "people": 1500, "points": 1500},
    **{"pickle_grammar": 5000, "npz_grammar": 1000, "coco_grammar": 1500},
    **{"openpose_grammar": 300, "table_grammar": 1000, "side_files": 700},
    **{"picture_grammar": 3000},
}


def throw(folder, seed, counts):
    """Runs the program and returns its report."""
    command = [sys.executable, "-m", "tests.fuzz.run", str(folder), str(seed)]
    command += [f"{name}={count}" for name, count in counts.items()]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, errors="replace"
    )
    current = folder / "current"
    at = current.read_text() if current.exists() else "the start"
    assert done.returncode == 0, (
        f"status {done.returncode} at {at}, whose file is in {folder / 'work'}: "
        f"{done.stderr[-3000:]}"
    )
    report = json.loads((folder / "report.json").read_text())
    print(json.dumps(report, indent=1))
    assert not report["failures"], "\n".join(report["failures"])
    assert report["memory_added_mb"] << 20 < MEMORY
    assert {name: one["count"] for name, one in report["kinds"].items()} == counts
    return report


def test_damaged_files_are_refused_in_one_line(tmp_path):
    report = throw(tmp_path, 0, FEW)
    refused = sum(one.get("refused", 0) for one in report["kinds"].values())
    assert refused > sum(FEW.values()) / 2


@pytest.mark.slow
def test_twenty_thousand_files():
    assert sum(MANY.values()) >= 20_000 and set(MANY) == set(KINDS)
    throw(Path(tempfile.mkdtemp(prefix="fuzz-")), 1_000_000, MANY)  # kept for whoever looks
