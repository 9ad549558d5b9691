"""Known crystals on the whole hull: how many seem to lie far below it, and what a distance costs.

    .venv/bin/python benchmarks/bench_whole_hull.py TABLE [--crystals 4000] [--seed 0]
        [--distances 10000]

TABLE is a CSV file with the columns `pretty_formula` and `formation_energy_per_atom`, eV/atom, such
as a table of the Materials Project. Each crystal is judged with its own energy, its own formula
taken out of the hull, as if it were new: stable crystals lie below then, by as much as they are
stable. On the hull of the data that ship the same is done for comparison. The cost is the processor
time of one batch of distances at random formulas of the table that both hulls cover, in one run:
first with no hull of a chemical system made yet, then again.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition

from gen2dft.campaign import DatasetSpec
from gen2dft.datasets import load_dataset
from gen2dft.ground.hulls import whole_source
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.placing import lacks_compounds, why_implausible

FAR_BELOW, ABOVE = -0.3, 0.1  # eV/atom


def read_table(path: Path) -> tuple[list[dict[str, float]], NDArray[np.float64]]:
    """Compositions and formation energies, eV/atom, of all rows."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = list(csv.DictReader(text.decode().splitlines(keepends=True)))
    compositions = [Composition(row["pretty_formula"]).get_el_amt_dict() for row in rows]
    energies = [float(row["formation_energy_per_atom"]) for row in rows]
    return compositions, np.array(energies)


def as_if_new(
    hull: ReferenceHull, compositions: Sequence[dict[str, float]], energies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int]:
    """(n,) distances, eV/atom, each with its own formula taken out, NaN where not covered; and the
    number of crystals that the screen would refuse as implausible.
    """
    found, refused = np.full(len(compositions), np.nan), 0
    for row, composition in enumerate(compositions):
        if hull.gap(composition) is not None:
            continue
        # The hull of its system alone: to leave one phase out of all of them costs more.
        phases = hull.phases(composition)
        small = ReferenceHull.build([dict(f) for f, _ in phases], [e for _, e in phases])
        others = small.without(composition)
        found[row] = others.e_above_hull(composition, energies[row])
        unexplored = lacks_compounds(others, composition)
        why = why_implausible(energies[row], found[row], FAR_BELOW, unexplored=unexplored)
        refused += why is not None
    return found, refused


def show(name: str, distances: NDArray[np.float64], refused: int) -> None:
    """The shares of crystals that lie far below or above."""
    known = distances[np.isfinite(distances)]
    below, above = (known < FAR_BELOW).mean(), (known > ABOVE).mean()
    print(
        f"{name:24s} {len(known):6,d} measured: {below:6.2%} below {FAR_BELOW:g} eV/atom, "
        f"{(known < -1.0).mean():.2%} below -1, {above:.2%} above {ABOVE:g}; {refused} refused"
    )


def seconds_of(
    hull: ReferenceHull, compositions: Sequence[dict[str, float]], energies: NDArray[np.float64]
) -> tuple[float, float]:
    """CPU seconds of a batch of distances, first with no hull of a system made yet, then again."""
    taken = []
    for _ in range(2):
        start = time.process_time()
        hull.e_above_hull_many(compositions, energies)
        taken.append(time.process_time() - start)
    first, again = taken
    return first, again


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--crystals", type=int, default=4000)
    parser.add_argument("--distances", type=int, default=10_000)
    parser.add_argument("--data", default="starter", help="dataset whose own hull is compared")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    compositions, energies = read_table(options.table)
    start = time.process_time()
    whole = whole_hull()
    read = time.process_time() - start
    print(f"whole hull: {whole.num_entries:,} phases, read in {read:.2f} CPU s")
    source = whole_source(DatasetSpec(source=options.data))
    own = ReferenceHull.from_dataset(load_dataset(source, seed=0))
    print(f"hull of {options.data}: {own.num_entries:,} phases")
    rows = rng.choice(len(energies), min(options.crystals, len(energies)), replace=False)
    drawn = [compositions[row] for row in rows]
    for name, hull in (("whole hull", whole), (f"hull of {options.data}", own)):
        show(name, *as_if_new(hull, drawn, energies[rows]))
    covered = [row for row, formula in enumerate(compositions) if own.gap(formula) is None]
    rows = rng.choice(covered, options.distances)
    batch = [compositions[row] for row in rows]
    systems = {tuple(sorted(formula)) for formula in batch}
    print(f"{options.distances:,} distances in {len(systems):,} chemical systems:")
    fresh = [replace(hull) for hull in (own, whole)]
    for name, hull in zip((f"hull of {options.data}", "whole hull"), fresh, strict=True):
        hull.elements  # noqa: B018 - made here, not in the time of the batch
        first, again = seconds_of(hull, batch, energies[rows])
        print(f"{name:24s} {first:.2f} CPU s, again {again:.2f} CPU s")


if __name__ == "__main__":
    main()
