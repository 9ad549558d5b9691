"""Toys, and the source that lists crystals, can be named in the campaigns of these tests."""

import pytest
from toy_views import listed_registered


@pytest.fixture(autouse=True)
def _toys(toy_plugins):
    with listed_registered():
        yield
