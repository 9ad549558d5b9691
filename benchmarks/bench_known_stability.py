"""How far a potential is off the hull for compounds that the Materials Project has.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_known_stability.py FILE [-n 300]

FILE is a data set with `formation_energy` by the Materials Project, drawn from at random.
Each crystal is relaxed by the surrogate; its distance to the whole hull that ships is compared with
that of the published energy. The correction for new compounds (`bench_stability.py`) stands beside.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from gen2dft.campaign import DatasetSpec
from gen2dft.datasets.sources import load_dataset
from gen2dft.engines import load_engine
from gen2dft.heads.stability_trees import stability_model
from gen2dft.thermo.materials_project import whole_hull

PRESET = "chgnet-screen-v1"
LIMITS = (0.005, 0.05, 0.1, 0.3)  # eV/atom by DFT, which the crystals are told apart by


def main() -> None:
    """Relax, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("-n", type=int, default=300, help="crystals")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dataset = load_dataset(DatasetSpec(source=options.file), seed=options.seed)
    published = dataset.labels["formation_energy"]
    rng = np.random.default_rng(options.seed)
    rows = rng.permutation(np.flatnonzero(np.isfinite(published)))[: options.n]
    engine, hull = load_engine("mlip"), whole_hull()
    model = stability_model("mlip", PRESET)
    found: list[tuple[float, float, float]] = []
    for row in rows:
        relaxed = engine.relax(dataset.crystals.structure(int(row)), PRESET)
        composition = relaxed.structure.composition
        if not relaxed.converged or hull.gap(element.symbol for element in composition):
            continue
        energy = engine.formation_energy(composition, relaxed.energy_per_atom)
        distance = hull.e_above_hull(composition, energy)
        (estimate,) = model.estimate([relaxed.structure], [energy], [distance])
        by_dft = hull.e_above_hull(composition, float(published[row]))
        found.append((by_dft, distance, estimate.e_above_hull))
        if len(found) % 50 == 0:
            print(f"{len(found)} of {len(rows)}", flush=True)
    show(np.array(found))


def show(found: np.ndarray) -> None:
    """(n, 3) distances by DFT, by the potential and as corrected, in groups by the first."""
    print("| by DFT (eV/atom) | crystals | DFT less potential | DFT less corrected |")
    print("|---|---|---|---|")
    lowest = -np.inf
    for highest in (*LIMITS, np.inf):
        inside = (lowest <= found[:, 0]) & (found[:, 0] < highest)
        _row(f"below {highest:g}", found[inside])
        lowest = highest
    _row("all", found)


def _row(name: str, found: np.ndarray) -> None:
    if not len(found):
        return
    cells = [_mean_and_spread(found[:, 0] - found[:, column]) for column in (1, 2)]
    print(f"| {name} | {len(found)} | {' | '.join(cells)} |")


def _mean_and_spread(off: np.ndarray) -> str:
    return f"{off.mean():+.3f} ± {off.std():.3f}, MAE {np.abs(off).mean():.3f}"


if __name__ == "__main__":
    main()
