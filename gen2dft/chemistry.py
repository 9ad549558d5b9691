"""Which formulas make sense: charge balance, closed electron shells, and the elements that are left
out.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

# Noble gases, hydrogen, radioactive elements, and the lanthanides but La: their f electrons are
# beyond the sets that ship.
_LEFT_OUT = (
    "H He Ne Ar Kr Xe Rn Tc Pm Po At Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
    "Ce Pr Nd Sm Eu Gd Tb Dy Ho Er Tm Yb Lu"
)
EXCLUDED_ELEMENTS = frozenset(_LEFT_OUT.split())

# Compounds of these alone are molecules as a rule, and no prototype of an extended solid suits
# them.
_NONMETALS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "I"})

# Oxidation states of solids that pymatgen's list of common ones lacks.
_FURTHER_STATES = {
    "Cu": (1,),
    "Au": (1,),
    "Bi": (-3,),
    "Mn": (3,),
    "V": (3, 4),
    "Cr": (2,),
    "Ti": (3,),
    "Pb": (-4,),
}

# Valence electrons per formula unit of closed-shell intermetallics: half-Heusler 8 and 18, Heusler
# 24 (Graf, Felser, Parkin, Prog. Solid State Chem. 39, 1 (2011), sec. 2 and 3).
_CLOSED_SHELLS: dict[tuple[int, ...], tuple[int, ...]] = {(1, 1, 1): (8, 18), (1, 1, 2): (24,)}


def is_plausible(composition: Mapping[str, int]) -> bool:
    """Whether a formula can be charge-neutral or has a closed valence shell, and is not one of
    nonmetals alone.

    Parameters
    ----------
    composition
        Element symbol to atoms per formula unit.
    """
    if _NONMETALS.issuperset(composition):
        return False
    return is_charge_balanced(composition) or has_closed_shell(composition)


def is_charge_balanced(composition: Mapping[str, int]) -> bool:
    """Whether common oxidation states, one per element, add up to zero.

    No element may be positive that is more electronegative than a negative one.
    """
    choices = [_states(symbol) for symbol in composition]
    for states in itertools.product(*choices):
        charges = dict(zip(composition, states, strict=True))
        total = sum(charge * composition[symbol] for symbol, charge in charges.items())
        if total == 0 and _signs_follow_electronegativity(charges):
            return True
    return False


def has_closed_shell(composition: Mapping[str, int]) -> bool:
    """Whether a ternary has the valence electron count of a half-Heusler or Heusler
    semiconductor.
    """
    counts = tuple(sorted(composition.values()))
    shells = _CLOSED_SHELLS.get(counts, ())
    electrons = sum(_valence(symbol) * count for symbol, count in composition.items())
    return electrons in shells


def anion(composition: Mapping[str, int]) -> str:
    """The most electronegative element."""
    # Where two are equal, the later symbol: the order of the mapping must not decide.
    return max(composition, key=lambda symbol: (_electronegativity(symbol), symbol))


def _signs_follow_electronegativity(charges: Mapping[str, int]) -> bool:
    cations = [_electronegativity(symbol) for symbol, charge in charges.items() if charge > 0]
    anions = [_electronegativity(symbol) for symbol, charge in charges.items() if charge < 0]
    if not cations or not anions:
        return False
    return max(cations) <= min(anions)


@functools.cache
def _states(symbol: str) -> tuple[int, ...]:
    from pymatgen.core import Element

    common = Element(symbol).common_oxidation_states
    further = _FURTHER_STATES.get(symbol, ())
    states = {*common, *further} - {0}
    return tuple(sorted(states))


@functools.cache
def _electronegativity(symbol: str) -> float:
    from pymatgen.core import Element

    return float(Element(symbol).X)


@functools.cache
def _valence(symbol: str) -> int:
    from pymatgen.core import Element

    element = Element(symbol)
    if element.block == "p":
        return int(element.group) - 10  # the filled d shell does not count
    return int(element.group)
