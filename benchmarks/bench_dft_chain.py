"""CPU time per computed power factor: the chain of version 0.1.0 against the present one.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_dft_chain.py --out DIR --structures CIFS
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_dft_chain.py --out DIR --campaign ID [-n 10]

Crystals are CIF files, or the first N of a campaign in the store that passed the screen, each as
the surrogate leaves it. The old way: relaxation, static calculation, bands on 1.25, 1 and 0.8 times
the spacing of gpaw-quick-v1, each with a density of its own. The new way: the cell symmetrised by
energy, a look that ends metals and gaps outside the window, relaxation where forces or stress ask
for it, bands from gpaw-quick-v2's mesh on at one density. Both refine to the same tolerance, with
three meshes at most and the same limit of CPU time, one crystal after the other in this process.
What is finished is kept in DIR/results.jsonl and not computed again. Needs GPAW (`make gpaw`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.campaign import Target
from gen2dft.engines.gpaw import engine as gpaw
from gen2dft.errors import CalculationFailed
from gen2dft.loop.look import why_stop
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store
from gen2dft.transport.compute import transport_within_bands
from gen2dft.transport.reductions import get_reduction
from gen2dft.workers import limited_cpu

OLD, NEW = "gpaw-quick-v1", "gpaw-quick-v2"
OLD_SCALES, NEW_SCALES = (1.25, 1.0, 0.8), (1.0, 0.7, 0.49)
TOLERANCE = 0.05
DEFINITION = "ricci2017"
TARGETS = [
    Target(property="power_factor", min=1.0),
    Target(property="band_gap", min=0.3, max=1.5),
]


@dataclass
class Run:
    """One crystal by one way: where its files go, and CPU seconds by step so far."""

    folder: Path
    cpu: dict[str, float] = field(default_factory=dict)
    factors: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the CPU time of the block to a step."""
        begun = time.process_time()
        try:
            yield
        finally:
            seconds = time.process_time() - begun
            self.cpu[step] = round(self.cpu.get(step, 0.0) + seconds, 2)

    def meshes(
        self, structure: Structure, preset: str, scales: tuple[float, ...], shares: bool
    ) -> None:
        """Bands and transport until the power factor stands still."""
        coarser = None
        for number, scale in enumerate(scales):
            folder = self.folder / f"mesh-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            with self.timed("bands"):
                gpaw.bands(structure, preset, folder, scale, coarser)
            with self.timed("transport"):
                doc = transport_within_bands(gpaw.read_bands(folder))
            self.factors.append(get_reduction(DEFINITION).power_factor(doc))
            coarser = folder if shares else None
            if len(self.factors) > 1 and self.change < TOLERANCE:
                return

    @property
    def change(self) -> float:
        """Relative change of the power factor from the mesh before the last to the last."""
        before, last = self.factors[-2:]
        return abs(last - before) / abs(last)


def old_way(structure: Structure, run: Run) -> None:
    """Relaxation, static calculation, and every mesh from scratch."""
    with run.timed("relax"):
        relaxed = gpaw.relax(structure, OLD, run.folder)
    with run.timed("static"):
        gpaw.static(relaxed.structure, OLD, run.folder)
    run.meshes(relaxed.structure, OLD, OLD_SCALES, shares=False)


def new_way(structure: Structure, run: Run) -> None:
    """Symmetry, look, relaxation if it is asked for, all meshes at one density."""
    with run.timed("symmetry"):
        symmetric = symmetrised(structure)
    with run.timed("look"):
        look = gpaw.look(symmetric, NEW, run.folder)
    stop = why_stop(TARGETS, look.band_gap)
    if stop is not None:
        raise CalculationFailed(stop.reason, stop.detail)
    relaxed: Calculation = look
    if not gpaw.at_rest(look, NEW):
        with run.timed("relax"):
            relaxed = gpaw.relax(symmetric, NEW, run.folder, look)
    run.meshes(relaxed.structure, NEW, NEW_SCALES, shares=True)


def symmetrised(structure: Structure) -> Structure:
    """The cell in the symmetry that costs next to no energy, as the surrogate's screen makes it."""
    from gen2dft.engines.mlip import engine as mlip
    from gen2dft.screening.symmetrise import Potential
    from gen2dft.screening.symmetrise import symmetrised as by_energy

    found, _ = by_energy(mlip.static(structure), Potential(mlip.relax, mlip.static))
    return found.structure


WAYS: dict[str, Callable[[Structure, Run], None]] = {"old": old_way, "new": new_way}


def measure(name: str, structure: Structure, way: str, options: argparse.Namespace) -> dict:
    """One crystal by one way: CPU seconds by step, and its power factors or the reason."""
    run = Run(options.out / f"{name}-{way}")
    run.folder.mkdir(parents=True, exist_ok=True)
    row: dict[str, Any] = {"name": name, "way": way, "reason": None}
    try:
        with limited_cpu(60 * options.cpu_minutes):
            WAYS[way](structure, run)
    except CalculationFailed as failure:
        row["reason"] = failure.reason
    total = round(sum(run.cpu.values()), 1)
    return {**row, "cpu": run.cpu, "total": total, "factors": run.factors}


def crystals(options: argparse.Namespace) -> dict[str, Structure]:
    """The crystals by name, in order."""
    if options.structures is not None:
        files = sorted(options.structures.glob("*.cif"))[: options.n]
        return {file.stem: Structure.from_file(file) for file in files}
    store = open_store(load_settings())
    query = {
        "campaign_id": options.campaign,
        "surrogate.reason": None,
        "surrogate.structure": {"$type": "object"},
    }
    found = store.database.candidates.find(query).sort("_id", 1).limit(options.n)
    return {
        f"{row['formula'].replace(' ', '')}-{row['candidate_id'][:6]}": Structure.from_dict(
            row["surrogate"]["structure"]
        )
        for row in found
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Medians over the crystals that have a power factor both ways, and all CPU time."""
    by_way = {way: {row["name"]: row for row in rows if row["way"] == way} for way in WAYS}
    both = [
        name
        for name in by_way["old"]
        if name in by_way["new"] and all(by_way[way][name]["factors"] for way in WAYS)
    ]
    for way, found in by_way.items():
        computed = [row for row in found.values() if row["factors"]]
        total = sum(row["total"] for row in found.values())
        each = total / len(computed) if computed else float("nan")
        print(f"{way}: {len(computed)} of {len(found)} with a power factor, {total:.0f} CPU s,")
        print(f"     {each:.0f} CPU s per power factor, what gave none included")
    if both:
        old, new = (median(by_way[way][name]["total"] for name in both) for way in WAYS)
        print(f"median of the {len(both)} that both ways computed: {old:.0f} and {new:.0f} CPU s,")
        print(f"     ratio {old / new:.1f}")


def main() -> None:
    """Compute what is missing, and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--structures", type=Path, help="folder of CIF files")
    source.add_argument("--campaign", help="id of a campaign in the store")
    parser.add_argument("-n", type=int, default=10, help="crystals")
    parser.add_argument("--out", type=Path, required=True, help="files and results, kept")
    parser.add_argument("--cpu-minutes", type=float, default=60.0, help="limit of one crystal")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "results.jsonl"
    lines = file.read_text().splitlines() if file.is_file() else []
    rows = [json.loads(line) for line in lines]
    done = {(row["name"], row["way"]) for row in rows}
    for name, structure in crystals(options).items():
        for way in options.ways:
            if (name, way) in done:
                continue
            row = measure(name, structure, way, options)
            rows.append(row)
            with file.open("a") as output:
                output.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    show(rows)


if __name__ == "__main__":
    main()
