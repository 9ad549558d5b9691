"""A crystal gets the symmetry that costs it nothing, and keeps a distortion that it gains by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from gen2dft.calculation import Calculation
from gen2dft.campaign import SurrogateSpec
from gen2dft.engines import load_engine
from gen2dft.errors import CalculationFailed
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import SurrogateVerdict, surrogate_screen
from gen2dft.screening.symmetrise import Potential, symmetrised
from gen2dft.symmetry import EXACT, space_group_symbol
from gen2dft.thermo.hull import ReferenceHull

HALF_HEUSLER = Structure.from_spacegroup(
    "F-43m", Lattice.cubic(6.2), ["Li", "Zn", "Sb"], [[0.5] * 3, [0.25] * 3, [0] * 3]
)
PRIMITIVE = HALF_HEUSLER.get_primitive_structure()


def noisy(crystal: Structure, size: float, strain: float = 0.01) -> Structure:
    """Sites off their places by `size` Angstrom on each axis, as a rule, in a strained cell."""
    rng = np.random.default_rng(7)
    lattice = crystal.lattice.matrix @ (np.eye(3) + strain * rng.normal(size=(3, 3)))
    strained = Structure(lattice, crystal.species, crystal.frac_coords)
    places = strained.cart_coords + size * rng.normal(size=(len(crystal), 3))
    return Structure(lattice, crystal.species, places, coords_are_cartesian=True)


def calculation(structure: Structure, energy: float, **found: Any) -> Calculation:
    found.setdefault("converged", True)
    return Calculation(structure=structure, energy_per_atom=energy, **found)


def told(energies: dict[str, float], **found: Any) -> Potential:
    """A potential that moves nothing, and tells the energy of each space group: the others are
    high.
    """

    def compute(structure: Structure) -> Calculation:
        group = space_group_symbol(structure, EXACT)
        return calculation(structure, energies.get(group, 0.0), **found)

    return Potential(relax=compute, static=compute)


def perovskite(shift: float, cations: tuple[str, str] = ("Ba", "Ti"), a: float = 4.03) -> Structure:
    """ABO3, whose B site leaves its octahedron along the diagonal: R3m."""
    off = np.array([shift] * 3)
    sites = [[0, 0, 0], 0.5 + off, *([0.5, 0.5, 0] - off, [0.5, 0, 0.5] - off, [0, 0.5, 0.5] - off)]
    return Structure(Lattice.cubic(a), [*cations, "O", "O", "O"], sites)


def test_a_noisy_half_heusler_is_cubic_again():
    crystal = noisy(HALF_HEUSLER, 0.05)
    found, record = symmetrised(calculation(crystal, -3.0), told({"F-43m": -2.999}))
    assert space_group_symbol(found.structure, EXACT) == "F-43m"
    assert (record.space_group_before, record.num_sites_before) == ("P1", 12)
    assert (record.space_group, record.num_sites) == ("F-43m", 3)
    assert found.structure.composition.reduced_formula == "LiZnSb"
    assert found.energy_per_atom == -2.999
    assert record.energy_difference == pytest.approx(0.001)
    assert record.tolerance is not None
    assert record.structure_as_relaxed == crystal.as_dict(verbosity=0)


def test_a_crystal_that_loses_energy_keeps_its_cell():
    crystal = noisy(HALF_HEUSLER, 0.05)
    start = calculation(crystal, -3.0)
    found, record = symmetrised(start, told({"F-43m": -2.9}))
    assert found is start
    assert record.kept
    assert (record.space_group, record.num_sites) == ("P1", 12)
    highest = record.refused[0]
    assert (highest.space_group, highest.reason) == ("F-43m", "costs_energy")
    assert highest.energy_difference == pytest.approx(0.1)


def test_a_distorted_perovskite_goes_as_high_as_its_energy_allows():
    crystal = noisy(perovskite(0.015), 0.01, strain=0.001)
    wants = told({"Pm-3m": -7.95, "R3m": -8.0})
    found, record = symmetrised(calculation(crystal, -8.0), wants)
    assert (record.space_group_before, record.space_group) == ("P1", "R3m")
    assert record.refused[0].space_group == "Pm-3m"
    assert space_group_symbol(found.structure, EXACT) == "R3m"
    indifferent = told({"Pm-3m": -7.999, "R3m": -8.0})
    _, record = symmetrised(calculation(crystal, -8.0), indifferent)
    assert record.space_group == "Pm-3m"


def test_a_bent_cell_may_be_bent_for_good():
    """Within 5 degrees this is cubic, whatever the tolerance; within 0.01 Angstrom it is not."""
    bent = Structure(Lattice.rhombohedral(4.0, 88.0), ["Cs", "Cl"], [[0] * 3, [0.5] * 3])
    found, record = symmetrised(calculation(bent, -3.0), told({"Pm-3m": -2.9, "R-3m": -3.0}))
    assert (record.space_group, record.refused[0].space_group) == ("R-3m", "Pm-3m")
    assert found.structure.lattice.alpha == pytest.approx(88.0)


def test_a_supercell_becomes_primitive():
    found, record = symmetrised(calculation(PRIMITIVE * (2, 1, 1), -3.0), told({"F-43m": -3.0}))
    assert (record.num_sites_before, len(found.structure)) == (6, 3)
    assert found.structure.volume == pytest.approx(PRIMITIVE.volume)


def test_a_crystal_without_symmetry_is_left_as_it_is():
    sites = [[0, 0, 0], [0.31, 0.42, 0.57], [0.62, 0.13, 0.29]]
    crystal = Structure(Lattice([[4, 0, 0], [1, 4.3, 0], [0.3, 0.9, 5]]), ["Li", "Zn", "Sb"], sites)
    start = calculation(crystal, -3.0)
    found, record = symmetrised(start, told({}))
    assert found is start
    assert (record.space_group, record.refused) == ("P1", [])


def test_a_cell_that_loses_its_symmetry_is_refused():
    def relax(structure: Structure) -> Calculation:
        return calculation(noisy(structure, 0.1), -9.0)

    start = calculation(noisy(PRIMITIVE, 0.03), -3.0)
    found, record = symmetrised(start, Potential(relax, relax))
    assert found is start
    assert {trial.reason for trial in record.refused} == {"lost_symmetry"}


def test_an_unconverged_cell_is_refused():
    start = calculation(noisy(PRIMITIVE, 0.03), -3.0)
    _, record = symmetrised(start, told({"F-43m": -3.0}, converged=False))
    assert {trial.reason for trial in record.refused} == {"relaxation_unconverged"}


def test_a_failure_of_the_potential_is_no_accident():
    def fails(structure: Structure) -> Calculation:
        raise CalculationFailed("force_too_large", f"{structure.formula}: 900 eV/Angstrom")

    start = calculation(noisy(PRIMITIVE, 0.03), -3.0)
    found, record = symmetrised(start, Potential(fails, fails))
    assert found is start
    assert {trial.reason for trial in record.refused} == {"force_too_large"}


# With CHGNet itself, which knows what these crystals want.


def screened(crystal: Structure, known: StructureIndex | None = None, **keys: Any):
    pytest.importorskip("chgnet")
    hull = ReferenceHull.build([Composition(crystal.composition.reduced_formula)], [0.0])
    limits = SurrogateSpec(min_e_above_hull=-5.0, **keys)
    return surrogate_screen(crystal, limits, hull, known)


def test_chgnet_finds_the_cubic_cell_of_a_noisy_half_heusler():
    verdict = screened(noisy(PRIMITIVE, 0.05, strain=0.02))
    assert verdict.reason is None
    assert space_group_symbol(verdict.structure, EXACT) == "F-43m"
    record = verdict.symmetry
    assert (record.space_group_before, record.space_group, record.num_sites) == ("P1", "F-43m", 3)
    assert record.energy_difference < 0.003
    again = load_engine("mlip").static(verdict.structure, verdict.preset)
    assert verdict.energy_per_atom == pytest.approx(again.energy_per_atom, abs=1e-9)
    assert verdict.e_above_hull == pytest.approx(verdict.formation_energy)
    assert verdict.as_relaxed.volume == pytest.approx(verdict.structure.volume, rel=0.05)
    assert len(verdict.as_relaxed) == 3
    assert SurrogateVerdict.from_stored(verdict.stored()) == verdict


def test_chgnet_keeps_the_distortion_of_barium_titanate():
    """It gains 13 meV/atom by it; strontium titanate gains half a meV, which is noise."""
    verdict = screened(perovskite(0.02))
    assert space_group_symbol(verdict.structure, EXACT) == "R3m"
    (refused,) = verdict.symmetry.refused
    assert refused.space_group == "Pm-3m"
    assert refused.energy_difference > 0.008
    cubic = screened(perovskite(0.02, ("Sr", "Ti"), 3.94))
    assert space_group_symbol(cubic.structure, EXACT) == "Pm-3m"


def test_what_is_known_once_it_is_symmetric_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(StructureIndex, "contains", lambda _, s: _is_cubic(s))
    verdict = screened(noisy(PRIMITIVE, 0.05), StructureIndex())
    assert verdict.reason == "relaxed_to_known"


def _is_cubic(structure: Structure) -> bool:
    return space_group_symbol(structure, EXACT) == "F-43m"


def test_the_switch_leaves_crystals_as_they_were():
    verdict = screened(noisy(PRIMITIVE, 0.05), symmetrise=False)
    assert verdict.symmetry is None
    assert space_group_symbol(verdict.structure, 0.01) == "P1"
    assert verdict.as_relaxed is verdict.structure


def test_symmetry_alone_lifts_no_crystal_over_the_limit(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def keeps(relaxed: Calculation, potential: Potential, max_cost: float) -> Any:
        asked.append(max_cost)
        return symmetrised(relaxed, potential, max_cost)

    monkeypatch.setattr("gen2dft.screening.surrogate.symmetrised", keeps)
    crystal = noisy(PRIMITIVE, 0.05)
    free = screened(crystal, symmetrise=False).e_above_hull
    screened(crystal, max_e_above_hull=free + 0.001)
    assert asked == [pytest.approx(0.001, abs=1e-5)]
