"""Tasks in processes of their own: results, errors, and workers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gen2dft.errors import CalculationFailed
from gen2dft.workers import in_processes, limited_cpu


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


def spin(seconds: float) -> None:
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


def test_cpu_time_is_limited_whatever_the_work_catches():
    with (
        pytest.raises(CalculationFailed, match=r"not finished after 0\.05 CPU seconds") as failure,
        limited_cpu(0.05),
    ):
        try:
            spin(60)
        except Exception:
            pytest.fail("the limit is not an error of the work")
    assert failure.value.reason == "too_expensive"


def test_the_limit_ends_with_the_work():
    before = signal.getsignal(signal.SIGPROF)
    with limited_cpu(0.2):
        spin(0.01)
    spin(0.3)
    assert signal.getsignal(signal.SIGPROF) is before


CALLER = """
import sys
from tests.test_workers import sleep_long
from gen2dft.workers import in_processes
if __name__ == "__main__":
    list(in_processes(sleep_long, [sys.argv[1]]))
"""


def sleep_long(note: str) -> None:
    Path(note).write_text(str(os.getpid()))
    time.sleep(600)


def runs(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_a_worker_ends_with_its_caller(tmp_path: Path):
    note, script = tmp_path / "pid", tmp_path / "caller.py"
    script.write_text(CALLER)
    root = Path(__file__).resolve().parents[1]
    caller = subprocess.Popen(
        [sys.executable, script, note], env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        assert wait_until(lambda: note.is_file() and note.read_text() != "")
        worker = int(note.read_text())
        assert runs(worker)
    finally:
        caller.kill()
        caller.wait()
    assert wait_until(lambda: not runs(worker))
