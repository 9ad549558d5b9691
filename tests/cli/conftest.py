"""The example campaign behind the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from example_campaign import example_store
from rich.console import Console
from typer.testing import CliRunner

from gen2dft.cli import hits, results, status
from gen2dft.cli.app import app
from gen2dft.store.store import Store

Invoke = Callable[..., Result]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The example campaign in the store that every verb opens."""
    store = example_store()
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    # Other tests keep another hull under the id that this one has.
    monkeypatch.setattr("gen2dft.ground.hulls._LOADED", {})
    return store


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs `gen2dft` with arguments, on a terminal wide enough for every table."""
    for module in (hits, results, status):
        monkeypatch.setattr(module, "console", Console(width=220))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))
