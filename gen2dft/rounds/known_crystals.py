"""A candidate whose crystal was computed before is ingested without a new calculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen2dft.crystal_documents import structure_of
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.property_steps import step_names
from gen2dft.rounds.competing import COMPETING
from gen2dft.rounds.ingest import label_or_failure, wants_refinement, write
from gen2dft.rounds.reuse import settings_hashes, start_of
from gen2dft.rounds.round import Round
from gen2dft.rounds.stored_transport import stored_outcome
from gen2dft.screening.same import same_crystal
from gen2dft.store.documents import LabelDoc, PowerFactorDoc
from gen2dft.transport import POWER_FACTOR


def ingest_known(
    context: Round, candidate_id: str, competing: Mapping[str, Any] | None = None
) -> str | None:
    """Ingest a candidate whose crystal was computed before; its new state, None if it was not.

    Parameters
    ----------
    competing
        What its competing phases came to.
    """
    label = known_label(context, candidate_id, competing)
    return None if label is None else write(context, candidate_id, label)


def known_label(
    context: Round, candidate_id: str, competing: Mapping[str, Any] | None = None
) -> LabelDoc | CalculationFailure | None:
    """The label of a candidate whose crystal was computed before with this campaign's settings.

    None if it was not.

    A campaign with property steps computes afresh, since only calculations are kept, not the files
    that steps read; stored transport serves for power factors.
    """
    steps = step_names(context.spec)
    if steps - {POWER_FACTOR}:
        return None
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    start = start_of(candidate)
    formula = start.composition.reduced_formula
    engine = context.spec.validation.engine
    wanted = settings_hashes(context)
    for known in context.store.calculations(engine, wanted[0], formula):
        if not same_crystal(start, structure_of(known.start)):
            continue
        calculations = [_free(data) for data in known.calculations]
        refined = [_free(data) for data in known.refined]
        refines = wants_refinement(context, candidate_id, calculations)
        hashes = [calc.settings_hash for calc in refined[-1:]]
        if refines and hashes != wanted[1:]:
            continue  # it was never refined, or with other settings
        last_stage = refined if refines else ()
        outcomes: dict[str, Any] = {COMPETING: competing}
        if steps:
            earlier = context.store.find(PowerFactorDoc, known.label_id)
            transport = stored_outcome(context.store, earlier, context.spec.transport)
            if transport is None:
                continue
            outcomes[POWER_FACTOR] = transport
        label = label_or_failure(context, candidate_id, calculations, last_stage, outcomes)
        if isinstance(label, LabelDoc):
            label = label.model_copy(update={"reused_from": known.label_id})
        return label
    return None


def _free(data: dict[str, Any]) -> CalculationDoc:
    """A kept calculation; this time it costs nothing."""
    calculation = CalculationDoc.model_validate(data)
    return calculation.model_copy(update={"core_hours": 0.0})
