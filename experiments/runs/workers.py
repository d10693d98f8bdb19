"""Reads this process' worker from TF_CONFIG, without loading TensorFlow.

TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
            "task": {"type": "worker", "index": 0}}'
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from absl import flags

from experiments.runs.common import UsageError

_EXAMPLE = (
    'TF_CONFIG=\'{"cluster": {"worker": ["host_a:2222", "host_b:2222"]}, '
    '"task": {"type": "worker", "index": 0}}\', the index another for each worker'
)


class Task(NamedTuple):
    """The role of one process.

    Attributes:
      name: such as "worker 1 of 2".
      is_chief: whether this process writes the run's files.
    """

    name: str
    is_chief: bool


def own_task(values: flags.FlagValues) -> Task:
    """Determines this process' worker.

    Args:
      values: the flags of the run.

    Returns:
      The task; a single process is the chief.

    Raises:
      UsageError: --strategy=multi_worker without a TF_CONFIG that names this worker.
    """
    if values.strategy != "multi_worker":
        return Task("the only worker", True)
    content = os.environ.get("TF_CONFIG")
    if not content:
        raise UsageError(f"--strategy=multi_worker: set {_EXAMPLE}")
    try:
        config = json.loads(content)
        cluster, kind = config["cluster"], config["task"]["type"]
        index = config["task"]["index"]
        address = cluster[kind][index]
        if kind not in ("chief", "worker") or not isinstance(address, str) or index < 0:
            raise ValueError(content)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(f"TF_CONFIG={content} does not name a worker; set {_EXAMPLE}") from error
    count = len(cluster.get("chief", ())) + len(cluster.get("worker", ()))
    first = kind == "worker" and index == 0 and not cluster.get("chief")
    return Task(f"{kind} {index} of {count}", kind == "chief" or first)
