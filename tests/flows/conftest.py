"""The toy engine with bands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_jobs import ExampleBandsMaker
from gen2dft.flows.power_factors import PowerFactorMaker

from gen2dft import engines
from gen2dft.engines import load_engine
from gen2dft.engines.base import Makers
from gen2dft.engines.makers import makers_of
from tests import toys


@pytest.fixture
def banded(monkeypatch: pytest.MonkeyPatch, toy_plugins: None) -> None:
    """The toy engine with bands, and jobs for them; coarse meshes are fine enough."""
    provides = toys.TOY_ENGINE.provides | {"band_gap"}

    def makers(preset: str) -> Makers:
        return replace(makers_of(toys.TOY_ENGINE, preset), uniform_bands=ExampleBandsMaker())

    read = load_engine("gpaw").read_bands
    engine = replace(toys.TOY_ENGINE, provides=provides, makers=makers, read_bands=read)
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: engine)
    of_engine = PowerFactorMaker.of_engine

    def coarse(*given: object) -> PowerFactorMaker:
        maker = of_engine(*given)
        maker.transport.max_spacing = 0.4
        return maker

    monkeypatch.setattr(PowerFactorMaker, "of_engine", coarse)
