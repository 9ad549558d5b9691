"""Distances to the hull: candidates per second, and the ratio to one pymatgen PhaseDiagram per
candidate.

    .venv/bin/python benchmarks/bench_hull.py [--candidates 20000] [--systems 200] [--entries
    100000] [--checked 500]

Reference and candidates are random but shaped like a database: 40 elements, a fifth of the phases
binary, a fifth quaternary, the rest ternary, and formation energies that bind. The loop builds a
PhaseDiagram for each of `--checked` random candidates, from entries that are already sorted by
chemical system; its time for all candidates is that time scaled up. Both run in one process, one
after the other, and the distances are compared.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_check import self_test

SYMBOLS = [
    Element.from_Z(z).symbol
    for z in (*range(3, 10), *range(11, 18), *range(19, 36), *range(37, 46))
]
SIZES, SHARES = (2, 3, 4), (0.2, 0.6, 0.2)


def random_phases(
    rng: np.random.Generator, systems: list[tuple[str, ...]], n: int
) -> dict[Composition, float]:
    """`n` phases of given chemical systems with formation energies, eV/atom."""
    phases: dict[Composition, float] = {}
    while len(phases) < n:
        system = systems[rng.integers(len(systems))]
        formula = dict(zip(system, map(int, rng.integers(1, 9, len(system))), strict=True))
        phases.setdefault(Composition(formula).reduced_composition, float(rng.normal(-0.6, 0.5)))
    return phases


def random_systems(rng: np.random.Generator, n: int) -> list[tuple[str, ...]]:
    """`n` chemical systems of two to four elements."""
    sizes = rng.choice(SIZES, n, p=SHARES)
    return [tuple(sorted(rng.choice(SYMBOLS, size, replace=False).tolist())) for size in sizes]


def one_by_one(
    phases: dict[Composition, float], candidates: list[Composition], energies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Distances by one PhaseDiagram per candidate, and the seconds that the loop takes."""
    by_system: dict[tuple[str, ...], list[PDEntry]] = {
        (symbol,): [PDEntry(symbol, 0.0)] for symbol in SYMBOLS
    }
    for composition, energy in phases.items():
        key = tuple(sorted(element.symbol for element in composition))
        by_system.setdefault(key, []).append(PDEntry(composition, energy * composition.num_atoms))
    start = time.perf_counter()
    above = []
    for composition, energy in zip(candidates, energies, strict=True):
        system = sorted(element.symbol for element in composition)
        subsystems = itertools.chain.from_iterable(
            itertools.combinations(system, k + 1) for k in range(len(system))
        )
        entries = [entry for subsystem in subsystems for entry in by_system.get(subsystem, ())]
        above.append(energy - PhaseDiagram(entries).get_hull_energy_per_atom(composition))
    return np.array(above), time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument(
        "--checked", type=int, default=500, help="candidates that pymatgen measures too"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    systems = random_systems(rng, options.systems)
    # The candidates' systems are known ones: each has phases of its own and those of its
    # subsystems.
    phases = random_phases(
        rng, [*random_systems(rng, 20 * options.systems), *systems], options.entries
    )
    drawn = [systems[i] for i in rng.integers(len(systems), size=options.candidates)]
    counts = [dict(zip(s, map(int, rng.integers(1, 13, len(s))), strict=True)) for s in drawn]
    candidates = [Composition(formula) for formula in counts]
    energies = rng.normal(-0.8, 0.6, len(candidates))

    start = time.perf_counter()
    hull = ReferenceHull.build(phases, phases.values())
    built = time.perf_counter() - start
    start = time.perf_counter()
    above = hull.e_above_hull_many(candidates, energies)
    measured = time.perf_counter() - start
    start = time.perf_counter()
    tested = self_test(hull)
    test_seconds = time.perf_counter() - start
    rows = rng.choice(len(candidates), options.checked, replace=False)
    expected, loop = one_by_one(phases, [candidates[row] for row in rows], energies[rows])
    loop *= len(candidates) / options.checked
    print(f"reference phases          {hull.num_entries:9,d}, frozen in {built:.1f} s")
    print(f"candidates                {len(candidates):9,d} in {options.systems} chemical systems")
    print(
        f"all distances             {measured:9.2f} s ({len(candidates) / measured:,.0f} /s), "
        "hulls included"
    )
    print(f"self-test                 {test_seconds:9.2f} s ({tested:,} phases)")
    print(f"one PhaseDiagram each     {loop:9.0f} s (scaled up from {options.checked})")
    print(
        f"ratio                     {loop / (built + measured):9.0f} with freezing, "
        f"{loop / measured:.0f} without"
    )
    print(
        f"largest difference        {np.abs(above[rows] - expected).max():9.1e} eV/atom on "
        f"{options.checked} candidates"
    )


if __name__ == "__main__":
    main()
