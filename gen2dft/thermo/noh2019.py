"""The correction of Noh et al., Matter 1, 1370 (2019), for GGA+U energies of vanadium oxides.

Supporting information, equations S1 to S3, per atom of V_x O_y, with r_V = x / (x + y) and r_O = 1
- r_V:

    E_f^calc = E(V_x O_y) / (x + y) - r_V E(V) - r_O E(O2) / 2 + r_O dE_O      dE_O = -0.7023 eV per
    O atom E_f^ref - E_f^calc = r_V dE_V                                              fitted through
    the origin E_f = E_f^calc + r_V dE_V

The paper gives the O2 correction as -1.4046 eV, which is per O2 molecule (the Materials Project's
of 2012), so per atom it is half of that. A fit with an intercept would hide a wrong dE_O, because
r_O = 1 - r_V; this one has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.analysis.compatibility import Compatibility, CompatibilityError
from pymatgen.core import Composition
from pymatgen.core.entries import CompositionEnergyAdjustment

from gen2dft.errors import ThermoError
from gen2dft.thermo.calibration import Calibration, FitResult
from gen2dft.thermo.corrections import Correction, Fitted
from gen2dft.thermo.scales import MATERIALS_PROJECT
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES

if TYPE_CHECKING:
    from pymatgen.core.entries import ComputedEntry

DE_O = -1.4046 / 2
"""O2 correction, eV per O atom in oxides."""

U_V = 3.25
"""Hubbard U on V in oxides, eV, as the Materials Project has it."""

SURROGATE = "surrogate"
"""Run type of energies that no density functional gave; they have no U that could be checked."""

FEWEST = 3  # references that a fit may rest on
SYMBOLS = frozenset({"V", "O"})
KNOWN: dict[str, float] = {
    phase.formula: phase.formation_energy for phase in OXIDES if phase.formation_energy is not None
}


@dataclass(frozen=True)
class FitRow:
    """One reference of a fit: energies in eV/atom, `calculated` with the O2 correction, `corrected`
    with both.
    """

    formula: str
    r_v: float
    reference: float
    calculated: float
    corrected: float


@dataclass(frozen=True)
class VanadiumFit:
    """dE_V and how well it fits.

    Parameters
    ----------
    de_v
        eV per V atom.
    standard_error
        One standard deviation of `de_v`, from the scatter of the references; eV per V atom.
    confidence
        Half width of the interval that holds the true value in 95 of 100 cases (Student's t); eV
        per V atom.
    rms
        Root mean square of what the fit leaves, eV/atom.
    rows
        The references.
    """

    de_v: float
    standard_error: float
    confidence: float
    rms: float
    rows: tuple[FitRow, ...]


def vanadium_fraction(formula: str) -> float:
    """r_V of a vanadium oxide; ThermoError if it is none."""
    composition = Composition(formula)
    symbols = {element.symbol for element in composition}
    if symbols != SYMBOLS:
        raise ThermoError(
            f"{formula} is no vanadium oxide: dE_V is fitted to compounds of V and O alone"
        )
    return float(composition.get_atomic_fraction("V"))


def fit_vanadium(
    uncorrected: Mapping[str, float], reference: Mapping[str, float], oxygen: float = DE_O
) -> VanadiumFit:
    """Least squares through the origin of E_f^ref - E_f^calc against r_V.

    Parameters
    ----------
    uncorrected
        Formula to computed formation energy without any correction, eV/atom.
    reference
        Formula to known formation energy, eV/atom; holds every formula of `uncorrected`.
    oxygen
        dE_O, eV per O atom.

    Raises
    ------
    ThermoError
        Fewer than three references, one without known energy, or energies that are not finite.
    """
    formulas = list(uncorrected)
    _check_references(formulas, reference)
    fractions = [vanadium_fraction(formula) for formula in formulas]
    references = [reference[formula] for formula in formulas]
    r_v, known = np.array(fractions), np.array(references)
    computed = np.array(list(uncorrected.values()))
    calculated = computed + (1 - r_v) * oxygen
    missing = known - calculated
    if not np.isfinite(missing).all():
        raise ThermoError(
            f"a formation energy of the references {', '.join(formulas)} is NaN or infinite"
        )
    de_v, error, confidence = slope_through_origin(r_v, missing)
    corrected = calculated + r_v * de_v
    left = known - corrected
    mean_square = np.mean(left**2)
    rms = float(np.sqrt(mean_square))
    numbers = np.column_stack([r_v, known, calculated, corrected])
    rows = [FitRow(*row) for row in zip(formulas, *numbers.T.tolist(), strict=True)]
    return VanadiumFit(de_v, error, confidence, rms, tuple(rows))


def _check_references(formulas: Sequence[str], reference: Mapping[str, float]) -> None:
    """Refuse too few references, and those without known energy."""
    if len(formulas) < FEWEST:
        named = ", ".join(formulas) or "none"
        raise ThermoError(f"{len(formulas)} references ({named}) cannot fit dE_V: {FEWEST} or more")
    unknown = [formula for formula in formulas if formula not in reference]
    if unknown:
        raise ThermoError(
            f"no known formation energy of {', '.join(unknown)}; there are those of "
            f"{', '.join(reference)}"
        )


def slope_through_origin(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope a of y = a x, its standard error, and the half width of its 95 % confidence
    interval.

    a = x.y / x.x; its variance is that of the residuals over x.x, with n - 1 degrees of freedom.
    """
    from scipy.special import stdtrit

    x_x = x @ x
    slope = float(x @ y / x_x)
    freedom = len(x) - 1
    squares = (y - slope * x) ** 2
    variance = float(squares.sum()) / freedom
    error = float(np.sqrt(variance / x_x))
    students_t = float(stdtrit(freedom, 0.975))
    return slope, error, error * students_t


class VanadiumOxideCompatibility(Compatibility):  # type: ignore[misc]
    """The correction as a pymatgen Compatibility: for PhaseDiagram, emmet's ThermoDoc and whatever
    takes entries.

    Elements are left as they are (V metal and O2 are computed without U); compounds of V and O get
    both adjustments.

    Parameters
    ----------
    de_v
        eV per V atom, from `fit_vanadium`.
    de_v_uncertainty
        Its standard error, eV per V atom; None if it is not known. (None and not NaN: pymatgen
        compares the parameters of a correction to find out whether it is applied already, and NaN
        equals nothing.)
    de_o
        eV per O atom.
    u_v
        Hubbard U on V that compounds must have been computed with, eV.
    """

    def __init__(
        self,
        de_v: float,
        de_v_uncertainty: float | None = None,
        de_o: float = DE_O,
        u_v: float = U_V,
    ) -> None:
        self.de_v = de_v
        self.de_v_uncertainty = de_v_uncertainty
        self.de_o = de_o
        self.u_v = u_v

    def get_adjustments(self, entry: ComputedEntry) -> list[CompositionEnergyAdjustment]:
        """The adjustments of one entry.

        CompatibilityError if the correction does not hold for it.
        """
        composition = entry.composition
        self._check(entry)
        if composition.is_element:
            return []
        origin = self.as_dict()
        spread = float("nan") if self.de_v_uncertainty is None else self.de_v_uncertainty
        return [
            CompositionEnergyAdjustment(
                self.de_o,
                composition["O"],
                name="noh2019 O2 correction",
                cls=origin,
                description="O2, per O atom",
            ),
            CompositionEnergyAdjustment(
                self.de_v,
                composition["V"],
                uncertainty_per_atom=spread,
                name="noh2019 dE_V",
                cls=origin,
                description="GGA+U of vanadium, per V atom",
            ),
        ]

    def _check(self, entry: ComputedEntry) -> None:
        """CompatibilityError if the correction does not hold for an entry."""
        formula = entry.composition.reduced_formula
        symbols = {element.symbol for element in entry.composition}
        others = sorted(symbols - SYMBOLS)
        if others:
            raise CompatibilityError(
                f"{formula} holds {', '.join(others)}, and the correction knows V and O alone"
            )
        run_type = entry.parameters.get("run_type")
        if run_type == SURROGATE:
            return
        if run_type not in ("GGA", "GGA+U"):
            raise CompatibilityError(
                f"{formula} was computed with run type {run_type}, not GGA or GGA+U"
            )
        self._check_u(entry)

    def _check_u(self, entry: ComputedEntry) -> None:
        """CompatibilityError if V has another U than the correction stands for."""
        composition = entry.composition
        if not composition["V"]:
            return
        expected = 0.0 if composition.is_element else self.u_v
        hubbards = entry.parameters.get("hubbards") or {}
        u = float(hubbards.get("V", 0.0))
        if abs(u - expected) > 1e-6:
            raise CompatibilityError(
                f"{composition.reduced_formula} was computed with U(V) = {u:g} eV, expected "
                f"{expected:g} eV"
            )

    def __eq__(self, other: object) -> bool:
        # Read from a file, the parameters kept in an adjustment come back as this class instead of
        # the dictionary.
        if isinstance(other, VanadiumOxideCompatibility):
            other = other.as_dict()
        return bool(self.as_dict() == other)

    def __hash__(self) -> int:
        return hash((self.de_v, self.de_v_uncertainty, self.de_o, self.u_v))

    def as_dict(self) -> dict[str, Any]:
        """Class and parameters, as monty stores them."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "de_v": self.de_v,
            "de_v_uncertainty": self.de_v_uncertainty,
            "de_o": self.de_o,
            "u_v": self.u_v,
        }


# The registered correction
# ------------------------------------------------------------------------------------------------


def _fit(uncorrected: Mapping[str, float]) -> FitResult:
    """dE_V, as a calibration keeps it."""
    fit = fit_vanadium(uncorrected, KNOWN)
    quality = {
        "standard_error": fit.standard_error,
        "confidence": fit.confidence,
        "rms": fit.rms,
    }
    rows = tuple(vars(row) for row in fit.rows)
    return FitResult({"de_v": fit.de_v}, quality, rows)


def _compatibility(fitted: Fitted) -> VanadiumOxideCompatibility:
    de_v = fitted.values["de_v"]
    return VanadiumOxideCompatibility(de_v, fitted.values["standard_error"])


def _describe(values: Mapping[str, float]) -> str:
    de_v = f"{values['de_v']:.4f} \u00b1 {values['standard_error']:.4f} eV per V"
    interval = f"95 %: \u00b1 {values['confidence']:.4f}"
    left = f"r.m.s. of what is left {values['rms']:.4f} eV/atom"
    return f"dE_V = {de_v} ({interval}), {left}"


CORRECTION = Correction(
    "noh2019-v1",
    "Noh et al., Matter 1, 1370 (2019), supporting information, equations S1 to S3",
    "-0.7023 eV per O (O2 correction, -1.4046 eV per O2) and dE_V per V, fitted to five oxides",
    "V-O compounds in GGA+U (U(V) = 3.25 eV), V metal and O2 in GGA",
    "other elements; another U on V; a campaign that has not been calibrated",
    MATERIALS_PROJECT,
    compatibility=_compatibility,
    calibration=Calibration(
        phases=OXIDES,
        elements=ELEMENTS,
        fit=_fit,
        trial={"de_v": 0.0, "standard_error": 0.0},
        columns={
            "r_v": "r_V",
            "reference": "paper (S5b)",
            "calculated": "computed + O2",
            "corrected": "corrected",
        },
        describe=_describe,
    ),
)
