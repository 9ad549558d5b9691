"""Lattice constants from first principles: three compounds relaxed with GPAW, against published
ones.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_gpaw_lattice.py --folder DIR [--only TiNiSn
    ...]

Engine `gpaw` relaxes, then computes the energy, as in a campaign; begun 2 % away from experiment.
Finished compounds are kept in DIR/results.jsonl and not computed again. Needs GPAW (`make gpaw`).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from gen2dft.engines import load_engine
from gen2dft.engines.gpaw.presets import versions
from gen2dft.errors import CalculationFailed

START = 1.02  # times the experimental lattice constant


@dataclass(frozen=True)
class Compound:
    """A cubic crystal and its lattice constant, Angstrom, as published.

    The sources are in benchmarks/README.md.

    Parameters
    ----------
    experiment, calculated
        Measured, and computed with the same functional (PBE, or PBE+U); None where no figure is at
        hand.
    """

    species: tuple[str, ...]
    sites: tuple[tuple[float, float, float], ...]
    is_face_centred: bool
    experiment: float
    calculated: float | None

    def structure(self) -> Structure:
        """The primitive cell, begun away from experiment."""
        a = START * self.experiment
        half = a / 2
        fcc = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
        return Structure(
            fcc if self.is_face_centred else Lattice.cubic(a), self.species, self.sites
        )


COMPOUNDS = {
    "TiNiSn": Compound(
        ("Ti", "Sn", "Ni"), ((0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), True, 5.94, None
    ),
    "SrTiO3": Compound(
        ("Sr", "Ti", "O", "O", "O"),
        ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)),
        False,
        3.905,
        3.943,
    ),
    "VO": Compound(("V", "O"), ((0, 0, 0), (0.5, 0.5, 0.5)), True, 4.073, 4.393),
}


def measure(name: str, preset: str) -> dict[str, Any]:
    """Relax and static of one compound, with the cost in CPU seconds."""
    engine, compound, start = load_engine("gpaw"), COMPOUNDS[name], time.process_time()
    relaxed = engine.relax(compound.structure(), preset)
    after_relax = time.process_time()
    static = engine.static(relaxed.structure, preset)
    cells = 4 if compound.is_face_centred else 1
    return {
        "name": name,
        "preset": preset,
        "a": round(float(np.cbrt(cells * relaxed.structure.volume)), 4),
        "converged": relaxed.converged,
        "steps": relaxed.num_steps,
        "max_force": round(relaxed.max_force or 0.0, 4),
        "gap": None if static.band_gap is None else round(static.band_gap, 3),
        "moments": None if static.magmoms is None else [round(m, 2) for m in static.magmoms],
        "run_type": static.run_type,
        "hubbards": dict(static.hubbards),
        "energy_per_atom": static.energy_per_atom,
        "cpu_relax": round(after_relax - start, 1),
        "cpu_static": round(time.process_time() - after_relax, 1),
        "versions": versions(),
    }


def show(row: dict[str, Any]) -> None:
    """One line: the lattice constant, its difference to published ones, and what it cost."""
    compound = COMPOUNDS[row["name"]]
    published = {"experiment": compound.experiment, "calculated": compound.calculated}
    differences = [
        f"{what} {a:.3f} ({100 * (row['a'] / a - 1):+.2f} %)" for what, a in published.items() if a
    ]
    print(
        f"{row['name']:8s} {row['run_type']:6s} a {row['a']:.4f}  {'  '.join(differences)}  gap "
        f"{row['gap']} "
        f"moments {row['moments']} steps {row['steps']} converged {row['converged']} "
        f"{row['cpu_relax']:.0f} + {row['cpu_static']:.0f} CPU s",
        flush=True,
    )


def main() -> None:
    """Compute what is missing, and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for results, kept between runs")
    parser.add_argument("--only", nargs="*", default=list(COMPOUNDS), choices=list(COMPOUNDS))
    parser.add_argument("--preset", default="gpaw-v1")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    results = options.folder / "results.jsonl"
    known = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []
    )
    done = {(row["name"], row["preset"]): row for row in known}
    for name in options.only:
        row = done.get((name, options.preset))
        if row is None:
            try:
                row = measure(name, options.preset)
            except CalculationFailed as failure:
                print(f"{name:8s} {failure}", flush=True)
                continue
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
        show(row)


if __name__ == "__main__":
    main()
