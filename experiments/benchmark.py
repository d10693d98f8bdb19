"""Compares the speed of SMPL implementations in one interleaved run.

    python experiments/benchmark.py --output=benchmark.json

First all implementations must agree. Then they run alternately, round after round, so that other
load on the machine affects all of them equally; every number is a median over the rounds, every
ratio the median of the rounds' ratios. smplx, smplfitter and body-models are included if
installed: `pip install -e '.[bench]'`. `--dense` times a body without zeros, `--clock=cpu` counts
  CPU time on a busy machine. "Gradient at rest" compares each gradient at the zero pose with
  finite differences. The floor is the time of NumPy's BLAS for the two matrix products of a mesh
  without zeros in its pose blend shapes and weights; the layer can be faster for a body with
  zeros. A case (a work and a batch size) takes a minute or less on a quiet core, compilations
  included; what is measured is in --output after each.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from smpl_tf.files import write_json

OURS = "smpl_tf XLA"
VERTEX_TOLERANCE = 1e-5  # metres
GRADIENT_TOLERANCE = 1e-4  # relative to the largest entry
MEMORY_BATCH = 1024
_LEAST_ROUNDS = 3


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this script.

    Args:
      values: gets the flags.
    """
    flags.DEFINE_string("output", None, "JSON file to write the numbers to.", flag_values=values)
    flags.DEFINE_string(
        "model", None, "Body model file (default: the open body).", flag_values=values
    )
    flags.DEFINE_bool(
        "dense",
        False,
        "Give the body random weights and pose blend shapes that hold no zero.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "clock",
        "wall",
        ["wall", "cpu"],
        "Count wall time, or the CPU time of all threads.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "torch_compile", False, "Let smplx take part under torch.compile too.", flag_values=values
    )
    flags.DEFINE_list(
        "batches",
        ["1", "8", "32", "128", "256", "1024"],
        "Batch sizes, separated by commas.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "works",
        ["forward", "gradient", "joints", "subset"],
        "What to time, separated by commas: forward, gradient, joints.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "rounds", 11, "Number of timed rounds; implementations alternate.", 1, flag_values=values
    )
    flags.DEFINE_float(
        "seconds", 0.2, "Minimum duration of one timing, seconds.", 0.0, flag_values=values
    )
    flags.DEFINE_float(
        "most_seconds",
        20.0,
        "No further round of a case begins after this time, if there were three; seconds.",
        0.0,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "memory",
        True,
        f"Measure the memory of {MEMORY_BATCH} bodies (Linux only).",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "measure_memory_here",
        False,
        "Print this process's memory; for --memory.",
        flag_values=values,
    )


