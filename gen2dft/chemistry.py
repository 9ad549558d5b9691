"""Which formulas make sense: charge balance, closed electron shells, and the elements that are left
out.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

# Noble gases, hydrogen, radioactive elements, and the lanthanides but La: their f electrons are
# beyond a starter set.
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
    extended = not _NONMETALS.issuperset(composition)
    return extended and (is_charge_balanced(composition) or has_closed_shell(composition))


def is_charge_balanced(composition: Mapping[str, int]) -> bool:
    """Whether common oxidation states, one per element, add up to zero.

    No element may be positive that is more electronegative than a negative one.
    """
    symbols = list(composition)
    return any(
        sum(state * composition[s] for s, state in zip(symbols, states, strict=True)) == 0
        and _signs_follow_electronegativity(symbols, states)
        for states in itertools.product(*(_states(s) for s in symbols))
    )


def has_closed_shell(composition: Mapping[str, int]) -> bool:
    """Whether a ternary has the valence electron count of a half-Heusler or Heusler
    semiconductor.
    """
    shells = _CLOSED_SHELLS.get(tuple(sorted(composition.values())), ())
    return sum(_valence(s) * n for s, n in composition.items()) in shells


def anion(composition: Mapping[str, int]) -> str:
    """The most electronegative element."""
    return max(composition, key=lambda s: (_electronegativity(s), s))


def _signs_follow_electronegativity(symbols: list[str], states: tuple[int, ...]) -> bool:
    positive = [
        _electronegativity(s) for s, state in zip(symbols, states, strict=True) if state > 0
    ]
    negative = [
        _electronegativity(s) for s, state in zip(symbols, states, strict=True) if state < 0
    ]
    return bool(positive and negative) and max(positive) <= min(negative)


@functools.cache
def _states(symbol: str) -> tuple[int, ...]:
    from pymatgen.core import Element

    states = {*Element(symbol).common_oxidation_states, *_FURTHER_STATES.get(symbol, ())} - {0}
    return tuple(sorted(states))


@functools.cache
def _electronegativity(symbol: str) -> float:
    from pymatgen.core import Element

    return float(Element(symbol).X)


@functools.cache
def _valence(symbol: str) -> int:
    from pymatgen.core import Element

    element = Element(symbol)
    return int(element.group - 10 if element.block == "p" else element.group)
