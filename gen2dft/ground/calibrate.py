"""Reference phases computed by a campaign's own engine: what is kept of them, and the fit of its
correction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import CampaignSpec
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, Outcome
from gen2dft.engines.outcomes import core_hours, stage_problem
from gen2dft.errors import SettingsError, ThermoError
from gen2dft.ground.energies import uncorrected
from gen2dft.ground.hulls import presets, reference_calculation
from gen2dft.hashing import content_hash
from gen2dft.store.documents import CalibrationDoc, ReferenceDoc, fitted_fields
from gen2dft.thermo.calibration import Calibration, FitResult
from gen2dft.thermo.corrections import Fitted, adjust, get_correction
from gen2dft.thermo.formulas import reduced

if TYPE_CHECKING:
    from gen2dft.engines.base import Engine
    from gen2dft.ground.phases import Found
    from gen2dft.store.store import Store


@dataclass(frozen=True)
class Fit:
    """A correction that is to be fitted to references once they are all computed.

    Parameters
    ----------
    correction, engine, preset
        Names.
    keys
        Formula to id of the reference.
    """

    correction: str
    engine: str
    preset: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Reference:
    """A reference phase that one preset of an engine computes.

    Parameters
    ----------
    key
        Id of its document: a hash of structure, engine and settings.
    fit
        What it is computed for; None where no parameter is fitted.
    """

    key: str
    phase: Found
    engine: str
    preset: str
    fit: Fit | None = None


def references_of(spec: CampaignSpec, phases: Sequence[Found]) -> list[Reference]:
    """What is to be computed of the phases: each with every preset of the campaign."""
    engine = load_engine(spec.validation.engine)
    correction = get_correction(spec.validation.correction)
    references = []
    for preset in presets(spec):
        keys = {phase.formula: reference_key(engine, preset, phase) for phase in phases}
        fit = Fit(correction.name, engine.name, preset, keys) if correction.is_fitted else None
        for phase in phases:
            key = keys[phase.formula]
            references.append(Reference(key, phase, engine.name, preset, fit))
    return references


def reference_key(engine: Engine, preset: str, phase: Found) -> str:
    """Hash of structure, engine and settings: the same calculation makes the same document.

    24 hexadecimal digits.
    """
    settings_hash = engine.preset(preset).settings_hash
    structure = phase.structure.as_dict()
    content = [phase.name, structure, engine.name, settings_hash]
    return content_hash(json.dumps(content, sort_keys=True), digits=24)


def check_engine(
    spec: CampaignSpec, phases: Sequence[Found], *, works_here: bool
) -> tuple[str, ...]:
    """Check the engine for the elements of the phases.

    Returns
    -------
    What it lacks on this machine, though those that compute may have it.

    Raises
    ------
    SettingsError
        The same, if the work is to be done here; and, as CampaignError, what cannot work anywhere.
    """
    engine = load_engine(spec.validation.engine)
    symbols = set()
    for phase in phases:
        symbols |= {element.symbol for element in phase.structure.composition.elements}
    problems: list[str] = []
    for preset in presets(spec):
        problems += engine.check(preset, symbols)
    if problems and works_here:
        raise SettingsError(problems[0])
    return tuple(dict.fromkeys(problems))


def keep_reference(
    store: Store,
    key: str,
    phase: Mapping[str, str],
    calculations: Sequence[Outcome | None],
    *,
    known_stable: bool = True,
) -> ReferenceDoc:
    """Keep a computed reference phase.

    Parameters
    ----------
    phase
        Formula, name, origin, engine and preset.
    calculations
        In order, the last one with the final energy; None for one that left nothing.
    known_stable
        Whether its source calls it stable.

    Raises
    ------
    ThermoError
        If there is no result; the message names phase and reason.
    """
    problem = stage_problem(calculations)
    if problem is not None:
        raise ThermoError(
            f"reference phase {phase['formula']} ({phase['name']}) failed with engine "
            f"{phase['engine']!r}, preset {phase['preset']!r}: {problem.reason}: {problem.detail}; "
            "another structure of it can be given with --structures"
        )
    *_, final = [doc for doc in calculations if isinstance(doc, CalculationDoc)]
    document = ReferenceDoc(
        id=key, **phase, known_stable=known_stable, settings_hash=final.settings_hash,
        structure=final.structure.as_dict(verbosity=0), energy_per_atom=final.energy_per_atom,
        run_type=final.run_type, hubbards=dict(final.hubbards), warnings=list(final.warnings),
        core_hours=core_hours(calculations),
    )  # fmt: skip
    store.ensure_indices()
    store.insert_new(document)
    return document


def phase_fields(reference: Reference) -> dict[str, str]:
    """What a reference's document says of its phase."""
    phase = reference.phase
    return {
        "formula": phase.formula,
        "name": phase.name,
        "origin": phase.origin,
        "engine": reference.engine,
        "preset": reference.preset,
    }


