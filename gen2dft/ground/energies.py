"""From an engine's total energy to a formation energy that may meet the hull: references,
correction, scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.thermo.corrections import Computed, Fitted, adjust, scale_of
from gen2dft.thermo.references import energy_against

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
    engine: Engine,
    computed: Computed,
    correction: str,
    fitted: Fitted | None = None,
    references: Mapping[str, float] | None = None,
) -> FormationEnergy:
    """Formation energy of one computed crystal.

    Parameters
    ----------
    correction
        Name of a correction.
    fitted
        Of a correction that is fitted, with the elements it was fitted against.
    references
        The campaign's elemental energies for the preset, symbol to eV/atom. See `uncorrected`.

    Raises
    ------
    CorrectionRefused
        If the correction does not hold for the crystal.
    DatasetError
        If the engine has no reference energy of an element.
    """
    adjustment = adjust(correction, computed, fitted)
    composition, elements = computed.structure.composition, fitted.elements if fitted else {}
    return FormationEnergy(
        uncorrected(engine, composition, computed.energy_per_atom, elements or references)
        + adjustment.per_atom,
        scale_of(correction, engine.name, computed.run_type, engine.scale),
        adjustment.parts,
        adjustment.uncertainty,
        adjustment.warnings,
    )


def uncorrected(
    engine: Engine,
    composition: Composition,
    energy_per_atom: float,
    elements: Mapping[str, float] | None = None,
) -> float:
    """E/N minus the elements' energies, weighted by their fractions, eV/atom.

    Parameters
    ----------
    elements
        Symbol to eV/atom, of a calibration or given by the campaign; without any the engine's own
        count.

    Raises
    ------
    DatasetError
        If an element has no reference energy.
    """
    if not elements:
        return engine.formation_energy(composition, energy_per_atom)
    return energy_against(
        elements, composition, energy_per_atom, "the campaign (validation.references, calibration)"
    )


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
    return Fitted(document.values, document.elements)
