"""Close a round exactly once, count its last stages, and decide whether the campaign goes on."""

from __future__ import annotations

from datetime import UTC, timedelta

from gen2dft import learning
from gen2dft.funnel import StageCount
from gen2dft.ledger import read_ledger
from gen2dft.rounds.begin import begin_round
from gen2dft.rounds.context import RoundContext
from gen2dft.rounds.ingest import missed_target
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import CandidateDoc, RoundDoc, now


def try_close(context: RoundContext) -> bool:
    """Close the round if its quorum or deadline is reached, then begin the next or finish the campaign.

    True for exactly one caller. What a killed caller left undone is done by the next one.
    """
    document = context.round
    if document.state == "validating" and may_close(context, document):
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
    finished = document.dispatch_size - context.store.count_open(context.campaign_id, context.index)
    if finished >= context.spec.learning.quorum * document.dispatch_size:
        return True
    hours = context.spec.learning.deadline_hours
    if hours is None or document.dispatched is None:
        return False
    return now() - document.dispatched.replace(tzinfo=UTC) > timedelta(hours=hours)


def last_stages(context: RoundContext) -> tuple[StageCount, StageCount]:
    """Counters of validation and of the targets, as they stand now."""
    states = ["queued", "running", "labelled", "hit"]
    query = {"$or": [{"state": {"$in": states}}, {"state": {"$regex": "^given_up:"}}]}
    dispatched = list(context.store.candidates(context.campaign_id, round_index=context.index, **query))
    validated = [_validation_reason(doc) for doc in dispatched]
    missed = [_target_reason(context, doc) for doc in dispatched if doc.state in ("labelled", "hit")]
    return stage_count("validate", validated), stage_count("targets", missed)


def _validation_reason(doc: CandidateDoc) -> str | None:
    if doc.state in ("labelled", "hit"):
        return None
    return doc.state.removeprefix("given_up:") if doc.state.startswith("given_up:") else "unfinished"


def _target_reason(context: RoundContext, doc: CandidateDoc) -> str | None:
    if doc.state == "hit":
        return None
    label = context.store.labels(context.campaign_id, candidate_id=doc.candidate_id)[0]
    return f"misses_{missed_target(context, doc, label)}"


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
        context.store.finish_campaign(context.campaign_id, reason)