def fit_if_complete(store: Store, fit: Fit) -> CalibrationDoc | None:
    """Fit a correction and keep the result, if all its references are computed.

    The same again adds nothing.

    Raises
    ------
    CorrectionRefused, ThermoError
        As `fit_calibration`.
    """
    computed = {}
    for formula, key in fit.keys.items():
        document = store.find(ReferenceDoc, key)
        if document is None:
            return None
        computed[formula] = document
    engine = load_engine(fit.engine)
    calibration = fit_calibration(engine, fit.preset, fit.correction, computed)
    store.insert_new(calibration)
    return calibration


def fits_of(store: Store, references: Sequence[Reference]) -> list[CalibrationDoc]:
    """The fits that computed references are for, one per preset.

    None for a correction without a parameter.
    """
    wanted = {}
    for reference in references:
        if reference.fit is not None:
            wanted[reference.preset] = reference.fit
    made = [fit_if_complete(store, fit) for fit in wanted.values()]
    return [calibration for calibration in made if calibration is not None]


def fit_fields(fit: Fit | None) -> dict[str, Any] | None:
    """A fit as plain values, as it passes through a job; `Fit(**fields)` is the way back."""
    return None if fit is None else asdict(fit)


def fit_calibration(
    engine: Engine, preset: str, correction: str, computed: Mapping[str, ReferenceDoc]
) -> CalibrationDoc:
    """Fit a correction to computed reference phases, by formula.

    Raises
    ------
    CorrectionRefused
        A phase was computed with settings that the correction does not hold for.
    ThermoError
        A correction without parameters, too few phases, or an element that DFT must compute is
        missing.
    """
    calibration = get_correction(correction).calibration
    if calibration is None:
        raise ThermoError(f"correction {correction!r} has no parameter to fit")
    elements = _element_energies(engine, calibration, computed)
    trial = Fitted(calibration.trial)
    energies = {}
    for phase in calibration.phases:
        document = computed.get(phase.formula)
        if document is None:
            continue
        entry = reference_calculation(document)
        # Refuses wrong settings before they are fitted.
        adjust(correction, entry, trial, document.name)
        composition = entry.structure.composition
        energy = uncorrected(engine, composition, entry.energy_per_atom, elements)
        energies[phase.formula] = energy
    result = calibration.fit(energies)
    made_with = {
        "correction": correction,
        "engine": engine.name,
        "is_dft": engine.is_dft,
        "preset": preset,
        "settings_hash": engine.preset(preset).settings_hash,
    }
    complete = len(result.rows) == len(calibration.phases)
    return _document(made_with, result, elements, computed, complete=complete)


def _element_energies(
    engine: Engine, calibration: Calibration, computed: Mapping[str, ReferenceDoc]
) -> dict[str, float]:
    """Symbol to computed energy, eV/atom; empty for a surrogate, whose references are its own."""
    if not engine.is_dft:
        return {}
    formulas = [phase.formula for phase in calibration.elements]
    missing = [formula for formula in formulas if formula not in computed]
    if missing:
        raise ThermoError(
            f"the fit needs the energy of {', '.join(missing)}, computed with engine "
            f"{engine.name!r}"
        )
    found = {}
    for formula in formulas:
        document = computed[formula]
        ((symbol, _),) = reduced(reference_calculation(document).structure.composition)
        found[symbol] = document.energy_per_atom
    return found


def _document(
    made_with: Mapping[str, Any],
    result: FitResult,
    elements: dict[str, float],
    computed: Mapping[str, ReferenceDoc],
    *,
    complete: bool,
) -> CalibrationDoc:
    """The document of a fit, under the hash of its content."""
    rows = [_row(row, computed[row["formula"]]) for row in result.rows]
    names = (made_with["correction"], made_with["engine"], made_with["settings_hash"])
    content = json.dumps([*names, *result.parameters.values(), elements, rows], sort_keys=True)
    fitted = fitted_fields({**result.parameters, **result.quality})
    return CalibrationDoc(
        id=content_hash(content, digits=16),
        elements=elements,
        rows=rows,
        complete=complete,
        **made_with,
        **fitted,
    )


def _row(row: Mapping[str, Any], document: ReferenceDoc) -> dict[str, Any]:
    """A row of a fit with where its phase is from."""
    return {**row, "name": document.name, "origin": document.origin}
