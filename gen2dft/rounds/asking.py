"""Ask: hand out the batch of a round to those who compute or measure elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymatgen.core import Structure

from gen2dft.errors import AnswerError
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.store.crystal_fields import FIRST_ROUND
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.states import Kind
from gen2dft.store.store import Store, candidate_key


@dataclass(frozen=True)
class Asked:
    """A crystal that somebody is asked to compute or to measure.

    Parameters
    ----------
    id
        Names the answer; see `gen2dft.rounds.telling.tell`.
    structure
        Where to begin: as the screen relaxed it.
    round
        Number of the round, from 1.
    expected
        Property to what heads and screen expect, in the property's unit.
    score
        Worth to the campaign, larger is better; None for a reject of the screen that the audit
        drew.
    chosen_by
        `acquisition`, `audit` or `gate-audit`.
    """

    id: str
    formula: str
    structure: Structure
    round: int
    expected: Mapping[str, float]
    score: float | None
    chosen_by: str

    @classmethod
    def of(cls, candidate: CandidateDoc) -> Asked:
        """From a candidate of a batch."""
        screened = candidate.verdict.values
        computed = {name: value for name, value in screened.items() if value is not None}
        return cls(
            id=candidate.candidate_id,
            formula=candidate.formula or "",
            structure=start_of(candidate),
            round=candidate.round_index + FIRST_ROUND,
            expected={**candidate.predicted, **computed},
            score=candidate.score,
            chosen_by=candidate.selected_by or "",
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values; the structure is a pymatgen dictionary, as jobflow's makers read it."""
        return {**vars(self), "structure": self.structure.as_dict(verbosity=0)}


def refuse_engine(context: Round) -> None:
    """AnswerError for a campaign that gen2dft's own engine validates."""
    if context.spec.validates_elsewhere:
        return
    engine = context.spec.validation.engine
    raise AnswerError(
        f"campaign {context.campaign_id} is validated by engine {engine!r} here, so nobody is "
        "asked: submit it with `validation.engine: external` (--engine external), or with "
        "`resources.validate.told: true`"
    )


def ask(context: Round, number: int | None = None) -> list[Asked]:
    """Hand out crystals of a round that nobody was asked for yet, the most valuable first.

    Each is handed out once, however many callers there are.

    Parameters
    ----------
    number
        At most so many; None: all of the batch that are left.
    """
    refuse_engine(context)
    waiting = _of_state(context.store, context.campaign_id, Kind.QUEUED)
    taken: list[Asked] = []
    for candidate in sorted(waiting, key=_worth):
        if number is not None and len(taken) >= number:
            break
        key, tries = candidate.candidate_id, candidate.attempts + 1
        if context.store.move_candidate(context.campaign_id, key, "running", attempts=tries):
            taken.append(Asked.of(candidate))
    return taken


def unanswered(store: Store, campaign_id: str) -> list[Asked]:
    """What was asked for and has no answer yet, the most valuable first."""
    running = _of_state(store, campaign_id, Kind.RUNNING)
    return [Asked.of(candidate) for candidate in sorted(running, key=_worth)]


def _of_state(store: Store, campaign_id: str, kind: Kind) -> Iterable[CandidateDoc]:
    """Candidates of a campaign in a state, by the tally: the embedded database reads few."""
    states = store.tally.states(campaign_id)
    keys = [candidate_key(campaign_id, key) for key, state in states.items() if state == kind]
    return store.find_many(CandidateDoc, keys).values()


def _worth(candidate: CandidateDoc) -> tuple[int, float, str]:
    """Order of a batch: earlier rounds, then the gate's rejects, then the best score.

    The audit's rejects have no score; asked for last, the gate's error would never be measured.
    """
    score = float("inf") if candidate.score is None else candidate.score
    return candidate.round_index, -score, candidate.candidate_id
