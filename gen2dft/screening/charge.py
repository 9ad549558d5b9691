"""Gate `charge`: whether oxidation states met in solids make a formula neutral."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from gen2dft.campaign.part import Part
from gen2dft.chemistry import is_plausible
from gen2dft.crystals import CrystalTable
from gen2dft.screening.base import Gate, GateContext

NOT_BALANCED = "not_charge_balanced"
# Share within 0.1 eV/atom by DFT of those refused, over that of those passed: 11 and 26 %, strict
# 13 and 36 %, of 1,531 published crystals (benchmarks/bench_gates.py).
MEASURED_RATIO, MEASURED_STRICT_RATIO = 0.41, 0.36

# With metals alone these form intermetallics (silicides, borides, half-Heuslers such as NbFeSb),
# which need no ions.
_LIKE_METALS = frozenset({"B", "Si", "Ge", "Sb"})


class ChargeSettings(Part):
    """How much is asked of a formula."""

    strict: bool = Field(
        False, description="one common state per element, or a closed valence shell"
    )


class ChargeGate(Gate[ChargeSettings]):
    """Refuse formulas that cannot be neutral."""

    name = "charge"
    reasons = {
        NOT_BALANCED: "No oxidation states met in solids make its formula neutral; with `strict`, "
        "it is no formula of a semiconductor."
    }
    Settings = ChargeSettings

    @property
    def measured_ratio(self) -> float:
        """See `Gate.measured_ratio`."""
        return MEASURED_STRICT_RATIO if self.settings.strict else MEASURED_RATIO

    def judge(self, table: CrystalTable, context: GateContext) -> list[str | None]:  # noqa: ARG002
        """See `charge_gate`."""
        return charge_gate(table, self.settings.strict)


def charge_gate(table: CrystalTable, strict: bool = False) -> list[str | None]:
    """`not_charge_balanced` for each crystal whose formula cannot be neutral, see
    `is_charge_balanced`.

    Strict, for those who want semiconductors, it asks for `chemistry.is_plausible`. Of 7,140
    binaries and ternaries of the Materials Project 28 % have a gap above 0.1 eV; of the 93 % that
    pass 29 %, of the 33 % that pass strictly 68 %, at the loss of one such crystal in five.
    """
    passes = is_semiconducting_formula if strict else is_charge_balanced
    reasons: list[str | None] = []
    for i in range(len(table)):
        numbers, counts = np.unique(table.numbers[table.sites(i)], return_counts=True)
        per_unit = counts // np.gcd.reduce(counts)
        balanced = passes(tuple(numbers.tolist()), tuple(per_unit.tolist()))
        reasons.append(None if balanced else NOT_BALANCED)
    return reasons


@functools.lru_cache(maxsize=100_000)
def is_charge_balanced(numbers: Sequence[int], counts: Sequence[int]) -> bool:
    """Whether oxidation states met in solids make a formula neutral.

    Intermetallics and elements pass.

    All atoms of an anion have one state; those of a cation may differ, as in Fe3O4. No cation is
    more electronegative than an anion (Davies et al., Chem 1, 617 (2016), the tests of SMACT), but
    a metal is always less so than a non-metal: Pauling's values have it the other way round in PbTe
    and WC.

    Parameters
    ----------
    numbers, counts
        Tuples of atomic numbers and of atoms per formula unit.
    """
    if len(numbers) == 1 or all(_is_metal_like(number) for number in numbers):
        return True
    atoms = list(zip(numbers, counts, strict=True))
    for signs in itertools.product((1, -1), repeat=len(atoms)):
        signed = list(zip(atoms, signs, strict=True))
        cations = [pair for pair, sign in signed if sign > 0]
        anions = [pair for pair, sign in signed if sign < 0]
        if cations and anions and _can_be_neutral(cations, anions):
            return True
    return False


def _can_be_neutral(cations: Sequence[tuple[int, int]], anions: Sequence[tuple[int, int]]) -> bool:
    """Whether charges of cations and of anions, pairs of element and number, can be the same."""
    of_cations = [_greed(element) for element, _ in cations]
    of_anions = [_greed(element) for element, _ in anions]
    if max(of_cations) > min(of_anions):
        return False
    given = _totals([_cation_charges(element, number) for element, number in cations])
    taken = _totals([_anion_charges(element, number) for element, number in anions])
    return not given.isdisjoint(taken)


@functools.lru_cache(maxsize=100_000)
def is_semiconducting_formula(numbers: Sequence[int], counts: Sequence[int]) -> bool:
    """Whether one common oxidation state per element makes a formula neutral, or its valence shell
    is closed.
    """
    from pymatgen.core import Element

    symbols = [Element.from_Z(number).symbol for number in numbers]
    return is_plausible(dict(zip(symbols, counts, strict=True)))


def _totals(choices: Sequence[frozenset[int]]) -> frozenset[int]:
    """All sums of one number of each set."""
    totals = frozenset({0})
    for choice in choices:
        totals = frozenset(a + b for a in totals for b in choice)
    return totals


@functools.lru_cache(maxsize=10_000)
def _cation_charges(number: int, count: int) -> frozenset[int]:
    """Total charges that `count` atoms of an element can have as cations, of one or of several
    states.
    """
    charges = [charge for charge in _states(number) if charge > 0]
    return _totals([frozenset(charges)] * count)


def _anion_charges(number: int, count: int) -> frozenset[int]:
    """Total charges, without their sign, that `count` atoms of an element can have as anions."""
    charges = [charge for charge in _states(number) if charge < 0]
    return frozenset(-charge * count for charge in charges)


@functools.cache
def _states(number: int) -> frozenset[int]:
    """Oxidation states that are common, or that crystals in the ICSD have."""
    from pymatgen.core import Element

    element = Element.from_Z(number)
    return frozenset({*element.common_oxidation_states, *element.icsd_oxidation_states}) - {0}


@functools.cache
def _greed(number: int) -> tuple[bool, float]:
    """Order in which elements take electrons: metals last, then by Pauling's electronegativity (0
    if there is none).
    """
    from pymatgen.core import Element

    element = Element.from_Z(number)
    return not element.is_metal, float(element.data.get("X") or 0.0)


@functools.cache
def _is_metal_like(number: int) -> bool:
    from pymatgen.core import Element

    element = Element.from_Z(number)
    return bool(element.is_metal) or element.symbol in _LIKE_METALS
