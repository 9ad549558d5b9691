"""From an engine's total energy to a formation energy that may meet the hull: references,
correction, scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.engines import load_engine
from gen2dft.thermo.corrections import Fitted, adjust, scale_of
from gen2dft.thermo.references import energy_against

if TYPE_CHECKING:
    from pymatgen.core import Composition

    from gen2dft.calculation import Calculation
    from gen2dft.engines.base import Engine
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
    calculation: Calculation,
    correction: str,
    fitted: Fitted | None = None,
    references: Mapping[str, float] | None = None,
    name: str = "entry",
) -> FormationEnergy:
    """Formation energy of one computed crystal.

    Parameters
    ----------
    calculation
        It names its engine.
    correction
        Name of a correction.
    fitted
        Of a correction that is fitted, with the elements it was fitted against.
    references
        The campaign's elemental energies for the preset, symbol to eV/atom. See `uncorrected`.
    name
        Of the calculation, for messages.

    Raises
    ------
    CorrectionRefused
        If the correction does not hold for the crystal.
    DatasetError
        If the engine has no reference energy of an element.
    """
    engine = load_engine(calculation.engine)
    adjustment = adjust(correction, calculation, fitted, name)
    elements = fitted.elements if fitted else {}
    composition, energy = calculation.structure.composition, calculation.energy_per_atom
    return FormationEnergy(
        uncorrected(engine, composition, energy, elements or references) + adjustment.per_atom,
        scale_of(correction, engine.name, calculation.run_type, engine.scale),
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


def fitted_of(document: CalibrationDoc) -> Fitted:
    """The parameters of a stored calibration."""
    return Fitted(document.values, document.elements)
