import json
import subprocess
import sys

import pytest

from experiments.runs.common import REPOSITORY

# Run in a process of its own: only there does the peak of the memory mean anything.
STEP = """
import json, time
from pathlib import Path
import keras, numpy as np
from smplr import StackedHourglass, losses
from tests.smplr.people import people

keras.utils.set_random_seed(0)
hourglass = StackedHourglass()
hourglass.compile(
    keras.optimizers.Adam(1e-3), loss={"volumes": losses.VolumeLoss()}, jit_compile=False
)
pictures = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3)).astype(np.float32)
truth = {"volumes": people(1)["points"]}
before = hourglass.get_weights()
seconds, found = [], []
for _ in range(2):
    start = time.perf_counter()
    found.append(float(hourglass.train_on_batch(pictures, truth)))
    seconds.append(time.perf_counter() - start)
moved = sum(bool(np.any(a != b)) for a, b in zip(before, hourglass.get_weights()))
points = hourglass(pictures)["points"].numpy()
status = Path("/proc/self/status").read_text()
print(json.dumps({
    "losses": found,
    "moved": moved,
    "weights": len(before),
    "largest": float(np.abs(points).max()),
    "seconds": seconds,
    "peak_gb": int(status.split("VmHWM:")[1].split()[0]) / 2**20,
}))
"""


@pytest.mark.slow
def test_five_stacks_take_a_step_at_full_size():
    answer = subprocess.run(
        [sys.executable, "-c", STEP], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    print(
        f"5 stacks, 256 x 256, batch 1: {found['seconds'][1]:.1f} s a step, "
        f"{found['peak_gb']:.1f} GB at most"
    )
    # Logits of 0 cost log 2 in each of the 5 stacks.
    assert found["losses"][0] == pytest.approx(5 * 0.693, rel=0.2)
    assert found["losses"][1] < found["losses"][0]
    # Every weight but the statistics of dead ends: a step reaches all stacks.
    assert found["moved"] > 0.95 * found["weights"]
    assert found["largest"] < 1.25
