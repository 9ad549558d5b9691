"""Power factors computed from bands: kept beside the labels, with mesh, error estimate and the
whole transport.
"""

from __future__ import annotations

from gen2dft.campaign import TransportSpec
from gen2dft.datasets.computed_labels import METAL
from gen2dft.engines.base import CalculationFailure, Engine
from gen2dft.property_steps import Made, StepOutcome
from gen2dft.store.documents import PowerFactorDoc
from gen2dft.store.store import Store
from gen2dft.transport import POWER_FACTOR
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import REDUCTIONS

Outcome = TransportDoc | CalculationFailure


def gives_bands(engine: Engine) -> bool:
    """Whether an engine computes bands."""
    return engine.read_bands is not None


def kept_outcome(
    store: Store, made: Made, settings: TransportSpec, output: Outcome | None
) -> StepOutcome:
    """Keep a power factor, or why there is none, and give the label's part of it.

    Parameters
    ----------
    output
        Of the transport job; None if it left nothing.
    """
    nothing = CalculationFailure(reason="no_bands", detail="no bands were computed")
    kept = keep(store, made, settings.definition, output or nothing)
    return StepOutcome(
        **kept.model_dump(include={"values", "warnings", "core_hours", "reason", "detail"})
    )


def keep(store: Store, made: Made, definition: str, outcome: Outcome) -> PowerFactorDoc:
    """Write a power factor, or why there is none.

    Parameters
    ----------
    definition
        Which power factor is the value; the others are kept too.
    """
    if isinstance(outcome, CalculationFailure):
        # Where occupied and empty bands overlap on the fine mesh there is no gap, whatever the
        # coarse one showed.
        values = {"band_gap": 0.0} if outcome.reason == METAL else {}
        document = PowerFactorDoc(
            **made._asdict(),
            definition=definition,
            values=values,
            core_hours=outcome.core_hours,
            reason=outcome.reason,
            detail=outcome.detail,
        )
        store.insert_new(document)
        return document
    factors = {name: reduction.power_factor(outcome) for name, reduction in REDUCTIONS.items()}
    series = outcome.convergence
    document = PowerFactorDoc(
        **{**made._asdict(), "formula": outcome.formula},
        definition=definition,
        values={"band_gap": outcome.band_gap, POWER_FACTOR: factors[definition]},
        power_factors=factors,
        relaxation_time=outcome.relaxation_time,
        mesh=outcome.mesh,
        spacing=outcome.spacing,
        relative_error=series.relative_error if series else None,
        converged=series.converged if series else None,
        core_hours=outcome.core_hours,
        warnings=list(outcome.warnings),
        transport_id=store.put_blob(outcome.model_dump_json().encode(), "transport"),
    )
    store.insert_new(document)
    return document
