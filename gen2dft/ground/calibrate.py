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
from gen2dft.engines.outcomes import stage_problem
from gen2dft.errors import SettingsError, ThermoError
from gen2dft.ground.energies import uncorrected
from gen2dft.ground.hulls import presets, reference_calculation
from gen2dft.hashing import content_hash
from gen2dft.store.documents import CalibrationDoc, ReferenceDoc
from gen2dft.thermo.corrections import Fitted, adjust, get_correction
from gen2dft.thermo.hull import reduced
from gen2dft.thermo.noh2019 import VanadiumFit, fit_vanadium
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES

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
    engine, correction = load_engine(spec.validation.engine), spec.validation.correction
    found = []
    for preset in presets(spec):
        keys = {phase.formula: reference_key(engine, preset, phase) for phase in phases}
        fit = (
            Fit(correction, engine.name, preset, keys)
            if get_correction(correction).is_fitted
            else None
        )
        found += [
            Reference(keys[phase.formula], phase, engine.name, preset, fit) for phase in phases
        ]
    return found


def reference_key(engine: Engine, preset: str, phase: Found) -> str:
    """Hash of structure, engine and settings: the same calculation makes the same document.

    24 hexadecimal digits.
    """
    settings_hash = engine.preset(preset).settings_hash
    content = json.dumps(
        [phase.name, phase.structure.as_dict(), engine.name, settings_hash], sort_keys=True
    )
    return content_hash(content, digits=24)


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
    symbols = {
        element.symbol for phase in phases for element in phase.structure.composition.elements
    }
    problems = tuple(
        dict.fromkeys(p for preset in presets(spec) for p in engine.check(preset, symbols))
    )
    if problems and works_here:
        raise SettingsError(problems[0])
    return problems


def keep_reference(
    store: Store, key: str, phase: Mapping[str, str], calculations: Sequence[Outcome | None]
) -> ReferenceDoc:
    """Keep a computed reference phase.

    Parameters
    ----------
    phase
        Formula, name, origin, engine and preset.
    calculations
        In order, the last one with the final energy; None for one that left nothing.

    Raises
    ------
    ThermoError
        If there is no result; the message names phase and reason.
    """
    if (problem := stage_problem(calculations)) is not None:
        raise ThermoError(
            f"reference phase {phase['formula']} ({phase['name']}) failed with engine "
            f"{phase['engine']!r}, preset "
            f"{phase['preset']!r}: {problem.reason}: {problem.detail}; another structure of it can "
            "be given with "
            "--structures"
        )
    final = [
        calculation for calculation in calculations if isinstance(calculation, CalculationDoc)
    ][-1]
    document = ReferenceDoc(
        id=key, **phase, known_stable=True, settings_hash=final.settings_hash,
        structure=final.structure.as_dict(verbosity=0), energy_per_atom=final.energy_per_atom,
        run_type=final.run_type, hubbards=dict(final.hubbards), warnings=list(final.warnings),
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
    documents = {formula: store.find(ReferenceDoc, key) for formula, key in fit.keys.items()}
    computed = {
        formula: document for formula, document in documents.items() if document is not None
    }
    if len(computed) < len(documents):
        return None
    calibration = fit_calibration(load_engine(fit.engine), fit.preset, fit.correction, computed)
    store.insert_new(calibration)
    return calibration


def fits_of(store: Store, references: Sequence[Reference]) -> list[CalibrationDoc]:
    """The fits that computed references are for, one per preset.

    None for a correction without a parameter.
    """
    wanted = {
        reference.preset: reference.fit for reference in references if reference.fit is not None
    }
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
        Too few phases, or an element that DFT must compute is missing.
    """
    elements = _element_energies(engine, computed)
    known = {
        phase.formula: phase.formation_energy
        for phase in OXIDES
        if phase.formation_energy is not None
    }
    energies = {}
    for formula in known.keys() & computed.keys():
        phase = reference_calculation(computed[formula])
        # Refuses wrong settings before they are fitted.
        adjust(correction, phase, Fitted(0.0, 0.0), computed[formula].name)
        composition = phase.structure.composition
        energies[formula] = uncorrected(engine, composition, phase.energy_per_atom, elements)
    fit = fit_vanadium(
        {formula: energies[formula] for formula in known if formula in energies}, known
    )
    return _document(fit, engine, preset, correction, elements, computed)


def _element_energies(engine: Engine, computed: Mapping[str, ReferenceDoc]) -> dict[str, float]:
    """Symbol to computed energy, eV/atom; empty for a surrogate, whose references are its own."""
    if not engine.is_dft:
        return {}
    if missing := [phase.formula for phase in ELEMENTS if phase.formula not in computed]:
        raise ThermoError(
            f"the fit needs the energy of {', '.join(missing)}, computed with engine "
            f"{engine.name!r}"
        )
    found = {}
    for phase in ELEMENTS:
        ((symbol, _),) = reduced(
            reference_calculation(computed[phase.formula]).structure.composition
        )
        found[symbol] = computed[phase.formula].energy_per_atom
    return found


def _document(
    fit: VanadiumFit,
    engine: Engine,
    preset: str,
    correction: str,
    elements: dict[str, float],
    computed: Mapping[str, ReferenceDoc],
) -> CalibrationDoc:
    rows = [
        {**vars(row), "name": computed[row.formula].name, "origin": computed[row.formula].origin}
        for row in fit.rows
    ]
    settings_hash = engine.preset(preset).settings_hash
    content = json.dumps(
        [correction, engine.name, settings_hash, fit.de_v, elements, rows], sort_keys=True
    )
    return CalibrationDoc(
        id=content_hash(content, digits=16),
        correction=correction,
        engine=engine.name,
        is_dft=engine.is_dft,
        preset=preset,
        settings_hash=settings_hash,
        de_v=fit.de_v,
        standard_error=fit.standard_error,
        confidence=fit.confidence,
        rms=fit.rms,
        elements=elements,
        rows=rows,
        complete=len(rows) == len(OXIDES),
    )
