"""The properties that labels, targets and property heads speak of, with their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Property:
    """One labelled property of a crystal.

    Parameters
    ----------
    name
        Column name in datasets and labels.
    unit
        Unit of every stored value.
    title
        Text for axes and tables, without the unit.
    transform
        Scale on which a property head learns it: `identity`, or `log1p` for skewed positive values.
    """

    name: str
    unit: str
    title: str
    transform: Literal["identity", "log1p"] = "identity"

    @property
    def axis(self) -> str:
        """Axis label with its unit."""
        return f"{self.title} ({self.unit})"


PROPERTIES: dict[str, Property] = {
    prop.name: prop
    for prop in (
        Property("formation_energy", "eV/atom", "formation energy"),
        Property("e_above_hull", "eV/atom", "energy above hull"),
        Property("band_gap", "eV", "band gap"),
        # Ricci et al., Sci. Data 4, 170085 (2017): 300 K, 1e18 cm^-3, mean eigenvalue, constant relaxation time.
        Property("power_factor", "uW cm^-1 K^-2 at tau = 1e-14 s", "power factor, p-type", "log1p"),
    )
}
