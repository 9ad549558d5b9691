"""How many candidates of each source reached which point on the way to a hit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.loop.shortlist import NOT_SHORTLISTED
from gen2dft.store.documents import StoredVerdict
from gen2dft.store.states import Kind, State

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc
    from gen2dft.store.store import Store

_FIELDS = ("source", "also_from", "state", "surrogate.reason")


@dataclass
class SourceCount:
    """Candidates of one source.

    Parameters
    ----------
    drawn
        Draws of the source itself.
    passed_gates, passed_surrogate, computed, hits
        Crystals that came so far. One that several sources drew is one candidate and counts for
        each of them, since nobody can tell who deserves it.
    """

    drawn: int = 0
    passed_gates: int = 0
    passed_surrogate: int = 0
    computed: int = 0
    hits: int = 0


def by_source(store: Store, document: CampaignDoc) -> dict[str, SourceCount]:
    """Source to its counts, in the order of the campaign file."""
    sources = stored_campaign(document).sources
    counts = {source.label: SourceCount() for source in sources}
    only_source = sources[0].label
    for found in store.candidate_fields(document.id, _FIELDS):
        drawn_by = found.get("source") or only_source
        counts[drawn_by].drawn += 1
        for source in (drawn_by, *found.get("also_from", ())):
            _count(counts[source], found)
    return counts


def _count(count: SourceCount, found: Mapping[str, Any]) -> None:
    """Count how far one candidate has come."""
    state = State.parse(found["state"])
    stored = found.get("surrogate")
    # The gates write their reason before a candidate is screened; waiting for the surrogate, or in
    # vain, is no reason of theirs.
    is_screened = stored is not None
    count.passed_gates += is_screened or state.rejection in (None, NOT_SHORTLISTED)
    count.passed_surrogate += is_screened and not _is_refused(state, StoredVerdict.of(stored))
    count.computed += state.is_labelled
    count.hits += state.kind is Kind.HIT


def _is_refused(state: State, verdict: StoredVerdict) -> bool:
    """Whether the surrogate stopped a candidate, or holds it until the gate's audit is drawn.

    A reject that the audit let through has a reason, and goes on nevertheless.
    """
    if verdict.reason is None:
        return False
    return state.kind is Kind.SAMPLED or state.rejection == verdict.reason
