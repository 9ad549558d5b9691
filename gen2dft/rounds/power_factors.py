"""Power factors computed from bands: kept beside the labels, with mesh, error estimate and the
whole transport.
"""

from __future__ import annotations

from typing import Any

from gen2dft.campaign import TransportSpec
from gen2dft.datasets.computed_labels import METAL
from gen2dft.definitions import definition_of
from gen2dft.engines.base import CalculationFailure, Engine
from gen2dft.property_steps import Made, StepOutcome
from gen2dft.store.documents import PowerFactorDoc
from gen2dft.store.store import Store
from gen2dft.transport import POWER_FACTOR
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.doubts import doubts_of
from gen2dft.transport.programs import check_program
from gen2dft.transport.reductions import factor_in, factors_by_definition, remarks_on

Outcome = TransportDoc | CalculationFailure


def gives_bands(engine: Engine) -> bool:
    """Whether an engine computes bands."""
    return engine.read_bands is not None


def program_is_here(settings: TransportSpec) -> None:
    """PluginMissing, with the remedy, if the program of the transport is not installed here."""
    check_program(settings.program)


def kept_outcome(
    store: Store, made: Made, settings: TransportSpec, output: Outcome | None
) -> StepOutcome:
    """Keep a power factor, or why there is none, and give the label's part of it.

    Parameters
    ----------
    output
        Of the transport job; None if it left nothing.
    """
    if not output:
        output = CalculationFailure(reason="no_bands", detail="no bands were computed")
    kept = keep(store, made, settings.definition, output)
    shared = set(StepOutcome.model_fields)
    told = kept.model_dump(include=shared)
    return StepOutcome(**told)


def keep(store: Store, made: Made, definition: str, outcome: Outcome) -> PowerFactorDoc:
    """Write a power factor, or why there is none.

    Parameters
    ----------
    definition
        Which power factor is the value; the others are kept too.
    """
    if isinstance(outcome, CalculationFailure):
        document = _without_factor(made, definition, outcome)
    else:
        document = _with_factor(made, definition, outcome)
        # A blob is named by its content: a repeated ingest writes the same one.
        whole = outcome.model_dump_json().encode()
        blob_id = store.put_blob(whole, "transport")
        document = document.model_copy(update={"transport_id": blob_id})
    store.insert_new(document)
    return document


def _without_factor(made: Made, definition: str, failure: CalculationFailure) -> PowerFactorDoc:
    # Where occupied and empty bands overlap on the fine mesh there is no gap, whatever the coarse
    # one showed.
    values = {"band_gap": 0.0} if failure.reason == METAL else {}
    return PowerFactorDoc(
        **made._asdict(),
        definition=definition,
        values=values,
        core_hours=failure.core_hours,
        costs=failure.costs,
        reason=failure.reason,
        detail=failure.detail,
    )


def _with_factor(made: Made, definition: str, transport: TransportDoc) -> PowerFactorDoc:
    meaning = definition_of(definition)
    factors = factors_by_definition(transport, meaning)
    found = factor_in(transport, meaning)
    values = {"band_gap": transport.band_gap, POWER_FACTOR: found.value}
    made = made._replace(formula=transport.formula)
    return PowerFactorDoc(
        **made._asdict(),
        definition=definition,
        values=values,
        doubts=doubts_of(transport, meaning.temperature),
        power_factors=factors,
        carrier=found.point.carrier,
        temperature=found.point.temperature,
        doping=found.point.doping,
        scissor=transport.scissor,
        relaxation_time=transport.relaxation_time,
        program=transport.program,
        program_version=transport.program_version,
        mesh=transport.mesh,
        spacing=transport.spacing,
        **_stated_error(transport, abs(factors[definition])),
        core_hours=transport.core_hours + transport.transport_hours,
        costs={"bands": transport.core_hours, "transport": transport.transport_hours},
        warnings=[*transport.warnings, *remarks_on(found, meaning, transport)],
    )


def _stated_error(transport: TransportDoc, factor: float) -> dict[str, Any]:
    """Fields of a PowerFactorDoc that the series of meshes decides.

    Parameters
    ----------
    factor
        Size of the power factor, in its unit.
    """
    series = transport.convergence
    if series is None:
        return {}
    found: dict[str, Any] = {"relative_error": series.relative_error, "converged": series.converged}
    if series.relative_error is not None:
        found["errors"] = {POWER_FACTOR: series.relative_error * factor}
    return found
