"""Checks this library on a device: correctness, speed, and waiting for input.

    python experiments/check_device.py --output=device

On the first GPU, or on the CPU if there is none: inference and a training step of every network in
float32, under XLA, in mixed_float16 and mixed_bfloat16; the SMPL layer from 1 to 4,096 bodies; the
input pipelines. Outputs are compared with the CPU's in float32. The share is that of the device's
own throughput in matrix products of the same precision. A measurement that fails, or that is left
when --minutes are over, has its reason in its line. Writes record.json and index.html to --output.
On a CPU the networks are small and it takes under ten minutes; exit status 1 if an output differs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import versions
from smpl_tf.errors import one_line
from smpl_tf.files import write_json

PARTS = ("networks", "layer", "inputs")
LAYER_BATCHES = (1, 8, 64, 512, 4096)
_SMALL_BATCH, _BATCH = 8, 32  # Examples of the pipelines
_STEPS = 6  # of training, in each turn


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: where the flags are added.
    """
    f = FlagDefiner(values)
    f.string("output", None, "Folder for record.json and the page; created if it does not exist.")
    f.string("device", None, "TensorFlow's name of the device (default: the first GPU, or CPU).")
    f.strings("parts", list(PARTS), f"What is checked, some of {','.join(PARTS)}.")
    f.enum(
        "sizes", "auto", ("auto", "small", "full"), "Sizes of the networks; auto: small on CPU."
    )
    f.number("minutes", 9.0, "No measurement begins later than this after the start.")
    f.number("seconds", 0.3, "Length of one measurement, seconds.")


def main(values) -> int:
    """Checks, prints, writes.

    Args:
      values: the flags.

    Returns:
      1 if an output differs from the CPU's, else 0.
    """
    common.require(values, "output")
    unknown = sorted(set(values.parts) - set(PARTS))
    if unknown:
        raise common.UsageError(f"--parts={','.join(unknown)}: expected {', '.join(PARTS)}")
    clock = _Clock(60 * values.minutes)
    tf = common.load_tensorflow()
    found = [one.name.replace("physical_device:", "") for one in tf.config.list_physical_devices()]
    device = values.device or next((one for one in found if "GPU" in one), "/CPU:0")
    if device not in found:
        raise common.UserError(f"--device={device}: expected one of {', '.join(found)}")
    from experiments.device import measuring

    small = values.sizes == "small"
    if values.sizes == "auto":
        small = measuring.kind(device) == "CPU"
    record = {
        "device": _describe(device),
        "sizes": "small" if small else "full",
        "versions": versions(),
        "lines": [],
    }
    peaks = {
        dtype: measuring.matrix_throughput(device, dtype, values.seconds)
        for dtype in (tf.float32, tf.float16, tf.bfloat16)
    }
    record["matrix_gflops"] = {dtype.name: peak / 1e9 for dtype, peak in peaks.items()}
    for part in values.parts:
        check = {"networks": _networks, "layer": _layer, "inputs": _inputs}[part]
        for line in check(values, device, small, peaks, clock):
            record["lines"].append(line)
            print(f"{line['part']}: {line['name']}: {_in_words(line)}", file=sys.stderr)
    record["minutes"] = clock.minutes()
    output = Path(values.output)
    with common.working_in(output):
        output.mkdir(parents=True, exist_ok=True)
        write_json(output / "record.json", record)
        _write_page(record, output / "index.html")
    print(_table(record))
    print(f"\nrecord  {output / 'record.json'}\npage    {output / 'index.html'}")
    return int(any(line.get("agrees") is False for line in record["lines"]))


class _Clock:
    """A clock that starts when it is created."""

    def __init__(self, most: float):
        self._start, self._most = time.monotonic(), most

    def minutes(self) -> float:
        return (time.monotonic() - self._start) / 60

    def line(self, part: str, name: str, measure: Callable[[], dict]) -> dict:
        """Measures, or returns the reason of a failure."""
        line = {"part": part, "name": name}
        if 60 * self.minutes() > self._most:
            return {**line, "reason": f"--minutes={self._most / 60:g} were over"}
        try:
            return {**line, **measure()}
        except Exception as error:  # devices raise many kinds of errors
            return {**line, "reason": f"{type(error).__name__}: {one_line(error)[:200]}"}


