"""Symmetry by energy: the k-points that it saves DFT, and its CPU time, on the crystals of a
campaign.

    .venv/bin/gen2dft run --campaign thermoelectric --set learning.rounds=1
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_symmetry.py [--campaign ID] [--crystals 10]

Takes the first crystals, by id, that passed the surrogate's screen, as decoded, and relaxes them
again. Per crystal: irreducible k-points at a spacing of 0.12 1/Angstrom of the cell as relaxed, of
the cell that spglib finds within 0.1 Angstrom, and of the cell that is kept by its energy; CPU
seconds of the relaxation and of the search.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from pymatgen.core import Structure

from gen2dft.campaign import stored_campaign
from gen2dft.engines import load_engine
from gen2dft.report.symmetry import symmetry_text
from gen2dft.screening.symmetrise import Potential, symmetrised
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store
from gen2dft.symmetry import idealised_primitive
from gen2dft.transport.convergence import irreducible_kpoints

if TYPE_CHECKING:
    from gen2dft.calculation import Calculation
    from gen2dft.store.store import Store

SPACING = 0.12  # 1/Angstrom, with 2 pi: that of power factors within some 2 %
SPGLIB = 0.1  # Angstrom


@dataclass(frozen=True)
class Figures:
    """What one crystal gives; k-points, and CPU seconds."""

    as_relaxed: float
    by_spglib: float
    by_energy: float
    relaxation: float
    search: float

    def row(self, title: str) -> str:
        """One row of the table."""
        points = f"{self.as_relaxed:.0f} | {self.by_spglib:.0f} | {self.by_energy:.0f}"
        return f"| {title} | {points} | {self.relaxation:.2f} | {self.search:.2f} |"


def crystals(store: Store, campaign_id: str, number: int) -> list[Structure]:
    """The first crystals that passed the screen, as decoded."""
    found = []
    for candidate in store.candidates(campaign_id):
        passed = candidate.surrogate is not None and candidate.surrogate.reason is None
        if passed and len(found) < number:
            found.append(Structure.from_dict(candidate.structure or {}))
    return found


def measured(crystal: Structure, potential: Potential) -> tuple[Figures, str]:
    """Figures of one crystal, and what became of its symmetry."""
    begun = time.process_time()
    relaxed = potential.relax(crystal)
    between = time.process_time()
    found, record = symmetrised(relaxed, potential)
    ended = time.process_time()
    by_spglib = idealised_primitive(relaxed.structure, SPGLIB)
    cells = (relaxed.structure, by_spglib, found.structure)
    points = [irreducible_kpoints(cell, SPACING) for cell in cells]
    return Figures(*points, between - begun, ended - between), symmetry_text(record)


def potential_of(engine: str, preset: str) -> Potential:
    """The surrogate of a campaign."""
    program = load_engine(engine)

    def relax(structure: Structure) -> Calculation:
        return program.relax(structure, preset)

    def static(structure: Structure) -> Calculation:
        return program.static(structure, preset)

    return Potential(relax, static)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaign", default="thermoelectric")
    parser.add_argument("--crystals", type=int, default=10)
    options = parser.parse_args()
    store = open_store(load_settings())
    campaign = store.find_campaign(options.campaign)
    surrogate = stored_campaign(campaign).screening.surrogate
    potential = potential_of(surrogate.engine, surrogate.preset)
    chosen = crystals(store, campaign.id, options.crystals)
    potential.static(chosen[0])  # loads the model
    print("| crystal | as relaxed | spglib, 0.1 Å | by energy | relaxation, s | search, s |")
    print("|---|---|---|---|---|---|")
    rows = []
    for crystal in chosen:
        figures, text = measured(crystal, potential)
        rows.append(figures)
        print(figures.row(f"{crystal.composition.reduced_formula}: {text}"), flush=True)
    print(summed(rows).row(f"sum of {len(rows)}"))


def summed(rows: list[Figures]) -> Figures:
    """The sum of each figure."""
    columns = zip(*map(astuple, rows), strict=True)
    return Figures(*map(sum, columns))


if __name__ == "__main__":
    main()
