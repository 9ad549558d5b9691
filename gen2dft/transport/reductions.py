"""Label definitions as functions of a TransportDoc, so that a computed label and a published one
mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gen2dft.errors import CampaignError, not_one_of
from gen2dft.properties import TRANSPORT_DEFINITIONS, TransportDefinition
from gen2dft.transport.coefficients import mean
from gen2dft.transport.constants import E_CHARGE, ELECTRON_MASS, RELAXATION_TIME
from gen2dft.transport.document import Carrier, TransportDoc


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
class Reduction:
    """How one publication reduces tensors over temperature and doping to single numbers.

    Parameters
    ----------
    definition
        Carriers, temperature and doping of the power factor, and the source.
    power_factor_per_tau
        Of a document, W m^-1 K^-2 s^-1.
    columns
        The columns of the published table by name, in its own units.
    """

    definition: TransportDefinition
    power_factor_per_tau: Callable[[TransportDoc], float]
    columns: Mapping[str, Column]

    def power_factor(self, doc: TransportDoc) -> float:
        """The label `power_factor`: uW cm^-1 K^-2 at tau = 1e-14 s."""
        return self.power_factor_per_tau(doc) * RELAXATION_TIME * 1e4

    def published(self, doc: TransportDoc) -> dict[str, float]:
        """What the publication's table would hold for this crystal, in its units."""
        return {name: column.value(doc) for name, column in self.columns.items()}


def factors_by_definition(doc: TransportDoc) -> dict[str, float]:
    """Label definition to power factor, uW cm^-1 K^-2 at tau = 1e-14 s."""
    return {name: reduction.power_factor(doc) for name, reduction in REDUCTIONS.items()}


def get_reduction(name: str) -> Reduction:
    """The reduction of that name; CampaignError names the choices."""
    if name not in REDUCTIONS:
        raise CampaignError(not_one_of("transport definition", name, REDUCTIONS))
    return REDUCTIONS[name]


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
    """Square of the mean Seebeck coefficient times the mean conductivity, W m^-1 K^-2 s^-1."""
    seebeck = mean(doc.at("p", "seebeck", 600.0, 1e19)) * 1e-6
    conductivity = mean(doc.at("p", "conductivity_per_tau", 600.0, 1e19))
    return float(seebeck**2 * conductivity)


def _ftcp_mass(doc: TransportDoc) -> float:
    """Conductivity mass n e^2 tau over the mean conductivity at 300 K and 1e18 cm^-3, electron
    masses.
    """
    tensor = doc.at("p", "conductivity_per_tau", 300.0, 1e18)
    conductivity = float(mean(tensor))
    n = 1e18 * 1e6  # 1/m^3
    return n * E_CHARGE**2 / conductivity / ELECTRON_MASS


REDUCTIONS: dict[str, Reduction] = {
    "ricci2017": Reduction(
        TRANSPORT_DEFINITIONS["ricci2017"],
        lambda doc: float(doc.at("p", "power_factor_per_tau_mean", 300.0, 1e18)),
        {**_ricci_columns("p"), **_ricci_columns("n")},
    ),
    "ftcp": Reduction(
        TRANSPORT_DEFINITIONS["ftcp"],
        _ftcp_power_factor,
        {
            "Seebeck": _mean_at(Point("p", 600.0, 1e19), "uV/K", 1.0, "seebeck"),
            "Powerfactor": Column(
                "1e8 W m^-1 K^-2 s^-1", lambda doc: _ftcp_power_factor(doc) / 1e8
            ),
            "mi-eff": Column("electron masses", _ftcp_mass),
        },
    ),
}
