"""The properties that labels, targets and property heads speak of, with their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transform = Literal["identity", "log1p"]


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
    transform: Transform = "identity"

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
        Property("vanadium_state", "elementary charges", "mean oxidation state of V beside O2-"),
        # Of holes, in the constant-relaxation-time approximation; temperature, doping and average
        # are those of the campaign's transport.definition.
        Property("power_factor", "uW cm^-1 K^-2 at tau = 1e-14 s", "power factor, p-type", "log1p"),
    )
}


@dataclass(frozen=True)
class TransportDefinition:
    """What exactly a published power factor is, so that a computed one can be the same.

    Parameters
    ----------
    name
        Name in `TRANSPORT_DEFINITIONS`; campaigns name it as `transport.definition`.
    carrier
        Kind of carriers: holes.
    temperature
        K.
    doping
        Carriers per cm^3.
    formula
        How tensors become one number.
    citation
        Where it is from.
    """

    name: str
    carrier: Literal["p"]
    temperature: float
    doping: float
    formula: str
    citation: str


DEFAULT_TRANSPORT = "ricci2017"
# gen2dft.transport.reductions computes them.
TRANSPORT_DEFINITIONS: dict[str, TransportDefinition] = {
    definition.name: definition
    for definition in (
        TransportDefinition(
            "ricci2017",
            "p",
            300.0,
            1e18,
            "mean eigenvalue of S^2 sigma",
            "Ricci et al., Sci. Data 4, 170085 (2017)",
        ),
        TransportDefinition(
            "ftcp",
            "p",
            600.0,
            1e19,
            "square of the mean eigenvalue of S, times the mean eigenvalue of sigma",
            "Ren et al., Matter 5, 314 (2022), labels of the published training set",
        ),
    )
}
