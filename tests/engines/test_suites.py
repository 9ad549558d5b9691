"""The suite that plugins inherit, passed by every engine that can run here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stand_in_environment
from pymatgen.core import Lattice, Structure
from springs import CSCL, SPRINGS

from gen2dft import engines
from gen2dft.engines import load_engine
from gen2dft.engines.base import Engine
from gen2dft.engines.gpaw.presets import PRESETS as GPAW_PRESETS
from gen2dft.testing.engines import EngineSuite
from tests import toys


def without_references(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The registered engine with its total energies for formation energies."""
    bare = replace(engine, formation_energy=lambda composition, energy: energy)
    monkeypatch.setitem(engines.ENGINES, engine.name, lambda: bare)
    return bare


@pytest.mark.skipif(importlib.util.find_spec("chgnet") is None, reason="CHGNet is not installed")
class TestMLIP(EngineSuite):
    engine, preset, structure = "mlip", "chgnet-screen-v1", CSCL


class TestSprings(EngineSuite):
    engine, preset, structure = "springs", "soft", CSCL

    @pytest.fixture
    def loaded(self, monkeypatch: pytest.MonkeyPatch) -> Engine:
        monkeypatch.setitem(engines.ENGINES, "springs", lambda: SPRINGS)
        return SPRINGS


class TestToy(EngineSuite):
    engine, preset, structure = "toy", "toy-v1", toys.rock_salt("K", "Cl", 6.3)

    @pytest.fixture
    def loaded(self) -> Iterator[Engine]:
        with toys.toys_registered():
            yield load_engine("toy")


@pytest.mark.filterwarnings(*stand_in_environment.WARNINGS)
class TestVasp(EngineSuite):
    engine, preset, structure = "vasp", "mp-ggau-v1", CSCL

    @pytest.fixture
    def loaded(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
        stand_in_environment.install(monkeypatch, tmp_path)
        monkeypatch.chdir(tmp_path)
        return without_references(load_engine("vasp"), monkeypatch)


@pytest.mark.skipif(
    importlib.util.find_spec("gpaw") is None, reason="GPAW is not installed (make gpaw)"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
class TestGPAW(EngineSuite):
    engine, preset = "gpaw", "gpaw-quick-v1"
    # An ionic crystal hardly feels how coarse the mesh of a supercell is.
    structure = Structure(
        Lattice([[0, 3.1, 3.1], [3.1, 0, 3.1], [3.1, 3.1, 0]]),
        ["K", "Cl"],
        [[0, 0, 0], [0.5, 0.5, 0.5]],
    )
    tolerance = 0.03

    @pytest.fixture
    def loaded(self, monkeypatch: pytest.MonkeyPatch) -> Engine:
        # Small enough for a test: nothing of it is converged.
        quick = GPAW_PRESETS["gpaw-quick-v1"]
        coarse = {"spacing": 0.9, "bands_spacing": 0.55, "fmax": 0.3}
        rough = replace(quick, cutoff=200.0, bands_cutoff=200.0, **coarse)
        monkeypatch.setitem(GPAW_PRESETS, "gpaw-quick-v1", rough)
        return without_references(load_engine("gpaw"), monkeypatch)
