"""Power factors computed from bands: kept beside the labels, with mesh, error estimate and the whole transport."""

from __future__ import annotations

from gen2dft.campaign import CampaignSpec
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationFailure
from gen2dft.rounds.context import RoundContext
from gen2dft.store.documents import LabelDoc, PowerFactorDoc
from gen2dft.store.store import Store
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import REDUCTIONS

NAME = "power_factor"
METAL = "metal"
BLOB = "transport"

Outcome = TransportDoc | CalculationFailure


def are_computed(spec: CampaignSpec) -> bool:
    """Whether the campaign asks for power factors and its engine computes bands."""
    return NAME in spec.head_properties and NAME in load_engine(spec.validation.engine).provides


def with_power_factor(context: RoundContext, label: LabelDoc, outcome: Outcome | None) -> LabelDoc:
    """The label with what the bands told of its crystal: power factor and gap, or why there is no power factor.

    Parameters
    ----------
    outcome
        Of the transport job; None if it left nothing.
    """
    if isinstance(outcome, TransportDoc):
        kept = keep(context.store, label, context.spec.transport.definition, outcome)
        values, said, spent = {**label.values, **kept.values}, list(outcome.warnings), outcome.core_hours
    else:
        failure = outcome or CalculationFailure(reason="no_bands", detail="no bands were computed")
        # Where occupied and empty bands overlap on the fine mesh there is no gap, whatever the coarse one showed.
        values = {**label.values, **({"band_gap": 0.0} if failure.reason == METAL else {})}
        said, spent = [f"no power factor: {failure.reason}: {failure.detail}"], failure.core_hours
    return label.model_copy(
        update={
            "values": values,
            "warnings": [*label.warnings, *said],
            "core_hours": label.core_hours + spent,
        }
    )


def keep(store: Store, label: LabelDoc, definition: str, transport: TransportDoc) -> PowerFactorDoc:
    """Write the power factor behind a label; it has the label's id.

    Parameters
    ----------
    definition
        Which power factor is the value; the others are kept too.
    """
    factors = {name: reduction.power_factor(transport) for name, reduction in REDUCTIONS.items()}
    series = transport.convergence
    document = PowerFactorDoc(
        id=label.id,
        campaign_id=label.campaign_id,
        candidate_id=label.candidate_id,
        formula=transport.formula,
        engine=label.engine,
        is_dft=label.is_dft,
        preset=label.preset,
        settings_hash=label.settings_hash,
        definition=definition,
        values={"band_gap": transport.band_gap, NAME: factors[definition]},
        power_factors=factors,
        relaxation_time=transport.relaxation_time,
        mesh=transport.mesh,
        spacing=transport.spacing,
        relative_error=series.relative_error if series else None,
        converged=series.converged if series else None,
        core_hours=transport.core_hours,
        warnings=list(transport.warnings),
        transport_id=store.put_blob(transport.model_dump_json().encode(), BLOB),
    )
    store.insert_new(document)
    return document


def transport_of(store: Store, document: PowerFactorDoc) -> TransportDoc:
    """The whole transport behind a power factor."""
    return TransportDoc.model_validate_json(store.get_blob(document.transport_id))
