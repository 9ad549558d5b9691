"""TransportDoc: everything computed of one crystal, with units, as a document that is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pymatgen.core import Structure

import gen2dft
from gen2dft.errors import CampaignError, StoreError
from gen2dft.store.shapes import first_problem

if TYPE_CHECKING:
    from gen2dft.transport.bands import UniformBands
    from gen2dft.transport.settings import TransportSettings

SCHEMA = 1
METHOD = (
    "Fourier interpolation and Boltzmann integrals of Madsen et al., Comput. Phys. Commun. "
    "231, 140 (2018)"
)
Carrier = Literal["p", "n"]

Row = tuple[float, float, float]
Tensor = tuple[Row, Row, Row]
# First index temperature, second doping, unless said otherwise.
Scalars = tuple[tuple[float, ...], ...]
Tensors = tuple[tuple[Tensor, ...], ...]


class Frozen(BaseModel):
    """Base of the parts: immutable, unknown fields refused, NaN and infinity kept in JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class CarrierTransport(Frozen):
    """Transport with carriers of one kind, by temperature and doping; tensors in Cartesian axes.

    Every `_mean` is the mean of the tensor's three eigenvalues. Constant-relaxation-time
    approximation (CRTA).
    """

    chemical_potential: Scalars = Field(description="eV above the highest valence band")
    seebeck: Tensors = Field(
        description="uV/K; CRTA, in which it does not depend on the relaxation time"
    )
    seebeck_mean: Scalars = Field(description="uV/K; CRTA")
    conductivity_per_tau: Tensors = Field(
        description="S m^-1 s^-1: electrical conductivity over relaxation time; CRTA"
    )
    conductivity_per_tau_mean: Scalars = Field(description="S m^-1 s^-1; CRTA")
    power_factor_per_tau: Tensors = Field(
        description="W m^-1 K^-2 s^-1: S^2 sigma over relaxation time; CRTA"
    )
    power_factor_per_tau_mean: Scalars = Field(description="W m^-1 K^-2 s^-1; CRTA")
    power_factor: Tensors = Field(
        description="uW cm^-1 K^-2 at the document's relaxation_time; CRTA"
    )
    power_factor_mean: Scalars = Field(
        description="uW cm^-1 K^-2 at the document's relaxation_time; CRTA"
    )
    thermal_conductivity_per_tau: Tensors = Field(
        description="W m^-1 K^-1 s^-1: thermal conductivity of the electrons at zero current over "
        "relaxation time; CRTA"
    )
    thermal_conductivity_per_tau_mean: Scalars = Field(description="W m^-1 K^-1 s^-1; CRTA")
    effective_mass: Tensors = Field(
        description="electron masses: conductivity mass n e^2 (sigma/tau)^-1, n the doping, so "
        "that it means something "
        "only where all carriers are the dopants'; CRTA"
    )
    effective_mass_mean: Scalars = Field(description="electron masses; CRTA")
    hall_concentration: Scalars = Field(
        description="cm^-3: 1/(e R_H) of the mean Hall coefficient, negative for electrons; NaN if "
        "not computed; CRTA"
    )


class Interpolated(Frozen):
    """How the bands were interpolated, and how well."""

    bands: int = Field(
        description="bands that matter at these dopings and temperatures, both spins counted"
    )
    stars: int = Field(description="terms of the Fourier series of one band")
    grid: tuple[int, int, int] = Field(description="k-points on which the series was summed up")
    bin_width: float = Field(description="eV, width of the bins of energy")
    rms_deviation: float = Field(
        description="eV, root mean square deviation of the series from the bands given"
    )
    rms_left_out: float | None = Field(
        description="eV, the same at every tenth k-point for a series fitted without these; None "
        "below 6 k-points"
    )


class BandPath(Frozen):
    """The interpolated bands that carry current, along straight lines between points of high
    symmetry.
    """

    distances: tuple[float, ...] = Field(
        description="1/Angstrom, with 2 pi: way along the path, one per k-point"
    )
    energies: Scalars = Field(
        description="eV above the highest valence band, band by band, both spins"
    )
    points: tuple[tuple[float, str], ...] = Field(
        description="way and name of the points of high symmetry, G is Gamma"
    )


class ConvergenceStep(Frozen):
    """One mesh of a convergence series."""

    mesh: tuple[int, int, int] = Field(description="k-points along each reciprocal axis")
    spacing: float = Field(description="1/Angstrom, with 2 pi")
    power_factor: float = Field(
        description="uW cm^-1 K^-2 at tau = 1e-14 s, by the named definition; CRTA"
    )
    band_gap: float | None = Field(
        None, description="eV, on the mesh; None in documents of older versions"
    )


class Convergence(Frozen):
    """What refining the mesh did to the power factor; the label's error estimate."""

    definition: str = Field(
        description="name of the label definition whose power factor was followed"
    )
    tolerance: float = Field(
        description="relative error of the power factor at which refining ends"
    )
    steps: tuple[ConvergenceStep, ...] = Field(description="coarsest mesh first")
    relative_error: float | None = Field(
        description="stated error of the last power factor, relative to it, see "
        "gen2dft.transport.convergence; None with one mesh only. In documents of version 0.1.0 "
        "the relative change from the mesh before"
    )
    converged: bool = Field(
        description="whether the error came below the tolerance before the budget ended"
    )


