"""Store and LaunchPad on the embedded database, and a worker in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fireworks import LaunchPad
from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad

from gen2dft.settings import Settings
from gen2dft.store.connect import open_store
from gen2dft.store.store import Store


@pytest.fixture
def bench(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Store, LaunchPad, Callable[..., None]]:
    """Store, LaunchPad and a function that works off what is ready.

    Workers find the same settings.
    """
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import rapidfire

    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    configure_jobflow(settings)
    store, lpad = open_store(settings), connect_launchpad(settings)

    def work(nlaunches: int = 0) -> None:
        rapidfire(
            lpad,
            FWorker("test"),
            m_dir=str(tmp_path),
            nlaunches=nlaunches,
            max_loops=1,
            sleep_time=0.01,
            strm_lvl="CRITICAL",
        )

    return store, lpad, work
