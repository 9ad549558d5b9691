"""Recorded bands, read once for all tests."""

from __future__ import annotations

import pytest
from recorded_bands import RECORDED, recorded_file

from gen2dft.transport.bands import UniformBands
from gen2dft.transport.loaders import load_bands


@pytest.fixture(scope="session", params=RECORDED)
def recorded(request: pytest.FixtureRequest) -> UniformBands:
    """Each recorded crystal in turn, read once."""
    return load_bands(recorded_file(RECORDED[request.param]))
