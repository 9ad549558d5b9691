"""Runs the commands of a case: in this process, or each as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from typer.testing import CliRunner

from tests.fuzz.case import Case, Outcome, lay_out
from tests.fuzz.rules import Broken, broken_rules
from tests.fuzz.watch import watched

CPU_SECONDS = 20  # of one command in one process; a usual one takes 0.02 to 0.5
WALL_SECONDS = 120
PROCESS_SECONDS = 300  # with the imports of a process of its own
ROOT = Path(__file__).resolve().parents[2]


class TooLongError(BaseException):
    """A command took more than its time; no `except Exception` may hide it."""


def judge(case: Case, make_store: Any) -> tuple[list[Outcome], list[Broken]]:
    """Run a case in this process, in a folder that is removed afterwards, and check the rules."""
    with tempfile.TemporaryDirectory(prefix="gen2dft-fuzz-") as folder:
        outcomes = run_here(case, Path(folder), make_store())
    return outcomes, broken_rules(case, outcomes)


def run_here(case: Case, top: Path, store: Any) -> list[Outcome]:
    """Run the commands of a case through the command line in this process.

    Parameters
    ----------
    top
        An empty folder.
    store
        The database that every command opens.
    """
    folder = lay_out(case, top)
    _lay_bait(top)
    with _surroundings(folder, top, store):
        first = _command(case.argv, top)
        outcomes = [first]
        if first.exit_code == 0:
            outcomes += [_command(argv, top) for argv in case.then]
    return outcomes


def run_apart(case: Case, top: Path, settings: Mapping[str, str]) -> list[Outcome]:
    """Run the command of a case as a process of its own; `settings` name the database."""
    folder = lay_out(case, top)
    _lay_bait(top)
    environment = {**os.environ, **_variables(top), **settings, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gen2dft.cli.app", *_passable(case.argv)]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=PROCESS_SECONDS
        )
    except subprocess.TimeoutExpired:
        return [Outcome(case.argv, None, "", "", f"still running after {PROCESS_SECONDS} s")]
    stdout, stderr = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return [Outcome(case.argv, done.returncode, stdout, stderr)]


def _passable(argv: tuple[str, ...]) -> list[str]:
    """Arguments without null bytes, which no operating system passes on."""
    return [argument.replace("\0", "") for argument in argv]


def _command(argv: tuple[str, ...], top: Path) -> Outcome:
    """One command; errors that nobody expected are caught with their traceback."""
    from gen2dft.cli.app import app

    with watched(top) as watch:
        try:
            with _limited():
                done = CliRunner().invoke(app, list(argv))
        except TooLongError as err:
            where = "".join(traceback.format_tb(err.__traceback__)[-3:])
            return Outcome(argv, None, "", "", f"{err} in\n{where}")
    crash = ""
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        crash = "".join(traceback.format_exception(done.exception))
    strays = tuple(watch.strays)
    kept = _kept(top) if argv[:2] == ("data", "info") else None
    return Outcome(argv, done.exit_code, done.stdout, done.stderr, crash, strays, kept)


def _kept(top: Path) -> dict[str, float] | None:
    """Id to formation energy of the data set that the command has put into its cache."""
    from gen2dft.dataset import Dataset

    files = list((top / "home" / "cache" / "datasets").glob("*.npz"))
    if len(files) != 1:
        return None
    dataset = Dataset.load(files[0])
    if "formation_energy" not in dataset.labels:
        return dict.fromkeys(dataset.ids, float("nan"))
    return dict(zip(dataset.ids, dataset.label("formation_energy").tolist(), strict=True))


def _lay_bait(top: Path) -> None:
    """Something to read outside of the folder."""
    (top / "outside").mkdir()
    (top / "outside" / "secret.txt").write_text("nobody was asked to read this")


def _variables(top: Path) -> dict[str, str]:
    return {
        "GEN2DFT_DATA_DIR": str(top / "home"),
        "GEN2DFT_CONFIG_FILE": str(top / "no-config.yaml"),
        "TMPDIR": str(top / "tmp"),
        "MP_API_KEY": "",
        "COLUMNS": "200",
    }


@contextlib.contextmanager
def _surroundings(folder: Path, top: Path, store: Any) -> Iterator[None]:
    """The folder, the database and the settings of a case; warnings are shown, not raised."""
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, _variables(top)),
        mock.patch.object(tempfile, "tempdir", str(top / "tmp")),
        mock.patch("gen2dft.store.connect.open_store", lambda *_, **__: store),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        yield


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """TooLongError after the time that one command has, waiting or working."""

    def stop(number: int, frame: Any) -> None:
        working = number == signal.SIGPROF
        limit = f"{CPU_SECONDS} CPU seconds" if working else f"{WALL_SECONDS} seconds"
        raise TooLongError(f"more than {limit}")

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, CPU_SECONDS),
        signal.SIGALRM: (signal.ITIMER_REAL, WALL_SECONDS),
    }
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
