"""Label definitions as functions of transport, so that a computed label and a published one mean
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.definitions import OPTIMAL, definition_of
from gen2dft.errors import CampaignError
from gen2dft.properties import (
    PRODUCT_OF_MEANS,
    TRANSPORT_DEFINITIONS,
    TransportDefinition,
)
from gen2dft.transport import coefficients as co
from gen2dft.transport.constants import E_CHARGE, ELECTRON_MASS, RELAXATION_TIME
from gen2dft.transport.document import Carrier, TransportDoc
from gen2dft.transport.tables import Tensors, TransportTables

# uV/K in V/K, and W m^-1 K^-2 in uW cm^-1 K^-2.
MICRO, TO_UW_PER_CM = 1e-6, 1e4
TRIALS_PER_DECADE = 16
SAME_SHIFT = 1e-3  # eV
CARRIER_NAMES = {"p": "holes", "n": "electrons"}


@dataclass(frozen=True)
class Column:
    """One column of a published table: its unit, and what it is of a document."""

    unit: str
    value: Callable[[TransportDoc], float]


@dataclass(frozen=True)
class Point:
    """Where a quantity is read: carriers, temperature (K) and doping (cm^-3)."""

    carrier: Carrier
    temperature: float
    doping: float


@dataclass(frozen=True)
class Factor:
    """A power factor by one definition, and where it lies.

    Parameters
    ----------
    value
        uW cm^-1 K^-2 at tau = 1e-14 s.
    point
        Carriers, temperature and doping: those that were chosen, where the definition leaves them
        open.
    is_interpolated
        Whether the temperature, or a doping that the definition states, lies between those
        computed.
    """

    value: float
    point: Point
    is_interpolated: bool


@dataclass(frozen=True)
class Reduction:
    """How one definition reduces tensors over temperature and doping to single numbers.

    Parameters
    ----------
    definition
        Carriers, temperature and doping of the power factor, and the source.
    columns
        The columns of the published table by name, in its own units; none without such a table.
    """

    definition: TransportDefinition
    columns: Mapping[str, Column]

    def power_factor(self, doc: TransportDoc) -> float:
        """The label `power_factor`: uW cm^-1 K^-2 at tau = 1e-14 s."""
        return factor_in(doc, self.definition).value

    def published(self, doc: TransportDoc) -> dict[str, float]:
        """What the publication's table would hold for this crystal, in its units."""
        return {name: column.value(doc) for name, column in self.columns.items()}


def factor_in(doc: TransportDoc, definition: TransportDefinition) -> Factor:
    """The power factor of a document by a definition.

    Raises
    ------
    CampaignError
        If its temperature or doping lies outside those computed, or the document was computed with
        another gap than the definition opens.
    """
    needed = max(0.0, (definition.gap or 0.0) - doc.band_gap)
    if abs(needed - doc.scissor) > SAME_SHIFT:
        raise CampaignError(
            f"{doc.formula}: definition {definition.name!r} needs conduction bands raised by "
            f"{needed:.3f} eV, but transport was computed with {doc.scissor:.3f} eV: compute it "
            "anew from the bands"
        )
    return factor_of(TransportTables.of(doc), definition)


def factor_of(tables: TransportTables, definition: TransportDefinition) -> Factor:
    """The power factor of a crystal by a definition.

    A gap that the definition opens must have been opened in the bands behind the tables.

    Raises
    ------
    CampaignError
        If the temperature or the doping lies outside those computed, which it names.
    """
    kinds: tuple[Carrier, ...] = ("p", "n")
    if definition.carrier != "best":
        kinds = (definition.carrier,)
    found = [_factor_of_kind(tables, definition, kind) for kind in kinds]
    return max(found, key=lambda factor: factor.value)


def _factor_of_kind(
    tables: TransportTables, definition: TransportDefinition, kind: Carrier
) -> Factor:
    """The power factor of one kind of carriers, at the best doping if the definition asks for
    it.
    """
    dopings = _dopings_to_try(tables, definition, kind)
    tensors = tables.at(kind, definition.temperature, dopings)
    factors = _reduced(tensors, definition.formula) * RELAXATION_TIME * TO_UW_PER_CM
    best = int(factors.argmax())
    point = Point(kind, definition.temperature, float(dopings[best]))
    is_exact = tables.holds(point.temperature, dopings[0])
    return Factor(float(factors[best]), point, not is_exact)


def _dopings_to_try(
    tables: TransportTables, definition: TransportDefinition, kind: Carrier
) -> NDArray[np.float64]:
    """(n,) the dopings among which the largest power factor counts, cm^-3.

    For an optimal one so many per decade that the largest is missed by less than 0.5 %.
    CampaignError if the range begins outside those computed.
    """
    if definition.doping != OPTIMAL:
        return np.array([definition.doping])
    low, high = definition.dopings
    computed = tables.computed(kind)
    lowest, highest = computed.min(initial=np.inf), computed.max(initial=0.0)
    if low < lowest * (1 - 1e-6) or low > highest:
        raise CampaignError(
            f"{tables.name}: an optimal doping from {low:.4g} to {high:.4g} cm^-3 is sought, but "
            f"transport of {kind} was computed from {lowest:.4g} to {highest:.4g}: ask within"
        )
    top = min(high, highest)  # fewer bands than the range needs were computed
    steps = int(np.ceil(TRIALS_PER_DECADE * np.log10(top / low)))
    return np.geomspace(low, top, steps + 1)


