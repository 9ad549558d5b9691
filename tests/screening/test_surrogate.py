import json
import math
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure
from stand_in_stability import StandIn

from gen2dft import engines
from gen2dft.calculation import Calculation
from gen2dft.campaign import SurrogateSpec
from gen2dft.crystals import CrystalTable
from gen2dft.engines.base import Engine
from gen2dft.errors import CalculationFailed, CampaignError, DatasetError
from gen2dft.report.chances import stability_text
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import SurrogateVerdict, surrogate_screen
from gen2dft.thermo.corrected import Corrector
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.stability import ERROR_ON_KNOWN

NACL = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
HULL = ReferenceHull.build([Composition("NaCl")], [-2.0])
# Lies as deep at NaCl, whose formula it does not know.
AROUND = ReferenceHull.build([Composition("Na3Cl"), Composition("NaCl3")], [-2.0, -2.0])
SPEC = SurrogateSpec(engine="told", preset="only", max_e_above_hull=0.1)


def tell(
    monkeypatch: pytest.MonkeyPatch,
    energy: float = -1.95,
    converged: bool = True,
    max_force: float = 0.05,
    failure: CalculationFailed | DatasetError | None = None,
) -> None:
    """Register an engine that relaxes everything to the structure given, with the energy told."""

    def relax(structure: Structure, preset: str) -> Calculation:
        if isinstance(failure, CalculationFailed):
            raise failure
        return Calculation(
            structure=structure,
            energy_per_atom=energy,
            converged=converged,
            max_force=max_force,
            num_steps=9,
            wall_seconds=0.5,
        )

    def formation_energy(composition: Composition, per_atom: float) -> float:
        if isinstance(failure, DatasetError):
            raise failure
        return per_atom

    makers: dict[str, Any] = {"only": object()}
    engine = Engine("told", False, frozenset(), makers, relax, relax, formation_energy)
    monkeypatch.setitem(engines.ENGINES, "told", lambda: engine)


def test_a_crystal_near_the_hull_passes_with_its_figures(monkeypatch: pytest.MonkeyPatch):
    tell(monkeypatch)
    verdict = surrogate_screen(NACL, SPEC, HULL)
    assert verdict.reason is None
    assert (verdict.formation_energy, verdict.e_above_hull) == (-1.95, pytest.approx(0.05))
    stored = json.loads(json.dumps(verdict.as_dict()))
    assert Structure.from_dict(stored["structure"]) == NACL
    assert (stored["engine"], stored["preset"], stored["steps"]) == ("told", "only", 9)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"energy": -1.85}, "above_hull"),
        ({"energy": -2.35}, None),
        ({"energy": -2.25}, None),
        ({"converged": False, "max_force": 0.5}, "relaxation_unconverged"),
        ({"converged": False, "max_force": 0.2}, None),
        (
            {"failure": CalculationFailed("force_too_large", "900 eV/Angstrom")},
            "relaxation_force_too_large",
        ),
        (
            {"failure": CalculationFailed("atoms_too_close_after_relaxation", "0.3")},
            "atoms_too_close_after_relaxation",
        ),
        ({"failure": DatasetError("no elemental reference energy for Cm")}, "no_reference_energy"),
    ],
)
def test_reasons(monkeypatch: pytest.MonkeyPatch, told: dict, reason: str | None):
    tell(monkeypatch, **told)
    verdict = surrogate_screen(NACL, SPEC, HULL)
    assert verdict.reason == reason
    assert (verdict.detail is not None) == ("failure" in told)


@pytest.mark.parametrize(
    ("energy", "lowest", "reason", "remark"),
    [
        (-2.29, -0.3, None, None),
        (-2.31, -0.3, None, "hull_incomplete"),
        (-2.99, -0.3, None, "hull_incomplete"),
        (-3.01, -0.3, "implausible_energy", None),
        (-3.01, -9.0, None, None),  # a campaign that expects such crystals moves the bound
        (-5.01, -9.0, "implausible_energy", None),
        (5.01, -0.3, "implausible_energy", None),
    ],
)
def test_one_rule_for_what_lies_below_the_hull(
    monkeypatch: pytest.MonkeyPatch, energy: float, lowest: float, reason: str, remark: str
):
    """The hull lies at -2 eV/atom."""
    tell(monkeypatch, energy=energy)
    spec = SPEC.model_copy(update={"min_e_above_hull": lowest})
    verdict = surrogate_screen(NACL, spec, HULL)
    assert (verdict.reason, verdict.remark) == (reason, remark)
    assert (verdict.detail is not None) == (reason is not None)
    assert SurrogateVerdict.from_stored(verdict.stored()) == verdict


