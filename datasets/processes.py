"""Parallel work: processes that may use TensorFlow, and results in the order of the tasks."""

import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event as EventOfProcesses
from typing import TypeVar

import tensorflow as tf

_TASKS_AHEAD = 4  # tasks in flight per process, so that none waits for a slow task

Task = TypeVar("Task")
Result = TypeVar("Result")


def num_cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


@contextlib.contextmanager
def process_pool(
    workers: int | None, most: int
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Opens a pool of processes that may use TensorFlow; pending tasks are cancelled at the end.

    Args:
      workers: processes; None = one per core.
      most: upper limit of useful processes.

    Yields:
      The pool.

    Raises:
      ChildProcessError: a process was killed.
    """
    # Spawned, because a process that has run TensorFlow must not be forked.
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    pool = concurrent.futures.ProcessPoolExecutor(
        max(min(num_cores() if workers is None else workers, most), 1),
        mp_context=context,
        initializer=_begin_worker,
        initargs=(begun,),
    )
    with pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            if not begun.is_set():
                raise ChildProcessError(
                    "the processes ended at their start: a script that uses several must do its "
                    'work under `if __name__ == "__main__":`, since each of them imports it; or '
                    "use workers=0"
                ) from error
            raise ChildProcessError(
                "a process was killed, perhaps because memory ran out; run it again with fewer "
                "workers: it continues where it stopped"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def map_in_order(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None
) -> Generator[Result, None, None]:
    """Applies a function to tasks in parallel; only a few results are kept at a time.

    Args:
      function: picklable.
      tasks: picklable.
      workers: processes; None = one per core, 0 = this process.

    Yields:
      The results, in the order of the tasks.

    Raises:
      ChildProcessError: a process was killed.
    """
    if workers == 0:
        yield from map(function, tasks)
        return
    workers = num_cores() if workers is None else workers
    with process_pool(workers, len(tasks)) as pool:
        waiting: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) > _TASKS_AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _begin_worker(begun: EventOfProcesses) -> None:
    """Prepares a process of the pool."""
    begun.set()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The processes share the cores among themselves; their threads would only compete.
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with_parent() -> None:
    """Ends this process when the parent has ended, even by SIGKILL.

    Otherwise the pool would wait for tasks forever, and write its remaining shards concurrently
    with a restarted command.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("Expected a process of a pool, got the main process.")
    parent.join()
    os._exit(1)
