"""A DFT engine that gives every formula the energy it is told, and a hull small enough to work out
by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mongomock
import pytest
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Composition, Lattice, Structure

from gen2dft import engines
from gen2dft.calculation import Calculation
from gen2dft.campaign import CampaignSpec
from gen2dft.engines.base import Engine, without_references
from gen2dft.errors import CalculationFailed
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CandidateDoc, StoredVerdict
from gen2dft.store.store import Store, candidate_key
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

KEY = "0123456789abcdef"
# eV/atom. Na2BrCl decomposes into half NaBr and half NaCl: -2.9 - (-3.0 - 2.6) / 2 = -0.1.
ENERGIES = {"NaCl": -3.0, "NaBr": -2.6, "Na2BrCl": -2.9, "Na": -1.0, "KBr": -2.0}
# Formation energies, eV/atom, on another scale than the engine's.
PHASES = {"NaCl": -2.0, "NaBr": -1.8, "KBr": -1.9, "KCl": -2.1}
CAMPAIGN = {
    **toys.TOY_CAMPAIGN,
    "targets": [{"property": "e_above_hull", "max": 0.03, "by": "screen"}],
    "validation": {"engine": "told", "preset": "toy-v1", "competing": True},
}


class ToldEngine:
    """The engine's energies, what it fails for, and what it was asked to relax, by formula."""

    def __init__(self) -> None:
        self.energies = dict(ENERGIES)
        self.fails: set[str] = set()
        self.asked: list[str] = []
        self.run_types: dict[str, str] = {}
        self.killed_at: str | None = None

    def relax(self, structure: Structure, preset: str) -> Calculation:
        """Relax a crystal so far that it is hardly the same."""
        formula = structure.composition.reduced_formula
        if formula == self.killed_at:
            raise KeyboardInterrupt
        self.asked.append(formula)
        relaxed = structure.copy()
        relaxed.scale_lattice(1.1 * structure.volume)
        return self.static(relaxed, preset)

    def static(self, structure: Structure, preset: str) -> Calculation:
        """The energy that the formula is told."""
        del preset
        formula = structure.composition.reduced_formula
        if formula in self.fails:
            raise CalculationFailed("exploded", f"{formula} does not like it")
        return Calculation(
            structure=structure,
            energy_per_atom=self.energies[formula],
            converged=True,
            wall_seconds=36.0,
            cpu_seconds=36.0,
            run_type=self.run_types.get(formula, "PBE"),
        )

    def engine(self) -> Engine:
        """A DFT engine without references of the elements."""
        return replace(
            toys.TOY_ENGINE,
            name="told",
            is_dft=True,
            relax=self.relax,
            static=self.static,
            makers=None,
            scale=None,
            formation_energy=without_references("told"),
        )


def told_engine(monkeypatch: pytest.MonkeyPatch) -> ToldEngine:
    """Register the engine, and let the small hull stand for the whole one."""
    told = ToldEngine()
    engine = told.engine()
    monkeypatch.setitem(engines.ENGINES, "told", lambda: engine)
    use_hull(monkeypatch, PHASES)
    return told


def use_hull(monkeypatch: pytest.MonkeyPatch, phases: dict[str, float]) -> None:
    """Let these phases be the whole hull, formula to eV/atom."""
    compositions = [Composition(formula).get_el_amt_dict() for formula in phases]
    hull = ReferenceHull.build(compositions, phases.values())
    for module in ("gen2dft.ground.competing", "gen2dft.rounds.competing"):
        monkeypatch.setattr(f"{module}.whole_hull", lambda: hull)


def crystal(formula: str) -> Structure:
    """Some crystal of a formula: its atoms in a row."""
    symbols = [site.symbol for site in _atoms(formula)]
    n = len(symbols)
    places = [[0.5 * (i % 2), 0.25, i / n] for i in range(n)]
    return Structure(Lattice.orthorhombic(4, 4.5, 2.7 * n), symbols, places)


def _atoms(formula: str) -> list:
    composition = Composition(formula)
    return [element for element, n in composition.items() for _ in range(round(n))]


def folder_of(path: Path, *formulas: str) -> Path:
    """CIF files of these formulas."""
    path.mkdir(exist_ok=True)
    for formula in formulas:
        crystal(formula).to(str(path / f"{formula}.cif"))
    return path


def waiting(
    store: Store, *, key: str = KEY, formula: str = "Na2BrCl", name: str = "toy", **validation
) -> Round:
    """A queued candidate that the screen puts 0.02 eV/atom above the hull."""
    fields = {**CAMPAIGN["validation"], **validation}
    given = {**CAMPAIGN, "name": name, "validation": fields}
    spec = CampaignSpec.model_validate(given)
    dataset = toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    candidate = crystal(formula).as_dict()
    verdict = StoredVerdict(
        engine="toy", structure=candidate, formation_energy=-1.0, e_above_hull=0.02
    )
    store.insert_new(
        CandidateDoc(
            id=candidate_key(campaign.id, key),
            campaign_id=campaign.id,
            round_index=0,
            candidate_id=key,
            sampler="local",
            parents=[],
            latent_row=0,
            state="queued",
            formula=formula,
            structure=candidate,
            surrogate=verdict,
        )
    )
    return Round(store, campaign.id, 0)


def new_store() -> Store:
    """An empty store in memory."""
    enable_gridfs_integration()
    return Store(mongomock.MongoClient(tz_aware=True)["test"])