def test_what_lies_below_the_whole_hull_is_kept_and_ranked_last(
    monkeypatch: pytest.MonkeyPatch,
):
    """Phases that are missing all the same: up to 1 eV/atom nothing is thrown away."""
    crystal = Structure(Lattice.cubic(3.4), ["Pb", "Te"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    beneath = whole_hull().hull_energy(crystal.composition)
    for below, fate in ((0.2, (None, None)), (0.9, (None, "hull_incomplete"))):
        tell(monkeypatch, energy=beneath - below)
        verdict = surrogate_screen(crystal, SPEC, whole_hull())
        assert (verdict.reason, verdict.remark) == fate
        assert verdict.hull_remarks == ("hull_mixes_r2scan",)
        assert SurrogateVerdict.from_stored(verdict.stored()) == verdict
    tell(monkeypatch, energy=beneath - 1.1)
    assert surrogate_screen(crystal, SPEC, whole_hull()).reason == "implausible_energy"


def test_no_depth_is_refused_where_a_crystal_would_fall_apart_into_elements(
    monkeypatch: pytest.MonkeyPatch,
):
    """Al2O3 without its own formula: 2.4 eV/atom below all else that the hull knows."""
    unknown = whole_hull().without({"Al": 2, "O": 3})
    cell = Structure(
        Lattice.cubic(3.6), ["Al", "Al", "O", "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    )  # fmt: skip
    tell(monkeypatch, energy=-3.36)
    verdict = surrogate_screen(cell, SPEC, unknown)
    assert verdict.e_above_hull == pytest.approx(-2.4, abs=0.1)
    assert (verdict.reason, verdict.remark) == (None, "hull_incomplete")
    tell(monkeypatch, energy=-5.1)
    assert surrogate_screen(cell, SPEC, unknown).reason == "implausible_energy"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"energy": math.nan}, "relaxation_not_finite"),
        ({"max_force": 120.0}, "relaxation_implausible_force"),
    ],
)
def test_what_no_engine_may_say_is_refused(
    monkeypatch: pytest.MonkeyPatch, told: dict, reason: str
):
    tell(monkeypatch, **told)
    verdict = surrogate_screen(NACL, SPEC, HULL)
    assert (verdict.reason, verdict.structure) == (reason, None)


def test_a_cell_that_is_no_crystals_is_refused(monkeypatch: pytest.MonkeyPatch):
    tell(monkeypatch)
    gas = NACL.copy()
    gas.scale_lattice(300.0)
    verdict = surrogate_screen(gas, SPEC, HULL)
    assert verdict.reason == "relaxation_implausible_volume"
    assert verdict.detail == "NaCl: 150.00 Angstrom^3 per atom is outside 4 to 120"


def test_what_relaxed_into_a_known_crystal_is_told(monkeypatch: pytest.MonkeyPatch):
    tell(monkeypatch)
    known = StructureIndex.from_table(CrystalTable.from_structures([NACL * (1, 1, 2)]))
    assert surrogate_screen(NACL, SPEC, HULL, known).reason == "relaxed_to_known"


def test_unknown_preset_is_refused(monkeypatch: pytest.MonkeyPatch):
    tell(monkeypatch)
    with pytest.raises(CampaignError, match="preset of engine 'told' 'other' is not one of"):
        surrogate_screen(NACL, SPEC.model_copy(update={"preset": "other"}), HULL)


def test_chgnet_relaxes_and_judges():
    pytest.importorskip("chgnet")
    rock_salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.9), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    verdict = surrogate_screen(rock_salt.get_primitive_structure(), SurrogateSpec(), HULL)
    assert verdict.reason is None
    assert verdict.e_above_hull == pytest.approx(verdict.formation_energy + 2.0)
    assert np.cbrt(4 * verdict.structure.volume) == pytest.approx(5.69, abs=0.1)


CORRECTOR = Corrector(StandIn(), most=0.12)  # every distance is 0.1 too low, within 0.05


@pytest.mark.parametrize(
    ("energy", "reason", "remark", "corrected"),
    [
        (-1.95, "above_hull", None, 0.15),  # 0.05 by the potential, which would pass
        (-2.05, None, None, 0.05),
        # The rule of placing goes by the potential's own distance, the hull lies at -2 eV/atom.
        (-2.35, None, "hull_incomplete", -0.25),
        (-3.05, "implausible_energy", None, -0.95),
    ],
)
def test_the_gate_goes_by_the_corrected_distance(
    monkeypatch: pytest.MonkeyPatch,
    energy: float,
    reason: str | None,
    remark: str | None,
    corrected: float,
):
    tell(monkeypatch, energy=energy)
    verdict = surrogate_screen(NACL, SPEC, AROUND, corrector=CORRECTOR)
    assert (verdict.reason, verdict.remark) == (reason, remark)
    assert verdict.e_above_hull == pytest.approx(corrected)
    assert verdict.stability is not None
    assert verdict.stability.potential == pytest.approx(energy + 2.0)
    assert not verdict.stability.known
    assert SurrogateVerdict.from_stored(verdict.stored()) == verdict


@pytest.mark.parametrize(
    ("energy", "least", "reason"),
    [
        (-1.98, 0.49, None),  # 0.12 corrected: even chances of at most 0.12
        (-1.98, 0.51, "small_chance"),
        (-1.95, 0.27, None),
        (-1.95, 0.28, "small_chance"),
    ],
)
def test_the_gate_may_ask_for_a_chance_in_place_of_the_distance(
    monkeypatch: pytest.MonkeyPatch, energy: float, least: float, reason: str | None
):
    tell(monkeypatch, energy=energy)
    spec = SPEC.model_copy(update={"min_chance": least, "max_e_above_hull": -9.0})
    assert surrogate_screen(NACL, spec, AROUND, corrector=CORRECTOR).reason == reason


def test_a_formula_that_the_hull_has_needs_no_correction(monkeypatch: pytest.MonkeyPatch):
    tell(monkeypatch, energy=-1.95)
    verdict = surrogate_screen(NACL, SPEC, HULL, corrector=CORRECTOR)
    record = verdict.stability
    assert verdict.reason is None
    assert record is not None
    assert (record.known, record.error) == (True, ERROR_ON_KNOWN)
    assert verdict.e_above_hull == record.corrected == pytest.approx(0.05)
    assert record.chance > 0.98
    assert "the hull has its formula" in stability_text(record)


def test_what_the_hull_does_not_cover_has_no_record(monkeypatch: pytest.MonkeyPatch):
    tell(monkeypatch)
    other = ReferenceHull.build([Composition("WC")], [-1.0])
    verdict = surrogate_screen(NACL, SPEC, other, corrector=CORRECTOR)
    assert (verdict.reason, verdict.stability) == ("hull_does_not_cover", None)
