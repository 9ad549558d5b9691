"""Transport from bands: time of each step, and the ratio to BoltzTraP2's own fit, FFT and search
for the potential.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_transport.py [vasprun.xml | uniform.gpw ...]
    [--repeats 3]

Both run in one program on the same bands, the same Fourier series, grid and bins, and their numbers
are compared, so the ratio says more than either time. Times are CPU seconds of the program and its
children (BoltzTraP2 uses one), the best of the repeats. Without files the bands are a model: cosine
bands on a 16 x 16 x 16 mesh. Needs BoltzTraP2 (`make transport`). With --many N the files, repeated
until they are N, go through `transport_of_files` on two processes with a broken one among them;
wall time and largest memory are printed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from gen2dft.errors import CalculationFailed
from gen2dft.transport import boltztrap2, coefficients, compute, programs
from gen2dft.transport.bands import UniformBands, uniform_bands
from gen2dft.transport.batch import transport_of_files
from gen2dft.transport.distribution import Distribution
from gen2dft.transport.loaders import load_bands
from gen2dft.transport.selection import Selection, select_bands
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.stars import Stars

T = TypeVar("T")
TEMPERATURES, DOPINGS = (300.0,), (1e18, 1e20)


def model_bands() -> UniformBands:
    """Three valence and three conduction bands of a cubic crystal with cosines of several masses,
    gap 0.8 eV.
    """
    crystal = Structure(Lattice.cubic(4.5), ["Po"], [[0, 0, 0]])
    kpoints = np.array(list(itertools.product(np.arange(16) / 16, repeat=3)))
    shape = (1 - np.cos(2 * np.pi * kpoints)).sum(axis=1)
    energies = [-t * shape - 0.1 * n for n, t in enumerate((1.2, 0.7, 0.5))]
    energies += [0.8 + t * shape + 0.2 * n for n, t in enumerate((1.5, 0.9, 0.6))]
    energies.append(np.full(len(kpoints), 12.0))
    return uniform_bands(crystal, kpoints, np.sort(energies, axis=0)[None], 6.0, 2, "model bands")


def potentials(found: Distribution, search: Callable[..., float]) -> NDArray[np.float64]:
    """Chemical potentials (n_temperatures, 2 n_dopings), eV, of holes and electrons."""
    per_cell = [
        sign * coefficients.carriers_per_cell(n, found.volume) for sign in (-1, 1) for n in DOPINGS
    ]
    return np.array(
        [[search(found, found.electrons + n, t) for n in per_cell] for t in TEMPERATURES]
    )


def cpu_seconds() -> float:
    """CPU time so far of this program and of its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def timed(function: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Shortest CPU time of some calls, and what the first one gave."""
    start = cpu_seconds()
    value = function()
    seconds = [cpu_seconds() - start]
    for _ in range(repeats - 1):
        start = cpu_seconds()
        function()
        seconds.append(cpu_seconds() - start)
    return min(seconds), value


def ours(bands: UniformBands, selection: Selection, settings: TransportSettings) -> Distribution:
    """Fit and summation on BoltzTraP2's own grid."""
    series, _ = compute.interpolate(bands, selection, settings)
    return programs.distribute(bands, selection, series, series.smallest_grid(), settings)


def boltztraps(
    bands: UniformBands, selection: Selection, settings: TransportSettings
) -> Distribution:
    """The same by BoltzTraP2, its own search for the stars included."""
    from BoltzTraP2 import sphere

    count = settings.stars_per_kpoint * len(bands.kpoints)
    atoms = AseAtomsAdaptor.get_atoms(bands.structure)
    equivalences = sphere.get_equivalences(atoms, None, count)
    vectors = np.vstack(equivalences)
    sizes = np.array([len(star) for star in equivalences])
    first = np.array([star[0] for star in equivalences])
    lengths = np.linalg.norm(first @ bands.structure.lattice.matrix, axis=1)
    stars = Stars(vectors, sizes, lengths)
    series = boltztrap2.fit(bands, stars, np.empty(0), selection.energies)
    return boltztrap2.distribute(bands, selection, series, series.smallest_grid(), settings)


def compare(bands: UniformBands, hall: bool, repeats: int) -> None:
    """One line of times, the ratio, and the largest difference of the coefficients."""
    settings = TransportSettings(temperatures=TEMPERATURES, dopings=DOPINGS, hall=hall)
    selection = select_bands(bands, settings)
    fast, found = timed(lambda: ours(bands, selection, settings), repeats)
    slow, theirs = timed(lambda: boltztraps(bands, selection, settings), repeats)
    search, mu = timed(lambda: potentials(found, coefficients.chemical_potential), repeats)
    their_search, _ = timed(lambda: potentials(theirs, boltztrap2.chemical_potential), 1)
    worst = 0.0
    for t, row in zip(TEMPERATURES, mu, strict=True):
        a, b = (
            coefficients.coefficients_at(found, row, t),
            boltztrap2.coefficients_at(theirs, row, t),
        )
        for x, y in (
            (a.seebeck, b.seebeck),
            (a.conductivity, b.conductivity),
            (a.thermal, b.thermal),
        ):
            worst = max(
                worst, float((np.abs(x - y).max(axis=(1, 2)) / np.abs(y).max(axis=(1, 2))).max())
            )
    name = bands.structure.composition.reduced_formula
    print(
        f"{name:8s} {len(bands.kpoints):5d} {len(selection.energies):5d} "
        f"{'yes' if hall else 'no':>5s} "
        f"{fast:8.2f} {search:8.3f} {slow:8.2f} {their_search:8.2f} {slow / fast:7.1f} "
        f"{(slow + their_search) / (fast + search):7.1f} {worst:10.1e}",
        flush=True,
    )


def many(files: list[Path], count: int) -> None:
    """Everything through two processes with all temperatures and dopings, one broken file among
    them.
    """
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "vasprun.xml"
        broken.write_text("<modeling>")
        paths = list(itertools.islice(itertools.cycle(files), count))
        links = [Path(folder) / f"{index}-{path.name}" for index, path in enumerate(paths)]
        for link, path in zip(links, paths, strict=True):
            link.symlink_to(path.resolve())
        start = time.perf_counter()
        outcomes = dict(
            transport_of_files([*links[: count // 2], broken, *links[count // 2 :]], workers=2)
        )
        seconds = time.perf_counter() - start
    failed = {
        path.name: o.reason for path, o in outcomes.items() if isinstance(o, CalculationFailed)
    }
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{count} crystals and a broken file, 2 processes: {seconds:.0f} s, largest process "
        f"{memory:.0f} MB"
    )
    print(f"finished {len(outcomes) - len(failed)}, failed {failed}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="uniform meshes: vasprun.xml or .gpw")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--many", type=int, default=0, metavar="N", help="also N crystals in one go"
    )
    options = parser.parse_args()
    print(
        "crystal      k bands  Hall fit+FFT search  BoltzTraP2: fit+FFT, search; ratio without, "
        "with search; difference"
    )
    for bands in [load_bands(file) for file in options.files] or [model_bands()]:
        for hall in (False, True):
            compare(bands, hall, options.repeats)
    if options.many and options.files:
        many(options.files, options.many)


if __name__ == "__main__":
    main()
