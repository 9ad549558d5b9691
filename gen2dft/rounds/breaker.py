"""Circuit breaker: an engine that does not work at all pauses the campaign instead of using up its
candidates.

A wrong command or a missing licence fails for every candidate alike. When as many in a row have
failed for such a reason as `validation.pause_after` says, or all of a smaller round, the campaign
is paused: nothing new begins, no round closes. Once it is resumed, those candidates are queued
again.
"""

from __future__ import annotations

from gen2dft.engines.outcomes import tells_of_the_engine
from gen2dft.rounds.round import Round

REMEDY = (
    "Nothing is lost: after mending it, `gen2dft run` with the same campaign or `gen2dft "
    "advance --retry` goes on"
)


def engine_works(context: Round) -> None:
    """The engine has computed something: what failed before was not for the engine's sake."""
    context.update(suspects=[])


def engine_failed(context: Round, candidate_id: str, reason: str, detail: str) -> None:
    """Take note of a candidate that was given up, and pause the campaign if it was one too many.

    Parameters
    ----------
    reason, detail
        Why it was given up; a reason that tells of the crystal says that the engine works.
    """
    validation = context.spec.validation
    if not tells_of_the_engine(validation.engine, reason.removeprefix("refine_")):
        engine_works(context)
        return
    context.store.add_to_round(context.campaign_id, context.index, "suspects", candidate_id)
    document = context.document
    if validation.pause_after is None or document.state != "validating":
        return
    count = len(document.suspects)
    if count >= min(validation.pause_after, document.dispatch_size):
        why = (
            f"engine {validation.engine!r} failed for {count} candidates in a row, the last "
            f"with {reason}: {detail}"
        )
        context.store.pause_campaign(context.campaign_id, f"{why}. {REMEDY}")
