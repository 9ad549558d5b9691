"""Many crystals in one go, in processes of their own: one that fails, or is killed, does not stop the rest."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from gen2dft.errors import CalculationFailed
from gen2dft.transport.compute import DEFAULT, TransportSettings, compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.loaders import load_bands

Outcome = TransportDoc | CalculationFailed


def transport_of_file(path: Path, settings: TransportSettings = DEFAULT) -> Outcome:
    """Transport from one file, or the failure; errors in the program itself propagate."""
    try:
        return compute_transport(load_bands(path), settings)
    except CalculationFailed as failure:
        return failure


def transport_of_files(
    paths: Sequence[Path], settings: TransportSettings = DEFAULT, workers: int = 1
) -> Iterator[tuple[Path, Outcome]]:
    """Transport of each file as it is finished, in any order.

    Memory per worker is that of one crystal: bands are summed up one at a time.

    Parameters
    ----------
    workers
        Processes; one per core, each on one thread (OMP_NUM_THREADS=1).

    Yields
    ------
    The file, and its document or a CalculationFailed with the reason. A worker that was killed, for memory say, takes
    the files down that were waiting for it: each of them is then tried once more in a process of its own.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy threads and open files of the caller
    lost: list[Path] = []
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {pool.submit(transport_of_file, path, settings): path for path in paths}
        for future in as_completed(futures):
            if _was_killed(future):
                lost.append(futures[future])
            else:
                yield futures[future], future.result()
    for path in lost:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            alone = pool.submit(transport_of_file, path, settings)
            if _was_killed(alone):
                detail = f"the process that computed {path} was killed; was there enough memory?"
                yield path, CalculationFailed("killed", detail)
            else:
                yield path, alone.result()


def _was_killed(future: Future[Outcome]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)
