"""FTCP encoding and decoding: crystals per second, and the ratio to one crystal at a time with
pymatgen.

    .venv/bin/python benchmarks/bench_ftcp.py [--crystals 1000] [--repeats 3]

The reference writes the same matrix straight from its definition (docstring of
gen2dft.representations.ftcp). Both run in one process on the same crystals, so the ratio says more
than either speed; the matrices are compared too. Reading the crystals is not counted. Best of the
repeats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from gen2dft.campaign import DatasetSpec
from gen2dft.datasets import load_dataset
from gen2dft.representations.element_features import electronegativity_order
from gen2dft.representations.ftcp import FTCP
from gen2dft.representations.ftcp_sites import SORT_GRID, SORT_SHIFT
from gen2dft.representations.reciprocal import reciprocal_points


def encode_one(structure: Structure, ftcp: FTCP) -> NDArray[np.float32]:
    """The matrix of one crystal, row block by row block, with pymatgen."""
    out = np.zeros(ftcp.shape, dtype=np.float32)
    elements = electronegativity_order({site.specie.Z for site in structure})
    sites = sorted(
        structure, key=lambda site: site_order(site.specie.Z, site.frac_coords, elements)
    )
    for column, number in enumerate(elements):
        row = ftcp.elements.index(number)
        out[row, column] = 1.0
        out[ftcp.property_rows, column] = ftcp.features[row]
    out[ftcp.lattice_rows, :3] = structure.lattice.lengths, structure.lattice.angles
    for index, site in enumerate(sites):
        out[ftcp.coordinate_rows.start + index, :3] = site.frac_coords % 1
        out[ftcp.occupancy_rows.start + index, elements.index(site.specie.Z)] = 1.0
    vectors = np.array([ftcp.features[ftcp.elements.index(site.specie.Z)] for site in sites])
    positions = np.array([site.frac_coords for site in sites])
    reciprocal = structure.lattice.reciprocal_lattice_crystallographic
    for index, hkl in enumerate(reciprocal_points(), start=ftcp.real_columns):
        out[ftcp.g_row, index] = np.linalg.norm(reciprocal.get_cartesian_coords(hkl))
        out[ftcp.property_rows, index] = np.abs(np.exp(-2j * np.pi * (positions @ hkl)) @ vectors)
    return out


def site_order(number: int, frac: NDArray[np.float64], elements: list[int]) -> tuple[int, ...]:
    """Sites by element column, then x, y, z modulo 1 on the grid."""
    return (
        elements.index(number),
        *(np.floor(frac % 1 * SORT_GRID + SORT_SHIFT).astype(int) % SORT_GRID).tolist(),
    )


def best_seconds(function: Callable[[], object], repeats: int) -> float:
    """Shortest wall time of some calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crystals", type=int, default=1000, help="prototypes to take")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = load_dataset(
        DatasetSpec(source="prototypes", max_crystals=options.crystals), seed=0
    ).crystals
    ftcp, structures = FTCP(), list(table.structures())
    tensors = ftcp.encode(table)
    reference = np.stack([encode_one(structure, ftcp) for structure in structures])
    encode = best_seconds(lambda: ftcp.encode(table), options.repeats)
    one_by_one = best_seconds(
        lambda: [encode_one(structure, ftcp) for structure in structures], options.repeats
    )
    decode = best_seconds(lambda: ftcp.decode(tensors), options.repeats)
    print(f"crystals                  {len(table):8d}")
    print(f"encode                    {len(table) / encode:8.0f} /s")
    print(f"encode, one at a time     {len(table) / one_by_one:8.0f} /s")
    print(f"ratio                     {one_by_one / encode:8.1f}")
    print(f"decode                    {len(table) / decode:8.0f} /s")
    print(f"largest difference        {np.abs(tensors - reference).max():8.1e}")


if __name__ == "__main__":
    main()
