"""Many files in one go, in processes of their own: one that fails, or is killed, does not stop the
rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from gen2dft.errors import CalculationFailed
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.loaders import load_bands
from gen2dft.transport.settings import DEFAULT, TransportSettings
from gen2dft.workers import in_processes

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
    The file, and its document or a CalculationFailed with the reason; `killed` if its process was
    killed, see `in_processes`.
    """
    yield from in_processes(partial(transport_of_file, settings=settings), paths, workers)
