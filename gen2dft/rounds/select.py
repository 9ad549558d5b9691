"""Choose which screened candidates are validated, write the choice down, and carry it out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from gen2dft.crystal_documents import structure_of
from gen2dft.errors import StoreError
from gen2dft.loop.choose import Choice, choose
from gen2dft.loop.verdicts import Verdict
from gen2dft.rounds.arrays import unpack_arrays
from gen2dft.rounds.round import Round
from gen2dft.rounds.view import view_to_choose
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import CandidateDoc, now
from gen2dft.store.shapes import first_problem
from gen2dft.store.states import Kind, State

NOT_SELECTED = "not_selected"


def select(context: Round, surrogate_count: Mapping[str, object]) -> int:
    """Queue the batch and open the round for validation; how many were queued.

    The choice is written down before the first candidate moves. So an interrupted selection is
    carried out as it was made, whatever labels have arrived since, and the budget holds.

    Parameters
    ----------
    surrogate_count
        The surrogate stage's counters, which complete the funnel.
    """
    choices = chosen_once(context)
    moves = {choice.candidate_id: change_of(choice) for choice in choices}
    context.store.move_candidates(context.campaign_id, moves)
    reasons = [None if choice.by else NOT_SELECTED for choice in choices]
    number = sum(choice.by is not None for choice in choices)
    count = stage_count("select", reasons)
    funnel = [*_earlier_stages(context), surrogate_count, count.model_dump()]
    context.store.move_round(
        context.campaign_id,
        context.index,
        "proposing",
        "validating",
        dispatched=now(),
        dispatch_size=number,
        funnel=funnel,
    )
    context.progress("validate", 0, number)
    return number


def _earlier_stages(context: Round) -> list[dict[str, Any]]:
    """Stages of the funnel so far, without those that an interrupted selection wrote already."""
    stages = []
    for stage in context.document.funnel:
        if stage.stage not in ("surrogate", "select"):
            stages.append(stage.model_dump())
    return stages


def chosen_once(context: Round) -> list[Choice]:
    """The round's choice: made by the first caller, read by every other."""
    store = context.store
    if context.document.batch_id is None:
        view = view_to_choose(context)
        choices = choose(view, read_verdicts(context))
        listed = [asdict(choice) for choice in choices]
        content = json.dumps(listed).encode()
        blob_id = store.put_blob(content, "batch")
        store.set_round_once(context.campaign_id, context.index, "batch_id", blob_id)
    # Read back in any case: another caller may have been the first to write.
    batch_id = str(context.document.batch_id)
    return read_choices(store.get_blob(batch_id), f"blob {batch_id} of the selection")


def read_choices(data: bytes, origin: str) -> list[Choice]:
    """The choices in a blob; StoreError names `origin` if it holds none."""
    try:
        return TypeAdapter(list[Choice]).validate_json(data, strict=True)
    except ValidationError as err:
        problem = first_problem(err)
        raise StoreError(f"{origin} is damaged ({problem}); restore it from a backup") from err


def change_of(choice: Choice) -> dict[str, Any]:
    """Where a choice puts its candidate, and what it leaves there."""
    state = State(Kind.QUEUED) if choice.by else State.rejected(NOT_SELECTED)
    return {
        "state": state,
        "score": choice.score,
        "selected_by": choice.by,
        "predicted": choice.predicted,
    }


def read_verdicts(context: Round) -> list[Verdict]:
    """What the screen said of the candidates that it let through, in the order of their ids."""
    waiting = context.store.candidates(
        context.campaign_id, round_index=context.index, state="sampled", surrogate={"$ne": None}
    )
    first_source = context.spec.sources[0].label
    latents = read_latents(context)
    return [verdict_of(document, first_source, latents) for document in waiting]


def read_latents(context: Round) -> NDArray[np.float32]:
    """(m, d) latent vectors of the round's draws; empty where no source has a latent space."""
    blob_id = context.document.latents_id
    if blob_id is None:
        return np.zeros((0, 0), dtype=np.float32)
    arrays = unpack_arrays(context.store.get_blob(blob_id), f"blob {blob_id} of latent points")
    if "latents" not in arrays:
        raise StoreError(f"blob {blob_id} holds no latent points; restore it from a backup")
    return arrays["latents"]


def verdict_of(document: CandidateDoc, only_source: str, latents: NDArray[np.float32]) -> Verdict:
    """A screened candidate as the loop takes it.

    Parameters
    ----------
    only_source
        Source of candidates that name none: the first version knew one per campaign.
    """
    said = document.verdict
    structure = said.structure or document.structure or {}
    source = document.source or only_source
    values = {name: value for name, value in said.values.items() if value is not None}
    latent = None
    row = document.latent_row
    if row is not None and row < len(latents):
        latent = latents[row]
    return Verdict(
        candidate_id=document.candidate_id,
        arm=(source, document.arm),
        crystal=structure_of(structure),
        values=values,
        reason=said.reason,
        predicted=document.predicted,
        latent=latent,
        remark=said.remark,
        errors=said.errors,
        weight=document.weight,
    )
