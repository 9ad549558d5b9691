"""Many tasks in processes of their own: a worker that is killed takes nobody else with it."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from gen2dft.errors import CalculationFailed

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int = 1
) -> Iterator[tuple[Task, Result | CalculationFailed]]:
    """The result of each task as it is finished, in any order.

    Parameters
    ----------
    function
        Called with one task; a function of a module, since it is found there by the other process. What it raises
        propagates.
    workers
        Processes; one per core, each on one thread (OMP_NUM_THREADS=1).

    Yields
    ------
    The task, and its result, or a CalculationFailed `killed`: when a worker is killed, for memory say, the tasks that
    were running are tried once more, each in a process of its own.
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
            return CalculationFailed("killed", "the process that computed it was killed; was there enough memory?")


def _pool(workers: int) -> ProcessPoolExecutor:
    # A fork would copy threads and open files of the caller.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