def _describe(device: str) -> dict[str, str]:
    import tensorflow as tf

    from experiments.benchmark import processor

    described = {"name": device, "processor": processor()}
    for one in tf.config.list_physical_devices():
        if one.name.endswith(device):
            details = tf.config.experimental.get_device_details(one)
            described.update({key: str(value) for key, value in details.items()})
    return described


def _networks(values, device, small, peaks, clock):
    from experiments.device import networks

    for name, checked in networks.networks(small).items():
        truth: list[networks.Reference] = []  # made once, when the first line needs it

        def measure(mode, checked=checked, truth=truth):
            if not truth:
                truth.append(networks.reference(checked))
            peak = peaks[mode.dtype]
            return networks.check(checked, mode, device, truth[0], peak, values.seconds)

        for mode_name, mode in networks.MODES.items():
            yield clock.line("networks", f"{name}, {mode_name}", lambda one=mode: measure(one))


def _layer(values, device, small, peaks, clock):
    from experiments.device import layer

    for batch in LAYER_BATCHES:
        for xla in (False, True):
            name = f"SMPL, {batch} bodies, {'XLA' if xla else 'graph'}"
            yield clock.line(
                "layer", name, lambda b=batch, x=xla: layer.check(b, x, device, values.seconds)
            )


def _inputs(values, device, small, peaks, clock):
    from experiments.device import inputs

    batch = _SMALL_BATCH if small else _BATCH
    with tempfile.TemporaryDirectory() as folder:
        made = []  # once, when the first line needs it

        def measure(name):
            if not made:
                made.append(inputs.make_people(Path(folder), 4 * batch))
            return inputs.check(name, made[0], batch, _STEPS, device)

        for name in inputs.PIPELINES:
            yield clock.line("inputs", name, lambda one=name: measure(one))


def _in_words(line: dict) -> str:
    if "reason" in line:
        return line["reason"]
    words = []
    for key, value in line.items():
        if key.endswith("_per_second"):
            words.append(f"{value:,.0f} {key.removesuffix('_per_second')}/s".replace("_", " "))
        elif key in ("share", "waiting"):
            words.append(f"{'' if key == 'share' else 'waiting '}{100 * value:.0f} %")
    return ", ".join(words) + ("" if line.get("agrees", True) else ", DIFFERS from the CPU")


HEADER = (
    *("", "per second", "share", "training or gradient per second", "share"),
    *("difference from the CPU", "waiting for input", "memory, MB"),
)


def _table(record: dict):
    from experiments.pages.report import Table

    rows = []
    for line in record["lines"]:
        if "reason" in line:
            rows.append([line["name"], line["reason"], *[""] * (len(HEADER) - 2)])
            continue
        gap = f"{line['difference']:.1e}" if "difference" in line else ""
        rows.append(
            [
                line["name"],
                _number(line, "images_per_second", "bodies_per_second"),
                _percent(line, "share"),
                _number(
                    line,
                    "training_images_per_second",
                    "gradients_per_second",
                    "examples_per_second",
                ),
                _percent(line, "training_share"),
                gap + ("" if line.get("agrees", True) else " DIFFERS"),
                _percent(line, "waiting"),
                _number(line, "memory_mb"),
            ]
        )
    return Table(HEADER, rows)


def _number(line, *keys):
    return next((f"{line[key]:,.0f}" for key in keys if key in line), "")


def _percent(line, key):
    return f"{100 * line[key]:.0f} %" if key in line else ""


def _write_page(record: dict, path: Path) -> None:
    from experiments.pages import report

    differing = [line["name"] for line in record["lines"] if line.get("agrees") is False]
    page = report.Page(
        title="Check of a device",
        lead=(
            "Speed and correctness of networks, SMPL layer and input pipelines. Shares are of the "
            "device's throughput in matrix products of the same precision; differences are those "
            "of the outputs from the CPU's in float32, relative to the largest (the layer's: "
            "metres, from float64)."
        ),
        warning=f"Outputs differ from the CPU's: {'; '.join(differing)}." if differing else "",
        table=_table(record),
        failures=[f"{one['name']}: {one['reason']}" for one in record["lines"] if "reason" in one],
        details=[
            *record["device"].items(),
            ("sizes", record["sizes"]),
            *(
                (f"matrix product, {name}", f"{value:,.0f} GFLOP/s")
                for name, value in record["matrix_gflops"].items()
            ),
            *record["versions"].items(),
            ("minutes", f"{record['minutes']:.1f}"),
        ],
    )
    report.write(page, path)


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
