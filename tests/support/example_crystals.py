"""Small crystals by substitution into three prototypes, with made-up but smooth labels."""

from __future__ import annotations

from itertools import product

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
ROCKSALT = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]])
HALF_HEUSLER = np.array([[0.0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]])
PEROVSKITE = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


def example_table() -> CrystalTable:
    """144 crystals: 36 rocksalts (four of them hydrides), 54 half-Heuslers, 54 perovskites."""
    cells, numbers, frac = [], [], []
    for a, x in product((3, 11, 19, 37, 12, 20, 38, 56, 26), (1, 8, 9, 17)):
        cells.append((4.0 + 0.02 * a + 0.03 * x) * FCC)
        numbers.append([a, x])
        frac.append(ROCKSALT)
    for a, b, x in product((22, 40, 72), (27, 28, 45), (13, 31, 33, 50, 51, 83)):
        cells.append((5.5 + 0.005 * (a + b + x)) * FCC)
        numbers.append([a, b, x])
        frac.append(HALF_HEUSLER)
    for a, b, x in product((20, 38, 56), (22, 40, 72, 32, 50, 23), (8, 9, 16)):
        cells.append((3.5 + 0.005 * (a + b) + 0.05 * x) * np.eye(3))
        numbers.append([a, b, x, x, x])
        frac.append(PEROVSKITE)
    return CrystalTable.from_arrays(np.array(cells), numbers, frac)


def example_dataset() -> Dataset:
    """`example_table` with ids; every crystal has a formation energy, one in four a band gap."""
    table = example_table()
    volume = table.volumes / table.num_sites
    gap = np.where(np.arange(len(table)) % 4 == 0, 0.1 * volume, np.nan)
    return Dataset(
        table,
        tuple(f"x-{i}" for i in range(len(table))),
        {"formation_energy": -0.1 * volume, "band_gap": gap},
    )
