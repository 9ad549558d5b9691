"""Close a round exactly once, count its last stages, and decide whether the campaign goes on."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, timedelta

from gen2dft import learning
from gen2dft.funnel import StageCount
from gen2dft.ledger import read_ledger
from gen2dft.rounds.begin import begin_round
from gen2dft.rounds.context import RoundContext
from gen2dft.rounds.ingest import missed_target
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import CandidateDoc, RoundDoc, now

AT_ONCE = 500  # candidates in memory while a round is counted
UNFINISHED = "unfinished"  # of candidates that a round did not wait for; a late label is welcome all the same


def try_close(context: RoundContext) -> bool:
    """Close the round if its quorum or deadline is reached, then begin the next or finish the campaign.

    True for exactly one caller. What a killed caller left undone is done by the next one.
    """
    document = context.round
    if document.state == "validating" and may_close(context, document):
        if is_late(context, document):
            context.store.give_up_open(
                context.campaign_id, UNFINISHED, "the round's deadline passed first", context.index
            )
        funnel = [*(count.model_dump() for count in document.funnel), *(c.model_dump() for c in last_stages(context))]
        started = document.dispatched.replace(tzinfo=UTC) if document.dispatched else now()
        seconds = {**document.seconds, "validate": (now() - started).total_seconds()}
        closed = context.store.move_round(
            context.campaign_id, context.index, "validating", "closed", closed=now(), funnel=funnel, seconds=seconds
        )
    else:
        closed = False
    if context.round.state == "closed":
        go_on(context)
    return closed


def may_close(context: RoundContext, document: RoundDoc) -> bool:
    """Whether enough candidates have finished, or the deadline has passed."""
    needed = math.ceil(context.spec.learning.quorum * document.dispatch_size - 1e-9)
    unneeded = document.dispatch_size - needed
    return context.store.count_open(context.campaign_id, context.index) <= unneeded or is_late(context, document)


def is_late(context: RoundContext, document: RoundDoc) -> bool:
    """Whether the round's deadline has passed."""
    hours = context.spec.learning.deadline_hours
    if hours is None or document.dispatched is None:
        return False
    return now() - document.dispatched.replace(tzinfo=UTC) > timedelta(hours=hours)


def last_stages(context: RoundContext) -> tuple[StageCount, StageCount]:
    """Counters of validation and of the targets, as they stand now."""
    states = ["queued", "running", "labelled", "hit"]
    query = {"$or": [{"state": {"$in": states}}, {"state": {"$regex": "^given_up:"}}]}
    dispatched = context.store.candidates(context.campaign_id, round_index=context.index, **query)
    validated: list[str | None] = []
    missed: list[str | None] = []
    while part := list(itertools.islice(dispatched, AT_ONCE)):
        validated += [_validation_reason(doc) for doc in part]
        missed += _target_reasons(context, [doc for doc in part if doc.state in ("labelled", "hit")])
    return stage_count("validate", validated), stage_count("targets", missed)


def _validation_reason(doc: CandidateDoc) -> str | None:
    if doc.state in ("labelled", "hit"):
        return None
    return doc.state.removeprefix("given_up:") if doc.state.startswith("given_up:") else UNFINISHED


def _target_reasons(context: RoundContext, labelled: list[CandidateDoc]) -> list[str | None]:
    """The target that each of some labelled candidates misses."""
    misses = [doc for doc in labelled if doc.state != "hit"]
    ids = [doc.candidate_id for doc in misses]
    found = context.store.labels(context.campaign_id, candidate_id={"$in": ids}) if ids else []
    first = {label.candidate_id: label for label in reversed(found)}
    missed = [f"misses_{missed_target(context, doc, first[doc.candidate_id])}" for doc in misses]
    return [None] * (len(labelled) - len(misses)) + missed


def go_on(context: RoundContext) -> None:
    """Begin the next round, or finish the campaign by its rules; doing it again changes nothing."""
    hits = context.store.hits(context.campaign_id)
    per_round = [sum(hit.round_index == i for hit in hits) for i in range(context.index + 1)]
    calls = sum(document.dispatch_size for document in context.store.rounds(context.campaign_id))
    core_hours = read_ledger(context.store, context.campaign_id).whole.validation
    reason = learning.stop_reason(context.spec.learning, per_round, calls, core_hours)
    if reason is None:
        begin_round(context.store, context.campaign_id, context.index + 1)
    else:
        context.store.give_up_open(context.campaign_id, UNFINISHED, "the campaign ended first")
        context.store.finish_campaign(context.campaign_id, reason)