def main(values: flags.FlagValues) -> None:
    """Checks, times and reports.

    Args:
      values: the flags.
    """
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from experiments.benchmarks import peers
    from experiments.benchmarks.contestants import contestants, gradients_at_rest
    from smpl_tf import load_model_data

    data = load_model_data(values.model)
    if values.dense:
        data = peers.dense_body(data)
    clock = time.process_time if values.clock == "cpu" else time.perf_counter
    if values.measure_memory_here:
        print(measure_memory(data))
        return
    makers = contestants(values.torch_compile)
    record = {
        "machine": {
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "load_average_before": os.getloadavg()[0],
        },
        "versions": {
            name: metadata.version(name)
            for name in (
                "tensorflow",
                "numpy",
                "torch",
                "smplx",
                "smplfitter",
                "jax",
                "body-models",
            )
            if importable(name)
        },
        "body": {"name": data.name, "dense": values.dense, "fingerprint": data.fingerprint},
        "clock": values.clock,
        "cases": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        record["gradients_at_rest"] = gradients_at_rest(makers, data, Path(folder))
        plan = [(work, int(batch)) for work in values.works for batch in values.batches]
        for work, batch in tqdm(plan, desc="cases"):
            bodies = peers.random_bodies(data, batch)
            calls = {
                name: call
                for name, maker in makers.items()
                if (call := maker(data, work, bodies, Path(folder))) is not None
            }
            reference = peers.numpy(np.float64)(data, work, bodies, Path(folder))
            first_calls = check_agreement(work, calls, reference)
            times = take_turns(calls, values.rounds, values.seconds, clock, values.most_seconds)
            record["cases"].append(summarize(work, batch, times, first_calls))
            if values.output:  # what is there is kept if the rest is not waited for
                write_json(Path(values.output), record)
    record["joints_over_mesh"] = joints_over_mesh(record["cases"])
    if values.memory and sys.platform == "linux":
        record["memory_mb"] = memory_of_a_batch(values.model, values.dense)
    print(table(record))
    if values.output:
        write_json(Path(values.output), record)
        print(f"\nrecord  {values.output}")


def importable(name: str) -> bool:
    """Whether a package is installed."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_agreement(work: str, calls: dict, reference) -> dict[str, float]:
    """Makes the first call of each implementation and compares the results.

    Args:
      work: the kind of work.
      calls: name -> call.
      reference: the float64 call to compare with; None compares with the first implementation.

    Returns:
      Seconds of each first call, which traces and compiles.

    Raises:
      common.UserError: if one disagrees.
    """
    wanted, seconds = None if reference is None else reference(), {}
    for name, call in calls.items():
        start = time.perf_counter()
        results = [np.asarray(result, np.float64) for result in call()]
        seconds[name] = time.perf_counter() - start
        if wanted is None:
            wanted = results
        for result, true in zip(results, wanted, strict=False):
            error = np.abs(result - true).max()
            bound = VERTEX_TOLERANCE
            if work == "gradient":
                bound = GRADIENT_TOLERANCE * np.abs(true).max()
            if not error <= bound:
                raise common.UserError(f"{name} disagrees in {work}: by {error:.1e} > {bound:.1e}")
    return seconds


def processor() -> str:
    """Returns the processor's name; on Linux it is in /proc, which Python does not read."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def take_turns(
    calls: dict,
    rounds: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    most: float = float("inf"),
) -> dict[str, list[float]]:
    """Times all implementations in turns.

    Args:
      calls: name -> call.
      rounds: number of turns.
      seconds: minimum duration of a turn.
      clock: returns seconds; use the process's CPU time on a busy machine.
      most: no further round begins after so many seconds, once there are three.

    Returns:
      name -> seconds per call, one for each round.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    begin = clock()
    for turn in range(rounds):
        if turn >= _LEAST_ROUNDS and clock() - begin > most:
            break
        for name, call in calls.items():
            if not times[name] or times[name][-1] < seconds:
                call()  # warms up threads and caches; a long call needs no warm-up
            repeats, start = 0, clock()
            while repeats == 0 or clock() - start < seconds:
                call()
                repeats += 1
            times[name].append((clock() - start) / repeats)
    return times


def summarize(work: str, batch: int, times: dict, first_calls: dict) -> dict:
    """Returns medians of times, and medians of ratios within a round."""
    ours = np.array(times[OURS])
    return {
        "work": work,
        "batch": batch,
        "milliseconds": {name: 1e3 * float(np.median(t)) for name, t in times.items()},
        "best_milliseconds": {name: 1e3 * float(np.min(t)) for name, t in times.items()},
        "bodies_per_second": {name: batch / float(np.median(t)) for name, t in times.items()},
        "times_faster_than": {
            name: float(np.median(np.array(t) / ours)) for name, t in times.items() if name != OURS
        },
        "first_call_seconds": first_calls,
    }


def joints_over_mesh(cases: list[dict]) -> dict[str, float]:
    """Returns the speed of joints alone over that of whole meshes, by batch size."""
    speeds = {(case["work"], case["batch"]): case["bodies_per_second"][OURS] for case in cases}
    return {
        str(batch): speed / speeds["forward", batch]
        for (work, batch), speed in speeds.items()
        if work == "joints" and ("forward", batch) in speeds
    }


def table(record: dict) -> str:
    """Draws the record as a Markdown table."""
    peers = dict.fromkeys(name for case in record["cases"] for name in case["times_faster_than"])
    lines = [
        f"| work | batch | {OURS} | bodies/s | "
        + " | ".join(f"vs {name}" for name in peers)
        + " |",
        "|---|--:|--:|--:|" + "--:|" * len(peers),
    ]
    for case in record["cases"]:
        ratios = [case["times_faster_than"].get(name) for name in peers]
        cells = ["–" if ratio is None else f"{ratio:.2f}×" for ratio in ratios]
        lines.append(
            f"| {case['work']} | {case['batch']} | {case['milliseconds'][OURS]:.2f} ms | "
            f"{case['bodies_per_second'][OURS]:,.0f} | " + " | ".join(cells) + " |"
        )
    if record["gradients_at_rest"]:
        lines += ["", "| contestant | gradient at rest |", "|---|---|"]
        lines += [f"| {name} | {word} |" for name, word in record["gradients_at_rest"].items()]
    ratios = [f"{ratio:.0f}× at {batch}" for batch, ratio in record["joints_over_mesh"].items()]
    if ratios:
        lines.append(f"\nJoints alone, bodies a second over whole meshes: {', '.join(ratios)}.")
    if "memory_mb" in record:
        memory = record["memory_mb"]
        lines.append(
            f"\nMemory of a batch of {MEMORY_BATCH}: {memory['peak']:.0f} MB at its peak, "
            f"{memory['before']:.0f} MB of it before the first call."
        )
    return "\n".join(lines)


def memory_of_a_batch(model: str | None, dense: bool) -> dict[str, float]:
    """Measures in a new process, in which nothing else has used memory yet."""
    command = [sys.executable, __file__, "--measure_memory_here"]
    command += [f"--model={model}"] if model else []
    command += ["--dense"] if dense else []
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak = map(float, finished.stdout.split())
    return {"before": before, "peak": peak}


def measure_memory(data) -> str:
    """This process's peak memory before and after posing a batch under XLA, MB."""
    from experiments.benchmarks import peers
    from experiments.benchmarks.memory import peak_memory

    before = peak_memory()
    bodies = peers.random_bodies(data, MEMORY_BATCH)._replace(upstream=np.zeros(1, np.float32))
    call = peers.smpl_tf(xla=True)(data, "forward", bodies, Path())
    for _ in range(3):
        call()
    return f"{before} {peak_memory()}"


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
