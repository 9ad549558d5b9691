"""Element property vectors: nine properties of an element, each binned and one-hot.

The categories and bins are those of CGCNN, Xie & Grossman, Phys. Rev. Lett. 120, 145301 (2018),
supplementary table S1, in the 92-entry form of its published table, which FTCP reads: Ren et al.,
arXiv:2005.07609. The values come from `pymatgen.core.Element` and, for covalent radii,
`gen2dft.geometry`. An unknown value (e.g. the electronegativity of neon) leaves its bins empty.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.geometry import COVALENT_RADII

if TYPE_CHECKING:
    from pymatgen.core import Element

# Lower and upper end of ten equal bins; values outside fall into the outermost bins.
RANGES: dict[str, tuple[float, float]] = {
    "electronegativity": (0.5, 4.0),  # Pauling
    "covalent_radius": (25.0, 250.0),  # pm
    "log_ionization_energy": (1.3, 3.3),  # ln of eV
    "electron_affinity": (-3.0, 3.7),  # eV
    "log_molar_volume": (1.5, 4.3),  # ln of cm^3/mol
}
NUM_BINS = 10
# Group 0 stands for the lanthanides and actinides between groups 3 and 4.
WIDTHS: dict[str, int] = {
    "group": 19,
    "period": 7,
    "electronegativity": NUM_BINS,
    "covalent_radius": NUM_BINS,
    "valence_electrons": 12,
    "log_ionization_energy": NUM_BINS,
    "electron_affinity": NUM_BINS,
    "block": 4,
    "log_molar_volume": NUM_BINS,
}
NUM_FEATURES = sum(WIDTHS.values())
BLOCKS = "spdf"


@lru_cache
def element_features(elements: tuple[int, ...]) -> NDArray[np.float32]:
    """(len(elements), 92) property vectors of elements given by atomic number; entries are 0 or 1.

    The array is shared between callers and read-only.
    """
    table = np.zeros((len(elements), NUM_FEATURES), dtype=np.float32)
    for vector, number in zip(table, elements, strict=True):
        start = 0
        for category, width in zip(_categories(number), WIDTHS.values(), strict=True):
            if category is not None:
                vector[start + category] = 1.0
            start += width
    table.flags.writeable = False
    return table


def electronegativity_order(elements: Sequence[int]) -> list[int]:
    """Atomic numbers by rising Pauling electronegativity, then atomic number.

    Elements of unknown electronegativity come last.
    """
    return sorted(elements, key=_electronegativity_key)


def _electronegativity_key(number: int) -> tuple[float, int]:
    from pymatgen.core import Element

    element = Element.from_Z(number)
    value = _number(element, "X")
    if value is None:
        value = math.inf
    return value, number


def _categories(number: int) -> list[int | None]:
    """Category of each property in the order of `WIDTHS`; None where the value is unknown."""
    from pymatgen.core import Element

    element = Element.from_Z(number)
    electronegativity = _number(element, "X")
    radius = 100.0 * float(COVALENT_RADII[number])
    electron_affinity = _number(element, "electron_affinity")
    ionization_energy = _number(element, "ionization_energy")
    molar_volume = _number(element, "molar_volume")
    return [
        _group(element),
        element.row - 1,
        _bin("electronegativity", electronegativity),
        _bin("covalent_radius", radius),
        _valence_category(element),
        _bin("log_ionization_energy", _log(ionization_energy)),
        _bin("electron_affinity", electron_affinity),
        _block(element),
        _bin("log_molar_volume", _log(molar_volume)),
    ]


def _bin(name: str, value: float | None) -> int | None:
    if value is None:
        return None
    low, high = RANGES[name]
    position = (value - low) / (high - low) * NUM_BINS
    return int(np.clip(position, 0, NUM_BINS - 1))


def _number(element: Element, attribute: str) -> float | None:
    """A value of pymatgen's table; None where it is unknown.

    pymatgen says so in three ways: a warning with NaN or None, or a missing key.
    """
    with warnings.catch_warnings(), contextlib.suppress(KeyError):
        warnings.simplefilter("ignore", UserWarning)
        value: Any = getattr(element, attribute)
        is_known = value is not None and math.isfinite(float(value))
        return float(value) if is_known else None
    return None


def _log(value: float | None) -> float | None:
    if value is None or value <= 0:
        return None
    return math.log(value)


def _is_f_block(element: Element) -> bool:
    return element.is_lanthanoid or element.is_actinoid


def _group(element: Element) -> int:
    return 0 if _is_f_block(element) else element.group


def _block(element: Element) -> int:
    # pymatgen files He under p, by its group; both elements of the first period are s.
    block = "s" if element.row == 1 else element.block
    return BLOCKS.index(block)


def _valence_category(element: Element) -> int:
    most = WIDTHS["valence_electrons"]
    return min(_valence_electrons(element), most) - 1


def _valence_electrons(element: Element) -> int:
    """Electrons of the outer s, p and open d shells.

    This is the group number, less the ten electrons of the filled d shell in the p block.
    """
    if _is_f_block(element):
        return _outer_electrons(element)
    if element.symbol == "He":
        return 2
    if element.group > 12:
        return element.group - 10
    return element.group


def _outer_electrons(element: Element) -> int:
    """Electrons in the outer s and p shells and the d shell below them."""
    period = element.row
    outer = {(period, "s"), (period, "p"), (period - 1, "d")}
    electrons = 0
    for shell, kind, count in element.full_electronic_structure:
        if (shell, kind) in outer:
            electrons += count
    return electrons
