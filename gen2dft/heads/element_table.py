"""Twenty properties of each element as numbers, from pymatgen's table.

As in Ward et al., npj Comput. Mater. 2, 16028 (2016), whose attributes these follow, an element
without a value has the mean of the others.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.geometry import COVALENT_RADII

if TYPE_CHECKING:
    from pymatgen.core import Element

LAST = 118  # atomic number of the last element
LAST_KNOWN = 103  # pymatgen has no electronic structure beyond lawrencium
NOBLE_GASES = (2, 10, 18, 36, 54, 86)
CAPACITIES = {"s": 2, "p": 6, "d": 10, "f": 14}  # electrons of a shell
# Attributes of pymatgen's Element: Pauling's electronegativity, u, Angstrom, eV, cm^3/mol, K.
READ = (
    "Z",
    "row",
    "group",
    "mendeleev_no",
    "X",
    "atomic_mass",
    "atomic_radius",
    "ionization_energy",
    "electron_affinity",
    "molar_volume",
    "melting_point",
)
NAMES = (
    *READ,
    "covalent_radius",
    "highest_common_oxidation_state",
    "lowest_common_oxidation_state",
    *(f"valence_{shell}" for shell in CAPACITIES),
    "valence_electrons",
    "holes",
)


@cache
def element_table() -> NDArray[np.float64]:
    """(119, 20) values of `NAMES` by atomic number; row 0 is no element.

    The array is shared between callers and read-only.
    """
    from pymatgen.core import Element

    values = np.full((LAST + 1, len(NAMES)), np.nan)
    for number in range(1, LAST_KNOWN + 1):
        values[number] = _properties(Element.from_Z(number))
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    filled.flags.writeable = False
    return filled


def _properties(element: Element) -> list[float]:
    read = [_number(element, attribute) for attribute in READ]
    radius = COVALENT_RADII[element.Z]
    states = element.common_oxidation_states or (0,)
    shells = _valence_shells(element)
    electrons = sum(shells.values())
    occupied = [shell for shell, count in shells.items() if count]
    places = sum(CAPACITIES[shell] for shell in occupied)
    counted = [*shells.values(), electrons, places - electrons]
    return [*read, radius, max(states), min(states), *counted]


def _number(element: Element, attribute: str) -> float:
    """A value of pymatgen's table; NaN if unknown, for which it warns or lacks the key."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            value = getattr(element, attribute)
        except KeyError:
            return np.nan
    return np.nan if value is None else float(value)


def _valence_shells(element: Element) -> dict[str, int]:
    """Electrons beyond the last noble gas, by kind of shell."""
    core = max((number for number in NOBLE_GASES if number < element.Z), default=0)
    shells = dict.fromkeys(CAPACITIES, 0)
    seen = 0
    for _, shell, count in element.full_electronic_structure:
        seen += count
        if seen > core:
            shells[shell] += count
    return shells