class TransportDoc(Frozen):
    """Transport of one crystal in the constant-relaxation-time approximation."""

    schema_version: int = SCHEMA
    code_version: str = gen2dft.__version__
    method: str = METHOD
    program: str = Field(
        "gen2dft", description="program that computed the coefficients: gen2dft or boltztrap2"
    )
    program_version: str | None = Field(
        None, description="None in documents of older versions: that of gen2dft, `code_version`"
    )
    approximation: Literal["constant relaxation time"] = "constant relaxation time"
    relaxation_time: float = Field(
        description="s, the constant relaxation time of all numbers that need one"
    )
    formula: str
    structure: dict[str, Any] = Field(description="pymatgen dictionary")
    source: str = Field(description="what the bands were read from")
    mesh: tuple[int, int, int] = Field(
        description="k-points of the bands along each reciprocal axis"
    )
    spacing: float = Field(
        description="1/Angstrom, with 2 pi: largest distance of neighbouring mesh points"
    )
    irreducible_kpoints: int
    spin_polarised: bool
    electrons: float = Field(description="valence electrons per cell")
    band_gap: float = Field(description="eV, on the mesh")
    scissor: float = Field(
        0.0, description="eV by which conduction bands were raised; band_gap is without it"
    )
    temperatures: tuple[float, ...] = Field(description="K, first index of every table")
    dopings: tuple[float, ...] = Field(description="carriers per cm^3, second index of every table")
    p: CarrierTransport = Field(description="holes")
    n: CarrierTransport = Field(description="electrons")
    interpolation: Interpolated
    path: BandPath | None = Field(
        None, description="bands to look at; None in documents of older versions"
    )
    convergence: Convergence | None = Field(
        None, description="if the mesh was refined; the error estimate"
    )
    warnings: tuple[str, ...] = ()
    core_hours: float = Field(
        0.0, description="of the calculations of bands behind it, where an engine made them"
    )
    transport_hours: float = Field(
        0.0, description="CPU core-hours from bands to coefficients, of all meshes"
    )
    completed_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @field_validator("structure", mode="before")
    @classmethod
    def _structure_is_plain(cls, value: Any) -> Any:
        # What reads a document with monty makes a Structure of the dictionary.
        return value.as_dict(verbosity=0) if isinstance(value, Structure) else value

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """A document that was stored as JSON; StoreError names `origin` if it is damaged."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as err:
            problem = first_problem(err)
            raise StoreError(f"{origin} is damaged ({problem}); restore it from a backup") from err

    @classmethod
    def of(
        cls,
        bands: UniformBands,
        gap: float,
        settings: TransportSettings,
        carriers: dict[Carrier, CarrierTransport],
        interpolated: Interpolated,
        warnings: tuple[str, ...],
    ) -> TransportDoc:
        """The document of computed carriers."""
        structure = bands.structure
        formula = structure.composition.reduced_formula
        crystal = structure.as_dict(verbosity=0)
        num_spins, _, num_kpoints = bands.energies.shape
        is_polarised = num_spins == 2
        return cls(
            program=settings.program,
            relaxation_time=settings.relaxation_time,
            formula=formula,
            structure=crystal,
            source=bands.source,
            mesh=bands.mesh.size,
            spacing=bands.spacing,
            irreducible_kpoints=num_kpoints,
            spin_polarised=is_polarised,
            electrons=bands.electrons,
            band_gap=gap,
            temperatures=settings.temperatures,
            dopings=settings.dopings,
            p=carriers["p"],
            n=carriers["n"],
            interpolation=interpolated,
            warnings=warnings,
        )

    def decades_apart(self, doping: float) -> float:
        """Decades between the computed dopings on either side of one (cm^-3) within them."""
        computed = np.log10(sorted(self.dopings))
        above = int(np.clip(np.searchsorted(computed, np.log10(doping)), 1, len(computed) - 1))
        return float(computed[above] - computed[above - 1])

    def table(self, carrier: Carrier, name: str) -> NDArray[np.float64]:
        """One quantity as an array (n_temperatures, n_dopings) or (n_temperatures, n_dopings, 3,
        3).
        """
        carriers = self.p if carrier == "p" else self.n
        return np.array(getattr(carriers, name))

    def at(
        self, carrier: Carrier, name: str, temperature: float, doping: float
    ) -> NDArray[np.float64]:
        """One quantity at one temperature (K) and doping (cm^-3) of those computed; () or (3, 3).

        Raises
        ------
        CampaignError
            If that point was not computed.
        """
        row = _place_of(temperature, self.temperatures)
        column = _place_of(doping, self.dopings)
        if row is None or column is None:
            temperatures = _listed(self.temperatures)
            dopings = _listed(self.dopings)
            raise CampaignError(
                f"{self.formula}: transport at {temperature:g} K and {doping:.3g} cm^-3 was not "
                f"computed; there are {temperatures} K and {dopings} cm^-3: add it to the settings"
            )
        table = self.table(carrier, name)
        return table[row, column]


def _place_of(value: float, values: tuple[float, ...]) -> int | None:
    """Place of the first of the values that is equal but for rounding; None if there is none."""
    places = np.flatnonzero(np.isclose(values, value))
    return int(places[0]) if len(places) else None


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
