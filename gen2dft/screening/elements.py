"""Gate `elements`: which elements a crystal holds, and how many different ones."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from pydantic import Field

from gen2dft.campaign import ScreeningSpec
from gen2dft.campaign.part import LATER, Part
from gen2dft.crystals import CrystalTable
from gen2dft.errors import CampaignError
from gen2dft.screening.base import Gate, GateContext

BAD_ELEMENT = "element_not_allowed"
BAD_NUMBER = "number_of_elements"


class ElementSettings(Part):
    """Settings of the gate `elements`."""

    any_number: bool = Field(
        False,
        json_schema_extra=LATER,
        description="let numbers of different elements pass that no crystal of the training set "
        "has",
    )


class ElementGate(Gate[ElementSettings]):
    """Refuse elements that the campaign excludes, and numbers of elements without an example."""

    name = "elements"
    reasons = {
        BAD_ELEMENT: "It holds an element that `allowed_elements` or `excluded_elements` rule "
        "out, or that the training set lacks.",
        BAD_NUMBER: "It has a number of different elements that no crystal of the training set "
        "has.",
    }
    Settings = ElementSettings

    def judge(self, table: CrystalTable, context: GateContext) -> list[str | None]:
        """See `element_gate`."""
        how_many: Collection[int] = context.num_elements
        if self.settings.any_number:
            how_many = set(table.num_elements.tolist())
        return element_gate(table, context.allowed, how_many)


def element_gate(
    table: CrystalTable, allowed: Collection[int], how_many: Collection[int]
) -> list[str | None]:
    """`element_not_allowed` or `number_of_elements` for each crystal of which one is true.

    Parameters
    ----------
    allowed
        Atomic numbers that a crystal may hold.
    how_many
        Numbers of different elements that a crystal may have.
    """
    fine_sites = np.isin(table.numbers, list(allowed))
    fine_numbers = np.isin(table.num_elements, list(how_many))
    reasons = np.full(len(table), None, dtype=object)
    reasons[~fine_numbers] = BAD_NUMBER
    reasons[table.owners[~fine_sites]] = BAD_ELEMENT  # last: it says more than the number does
    return list(reasons)


def allowed_elements(spec: ScreeningSpec, known: CrystalTable) -> frozenset[int]:
    """Atomic numbers that candidates may have: those named in the spec, or else those of the known
    crystals.

    Raises
    ------
    CampaignError
        If nothing remains.
    """
    named = atomic_numbers(spec.allowed_elements)
    chosen = named or frozenset(np.unique(known.numbers).tolist())
    remaining = chosen - atomic_numbers(spec.excluded_elements)
    if not remaining:
        raise CampaignError(
            "screening.excluded_elements leaves no element that candidates may have"
        )
    return remaining


def atomic_numbers(symbols: Collection[str]) -> frozenset[int]:
    """Atomic numbers of elements by their symbols."""
    from pymatgen.core import Element

    return frozenset(int(Element(symbol).Z) for symbol in symbols)
