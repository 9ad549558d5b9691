"""From an engine's total energy to a formation energy that may meet the hull: references, correction, scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.thermo.corrections import Computed, Fitted, adjust, scale_of

if TYPE_CHECKING:
    from pymatgen.core import Composition

    from gen2dft.engines.base import CalculationDoc, Engine
    from gen2dft.store.documents import CalibrationDoc


@dataclass(frozen=True)
class FormationEnergy:
    """A corrected formation energy.

    Parameters
    ----------
    value
        eV/atom, corrections included.
    scale
        What it is measured on, see `gen2dft.thermo.scales`.
    adjustments
        Part of the correction to what it adds, eV/atom.
    uncertainty
        Of the corrections, eV/atom; None if it is not known.
    warnings
        What the correction remarked.
    """

    value: float
    scale: str
    adjustments: Mapping[str, float]
    uncertainty: float | None
    warnings: tuple[str, ...]


def formation_energy(
    engine: Engine, computed: Computed, correction: str, fitted: Fitted | None = None
) -> FormationEnergy:
    """Formation energy of one computed crystal.

    Parameters
    ----------
    correction
        Name of a correction.
    fitted
        Of a correction that is fitted; its computed elements take the place of the engine's references.

    Raises
    ------
    CorrectionRefused
        If the correction does not hold for the crystal.
    DatasetError
        If the engine has no reference energy of an element.
    """
    adjustment = adjust(correction, computed, fitted)
    return FormationEnergy(
        uncorrected(engine, computed.structure.composition, computed.energy_per_atom, fitted) + adjustment.per_atom,
        scale_of(correction, engine.name, computed.run_type, engine.scale),
        adjustment.parts,
        adjustment.uncertainty,
        adjustment.warnings,
    )


def uncorrected(engine: Engine, composition: Composition, energy_per_atom: float, fitted: Fitted | None) -> float:
    """E/N minus the elements' energies, weighted by their fractions, eV/atom."""
    if fitted is None or not fitted.elements:
        return engine.formation_energy(composition, energy_per_atom)
    mixture = sum(composition.get_atomic_fraction(symbol) * energy for symbol, energy in fitted.elements.items())
    return float(energy_per_atom - mixture)


def computed_of(calculation: CalculationDoc, name: str) -> Computed:
    """A finished calculation as a correction looks at it."""
    return Computed(
        calculation.structure,
        calculation.energy_per_atom,
        calculation.engine,
        calculation.run_type,
        calculation.hubbards,
        name,
    )


def fitted_of(document: CalibrationDoc) -> Fitted:
    """The parameters of a stored calibration."""
    return Fitted(document.de_v, document.standard_error, document.elements)
