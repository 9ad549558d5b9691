"""Claims that a campaign's numbers support: the gain by learning and the losses of the screen, with
their intervals.
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
        hits = [point for point in asked if point.state == "hit"]
        return cls(len(hits), len(asked))


def claims(data: ReportData) -> list[str]:
    """Sentences on the control arm, the audit of the acquisition, and the audit of the screen.

    A comparison that the campaign did not make has no sentence.
    """
    gained = _gain_of_learning(data) + _gain_of_the_acquisition(data)
    return gained + lost(data)


def _gain_of_learning(data: ReportData) -> list[str]:
    # Both arms share the first round, and rejects that were computed as an audit of the screen
    # were chosen by neither.
    later = [point for point in data.points if point.round_index > 0]
    chosen = [point for point in later if point.selected_by != GATE_AUDIT]
    control = Count.of(point for point in chosen if point.arm == CONTROL)
    learning = Count.of(point for point in chosen if point.arm != CONTROL)
    against = "the control arm, which stays with the first round's generator"
    return gain("Learning", learning, against, control)


def _gain_of_the_acquisition(data: ReportData) -> list[str]:
    preferred = Count.of(data.selected_by("acquisition"))
    random = Count.of(data.selected_by("audit"))
    against = "a random choice among what passed the screen"
    return gain("The acquisition", preferred, against, random)


def gain(what: str, first: Count, against: str, second: Count) -> list[str]:
    """The gain of one way of choosing over another; empty if either was not tried."""
    if not first.calls or not second.calls:
        return []
    found = difference((first.hits, second.hits), (first.calls, second.calls))
    hits = counted(first.hits, "hit")
    one = f"{what}: {hits} in {first.calls:,} oracle calls"
    other = f"{against}: {second.hits:,} in {second.calls:,}"
    numbers = f"{one}; {other}. Difference {_percent(found)} hits per call"
    if not found.excludes(0):
        return [f"{numbers}: the interval includes zero, so no gain can be claimed."]
    verdict = "a gain" if found.value > 0 else "a loss"
    return [f"{numbers}: {verdict}."]


def lost(data: ReportData) -> list[str]:
    """How often the ML potential rejects a candidate that the engine confirms as a hit.

    Empty if none of its rejects was validated.
    """
    rejects = data.selected_by(GATE_AUDIT)
    # One that the engine could not finish says nothing of the potential.
    audited = Count.of(point for point in rejects if point.state in LABELLED_STATES)
    if not audited.calls:
        return []
    found = share(audited.hits, audited.calls)
    others = _rejects_of_the_potential(data)
    hits = counted(audited.hits, "hit")
    seen = f"{hits} among {audited.calls:,} of its rejects that were computed all the same"
    fewest = found.low * others
    most = found.high * others
    lost_hits = f"of the {others:,} others that it rejected, it lost {fewest:.0f} to {most:.0f}"
    return [f"False negatives of the screen: {seen}, {_percent(found)}; {lost_hits} hits."]


def _rejects_of_the_potential(data: ReportData) -> int:
    """Candidates that the ML potential rejected for a reason that an audit may overrule."""
    rejects = 0
    for stage in data.stages("surrogate"):
        for reason in OVERRULABLE:
            rejects += stage.reasons.get(reason, 0)
    return rejects


def _percent(found: Interval) -> str:
    """An interval of shares in per cent."""
    value, low, high = (f"{100 * share:.1f}" for share in found)
    return f"{value} % (95 %: {low} to {high} %)"
