"""What is put right in a decoded crystal, Noh et al., Matter 1, 1370 (2019), supporting information
S3.3.

One atom may show up as several peaks, at both faces of the cell or side by side. Of V atoms closer
than 1.6 Angstrom, and of O atoms closer than 1.3, one is kept; then O atoms closer than 1.2 to a V
are dropped. Last, vanadium needs a valid oxidation state. The rules are the paper's for V and O;
other elements are merged below 0.7 Angstrom alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.geometry import distances_in_cell
from gen2dft.screening.vanadium import OXYGEN, VANADIUM, is_valid_state, vanadium_state

MERGED = {VANADIUM: 1.6, OXYGEN: 1.3}  # Angstrom
MERGED_OTHERS = 0.7
DROPPED = 1.2  # Angstrom, O next to V


@dataclass(frozen=True, eq=False)
class Mended:
    """Crystals after the rules.

    Parameters
    ----------
    crystals
        As many as were given.
    valid
        (n,) whether vanadium has a valid oxidation state; true for crystals of other elements.
    counts
        What was done: `merged_V`, `merged_O`, `merged_others`, `dropped_O` atoms, and
        `crystals_changed`.
    """

    crystals: CrystalTable
    valid: NDArray[np.bool_]
    counts: dict[str, int]


def mend(table: CrystalTable) -> Mended:
    """Apply all rules.

    Of two atoms too close, the one that comes first in the table stays: the higher peak.
    """
    counts: Counter[str] = Counter(
        merged_V=0, merged_O=0, merged_others=0, dropped_O=0, crystals_changed=0
    )
    kept = np.ones(len(table.numbers), dtype=bool)
    for i in range(len(table)):
        sites = table.sites(i)
        numbers = table.numbers[sites]
        apart = distances_in_cell(table.lattices[i], table.frac[sites])
        is_kept = _merge(numbers, apart, counts)
        beside_metal = (apart[:, is_kept & (numbers == VANADIUM)] < DROPPED).any(axis=1)
        dropped = is_kept & (numbers == OXYGEN) & beside_metal
        counts["dropped_O"] += int(dropped.sum())
        kept[sites] = is_kept & ~dropped
        counts["crystals_changed"] += int(not kept[sites].all())
    owner = np.repeat(np.arange(len(table)), table.num_sites)[kept]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(table)))]).astype(
        np.int64
    )
    crystals = CrystalTable(table.lattices, table.numbers[kept], table.frac[kept], offsets)
    return Mended(crystals, is_valid_state(vanadium_state(crystals)), dict(counts))


def _merge(
    numbers: NDArray[np.uint8], apart: NDArray[np.float64], counts: Counter[str]
) -> NDArray[np.bool_]:
    """Which of the atoms of one crystal stay when those of one element that are too close become
    one.
    """
    limits = np.array([MERGED.get(int(z), MERGED_OTHERS) for z in numbers])
    clash = (apart < limits[:, None]) & (numbers[:, None] == numbers)
    is_kept = np.ones(len(numbers), dtype=bool)
    for site in range(len(numbers)):
        if (clash[site, :site] & is_kept[:site]).any():
            is_kept[site] = False
            counts[
                {VANADIUM: "merged_V", OXYGEN: "merged_O"}.get(int(numbers[site]), "merged_others")
            ] += 1
    return is_kept
