"""A session on the embedded database whose work is done in this process, and toy campaigns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gen2dft
from gen2dft.api import Campaign, Session
from gen2dft.settings import Settings
from tests import toys


@pytest.fixture
def session(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    toy_plugins: None,
) -> Session:
    """Connected by the environment, as a script is."""
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gen2dft.launchpad.worker.IDLE_SECONDS", 0.01)
    connected: Session = gen2dft.connect()
    return connected


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Content of a campaign file of toys; keyword arguments change parts of it."""
    file = tmp_path / "toy.npz"
    toys.toy_dataset().save(file)

    def content(**changes: Any) -> dict[str, Any]:
        dataset = {**toys.TOY_CAMPAIGN["dataset"], "source": str(file)}
        hull = {"source": "dataset", "scale": "materials-project"}
        return {**toys.TOY_CAMPAIGN, "dataset": dataset, "hull": hull, **changes}

    return content


@pytest.fixture
def asking(session: Session, toy: Callable[..., dict[str, Any]]) -> Campaign:
    """A campaign of toys whose results are told."""
    surrogate = {**toys.TOY_CAMPAIGN["screening"]["surrogate"], "chunk": 100}
    screening = {"surrogate": surrogate}  # in one chunk: each firework takes its time
    return session.submit(toy(validation={"engine": "external"}, screening=screening))
