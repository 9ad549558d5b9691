"""The contract of a property step, for the tests of every step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gen2dft.flows.common import memory_store, run_here
from pymatgen.core import Structure

from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CalculationFailed
from gen2dft.properties import PROPERTIES, STATIC
from gen2dft.property_steps import STEPS, PropertyStep, StepOutcome, load_step, outcome_of

BROKEN = "contract_broken"
SHIFT = (0.113, 0.227, 0.339)  # of all atoms, in lattice vectors


def validate_property_step(
    step: PropertyStep,
    engine: str,
    preset: str,
    structure: Structure,
    settings: Mapping[str, Any] | None = None,
) -> float:
    """Hold a step to its contract.

    Parameters
    ----------
    step
        One whose outcome is what its last job gives (`keep` is not called).
    engine, preset
        What relaxes the crystal; an engine that the step runs on.
    structure
        A sane crystal that is not relaxed.
    settings
        As in `properties.NAME.settings` of a campaign file.

    Returns
    -------
    The property of the relaxed crystal.

    Raises
    ------
    CalculationFailed
        `contract_broken`: the definition is no good; a crystal gives no value, none that is finite,
        or another one when its atoms are shifted and named in another order; a calculation that
        failed or crashed before the step gives a value, or no reason.
    """
    _check_definition(step)
    if not step.runs_on(load_engine(engine)):
        raise CalculationFailed(BROKEN, f"step {step.name} does not run on engine {engine!r}")
    compute = partial(_computed, step, (engine, preset), settings or {})
    relaxed = _relaxed(engine, preset, structure)
    value = _value(step, compute(relaxed))
    rewritten = _written_otherwise(relaxed.structure)
    moved = relaxed.model_copy(update={"structure": rewritten})
    again = _value(step, compute(moved))
    if not math.isclose(value, again, rel_tol=0.01, abs_tol=1e-6):
        detail = f"{step.name} is {value:g}, but {again:g} with shifted and reordered atoms"
        raise CalculationFailed(BROKEN, detail)
    failure = CalculationFailure(reason="made_up", detail="the static calculation failed")
    for before in (failure, None):
        output = compute(before)
        _must_have_a_reason(step, output)
    return value


def _check_definition(step: PropertyStep) -> None:
    built_in = PROPERTIES.get(step.name)
    if built_in is not None and built_in.unit != step.unit:
        detail = f"{step.name} is built in, in {built_in.unit!r}, not in {step.unit!r}"
        raise CalculationFailed(BROKEN, detail)
    if step.after != STATIC and step.after not in STEPS:
        detail = f"step {step.name} comes after {step.after!r}, which is no step"
        raise CalculationFailed(BROKEN, detail)


def _relaxed(engine: str, preset: str, structure: Structure) -> CalculationDoc:
    """The static calculation of a relaxed crystal, as a campaign hands it to a step."""
    makers = makers_of(load_engine(engine), preset)
    relaxed = _run(makers.relax.make(structure))
    static = _run(makers.static.make(prev=relaxed))
    if not isinstance(static, CalculationDoc):
        raise CalculationFailed(BROKEN, f"engine {engine!r} cannot compute the crystal: {static}")
    return static


def _computed(
    step: PropertyStep, by: tuple[str, str], settings: Mapping[str, Any], static: Any
) -> Any:
    """The output of a step, after those that it waits for, which have their default settings.

    `by` names engine and preset.
    """
    before = None
    if step.after != STATIC:
        waited_for = load_step(step.after)
        before = _computed(waited_for, by, {}, static)
    read = None
    if step.settings:
        read = step.settings.model_validate(settings)
    build = step.maker(*by, read)
    work = build(static, before)
    return _run(work)


def _run(work: Any) -> Any:
    with TemporaryDirectory() as folder:
        return run_here(work, Path(folder), memory_store())


def _value(step: PropertyStep, output: Any) -> float:
    outcome = _outcome(output)
    if step.name not in outcome.values:
        detail = f"step {step.name} gives no value: {outcome.reason}: {outcome.detail}"
        raise CalculationFailed(BROKEN, detail)
    unknown = sorted(set(outcome.values) - {step.name, *PROPERTIES, *STEPS})
    if unknown:
        detail = f"nobody says the unit of {', '.join(unknown)}, which step {step.name} gives"
        raise CalculationFailed(BROKEN, detail)
    return outcome.values[step.name]


def _must_have_a_reason(step: PropertyStep, output: Any) -> None:
    outcome = _outcome(output)
    if outcome.values or outcome.reason is None:
        detail = f"step {step.name} hides that the calculation before it failed"
        raise CalculationFailed(BROKEN, detail)


def _outcome(output: Any) -> StepOutcome:
    """The outcome that a label would take."""
    store = made = None  # of no use for the outcome alone
    return outcome_of(store, made, None, output)  # type: ignore[arg-type]


def _written_otherwise(structure: Structure) -> Structure:
    """The same crystal with its atoms shifted together and in reverse order."""
    shifted = structure.copy()
    rows = list(range(len(shifted)))
    shifted.translate_sites(rows, SHIFT)
    sites = [shifted[row] for row in reversed(rows)]
    return Structure.from_sites(sites)
