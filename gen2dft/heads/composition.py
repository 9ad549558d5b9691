"""Features of a composition: statistics of its elements' properties, weighted by their shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

Array = NDArray[np.float64]
STATISTICS = ("mean", "mean deviation", "least", "greatest", "range")


def composition_features(crystals: CrystalTable, elements: Array) -> Array:
    """(n, 5 q + 1) features: `STATISTICS` of q properties, and the number of elements.

    Only the shares of the elements count: a supercell has the same features, bit for bit.

    Parameters
    ----------
    elements
        (119, q) properties by atomic number.

    Raises
    ------
    ValueError
        A crystal has no atoms.
    """
    number = len(crystals)
    empty = np.flatnonzero(crystals.num_sites == 0)
    if len(empty):
        raise ValueError(f"crystal {empty[0]} has no atoms, and so no composition")
    if not number:
        width = len(STATISTICS) * elements.shape[1] + 1
        return np.zeros((0, width))
    owners, numbers, shares = _shares(crystals)
    # Rows of a crystal lie together: `reduceat` sums from each start to the next.
    starts = np.searchsorted(owners, np.arange(number))
    values = elements[numbers]
    weights = shares[:, None]
    mean = np.add.reduceat(weights * values, starts)
    distance = np.abs(values - mean[owners])
    deviation = np.add.reduceat(weights * distance, starts)
    least = np.minimum.reduceat(values, starts)
    greatest = np.maximum.reduceat(values, starts)
    spread = greatest - least
    num_elements = np.bincount(owners)
    return np.column_stack([mean, deviation, least, greatest, spread, num_elements])


def _shares(crystals: CrystalTable) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """For each element of each crystal: the crystal's row, the atomic number, its share."""
    # One number per pair of crystal and element; atomic numbers are below 256.
    codes = crystals.owners * 256 + crystals.numbers
    pairs, counts = np.unique(codes, return_counts=True)
    owners, numbers = np.divmod(pairs, 256)
    sites = crystals.num_sites[owners]
    return owners, numbers, counts / sites
