"""Energy corrections by name and version: what they add, where they hold, and what they refuse.

A correction turns uncorrected total energies of one engine into energies on the scale that it
names. Its content never changes under its name. The table of all is in docs/corrections.md.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gen2dft.errors import CorrectionRefused, ThermoError, not_one_of
from gen2dft.plugins import SHIPPED, registry
from gen2dft.thermo.calibration import Calibration
from gen2dft.thermo.scales import MATERIALS_PROJECT, engine_scale

if TYPE_CHECKING:
    from pymatgen.analysis.compatibility import Compatibility
    from pymatgen.core.entries import ComputedStructureEntry

    from gen2dft.calculation import Calculation

RUN_TYPES = {"PBE": "GGA", "PBE+U": "GGA+U"}  # other names of the same
SURROGATE = "surrogate"  # in the place of a run type
NONE = "none"
GROUP = "gen2dft.corrections"
# Other packages add corrections by entry points of this group, each naming a Correction.
CORRECTIONS: dict[str, Callable[[], Correction]] = registry(GROUP)


def entry_of(calculation: Calculation, name: str, **data: Any) -> ComputedStructureEntry:
    """A calculation as pymatgen's corrections read it.

    Parameters
    ----------
    name
        Id for messages.
    data
        Further fields, such as emmet's `material_id`.
    """
    from pymatgen.core.entries import ComputedStructureEntry

    kind = calculation.run_type or SURROGATE
    run_type = RUN_TYPES.get(kind, kind)
    parameters = {
        "run_type": run_type,
        "hubbards": dict(calculation.hubbards),
        "software": calculation.engine,
    }
    return ComputedStructureEntry(
        calculation.structure,
        calculation.energy_per_atom * len(calculation.structure),
        parameters=parameters,
        data={"run_type": run_type, **data},
        entry_id=name,
    )


@dataclass(frozen=True)
class Fitted:
    """The outcome of a calibration: what a correction with parameters is applied with.

    Parameters
    ----------
    values
        Name to value, of the parameters and of the figures that say how well they are known.
    elements
        Symbol to the computed energy of the element, eV/atom; empty if the engine brings its own.
    """

    values: Mapping[str, float]
    elements: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Correction:
    """One named correction.

    Parameters
    ----------
    name
        Name in the registry, with a version.
    source
        Paper or program.
    adds, holds_for, refuses
        For people: what is added, for which energies, and what is refused.
    scale
        What corrected energies are measured on; None if they stay on the engine's own.
    compatibility
        From the fit to pymatgen's Compatibility; None adds nothing. A correction without parameters
        does not look at the fit.
    calibration
        How its parameters are fitted (`gen2dft calibrate`); None if it has none.
    """

    name: str
    source: str
    adds: str
    holds_for: str
    refuses: str
    scale: str | None
    compatibility: Callable[[Fitted], Compatibility | None]
    calibration: Calibration | None = None

    @property
    def is_fitted(self) -> bool:
        """Whether parameters must be fitted first."""
        return self.calibration is not None

    def fitted_with(self, fitted: Fitted | None) -> Compatibility | None:
        """The Compatibility to apply; ThermoError if it needs a fit and there is none."""
        if self.is_fitted and fitted is None:
            raise ThermoError(
                f"correction {self.name!r} is not fitted yet: run `gen2dft calibrate` with the "
                "campaign first"
            )
        return self.compatibility(fitted or Fitted({}))


@dataclass(frozen=True)
class Adjustment:
    """What a correction adds to one energy.

    Parameters
    ----------
    per_atom
        eV/atom.
    uncertainty
        eV/atom; None if it is not known.
    parts
        Name of each part to eV/atom.
    warnings
        What the correction remarked.
    """

    per_atom: float = 0.0
    uncertainty: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def _mp2020(_: Fitted) -> Compatibility:
    from pymatgen.analysis.compatibility import MaterialsProject2020Compatibility

    # The presets pin the POTCARs; names of POTCARs are not part of every engine's documents.
    return MaterialsProject2020Compatibility(check_potcar=False)


NOTHING = Correction(
    NONE,
    "-",
    "nothing",
    "energies of one engine and one run type among themselves",
    "run types or engines that mix",
    None,
    compatibility=lambda _: None,
)
MP2020 = Correction(
    "mp2020-v1",
    "Wang et al., Sci. Rep. 11, 15496 (2021); pymatgen's MaterialsProject2020Compatibility",
    "-0.687 eV per O (peroxide -0.465, superoxide -0.161), other anions alike; -1.7 eV per V in "
    "oxides and fluorides, other metals with U alike",
    "VASP with the Materials Project's PBE POTCARs and U; cut-off and k-points are not looked at, "
    "and oxygen counts as peroxide where two O are close",
    "other run types than GGA and GGA+U; a wrong or missing U (PBE oxides of V, Cr, Mn, Fe, Co, "
    "Ni, Mo, W); surrogates that are corrected already",
    MATERIALS_PROJECT,
    compatibility=_mp2020,
)


def get_correction(name: str) -> Correction:
    """The correction of that name; ThermoError names the choices."""
    if name not in CORRECTIONS:
        raise ThermoError(not_one_of("correction", name, CORRECTIONS))
    return CORRECTIONS[name]()


def adjust(
    correction: str, calculation: Calculation, fitted: Fitted | None = None, name: str = "entry"
) -> Adjustment:
    """What a correction adds to one energy.

    Parameters
    ----------
    correction
        Name of the correction.
    calculation
        With an uncorrected energy.
    fitted
        Of a correction that is fitted.
    name
        Of the calculation, for messages.

    Raises
    ------
    CorrectionRefused
        If the correction does not hold for it; the message says why and what to do.
    ThermoError
        Unknown correction, or one that is not fitted yet.
    """
    from pymatgen.analysis.compatibility import CompatibilityError

    compatibility = get_correction(correction).fitted_with(fitted)
    if compatibility is None:
        return Adjustment()
    entry = entry_of(calculation, name)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        try:
            compatibility.process_entry(entry, on_error="raise")
        except CompatibilityError as err:
            raise CorrectionRefused(_refusal(correction, entry, err)) from err
    atoms, uncertainty = len(calculation.structure), entry.correction_uncertainty_per_atom
    return Adjustment(
        entry.correction_per_atom,
        None if math.isnan(uncertainty) else float(uncertainty),
        {part.name: part.value / atoms for part in entry.energy_adjustments},
        tuple(" ".join(str(remark.message).split()) for remark in remarks),
    )


def _refusal(correction: str, entry: ComputedStructureEntry, error: Exception) -> str:
    why = str(error).partition(" for {")[0]  # pymatgen's messages end with the whole entry
    return (
        f"correction {correction!r} does not hold for {entry.entry_id} ({entry.reduced_formula}): "
        f"{why}. Compute it "
        f"with a preset that fits ({get_correction(correction).holds_for}), or choose another "
        "validation.correction"
    )


def scale_of(name: str, engine: str, run_type: str | None, included: str | None = None) -> str:
    """The scale that corrected energies of an engine are on.

    Parameters
    ----------
    included
        Scale that the engine's energies are on by themselves, such as CHGNet's.
    """
    return (
        get_correction(name).scale
        or included
        or engine_scale(engine, RUN_TYPES.get(run_type or "", run_type))
    )


def refuse_twice(name: str, engine: str, included: str | None) -> None:
    """Refuse a correction for energies that carry it already; ThermoError says so."""
    correction = get_correction(name)
    if included is not None and correction.scale == included and not correction.is_fitted:
        raise ThermoError(
            f"correction {name!r} and engine {engine!r}: its energies are on scale {included!r} "
            "already, so the "
            "correction would count twice; set validation.correction: none"
        )


def table() -> str:
    """The corrections that ship as a Markdown table, for docs/corrections.md."""
    lines = ["| name | adds | holds for | refuses | scale | source |", "|---|---|---|---|---|---|"]
    for name in SHIPPED[GROUP]:
        correction = get_correction(name)
        scale = correction.scale or "the engine's own, by run type"
        texts = (correction.adds, correction.holds_for, correction.refuses)
        cells = " | ".join((f"`{name}`", *texts, scale, correction.source))
        lines.append(f"| {cells} |")
    return "\n".join(lines)
