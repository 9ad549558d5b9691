"""Choose which screened candidates are validated, within the budget."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

from gen2dft import learning, targets
from gen2dft.crystals import CrystalTable
from gen2dft.rounds.context import RoundContext, unpack_arrays
from gen2dft.rounds.propose import target_spreads
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import CandidateDoc, now


def select(context: RoundContext, surrogate_count: dict[str, object]) -> int:
    """Queue the batch and open the round for validation; how many were queued.

    Parameters
    ----------
    surrogate_count
        The surrogate stage's counters, which complete the funnel.
    """
    waiting = screened(context)
    values = predict_relaxed(context, waiting)
    spread = target_spreads(context)
    value = learning.ACQUISITIONS[context.spec.learning.acquisition](
        targets.merit(context.targets, values, spread) if waiting else np.zeros(0)
    )
    calls = sum(earlier.dispatch_size for earlier in context.store.rounds(context.campaign_id)[: context.index])
    size = learning.calls_left(context.spec.learning, calls)
    points = unpack_arrays(context.store.get_blob(str(context.round.latents_id)))["latents"]
    latents = points[[doc.latent_row for doc in waiting]] if waiting else points[:0]
    batch = learning.choose_batch(value, latents, context.spec.learning, size, context.rng(2))
    chosen_by = dict(zip(batch.rows, batch.chosen_by, strict=True))
    for row, doc in enumerate(waiting):
        state = "queued" if row in chosen_by else "rejected:not_selected"
        fields = {"score": float(value[row]), "selected_by": chosen_by.get(row)}
        predicted = {name: float(column[row]) for name, column in values.items()}
        context.store.move_candidate(context.campaign_id, doc.candidate_id, state, predicted=predicted, **fields)
    reasons = [None if row in chosen_by else "not_selected" for row in range(len(waiting))]
    funnel = [count.model_dump() for count in context.round.funnel if count.stage not in ("surrogate", "select")]
    context.store.move_round(
        context.campaign_id,
        context.index,
        "proposing",
        "validating",
        dispatched=now(),
        dispatch_size=len(chosen_by),
        funnel=[*funnel, surrogate_count, stage_count("select", reasons).model_dump()],
    )
    context.progress("validate", 0, len(chosen_by))
    return len(chosen_by)


def screened(context: RoundContext) -> list[CandidateDoc]:
    """Candidates of this round that passed the surrogate, in the order of their ids.

    Those an interrupted selection has already moved are among them, so that it chooses the same again.
    """
    states = ["sampled", "queued", "running", "labelled", "hit", "rejected:not_selected"]
    found = context.store.candidates(
        context.campaign_id, round_index=context.index, state={"$in": states}, surrogate={"$ne": None}
    )
    return list(found)


def predict_relaxed(context: RoundContext, waiting: list[CandidateDoc]) -> dict[str, np.ndarray]:
    """What is known of each relaxed candidate before validation: property heads, overruled by the surrogate."""
    if not waiting:
        return {name: np.zeros(0) for name in context.generator.properties}
    relaxed = CrystalTable.from_structures(Structure.from_dict((doc.surrogate or {})["structure"]) for doc in waiting)
    predicted = context.generator.predict(context.generator.encode(relaxed))
    values = {name: predicted[:, column] for column, name in enumerate(context.generator.properties)}
    for name in ("formation_energy", "e_above_hull"):
        values[name] = np.array([(doc.surrogate or {})[name] for doc in waiting])
    return values
