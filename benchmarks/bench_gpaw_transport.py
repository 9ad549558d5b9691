"""Power factors from first principles: prototypes relaxed with GPAW, bands, transport, against
published values.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_gpaw_transport.py --folder DIR [--only PbTe
    ...]

For each compound the ratio of Seebeck coefficient and power factor (p and n, 300 K, 1e18 cm^-3) to
the table of Ricci et al. (Sci. Data 4, 170085), and what it cost. --spacing takes another mesh than
the preset's (1/Angstrom, with 2 pi); the relaxed cell is kept, so that meshes of one cell are
compared. What is finished is kept in DIR/results.jsonl and not computed again.
Needs GPAW (`make gpaw`).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from gen2dft.datasets.ricci import transport_table
from gen2dft.engines.gpaw.bands import UNIFORM_FILE
from gen2dft.engines.gpaw.engine import relax, uniform_bands
from gen2dft.engines.gpaw.presets import get_preset
from gen2dft.errors import CalculationFailed
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.loaders import load_bands
from gen2dft.transport.reductions import get_reduction

SITES = {
    "rocksalt": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "zincblende": [[0, 0, 0], [0.25, 0.25, 0.25]],
    "half-Heusler": [[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]],
    "antifluorite": [[0.25, 0.25, 0.25], [0.75, 0.75, 0.75], [0, 0, 0]],
}
# Formula: prototype, cubic lattice constant to start from (Angstrom, experiment), species, mp-id in
# the table.
COMPOUNDS = {
    "AlAs": ("zincblende", 5.66, ["Al", "As"], "mp-2172"),
    "PbSe": ("rocksalt", 6.12, ["Pb", "Se"], "mp-2201"),
    "PbTe": ("rocksalt", 6.46, ["Pb", "Te"], "mp-19717"),
    "CdTe": ("zincblende", 6.48, ["Cd", "Te"], "mp-406"),
    "Mg2Si": ("antifluorite", 6.35, ["Mg", "Mg", "Si"], "mp-1367"),
    "TiNiSn": ("half-Heusler", 5.94, ["Ti", "Sn", "Ni"], "mp-924130"),
}


def prototype(name: str) -> Structure:
    """The primitive cell of one compound."""
    kind, a, species, _ = COMPOUNDS[name]
    half = a / 2
    cell = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return without_moments(Structure(cell, species, SITES[kind]))


def without_moments(structure: Structure) -> Structure:
    """None of the compounds is magnetic; a calculation with spin would cost twice as much."""
    return structure.add_site_property("magmom", [0.0] * len(structure))


def relaxed_cell(name: str, preset: str, folder: Path) -> tuple[Structure, float]:
    """The cell relaxed with the preset and the CPU seconds that it took; computed once."""
    kept = folder / "relaxed.json"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        structure = relax(prototype(name), preset, folder).structure
        seconds = time.process_time() - start
        kept.write_text(json.dumps({"structure": structure.as_dict(), "seconds": seconds}))
    found = json.loads(kept.read_text())
    return Structure.from_dict(found["structure"]), found["seconds"]


def measure(name: str, preset: str, folder: Path, spacing: float) -> dict[str, Any]:
    """Relax, bands, transport: the published table's columns as computed, with cost in CPU
    seconds.
    """
    structure, cpu_relax = relaxed_cell(name, preset, folder)
    start = time.process_time()
    uniform_bands(without_moments(structure), preset, folder, spacing)
    after_bands = time.process_time()
    doc = compute_transport(load_bands(folder / UNIFORM_FILE))
    return {
        "name": name,
        "preset": preset,
        "asked_spacing": spacing,
        "a": round(float(np.cbrt(4 * structure.volume)), 4),
        "gap": round(doc.band_gap, 4),
        "mesh": doc.mesh,
        "spacing": round(doc.spacing, 4),
        "cpu_relax": round(cpu_relax, 1),
        "cpu_bands": round(after_bands - start, 1),
        "cpu_transport": round(time.process_time() - after_bands, 1),
        "computed": get_reduction("ricci2017").published(doc),
        "ftcp": get_reduction("ftcp").published(doc),
        "warnings": doc.warnings,
    }


def show(row: dict[str, Any], published: dict[str, float]) -> None:
    """One line: what was computed, and its ratio to what was published."""
    ratios = {key: row["computed"][key] / published[key] for key in ("S_p", "S_n", "PF_p", "PF_n")}
    minutes = (row["cpu_relax"] + row["cpu_bands"] + row["cpu_transport"]) / 60
    print(
        f"{row['name']:8s} a {row['a']:.3f} gap {row['gap']:.3f} mesh "
        f"{'x'.join(map(str, row['mesh']))} "
        f"{minutes:5.1f} core-min  "
        + "  ".join(
            f"{key} {row['computed'][key]:8.2f} ({ratio:.3f})" for key, ratio in ratios.items()
        ),
        flush=True,
    )


def main() -> None:
    """Compute what is missing, and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, required=True, help="for files and results, kept between runs"
    )
    parser.add_argument("--only", nargs="*", default=list(COMPOUNDS), choices=list(COMPOUNDS))
    parser.add_argument("--preset", default="gpaw-v1")
    parser.add_argument("--spacing", type=float, help="of the bands' mesh; default: the preset's")
    options = parser.parse_args()
    spacing = options.spacing or get_preset(options.preset).bands_spacing
    table = transport_table().set_index("mp_id")
    results = options.folder / "results.jsonl"
    known = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []
    )
    done = {(row["name"], row["preset"], row["asked_spacing"]): row for row in known}
    for name in options.only:
        row = done.get((name, options.preset, spacing))
        if row is None:
            try:
                row = measure(
                    name, options.preset, options.folder / f"{name}-{options.preset}", spacing
                )
            except CalculationFailed as failure:
                print(f"{name:8s} {failure}", flush=True)
                continue
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
        mp_id = COMPOUNDS[name][3]
        if mp_id in table.index:
            show(row, table.loc[mp_id].to_dict())
        else:
            print(f"{name:8s} {mp_id} is not in the table; computed {row['computed']}", flush=True)


if __name__ == "__main__":
    main()
