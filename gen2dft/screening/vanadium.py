"""The oxidation state of vanadium in its oxides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

VANADIUM, OXYGEN = 23, 8
LOWEST_STATE, HIGHEST_STATE = (
    2.0,
    5.0,
)  # of V in crystals of the ICSD, from VO to V2O5; those between are mixed


def vanadium_state(table: CrystalTable) -> NDArray[np.float64]:
    """(n,) mean oxidation state of V that makes a crystal neutral with O2-.

    NaN where V or O is missing.
    """
    owner = np.repeat(np.arange(len(table)), table.num_sites)
    v, o = (
        np.bincount(owner[table.numbers == z], minlength=len(table)) for z in (VANADIUM, OXYGEN)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((v > 0) & (o > 0), 2.0 * o / v, np.nan)


def is_valid_state(states: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether vanadium can have a mean oxidation state; where there is none, nothing is refused."""
    return np.isnan(states) | ((states >= LOWEST_STATE) & (states <= HIGHEST_STATE))
