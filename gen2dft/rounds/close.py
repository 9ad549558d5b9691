"""Close a round exactly once, count its last stages, and decide whether the campaign goes on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from gen2dft.funnel import StageCount
from gen2dft.ledger import read_ledger
from gen2dft.loop.stopping import counts, stop_reason
from gen2dft.properties import ENERGIES
from gen2dft.rounds.begin import begin_round
from gen2dft.rounds.distinct import distinct_stage, mark_repeats
from gen2dft.rounds.judging import Said, missed_target
from gen2dft.rounds.round import Round
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import EVIDENCE_FIELDS, RoundDoc, now, stored_evidence
from gen2dft.store.states import LABELLED_STATES, OPEN_STATES, State

# of candidates that a round did not wait for; a late label is welcome all the same
UNFINISHED = "unfinished"
UNANSWERED = "unanswered"  # the same where results are told


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
        reason, detail = _left_open(context), "the round's deadline passed first"
        context.store.give_up_open(context.campaign_id, reason, detail, context.index)
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


def _left_open(context: Round) -> str:
    """Why a candidate is given up that the round did not wait for."""
    return UNANSWERED if context.spec.validates_elsewhere else UNFINISHED


def may_close(context: Round, document: RoundDoc) -> bool:
    """Whether enough candidates have finished, or the deadline has passed.

    The last round of a campaign with a DFT engine waits for all: no training waits for it, and what
    is still open when a campaign ends is given up.
    """
    if _is_last_of_dft(context):
        rounds = range(context.index + 1)
        still_open = sum(context.store.count_open(context.campaign_id, i) for i in rounds)
        return not still_open or is_late(context, document)
    needed = math.ceil(context.spec.quorum * document.dispatch_size - 1e-9)
    unneeded = document.dispatch_size - needed
    return context.store.count_open(context.campaign_id, context.index) <= unneeded or is_late(
        context, document
    )


def _is_last_of_dft(context: Round) -> bool:
    spec = context.spec
    is_last = context.index + 1 >= spec.learning.rounds
    return is_last and spec.validates_by_dft


def is_late(context: Round, document: RoundDoc) -> bool:
    """Whether the round's deadline has passed."""
    hours = context.spec.learning.deadline_hours
    if hours is None or document.dispatched is None:
        return False
    elapsed = now() - document.dispatched.replace(tzinfo=UTC)
    return elapsed > timedelta(hours=hours)


def last_stages(context: Round) -> tuple[StageCount, ...]:
    """Counters of validation, of the targets and of distinct crystals, as they stand now.

    Everything is asked for once and without structures: the embedded database reads 3,000 documents
    a second.
    """
    ended = _ended(context)
    # The campaign's verdict is by its own labels.
    place: dict[str, Any] = {"round_index": context.index, "by_hand": {"$ne": True}}
    fields = ("candidate_id", "engine", "values", "basis", "decomposition.energy")
    labels = context.store.label_fields(context.campaign_id, fields, **place)
    first = {label["candidate_id"]: label for label in reversed(labels)}
    validated = []
    missed = []
    met = []
    for candidate in ended:
        state = State.parse(candidate["state"])
        validated.append(_validation_reason(context, state))
        if not state.is_labelled:
            continue
        reason = _target_reason(context, candidate, first)
        missed.append(reason)
        if reason is None:
            met.append(candidate["candidate_id"])
    return (
        stage_count("validate", validated),
        stage_count("targets", missed),
        distinct_stage(context, met),
    )


def _ended(context: Round) -> list[dict[str, Any]]:
    """The round's candidates that were dispatched, then those that were given up, some fields of
    each.
    """
    place: dict[str, Any] = {"round_index": context.index}
    of_the_screen = [f"surrogate.{name}" for name in ("engine", *ENERGIES)]
    fields = ("candidate_id", "state", "predicted", *of_the_screen)
    dispatched = {"$in": [*OPEN_STATES, *LABELLED_STATES]}
    ended = context.store.candidate_fields(context.campaign_id, fields, **place, state=dispatched)
    given_up = {"$gte": "given_up:", "$lt": "given_up;"}
    ended += context.store.candidate_fields(
        context.campaign_id, ("state",), **place, state=given_up
    )
    return ended


def _target_reason(
    context: Round, candidate: Mapping[str, Any], labels: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Which target a labelled candidate misses; None for one that is about to become a hit."""
    if candidate["state"] == "hit":
        return None
    label = labels[candidate["candidate_id"]]
    missed = missed_target(context, Said.of(candidate, label))
    if missed is None:
        return None
    return f"misses_{missed}"


def _validation_reason(context: Round, state: State) -> str | None:
    if state.is_labelled:
        return None
    return state.reason or _left_open(context)


def go_on(context: Round) -> None:
    """Begin the next round, or finish the campaign by its rules; doing it again changes nothing."""
    store, spec = context.store, context.spec.learning
    stored = store.hit_fields(context.campaign_id, ("round_index", *EVIDENCE_FIELDS))
    hits = [hit for hit in stored if counts(spec, stored_evidence(hit))]
    found = Counter(hit["round_index"] for hit in hits)
    per_round = [found[index] for index in range(context.index + 1)]
    rounds = store.rounds(context.campaign_id)
    calls = sum(document.dispatch_size for document in rounds)
    core_hours = 0.0
    # Without a limit nobody need add up the costs of all candidates.
    if spec.budget.core_hours is not None:
        ledger = read_ledger(store, context.campaign_id)
        core_hours = ledger.whole.validation
    reason = stop_reason(spec, per_round, calls, core_hours)
    if reason is None:
        begin_round(store, context.campaign_id, context.index + 1)
        return
    store.give_up_open(context.campaign_id, _left_open(context), "the campaign ended first")
    store.finish_campaign(context.campaign_id, reason)
