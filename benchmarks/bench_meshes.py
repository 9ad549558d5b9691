"""How far power factors on a finite mesh of k-points are from those on a finer one, and how often
the stated error holds.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_meshes.py --folder DIR [--only ID ...]

GPAW computes bands of starter crystals on meshes of 16^3, 20^3 and 24^3 points. Each of them holds
the mesh of half its size, so that three calculations give the series 8, 10, 12, 16, 20, 24.
Bands are kept in DIR, and what is there is not computed again; `--read` only evaluates.
Printed are the power factors, and for each rule that states an error the share of cases in which
the finest mesh lies within it. A case is a series that begins at the preset's mesh, or the one
before, and ends before 24^3.
Needs GPAW (`make gpaw`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from gen2dft.datasets.starter import load_starter
from gen2dft.engines.gpaw.engine import read_bands
from gen2dft.engines.gpaw.engine import uniform_bands as compute_bands
from gen2dft.engines.gpaw.presets import get_preset
from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands, uniform_bands
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.convergence import mesh_of_spacing
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.settings import TransportSettings

CRYSTALS = (
    "SiGe-1", "CdSe-1", "TePb-1", "SrSe-1", "LiZnP-1", "LiCdP-1", "Li2Se-1", "NaLiSe-3", "NaBeSb-2",
    "BaLiSb-2", "SnTe-1", "LiCuS-2", "KNaTe-2", "BP-1",
)  # fmt: skip
FINE = (16, 20, 24)
PRESET = "gpaw-quick-v1"
# Holes and electrons, at the temperatures and dopings of the label definitions.
POINTS = (("p", 300.0, 1e18), ("p", 600.0, 1e19), ("n", 300.0, 1e18), ("n", 600.0, 1e19))
SETTINGS = TransportSettings(
    temperatures=(300.0, 600.0), dopings=(1e18, 1e19), hall=False, max_spacing=1.0
)


def fine_bands(crystal: Structure, size: int, folder: Path) -> UniformBands:
    """Bands on one of the meshes that GPAW computes, which are kept in the folder."""
    place = folder / str(size)
    try:
        return read_bands(place)
    except CalculationFailed:
        place.mkdir(parents=True, exist_ok=True)
    longest = max(crystal.lattice.reciprocal_lattice.abc)
    compute_bands(crystal, PRESET, place, longest / size)
    return read_bands(place)


def coarser(bands: UniformBands) -> UniformBands:
    """The same bands on every second point along each axis."""
    half = np.array(bands.mesh.size) / 2
    steps = bands.kpoints * half
    on_mesh = np.abs(steps - np.round(steps)).max(axis=1) < 1e-3
    return uniform_bands(
        bands.structure,
        bands.kpoints[on_mesh],
        bands.energies[:, :, on_mesh],
        bands.electrons,
        bands.degeneracy,
        bands.source,
    )


def series_of(name: str, folder: Path) -> dict[int, TransportDoc]:
    """Size of a mesh to the transport of a crystal on it."""
    found: dict[int, TransportDoc] = {}
    for size in FINE:
        bands = read_bands(folder / name / str(size))
        for mesh in (coarser(bands), bands):
            found[mesh.mesh.size[0]] = compute_transport(mesh, SETTINGS)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Case:
    """A series of meshes as a campaign could have computed it.

    Parameters
    ----------
    sizes, factors, gaps
        Of its meshes, the coarsest first.
    true
        Power factor on the finest mesh that there is.
    """

    name: str
    sizes: tuple[int, ...]
    factors: tuple[float, ...]
    gaps: tuple[float, ...]
    true: float

    @property
    def error(self) -> float:
        """True relative error of the last mesh."""
        return abs(self.factors[-1] - self.true) / abs(self.factors[-1])


def cases_of(name: str, docs: Mapping[int, TransportDoc]) -> Iterator[Case]:
    """All series of two and three neighbouring meshes that begin at or after the preset's mesh."""
    *sizes, finest = docs
    structure = Structure.from_dict(docs[finest].structure)
    first = mesh_of_spacing(structure, get_preset(PRESET).bands_spacing)[0]
    begun = [size for size in sizes if size >= first - 2]
    for carrier, temperature, doping in POINTS:
        quantity = "power_factor_mean"
        by_size = {
            size: float(doc.at(carrier, quantity, temperature, doping))  # type: ignore[arg-type]
            for size, doc in docs.items()
        }
        what = f"{name} {carrier} {temperature:g}"
        print(what, " ".join(f"{size}: {factor:.3f}" for size, factor in by_size.items()))
        for start in range(len(begun)):
            for end in range(start + 2, min(start + 3, len(begun)) + 1):
                taken = begun[start:end]
                factors = tuple(by_size[size] for size in taken)
                gaps = tuple(docs[size].band_gap for size in taken)
                yield Case(what, tuple(taken), factors, gaps, by_size[finest])


def last_change(case: Case) -> float:
    """Change from the mesh before, relative to the last power factor."""
    *_, before, last = case.factors
    return abs(last - before) / abs(last)


def extrapolated(case: Case) -> float:
    """What is left if the power factor converges with the square of the spacing."""
    *_, before, last = case.sizes
    ratio = (last / before) ** 2
    return last_change(case) / (ratio - 1)


Rule = Callable[[Case], float]
RULES: dict[str, Rule] = {
    "last change": last_change,
    "in spacing^2": extrapolated,
}


def report(cases: Sequence[Case]) -> None:
    """Coverage of each rule by its factor, and the factor that covers 90 %."""
    errors = np.array([case.error for case in cases])
    print(f"{len(cases)} cases; true error: median {np.median(errors):.3f}, max {errors.max():.2f}")
    for name, rule in RULES.items():
        stated = np.array([rule(case) for case in cases])
        ratio = errors / np.maximum(stated, 1e-6)
        for floor in (0.0, 0.01, 0.02, 0.03):
            rest = np.maximum(errors - floor, 0.0) / np.maximum(stated, 1e-6)
            print(
                f"{name} + {floor}: factor for 80 / 90 / 95 %:",
                np.round(np.quantile(rest, (0.8, 0.9, 0.95)), 2),
                f"covered by 1: {np.mean(rest <= 1):.2f}, by 2: {np.mean(rest <= 2):.2f}",
            )
        print(f"  {name}: median ratio {np.median(ratio):.2f}")


def main() -> None:
    """Compute what is missing and print the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=CRYSTALS)
    parser.add_argument("--read", action="store_true", help="Evaluate what is there.")
    given = parser.parse_args()
    known = load_starter()
    cases: list[Case] = []
    for name in given.only:
        row = known.ids.index(f"starter-{name}")
        crystal = known.crystals.structure(row)
        start = time.process_time()
        if not given.read:
            for size in FINE:
                fine_bands(crystal, size, given.folder / name)
            print(f"{name}: {time.process_time() - start:.0f} CPU s", flush=True)
        if all((given.folder / name / str(size) / "uniform.gpw").is_file() for size in FINE):
            cases += cases_of(name, series_of(name, given.folder))
    report(cases)


if __name__ == "__main__":
    main()
