"""Tasks in processes of their own: results, errors, and workers that are killed."""

from __future__ import annotations

import os
import signal

import pytest

from gen2dft.errors import CalculationFailed
from gen2dft.workers import in_processes


def square(number: int) -> int:
    """Dies of 3, cannot do 5."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        raise ValueError("five")
    return number * number


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_worker_stops_neither_those_before_nor_those_after():
    results = dict(in_processes(square, [1, 2, 3, 4], workers=1))
    assert {number: results[number] for number in (1, 2, 4)} == {1: 1, 2: 4, 4: 16}
    assert isinstance(results[3], CalculationFailed)
    assert results[3].reason == "killed"


def test_errors_propagate():
    with pytest.raises(ValueError, match="five"):
        list(in_processes(square, [5]))


def test_nothing_to_do():
    assert list(in_processes(square, [])) == []
