"""ReferenceHull against pymatgen's PhaseDiagram on random chemical systems."""

import itertools

import numpy as np
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from gen2dft.thermo.hull import ReferenceHull

ELEMENTS = ("Li", "Fe", "Ni", "O", "P")


def random_reference(
    rng: np.random.Generator, elements: tuple[str, ...], n: int
) -> dict[Composition, float]:
    phases: dict[Composition, float] = {}
    while len(phases) < n:
        size = rng.integers(2, len(elements) + 1)
        chosen = rng.choice(elements, size, replace=False)
        composition = Composition(
            {str(e): int(rng.integers(1, 7)) for e in chosen}
        ).reduced_composition
        phases[composition] = float(rng.normal(-0.4, 0.5))
    return phases


def pymatgen_hull_energy(phases: dict[Composition, float], composition: Composition) -> float:
    system = set(composition.elements)
    entries = [PDEntry(Composition({e: 1}), 0.0) for e in system]
    entries += [PDEntry(c, e * c.num_atoms) for c, e in phases.items() if set(c.elements) <= system]
    return float(PhaseDiagram(entries).get_hull_energy_per_atom(composition))


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_random_candidates_agree_with_pymatgen(size: int):
    rng = np.random.default_rng(size)
    phases = random_reference(rng, ELEMENTS[:size], 8 * size)
    hull = ReferenceHull.build(phases, phases.values())
    systems = [c for k in range(2, size + 1) for c in itertools.combinations(ELEMENTS[:size], k)]
    candidates = [
        Composition({e: int(rng.integers(1, 9)) for e in systems[rng.integers(len(systems))]})
        for _ in range(25)
    ]
    energies = rng.normal(-0.5, 0.8, len(candidates))
    above = hull.e_above_hull_many(candidates, energies)
    expected = [
        energy - pymatgen_hull_energy(phases, c)
        for c, energy in zip(candidates, energies, strict=True)
    ]
    assert above == pytest.approx(np.array(expected), abs=1e-8)
    one_by_one = [
        hull.e_above_hull(c, energy) for c, energy in zip(candidates, energies, strict=True)
    ]
    assert above == pytest.approx(np.array(one_by_one), abs=1e-12)


def test_phases_above_zero_and_below_elements_count_as_pymatgen_counts_them():
    phases = {Composition("LiFe"): 0.3, Composition("Li3Fe"): -0.1, Composition("LiFe3"): 0.0}
    hull = ReferenceHull.build(phases, phases.values())
    for formula in ("LiFe", "Li2Fe3", "Li5Fe"):
        expected = pymatgen_hull_energy(phases, Composition(formula))
        assert hull.hull_energy(Composition(formula)) == pytest.approx(expected, abs=1e-12)


def test_an_allotrope_below_the_element_lowers_the_hull():
    phases = {Composition("Li"): -0.05, Composition("LiFe"): -0.2}
    hull = ReferenceHull.build(phases, phases.values())
    assert hull.hull_energy(Composition("Li3Fe")) == pytest.approx((2 * -0.05 + 2 * -0.2) / 4)
