import itertools
import json
import os

import numpy as np
import pytest

from experiments import benchmark_growth
from experiments.benchmark_growth import Cost


def test_growth_is_1_where_time_is_linear_whatever_the_start_costs():
    linear = [Cost(n, 12.5 + 0.3 * n, None) for n in (4, 8, 16, 32)]
    assert benchmark_growth.growth(linear) == pytest.approx(1.0)
    quadratic = [Cost(n, 12.5 + 0.3 * n**2, None) for n in (4, 8, 16, 32)]
    assert benchmark_growth.growth(quadratic) == pytest.approx(4.0)
    noise = [Cost(n, 12.5, None) for n in (4, 8, 16, 32)]
    assert np.isnan(benchmark_growth.growth(noise))


@pytest.mark.slow
def test_each_script_is_run_with_ever_more_items(call, monkeypatch, tmp_path):
    seen = []

    def run(arguments, **options):
        script, *flags = arguments[1:]
        named = next(flag for flag in flags if flag.startswith(("--count", "--points", "/")))
        if named.startswith("/"):
            seen.append(("predict", len(os.listdir(named))))
        else:
            seen.append((os.path.basename(script), named.rpartition("/")[2].rpartition("=")[2]))
        return type("Answer", (), {"returncode": 0})()

    ticks = itertools.accumulate(range(100))
    monkeypatch.setattr(benchmark_growth.subprocess, "run", run)
    monkeypatch.setattr(benchmark_growth, "_cpu_of_children", lambda: float(next(ticks)))
    answer = call(benchmark_growth, "--items=1", f"--output={tmp_path / 'growth.json'}")
    assert answer.status == 0, answer.err
    assert seen == [
        *(("convert_dataset.py", count) for count in "1248"),
        *(("predict", count) for count in (1, 2, 4, 8)),
        *(("fit.py", f"{count}.npz") for count in "1248"),
    ]
    assert json.loads((tmp_path / "growth.json").read_text())["fit"]["costs"][3]["items"] == 8
    answer = call(benchmark_growth, "--scripts=view")
    assert answer.status == 1 and "expected convert, predict or fit, got view" in answer.err
