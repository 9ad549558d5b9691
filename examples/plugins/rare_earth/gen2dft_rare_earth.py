"""Gate `rare-earth`: at most so much of the elements whose supply is at risk."""

import numpy as np
from pydantic import Field, field_validator
from pymatgen.core import Element

from gen2dft.campaign import Part
from gen2dft.campaign.part import Fraction
from gen2dft.errors import not_one_of
from gen2dft.screening.base import Gate, as_reasons

# Scandium, yttrium and the lanthanides: the IUPAC's rare-earth metals.
RARE_EARTHS = ("Sc", "Y", *(Element.from_Z(number).symbol for number in range(57, 72)))
TOO_MUCH = "too_much_rare_earth"


class Settings(Part):
    """What `{rare-earth: {...}}` may say in a campaign file."""

    max_fraction: Fraction = Field(0.1, description="largest share of a crystal's atoms")
    elements: tuple[str, ...] = Field(RARE_EARTHS, description="symbols that count")

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        known = [element.symbol for element in Element]
        for symbol in symbols:
            if symbol not in known:
                raise ValueError(not_one_of("element", symbol, known))
        return symbols


class RareEarthGate(Gate[Settings]):
    """Refuse crystals that hold too much of some elements."""

    name = "rare-earth"
    reasons = {TOO_MUCH: "More than `max_fraction` of its atoms are rare earths."}
    Settings = Settings

    def judge(self, table, context):
        scarce = [Element(symbol).Z for symbol in self.settings.elements]
        of_scarce = table.owners[np.isin(table.numbers, scarce)]
        counts = np.bincount(of_scarce, minlength=len(table))
        return as_reasons(counts > self.settings.max_fraction * table.num_sites, TOO_MUCH)
