"""Power factors computed from bands: kept beside the labels, with mesh, error estimate and the
whole transport.
"""

from __future__ import annotations

from typing import NamedTuple

from gen2dft.campaign import CampaignSpec
from gen2dft.datasets.computed_labels import METAL
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationFailure
from gen2dft.rounds.context import RoundContext
from gen2dft.store.documents import LabelDoc, PowerFactorDoc
from gen2dft.store.store import Store
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import REDUCTIONS

NAME = "power_factor"

Outcome = TransportDoc | CalculationFailure


class Made(NamedTuple):
    """For which candidate something was computed, and by what.

    `id` is that of a label of the same.
    """

    id: str
    campaign_id: str
    candidate_id: str
    formula: str
    engine: str
    is_dft: bool
    preset: str
    settings_hash: str


def are_computed(spec: CampaignSpec) -> bool:
    """Whether the campaign asks for power factors and its engine computes bands."""
    return NAME in spec.head_properties and NAME in load_engine(spec.validation.engine).provides


def with_power_factor(context: RoundContext, label: LabelDoc, outcome: Outcome | None) -> LabelDoc:
    """The label with what the bands told of its crystal: power factor and gap, or why there is no
    power factor.

    Parameters
    ----------
    outcome
        Of the transport job; None if it left nothing.
    """
    found = outcome or CalculationFailure(reason="no_bands", detail="no bands were computed")
    formula = context.store.candidate(context.campaign_id, label.candidate_id).formula or ""
    made = Made(
        label.id, label.campaign_id, label.candidate_id, formula,
        label.engine, label.is_dft, label.preset, label.settings_hash,
    )  # fmt: skip
    kept = keep(context.store, made, context.spec.transport.definition, found)
    said = (
        kept.warnings if kept.reason is None else [f"no power factor: {kept.reason}: {kept.detail}"]
    )
    return label.model_copy(
        update={
            "values": {**label.values, **kept.values},
            "warnings": [*label.warnings, *said],
            "core_hours": label.core_hours + kept.core_hours,
        }
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
        values={"band_gap": outcome.band_gap, NAME: factors[definition]},
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
