import json

import pytest
from absl import flags

from experiments.nbf.flags import define_run_flags
from experiments.runs.common import UsageError
from experiments.runs.workers import own_task

HOSTS = ["10.0.0.1:2222", "10.0.0.2:2222"]


@pytest.fixture
def task(monkeypatch):
    """The task of a process with some TF_CONFIG."""

    def task(config, strategy="multi_worker"):
        values = flags.FlagValues()
        define_run_flags(values)
        values(["", f"--strategy={strategy}"])
        monkeypatch.delenv("TF_CONFIG", raising=False)
        if config is not None:
            text = config if isinstance(config, str) else json.dumps(config)
            monkeypatch.setenv("TF_CONFIG", text)
        return own_task(values)

    return task


def config(kind, index, **cluster):
    return {"cluster": cluster, "task": {"type": kind, "index": index}}


def test_one_worker_writes(task):
    assert task(config("worker", 0, worker=HOSTS)) == ("worker 0 of 2", True)
    assert task(config("worker", 1, worker=HOSTS)) == ("worker 1 of 2", False)
    with_chief = {"chief": HOSTS[:1], "worker": HOSTS[1:]}
    assert task(config("chief", 0, **with_chief)) == ("chief 0 of 2", True)
    assert task(config("worker", 0, **with_chief)) == ("worker 0 of 2", False)


@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_a_process_alone_writes_whatever_the_environment_says(task, strategy):
    assert task(config("worker", 1, worker=HOSTS), strategy).is_chief
    assert task(None, strategy).is_chief


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        config("worker", 2, worker=HOSTS),
        config("worker", -1, worker=HOSTS),
        config("worker", "0", worker=HOSTS),
        config("chief", 0, worker=HOSTS),
        config("ps", 0, ps=HOSTS, worker=HOSTS),
        {"cluster": {"worker": HOSTS}},
        {"cluster": {"worker": [1, 2]}, "task": {"type": "worker", "index": 0}},
        {"cluster": HOSTS, "task": {"type": "worker", "index": 0}},
    ],
    ids=str,
)
def test_a_worker_without_a_place_is_told_how_to_give_it_one(task, broken):
    with pytest.raises(UsageError, match='set TF_CONFIG=.*"worker", "index": 0'):
        task(broken)
