"""The oxidation state of vanadium in its oxides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

VANADIUM, OXYGEN = 23, 8
# Of V in crystals of the ICSD, from VO to V2O5; those between are mixed.
LOWEST_STATE, HIGHEST_STATE = 2.0, 5.0


def vanadium_state(table: CrystalTable) -> NDArray[np.float64]:
    """(n,) mean oxidation state of V that makes a crystal neutral with O2-.

    NaN where V or O is missing.
    """
    vanadium, oxygen = _count(table, VANADIUM), _count(table, OXYGEN)
    has_both = (vanadium > 0) & (oxygen > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        states = 2.0 * oxygen / vanadium
    return np.where(has_both, states, np.nan)


def is_valid_state(states: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether vanadium can have a mean oxidation state; where there is none, nothing is refused."""
    within = (states >= LOWEST_STATE) & (states <= HIGHEST_STATE)
    return np.isnan(states) | within


def _count(table: CrystalTable, number: int) -> NDArray[np.int64]:
    """(n,) atoms of an element in each crystal."""
    of_element = table.owners[table.numbers == number]
    return np.bincount(of_element, minlength=len(table))
