"""What a campaign may claim: what learning gained and what the screen lost, and no more than
intervals allow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gen2dft.report.data import CandidatePoint, ReportData
from gen2dft.report.wording import counted
from gen2dft.screening.surrogate import OVERRULABLE
from gen2dft.statistics import Interval, difference, share
from gen2dft.store.states import LABELLED_STATES

CONTROL, GATE_AUDIT = "control", "gate-audit"


class Count(NamedTuple):
    """Hits among validated candidates."""

    hits: int
    calls: int

    @classmethod
    def of(cls, points: Iterable[CandidatePoint]) -> Count:
        """Candidates that an engine was asked for; one that failed is a call without a hit."""
        asked = [point for point in points if point.state in (*LABELLED_STATES, "given_up")]
        return cls(sum(point.state == "hit" for point in asked), len(asked))


def claims(data: ReportData) -> list[str]:
    """Sentences on the control arm, the audit of the acquisition, and the audit of the screen.

    Those that there are.
    """
    later = [
        point for point in data.points if point.round_index > 0 and point.selected_by != GATE_AUDIT
    ]
    control = Count.of(point for point in later if point.arm == CONTROL)
    learning = Count.of(point for point in later if point.arm != CONTROL)
    chosen = {
        by: Count.of(p for p in data.points if p.selected_by == by)
        for by in ("acquisition", "audit")
    }
    return [
        *gain(
            "Learning",
            learning,
            "the control arm, which stays with the first round's generator",
            control,
        ),
        *gain(
            "The acquisition",
            chosen["acquisition"],
            "a random choice among what passed the screen",
            chosen["audit"],
        ),
        *lost(data),
    ]


def gain(what: str, first: Count, against: str, second: Count) -> list[str]:
    """What one way of choosing gains over another; nothing if either was not tried."""
    if not first.calls or not second.calls:
        return []
    found = difference((first.hits, second.hits), (first.calls, second.calls))
    numbers = (
        f"{what}: {counted(first.hits, 'hit')} in {first.calls:,} oracle calls; {against}: "
        f"{second.hits:,} in "
        f"{second.calls:,}. Difference {_percent(found)} hits per call"
    )
    if not found.excludes(0):
        return [f"{numbers}: the interval includes zero, so no gain can be claimed."]
    return [f"{numbers}: {'a gain' if found.value > 0 else 'a loss'}."]


def lost(data: ReportData) -> list[str]:
    """How often the ML potential rejects what the engine makes a hit.

    Nothing without an audit of it.
    """
    audited = Count.of(
        p for p in data.points if p.selected_by == GATE_AUDIT and p.state in LABELLED_STATES
    )
    if not audited.calls:
        return []
    found = share(audited.hits, audited.calls)
    counts = [
        stage.reasons for r in data.rounds for stage in r.funnel if stage.stage == "surrogate"
    ]
    rejects = sum(reasons.get(reason, 0) for reasons in counts for reason in OVERRULABLE)
    return [
        f"False negatives of the screen: {counted(audited.hits, 'hit')} among {audited.calls:,} of "
        "its rejects that "
        f"were validated all the same, {_percent(found)}; of the {rejects:,} others that it "
        "rejected, it lost "
        f"{found.low * rejects:.0f} to {found.high * rejects:.0f} hits."
    ]


def _percent(found: Interval) -> str:
    """An interval of shares in per cent."""
    return f"{100 * found.value:.1f} % (95 %: {100 * found.low:.1f} to {100 * found.high:.1f} %)"
