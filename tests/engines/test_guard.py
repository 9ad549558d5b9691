"""What may be believed of a calculation, whichever engine made it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from springs import CSCL, SPRINGS

from gen2dft import engines
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.bounds import GENERAL, PAW_ENERGY, Bounds
from gen2dft.engines.guard import bounds_of, guarded, problem_of, volume_problem
from gen2dft.engines.kit import calculate, run_task
from gen2dft.engines.outcomes import stage_problem

PAW = Bounds(energy_per_atom=PAW_ENERGY)
HUGE = [(0.0, 0.0, 101.0)] * 2
BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"energy_per_atom": math.nan}, "not_finite", "energy_per_atom came out as NaN"),
    ({"energy_per_atom": -60.0}, "implausible_energy", "-60.00 eV/atom is outside -25 to 10"),
    ({"energy_per_atom": 11.0}, "implausible_energy", "11.00 eV/atom is outside"),
    ({"forces": [(math.nan,) * 3] * 2}, "not_finite", "forces came out"),
    ({"forces": HUGE}, "implausible_force", "101 eV/Angstrom, the bound is 100"),
    ({"forces": [(0.0, 0.0, 0.1)]}, "incomplete", "forces of 1 atoms, the crystal has 2"),
    ({"magmoms": [0.0] * 3}, "incomplete", "magmoms of 3 atoms, the crystal has 2"),
    ({"max_force": math.inf}, "not_finite", "max_force came out"),
    ({"stress": [(2e3, 0.0, 0.0)] * 3}, "implausible_stress", "2000 GPa, the bound is 1000"),
    ({"magmoms": [0.0, -16.0]}, "implausible_moment", "16.0 Bohr magnetons"),
    ({"values": {"band_gap": math.nan}}, "not_finite", "band_gap came out"),
    ({"values": {"band_gap": -0.1}}, "implausible_gap", "a gap of -0.10 eV is outside 0 to 30"),
    ({"values": {"band_gap": 31.0}}, "implausible_gap", "a gap of 31.00 eV"),
    ({"values": {"bulk_modulus": math.inf}}, "not_finite", "bulk_modulus came out"),
    ({"converged_electronic": False}, "scf_not_converged", "the limit of electronic steps"),
    (
        {"converged_electronic": False, "task": "uniform_bands"},
        "bands_not_converged",
        "the bands reached the limit",
    ),
    ({"converged_ionic": False}, "not_converged", "the relaxation did not converge"),
]


def static(**changes: Any) -> CalculationDoc:
    """A sound document with changes that no model checks, as those of a database."""
    return calculate("static", SPRINGS, "soft", CSCL).model_copy(update=changes)


def test_a_sound_result_is_left_alone():
    doc = static()
    assert problem_of(doc, PAW) is None
    assert volume_problem(doc, PAW) is None
    assert guarded(doc, CSCL) is doc
    assert stage_problem([doc, doc]) is None


@pytest.mark.parametrize(("changes", "reason", "detail"), BROKEN)
def test_what_is_not_believed(changes: dict[str, Any], reason: str, detail: str):
    doc = static(core_hours=2.0, directory="host:/run", **changes)
    failure = problem_of(doc, PAW)
    assert failure is not None
    assert failure.reason == reason
    assert failure.detail.startswith(f"{doc.task} of CsCl: ")
    assert detail in failure.detail
    assert (failure.core_hours, failure.directory) == (2.0, "host:/run")


@pytest.mark.parametrize(("changes", "reason", "detail"), BROKEN)
def test_a_stored_document_is_judged_again_before_it_makes_a_label(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str, detail: str
):
    monkeypatch.setitem(engines.ENGINES, "springs", lambda: replace(SPRINGS, bounds=PAW))
    failure = stage_problem([static(), static(**changes)])
    assert failure is not None
    assert failure.reason == reason
    assert detail in failure.detail


def test_a_job_gives_a_reason_instead_of_a_document():
    def broken(structure, preset):
        return SPRINGS.static(structure, preset).model_copy(update={"energy_per_atom": math.nan})

    outcome = run_task("static", replace(SPRINGS, static=broken), "soft", CSCL, None)
    assert isinstance(outcome, CalculationFailure)
    assert outcome.reason == "not_finite"
    assert outcome.core_hours > 0


def test_the_result_of_another_crystal_is_refused():
    other = CSCL.copy()
    other.replace(0, "Na")

    def mixed_up(structure: Any, preset: str) -> Any:
        return SPRINGS.static(other, preset)

    outcome = run_task("static", replace(SPRINGS, static=mixed_up), "soft", CSCL, None)
    assert isinstance(outcome, CalculationFailure)
    assert outcome.reason == "other_crystal"
    assert outcome.detail.endswith("the result is of Na1 Cl1, the calculation was of Cs1 Cl1")


def test_half_of_a_crystal_is_another_one():
    half = CSCL.copy()
    half.remove_sites([1])
    failure = guarded(static(structure=half), CSCL)
    assert isinstance(failure, CalculationFailure)
    assert failure.reason == "other_crystal"


def test_a_failure_passes_as_it_is():
    failure = CalculationFailure(reason="exploded", detail="no")
    assert guarded(failure, CSCL) is failure


@pytest.mark.parametrize(("per_atom", "believed"), [(3.9, False), (4.1, True), (121.0, False)])
def test_the_cell_of_a_crystal_is_neither_collapsed_nor_empty(per_atom: float, believed: bool):
    structure = CSCL.copy()
    structure.scale_lattice(per_atom * len(structure))
    failure = volume_problem(static(structure=structure), GENERAL)
    assert (failure is None) is believed
    if failure is not None:
        assert failure.reason == "implausible_volume"
        assert f"{per_atom:.2f} Angstrom^3 per atom is outside 4 to 120" in failure.detail


def test_molecules_in_a_box_may_be_references():
    box = CSCL.copy()
    box.scale_lattice(1000.0 * len(box))
    assert stage_problem([static(structure=box)]) is None


def test_coordinates_must_be_numbers():
    lost = CSCL.copy()
    lost.translate_sites([0], [np.nan, 0.0, 0.0], to_unit_cell=False)
    failure = problem_of(static(structure=lost), GENERAL)
    assert failure is not None
    assert failure.detail.endswith("coordinates came out as NaN or infinite")


@pytest.mark.parametrize("name", ["mlip", "gpaw", "vasp"])
def test_engines_with_paw_energies_bound_them(name: str):
    assert load_engine(name).bounds.energy_per_atom == PAW_ENERGY == bounds_of(name).energy_per_atom


@pytest.mark.parametrize("name", ["mlip", "gpaw", "vasp"])
@pytest.mark.parametrize(("changes", "reason", "detail"), BROKEN)
def test_no_engine_that_ships_is_believed_what_no_crystal_has(
    name: str, changes: dict[str, Any], reason: str, detail: str
):
    failure = guarded(static(engine=name, **changes), CSCL)
    assert isinstance(failure, CalculationFailure)
    assert failure.reason == reason
    assert detail in failure.detail
    assert guarded(static(engine=name), CSCL).energy_per_atom == static().energy_per_atom


def test_an_engine_that_is_not_installed_has_the_bounds_of_all():
    assert bounds_of("elsewhere") == GENERAL


def test_the_zero_of_energy_is_a_programs_own():
    assert problem_of(static(energy_per_atom=-2e4), GENERAL) is None
