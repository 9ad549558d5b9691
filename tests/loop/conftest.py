"""Toys can be named in the campaigns of these tests."""

import pytest


@pytest.fixture(autouse=True)
def _toys(toy_plugins):
    pass
