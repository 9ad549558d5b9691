"""Repairs of decoded crystals, Noh et al., Matter 1, 1370 (2019), supporting information S3.3.

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
from gen2dft.representations.indexing import offsets_of, site_owners
from gen2dft.screening.vanadium import OXYGEN, VANADIUM, is_valid_state, vanadium_state

MERGED = {VANADIUM: 1.6, OXYGEN: 1.3}  # Angstrom
MERGED_OTHERS = 0.7
DROPPED = 1.2  # Angstrom, O next to V
MERGES = {VANADIUM: "merged_V", OXYGEN: "merged_O"}
REPAIRS = ("merged_V", "merged_O", "merged_others", "dropped_O", "crystals_changed")


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
        Repairs: `merged_V`, `merged_O`, `merged_others`, `dropped_O` atoms, and
        `crystals_changed`.
    """

    crystals: CrystalTable
    valid: NDArray[np.bool_]
    counts: dict[str, int]


def mend(table: CrystalTable) -> Mended:
    """Apply all rules.

    Of two atoms too close, the one that comes first in the table stays: the higher peak.
    """
    counts = Counter(dict.fromkeys(REPAIRS, 0))
    kept = np.ones(len(table.numbers), dtype=bool)
    for index in range(len(table)):
        is_kept = _kept_atoms(table, index, counts)
        counts["crystals_changed"] += not is_kept.all()
        sites = table.sites(index)
        kept[sites] = is_kept
    crystals = _only(table, kept)
    valid = is_valid_state(vanadium_state(crystals))
    return Mended(crystals, valid, dict(counts))


def _only(table: CrystalTable, kept: NDArray[np.bool_]) -> CrystalTable:
    """The crystals with some of their sites."""
    owner = site_owners(table)[kept]
    num_sites = np.bincount(owner, minlength=len(table))
    offsets = offsets_of(num_sites)
    numbers = table.numbers[kept]
    frac = table.frac[kept]
    return CrystalTable(table.lattices, numbers, frac, offsets)


def _kept_atoms(table: CrystalTable, index: int, counts: Counter[str]) -> NDArray[np.bool_]:
    """Which atoms of one crystal stay; the others are counted."""
    sites = table.sites(index)
    numbers = table.numbers[sites]
    frac = table.frac[sites]
    apart = distances_in_cell(table.lattices[index], frac)
    is_kept = _merge(numbers, apart, counts)
    # Only now: an O atom next to a V that was merged into another one stays.
    is_metal = is_kept & (numbers == VANADIUM)
    near_metal = apart[:, is_metal] < DROPPED
    is_oxygen = is_kept & (numbers == OXYGEN)
    is_dropped = is_oxygen & near_metal.any(axis=1)
    counts["dropped_O"] += int(is_dropped.sum())
    return is_kept & ~is_dropped


def _merge(
    numbers: NDArray[np.uint8], apart: NDArray[np.float64], counts: Counter[str]
) -> NDArray[np.bool_]:
    """Which of the atoms of one crystal stay when those of one element that are too close become
    one.
    """
    species = numbers.tolist()
    limits = [MERGED.get(number, MERGED_OTHERS) for number in species]
    is_close = apart < np.array(limits)[:, None]
    is_alike = numbers[:, None] == numbers
    clash = is_close & is_alike
    is_kept = np.ones(len(numbers), dtype=bool)
    for site, number in enumerate(species):
        earlier = is_kept[:site]
        clashing = clash[site, :site] & earlier
        if clashing.any():
            is_kept[site] = False
            repair = MERGES.get(number, "merged_others")
            counts[repair] += 1
    return is_kept
