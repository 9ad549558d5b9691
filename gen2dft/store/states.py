"""Where a candidate stands: a kind, and the reason why it went no further.

The database stores a state as text, `queued` or `rejected:above_hull`, so that one index serves
questions about a kind and about a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from gen2dft.errors import StoreError, not_one_of


class Kind(StrEnum):
    """The kinds of states."""

    SAMPLED = "sampled"
    REJECTED = "rejected"
    QUEUED = "queued"
    RUNNING = "running"
    GIVEN_UP = "given_up"
    LABELLED = "labelled"
    HIT = "hit"


# A candidate moves forward only: kind -> the kinds that it may be reached from. A straggler's label
# is welcome even after the candidate was given up, for it has been paid for.
REACHED_FROM: dict[Kind, tuple[Kind, ...]] = {
    Kind.SAMPLED: (),
    Kind.REJECTED: (Kind.SAMPLED,),
    Kind.QUEUED: (Kind.SAMPLED,),
    Kind.RUNNING: (Kind.QUEUED,),
    Kind.GIVEN_UP: (Kind.QUEUED, Kind.RUNNING),
    Kind.LABELLED: (Kind.QUEUED, Kind.RUNNING, Kind.GIVEN_UP),
    Kind.HIT: (Kind.LABELLED,),
}
# Plain text, as queries need it.
KINDS = tuple(kind.value for kind in Kind)
OPEN_STATES = (Kind.QUEUED.value, Kind.RUNNING.value)
LABELLED_STATES = (Kind.LABELLED.value, Kind.HIT.value)
WITH_REASON = (Kind.REJECTED, Kind.GIVEN_UP)


def kind_of(text: str) -> str:
    """The part of a state's text that names its kind; the reason may be left out."""
    return text.partition(":")[0]


@dataclass(frozen=True)
class State:
    """Where a candidate stands.

    Parameters
    ----------
    kind
        One of `Kind`.
    reason
        Short snake_case name, for `rejected` and `given_up`; None for all others.

    Raises
    ------
    StoreError
        A reason is missing, or there is one that the kind does not have.
    """

    kind: Kind
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.kind in WITH_REASON) != bool(self.reason):
            raise StoreError(
                f"candidate state {str(self)!r}: `rejected` and `given_up`, and only these, carry "
                "a reason"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The state that a stored text names; StoreError if there is no such state."""
        kind, _, reason = text.partition(":")
        if kind not in KINDS:
            raise StoreError(not_one_of("candidate state", kind, KINDS))
        return cls(Kind(kind), reason or None)

    @classmethod
    def rejected(cls, reason: str) -> Self:
        """Sieved out before validation."""
        return cls(Kind.REJECTED, reason)

    @classmethod
    def given_up(cls, reason: str) -> Self:
        """Left without a label."""
        return cls(Kind.GIVEN_UP, reason)

    def __str__(self) -> str:
        """The stored text."""
        return f"{self.kind}:{self.reason}" if self.reason else str(self.kind)

    @property
    def is_open(self) -> bool:
        """Whether a validation waits or runs."""
        return self.kind in OPEN_STATES

    @property
    def is_labelled(self) -> bool:
        """Whether an engine has given a label; hits are labelled too."""
        return self.kind in LABELLED_STATES

    @property
    def rejection(self) -> str | None:
        """Why it was rejected; None if it was not."""
        return self.reason if self.kind is Kind.REJECTED else None

    def earlier(self) -> dict[str, str]:
        """The query for stored states from which this one may be reached."""
        return {"$regex": f"^({'|'.join(REACHED_FROM[self.kind])})(:|$)"}
