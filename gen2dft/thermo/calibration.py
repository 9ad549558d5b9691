"""Calibration: the reference phases of a correction with parameters, and its fit to them.

An engine computes the phases (`gen2dft calibrate`), the correction turns their energies into
parameters, and the store keeps these for one engine and preset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gen2dft.thermo.reference_phases import ReferencePhase


@dataclass(frozen=True)
class FitResult:
    """Parameters fitted to computed phases.

    Parameters
    ----------
    parameters
        Name to value; they decide what the correction adds.
    quality
        Name to figure: how well they are known, such as `standard_error`, `confidence` and `rms`.
    rows
        One per phase: its `formula`, its known and its corrected formation energy (`reference`,
        `corrected`, eV/atom), and whatever else `Calibration.columns` shows.
    """

    parameters: Mapping[str, float]
    quality: Mapping[str, float]
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Calibration:
    """Reference phases of a correction, and its fit to them.

    Parameters
    ----------
    phases
        Compounds with known formation energies.
    elements
        Elements that DFT computes for the fit; a surrogate brings references of its own.
    fit
        From formula to formation energy without correction, eV/atom, in the order of `phases`, to
        the result; ThermoError if these cannot carry a fit.
    trial
        Values with which the correction can look at a calculation before there is a fit, to refuse
        one that it does not hold for.
    columns
        Key of each number of a row to its heading, for people.
    describe
        Sentence about parameters and quality, by name.
    """

    phases: tuple[ReferencePhase, ...]
    elements: tuple[ReferencePhase, ...]
    fit: Callable[[Mapping[str, float]], FitResult]
    trial: Mapping[str, float]
    columns: Mapping[str, str]
    describe: Callable[[Mapping[str, float]], str]

    def needed(self, *, is_dft: bool) -> tuple[ReferencePhase, ...]:
        """The phases that an engine computes."""
        return (*self.phases, *self.elements) if is_dft else self.phases
