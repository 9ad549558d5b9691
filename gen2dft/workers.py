"""Many tasks in processes of their own: a worker that is killed takes nobody else with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from gen2dft.errors import CalculationFailed

Task = TypeVar("Task")
Result = TypeVar("Result")

TOO_EXPENSIVE = "too_expensive"
KILLED = "killed"


class _LimitReached(BaseException):
    """No Exception, so that nothing between here and there takes it for a failure of its own."""


@contextmanager
def limited_cpu(seconds: float) -> Iterator[None]:
    """CalculationFailed `too_expensive` once this process has used so much CPU time, however busy
    the machine is.

    For the main thread of a process.
    """

    def give_up(*_: object) -> None:
        raise _LimitReached

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _LimitReached:
        raise CalculationFailed(
            TOO_EXPENSIVE, f"not finished after {seconds:g} CPU seconds"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int = 1
) -> Iterator[tuple[Task, Result | CalculationFailed]]:
    """The result of each task as it is finished, in any order.

    Parameters
    ----------
    function
        Called with one task; a function of a module, since it is found there by the other process.
        What it raises propagates.
    workers
        Processes; one per core, each on one thread (OMP_NUM_THREADS=1).

    Yields
    ------
    The task, and its result, or a CalculationFailed `killed`: when a worker is killed, for memory
    say, the tasks that were running are tried once more, each in a process of its own.
    """
    waiting = deque(tasks)
    while waiting:
        lost: list[Task] = []
        with _pool(workers) as pool:
            running: dict[Future[Result], Task] = {}
            while running or (waiting and not lost):
                while waiting and not lost and len(running) < workers:
                    task = waiting.popleft()
                    try:
                        running[pool.submit(function, task)] = task
                    except BrokenProcessPool:
                        lost.append(task)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        lost.append(task)
                    else:
                        yield task, future.result()
        for task in lost:
            yield task, _alone(function, task)


def _alone(function: Callable[[Task], Result], task: Task) -> Result | CalculationFailed:
    with _pool(1) as pool:
        try:
            return pool.submit(function, task).result()
        except BrokenProcessPool:
            return CalculationFailed(
                KILLED, "the process that computed it was killed; was there enough memory?"
            )


def _pool(workers: int) -> ProcessPoolExecutor:
    # A fork would copy threads and open files of the caller.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A worker whose caller is killed would go on for hours, beside whoever takes up its task."""
    parent = multiprocessing.parent_process()

    def wait_for_its_end() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait_for_its_end, daemon=True).start()