def _reduced(tensors: Tensors, formula: str) -> NDArray[np.float64]:
    """(n,) one number for each pair of tensors, W m^-1 K^-2 s^-1."""
    seebeck = tensors.seebeck * MICRO
    if formula == PRODUCT_OF_MEANS:
        found: NDArray[np.float64] = co.mean(seebeck) ** 2 * co.mean(tensors.conductivity)
        return found
    return co.mean(co.power_factor(seebeck, tensors.conductivity))


def remarks_on(factor: Factor, definition: TransportDefinition, doc: TransportDoc) -> Iterator[str]:
    """Choices and assumptions behind a power factor that its label must state."""
    point = factor.point
    if doc.scissor:
        yield (
            f"conduction bands were raised by {doc.scissor:.3f} eV: a gap of "
            f"{doc.band_gap + doc.scissor:.3f} eV was assumed"
        )
    if definition.carrier == "best" or definition.doping == OPTIMAL:
        kind = CARRIER_NAMES[point.carrier]
        yield f"best power factor: {kind} at {point.doping:.2g} cm^-3, {point.temperature:g} K"
    _, highest = definition.dopings
    if definition.doping == OPTIMAL and max(doc.dopings) < highest * (1 - 1e-6):
        yield (
            f"the best doping was sought up to {max(doc.dopings):.1e} cm^-3 only: too few bands "
            "were computed"
        )
    if factor.is_interpolated:
        yield "the power factor is interpolated between computed temperatures and dopings"


def factors_by_definition(doc: TransportDoc, *others: TransportDefinition) -> dict[str, float]:
    """Label definition to power factor, uW cm^-1 K^-2 at tau = 1e-14 s.

    The published ones and `others`. Where conduction bands were raised, the published ones, which
    know no scissor, are left out.
    """
    published = () if doc.scissor else tuple(TRANSPORT_DEFINITIONS.values())
    return {known.name: factor_in(doc, known).value for known in (*published, *others)}


def get_reduction(name: str) -> Reduction:
    """The reduction of a definition; CampaignError names the choices."""
    if name in REDUCTIONS:
        return REDUCTIONS[name]
    return Reduction(definition_of(name), {})


def _mean_at(point: Point, unit: str, scale: float, quantity: str) -> Column:
    """Column of a mean eigenvalue at one point.

    `scale`: the table's unit in ours.
    """
    name = f"{quantity}_mean"

    def value(doc: TransportDoc) -> float:
        found = doc.at(point.carrier, name, point.temperature, point.doping)
        return float(found) / scale

    return Column(unit, value)


# Name in the table that comes with matminer to its unit, this unit in ours, and the quantity.
RICCI_TABLE: dict[str, tuple[str, float, str]] = {
    "sigma": ("1e15 (Ohm m s)^-1", 1e15, "conductivity_per_tau"),
    "S": ("uV/K", 1.0, "seebeck"),
    "kappa": ("GW K^-1 m^-1 s^-1", 1e9, "thermal_conductivity_per_tau"),
    "PF": ("GW K^-2 m^-1 s^-1", 1e9, "power_factor_per_tau"),
    "m": ("electron masses", 1.0, "effective_mass"),
}


def _ricci_columns(carrier: Carrier) -> dict[str, Column]:
    """Columns of the table that comes with matminer, for one kind of carriers."""
    point = Point(carrier, 300.0, 1e18)
    columns = {}
    for name, (unit, scale, quantity) in RICCI_TABLE.items():
        columns[f"{name}_{carrier}"] = _mean_at(point, unit, scale, quantity)
    return columns


def _ftcp_power_factor(doc: TransportDoc) -> float:
    """Square of the mean Seebeck coefficient times the mean conductivity, 1e8 W m^-1 K^-2 s^-1."""
    factor = factor_in(doc, TRANSPORT_DEFINITIONS["ftcp"])
    return factor.value / TO_UW_PER_CM / RELAXATION_TIME / 1e8


def _ftcp_mass(doc: TransportDoc) -> float:
    """Conductivity mass n e^2 tau over the mean conductivity at 300 K and 1e18 cm^-3, electron
    masses.
    """
    tensor = doc.at("p", "conductivity_per_tau", 300.0, 1e18)
    conductivity = float(co.mean(tensor))
    n = 1e18 * 1e6  # 1/m^3
    return n * E_CHARGE**2 / conductivity / ELECTRON_MASS


REDUCTIONS: dict[str, Reduction] = {
    "ricci2017": Reduction(
        TRANSPORT_DEFINITIONS["ricci2017"],
        {**_ricci_columns("p"), **_ricci_columns("n")},
    ),
    "ftcp": Reduction(
        TRANSPORT_DEFINITIONS["ftcp"],
        {
            "Seebeck": _mean_at(Point("p", 600.0, 1e19), "uV/K", 1.0, "seebeck"),
            "Powerfactor": Column("1e8 W m^-1 K^-2 s^-1", _ftcp_power_factor),
            "mi-eff": Column("electron masses", _ftcp_mass),
        },
    ),
}
