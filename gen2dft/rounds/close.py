"""Close a round exactly once, count its last stages, and decide whether the campaign goes on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from gen2dft.funnel import StageCount
from gen2dft.ledger import read_ledger
from gen2dft.loop.stopping import stop_reason
from gen2dft.rounds.begin import begin_round
from gen2dft.rounds.distinct import distinct_stage, mark_repeats
from gen2dft.rounds.judging import missed_target
from gen2dft.rounds.round import Round
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import RoundDoc, now
from gen2dft.store.states import LABELLED_STATES, OPEN_STATES, State

# of candidates that a round did not wait for; a late label is welcome all the same
UNFINISHED = "unfinished"


def try_close(context: Round) -> bool:
    """Close the round if its quorum or deadline is reached, then begin the next or finish the
    campaign.

    True for exactly one caller. What a killed caller left undone is done by the next one.
    """
    document = context.document
    ends = document.state == "validating" and may_close(context, document)
    if ends or document.state == "closed":  # then a straggler may have become a hit
        mark_repeats(context)
    closed = ends and _close(context, document)
    # Not only the caller that closed it: that one may have been killed before it went on.
    if context.document.state == "closed":
        go_on(context)
    return closed


def _close(context: Round, document: RoundDoc) -> bool:
    """Count the last stages and close the round; True for exactly one caller."""
    if is_late(context, document):
        context.store.give_up_open(
            context.campaign_id, UNFINISHED, "the round's deadline passed first", context.index
        )
    counts = [*document.funnel, *last_stages(context)]
    ended = now()
    started = document.dispatched.replace(tzinfo=UTC) if document.dispatched else ended
    return context.store.move_round(
        context.campaign_id,
        context.index,
        "validating",
        "closed",
        closed=ended,
        funnel=[count.model_dump() for count in counts],
        seconds={**document.seconds, "validate": (ended - started).total_seconds()},
    )


def may_close(context: Round, document: RoundDoc) -> bool:
    """Whether enough candidates have finished, or the deadline has passed."""
    needed = math.ceil(context.spec.learning.quorum * document.dispatch_size - 1e-9)
    unneeded = document.dispatch_size - needed
    return context.store.count_open(context.campaign_id, context.index) <= unneeded or is_late(
        context, document
    )


def is_late(context: Round, document: RoundDoc) -> bool:
    """Whether the round's deadline has passed."""
    hours = context.spec.learning.deadline_hours
    if hours is None or document.dispatched is None:
        return False
    return now() - document.dispatched.replace(tzinfo=UTC) > timedelta(hours=hours)


def last_stages(context: Round) -> tuple[StageCount, ...]:
    """Counters of validation, of the targets and of distinct crystals, as they stand now.

    Everything is asked for once and without structures: the embedded database reads 3,000 documents
    a second.
    """
    place: dict[str, Any] = {"round_index": context.index}
    fields = ("candidate_id", "state", "predicted")
    ended = context.store.candidate_fields(
        context.campaign_id, fields, **place, state={"$in": [*OPEN_STATES, *LABELLED_STATES]}
    )
    ended += context.store.candidate_fields(
        context.campaign_id, ("state",), **place, state={"$gte": "given_up:", "$lt": "given_up;"}
    )
    labels = context.store.label_fields(
        context.campaign_id, ("candidate_id", "engine", "values"), **place
    )
    first = {label["candidate_id"]: label for label in reversed(labels)}
    validated = [_validation_reason(State.parse(doc["state"])) for doc in ended]
    labelled = [doc for doc in ended if doc["state"] in LABELLED_STATES]
    missed = [
        None if doc["state"] == "hit" else _target_reason(context, doc, first) for doc in labelled
    ]
    met = [
        doc["candidate_id"] for doc, reason in zip(labelled, missed, strict=True) if reason is None
    ]
    return (
        stage_count("validate", validated),
        stage_count("targets", missed),
        distinct_stage(context, met),
    )


def _target_reason(
    context: Round, candidate: Mapping[str, Any], labels: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Which target a labelled candidate misses; None for one that is about to become a hit."""
    label = labels[candidate["candidate_id"]]
    missed = missed_target(context, candidate["predicted"], label["engine"], label["values"])
    return None if missed is None else f"misses_{missed}"


def _validation_reason(state: State) -> str | None:
    if state.is_labelled:
        return None
    return state.reason or UNFINISHED


def go_on(context: Round) -> None:
    """Begin the next round, or finish the campaign by its rules; doing it again changes nothing."""
    spec = context.spec.learning
    found = Counter(
        hit["round_index"]
        for hit in context.store.hit_fields(context.campaign_id, ("round_index",))
    )
    per_round = [found[index] for index in range(context.index + 1)]
    calls = sum(document.dispatch_size for document in context.store.rounds(context.campaign_id))
    limited = (
        spec.budget.core_hours is not None
    )  # else nobody need add up what all candidates have cost
    core_hours = (
        read_ledger(context.store, context.campaign_id).whole.validation if limited else 0.0
    )
    reason = stop_reason(spec, per_round, calls, core_hours)
    if reason is None:
        begin_round(context.store, context.campaign_id, context.index + 1)
    else:
        context.store.give_up_open(context.campaign_id, UNFINISHED, "the campaign ended first")
        context.store.finish_campaign(context.campaign_id, reason)
