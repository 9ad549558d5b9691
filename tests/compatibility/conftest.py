"""What version 0.1.0 stored, for today's code to read and to carry on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import mongomock
import pytest
import stored
import stored_engines
from click.testing import Result
from mongomock.gridfs import enable_gridfs_integration
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.store.store import Store
from tests import toys
from tests.launchpad.conftest import bench  # noqa: F401 - a fixture

enable_gridfs_integration()

Load = Callable[[str], tuple[Store, str]]
Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def _engines() -> Iterator[None]:
    with stored_engines.stored_engines_registered():
        yield


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the stored campaign files find their training data."""
    toys.toy_dataset().save(tmp_path / "toys.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loaded(workplace: Path) -> Load:
    """Loads a stored database into memory: the store, and the id of its newest campaign."""

    def load(name: str) -> tuple[Store, str]:
        store = Store(mongomock.MongoClient(tz_aware=True)["stored"])
        return store, stored.load_database(name, store.database)

    return load


@pytest.fixture
def invoke_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Store], Invoke]:
    """Runs `gen2dft` on a store; a verb that fails is an error."""
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "data"))

    def on(store: Store) -> Invoke:
        monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)

        def invoke(*arguments: str) -> Result:
            result = CliRunner().invoke(app, list(arguments))
            assert result.exit_code == 0, result.output
            return result

        return invoke

    return on
