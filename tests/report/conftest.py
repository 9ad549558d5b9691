"""The example campaign, as a store and as a report's data."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from example_campaign import CAMPAIGN_ID, example_store

from gen2dft.report.data import ReportData, load_report_data
from gen2dft.report.page import write_report
from gen2dft.store.store import Store


@pytest.fixture
def store() -> Store:
    """A store with the example campaign, the test's own."""
    return example_store()


@pytest.fixture(scope="session")
def loaded() -> ReportData:
    """The example campaign as reports see it, read once."""
    return load_report_data(example_store(), CAMPAIGN_ID)


@pytest.fixture
def data(loaded: ReportData) -> ReportData:
    """The example campaign as reports see it, the test's own."""
    return copy.deepcopy(loaded)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the example campaign with all that lies beside it, drawn once.

    To be read only.
    """
    return write_report(example_store(), CAMPAIGN_ID, tmp_path_factory.mktemp("report") / "out")
