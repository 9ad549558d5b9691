"""The toy engine with bands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_jobs import ExampleBandsMaker
from gen2dft.flows.power_factors import PowerFactorMaker

from gen2dft import engines
from gen2dft.engines.base import Makers
from tests import toys


@pytest.fixture
def banded(monkeypatch: pytest.MonkeyPatch, toy_plugins: None) -> None:
    """The toy engine with bands, and jobs for them; coarse meshes are fine enough."""
    provides = toys.TOY_ENGINE.provides | {"band_gap", "power_factor"}

    def makers(preset: str) -> Makers:
        return replace(toys.TOY_ENGINE.makers(preset), uniform_bands=ExampleBandsMaker())

    engine = replace(toys.TOY_ENGINE, provides=provides, makers=makers)
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: engine)
    of_engine = PowerFactorMaker.of_engine

    def coarse(*given: object) -> PowerFactorMaker:
        maker = of_engine(*given)
        maker.transport.max_spacing = 0.4
        return maker

    monkeypatch.setattr(PowerFactorMaker, "of_engine", coarse)
