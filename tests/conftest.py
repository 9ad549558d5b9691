"""One embedded database server for the whole test session.

Each test has a database of its own on it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mongomock.collection import BulkOperationBuilder

from gen2dft.settings import Settings
from gen2dft.store.embedded import embedded_uri, stop_server

_add_update = BulkOperationBuilder.add_update


def _add_update_unsorted(
    self: BulkOperationBuilder, *args: Any, sort: None = None, **kwargs: Any
) -> None:
    """Pymongo hands the `sort` of each update of a bulk on, mongomock knows none."""
    assert sort is None
    _add_update(self, *args, **kwargs)


BulkOperationBuilder.add_update = _add_update_unsorted


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the developer's own configuration out of the tests."""
    for name in ("DATABASE", "DATABASE_NAME", "DATA_DIR", "WORKERS", "DEBUG"):
        monkeypatch.delenv(f"GEN2DFT_{name}", raising=False)
    monkeypatch.delenv("JOBFLOW_CONFIG_FILE", raising=False)
    monkeypatch.setenv(
        "GEN2DFT_CONFIG_FILE", str(tmp_path_factory.getbasetemp() / "no-config.yaml")
    )


@pytest.fixture(scope="session")
def server_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder of a running embedded server."""
    folder = tmp_path_factory.mktemp("server")
    embedded_uri(folder)
    yield folder
    stop_server(folder)


@pytest.fixture
def settings(server_dir: Path) -> Settings:
    """Settings with an empty database on the session's server."""
    return Settings(data_dir=server_dir, database_name=f"test_{uuid.uuid4().hex[:12]}", workers=1)


@pytest.fixture
def toy_plugins() -> Iterator[None]:
    """Register the generator and the engine of tests/toys.py in this process, for one test."""
    from tests.toys import toys_registered

    with toys_registered():
        yield
