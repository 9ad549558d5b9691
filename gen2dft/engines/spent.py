"""What a calculation costs and may cost: CPU time where it can be measured, else wall time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from gen2dft.errors import CalculationFailed
from gen2dft.workers import TOO_EXPENSIVE, limited_cpu

HOUR = 3600.0


@dataclass(frozen=True)
class Meter:
    """Measures from when it is made.

    Parameters
    ----------
    in_process
        Whether what it measures runs in this process, see `gen2dft.engines.base.Engine`.
    """

    in_process: bool
    wall_begun: float = field(default_factory=time.perf_counter)
    cpu_begun: float = field(default_factory=time.process_time)

    @property
    def wall_seconds(self) -> float:
        """Wall time so far."""
        return time.perf_counter() - self.wall_begun

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time so far, of all threads; None if another process does the work."""
        return time.process_time() - self.cpu_begun if self.in_process else None

    @property
    def core_hours(self) -> float:
        """CPU time where it is known, else wall time on one core."""
        cpu = self.cpu_seconds
        return (self.wall_seconds if cpu is None else cpu) / HOUR


@contextlib.contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """CalculationFailed `too_expensive` beyond so much CPU time; None: no limit.

    For the main thread of a process.
    """
    if seconds is None:
        yield
        return
    if seconds <= 0:
        detail = "the calculations before it used up the candidate's validation.cpu_minutes"
        raise CalculationFailed(TOO_EXPENSIVE, detail)
    with limited_cpu(seconds):
        yield
