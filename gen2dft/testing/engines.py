"""The test suite of an engine.

A plugin subclasses it in its tests::

    class TestCosine(EngineSuite):
        engine, preset, structure = "cosine", "cosine-v1", CRYSTAL
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import ClassVar

import pytest
from jobflow import Maker
from pymatgen.core import Structure

from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, Engine, Outcome
from gen2dft.engines.contract import validate_bands, validate_engine
from gen2dft.engines.kept import plain
from gen2dft.engines.kit import bands_of, versions_of
from gen2dft.engines.makers import makers_of
from gen2dft.properties import PROPERTIES


class EngineSuite:
    """Tests that every engine passes, by way of its registered name.

    Attributes
    ----------
    engine, preset
        Names.
    structure
        A sane crystal that is not relaxed; a semiconductor for an engine with bands.
    tolerance
        Largest difference of energies that should be equal, eV/atom.
    scale
        Spacing of the k-points of bands in units of the preset's; a coarse mesh is quick.
    """

    engine: ClassVar[str]
    preset: ClassVar[str]
    structure: ClassVar[Structure]
    tolerance: ClassVar[float] = 1e-3
    scale: ClassVar[float] = 1.0

    @pytest.fixture
    def loaded(self) -> Engine:
        """The engine; a subclass may prepare the machine for it, or change it."""
        return load_engine(self.engine)

    def test_its_name_and_its_presets_are_those_of_the_registry(self, loaded: Engine) -> None:
        """Names lead to what carries them, and every preset describes itself."""
        assert loaded.name == self.engine
        assert loaded.provides <= set(PROPERTIES)
        for name, preset in loaded.presets.items():
            assert preset.name == name
            assert preset.contents()["description"] == preset.description
            json.dumps(preset.contents())

    def test_it_keeps_the_contract(self, loaded: Engine) -> None:
        """Energies are invariant, relaxation lowers them, nonsense is refused."""
        validate_engine(loaded, self.preset, self.structure, self.tolerance)

    def test_jobs_pass_their_documents_on(self, loaded: Engine, tmp_path: Path) -> None:
        """Relaxation and static calculation give documents that name who made them, and that the
        database gives back as they were.
        """
        makers = makers_of(loaded, self.preset)
        relaxed = _run(makers.relax, tmp_path / "relax", self.structure)
        static = _run(makers.static, tmp_path / "static", None, relaxed)
        assert (relaxed.task, static.task) == ("relax", "static")
        settings_hash, versions = loaded.preset(self.preset).settings_hash, versions_of(loaded)
        for document in (relaxed, static):
            assert document.engine == self.engine
            assert document.preset == self.preset
            assert document.settings_hash == settings_hash
            assert document.is_dft == loaded.is_dft
            assert versions.items() <= document.versions.items()
            stored = plain(document)
            assert CalculationDoc.model_validate(stored) == document

    def test_bands_keep_the_contract(self, loaded: Engine) -> None:
        """Bands belong to the crystal and follow the mesh that is asked for."""
        if loaded.bands is None:
            pytest.skip(f"engine {self.engine!r} has no bands of its own")
        validate_bands(loaded, self.preset, self.structure, self.scale)

    def test_bands_follow_a_static_calculation(self, loaded: Engine, tmp_path: Path) -> None:
        """The document of a bands job leads to the bands."""
        makers = makers_of(loaded, self.preset)
        if makers.uniform_bands is None:
            pytest.skip(f"engine {self.engine!r} computes no bands")
        static = _run(makers.static, tmp_path / "static", self.structure)
        bands = _run(makers.uniform_bands, tmp_path / "bands", None, static, scale=self.scale)
        found = bands_of(bands)
        gap = found.edges().gap
        assert gap == pytest.approx(bands.band_gap, abs=1e-3)
        assert found.structure.composition == self.structure.composition


def _run(
    maker: Maker,
    folder: Path,
    structure: Structure | None,
    prev: Outcome | None = None,
    **options: float,
) -> CalculationDoc:
    """The document of a job that runs here, in a folder of its own."""
    folder.mkdir()
    with contextlib.chdir(folder):
        outcome = type(maker).make.original(maker, structure, prev, **options)
    assert isinstance(outcome, CalculationDoc), outcome
    return outcome
