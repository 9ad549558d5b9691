"""Costs of a campaign in core-hours: by stage, round, source, sampler and per hit, failures
included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.store.documents import StoredVerdict
from gen2dft.store.states import Kind, State

if TYPE_CHECKING:
    from gen2dft.store.documents import RoundDoc
    from gen2dft.store.store import Store

HOUR = 3600.0
TRAIN, PROPOSE, SCREEN, VALIDATE = "train", "propose", "screen", "validate"
FAILED = "failed"  # what validation spent without a label
BANDS = "bands"
STAGES = (TRAIN, PROPOSE, SCREEN, VALIDATE, FAILED, BANDS)  # in the order of a round
_FIELDS = (
    "candidate_id",
    "round_index",
    "source",
    "sampler",
    "state",
    "selected_by",
    "surrogate.seconds",
    "lost_core_hours",
)


@dataclass
class Account:
    """Costs and yield of one round, one source or one sampler.

    Parameters
    ----------
    hours
        Stage to core-hours.
    oracle_calls, labels, failures, hits
        Candidates sent to validation; of these labelled, given up, and meeting all targets.
    """

    hours: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    oracle_calls: int = 0
    labels: int = 0
    failures: int = 0
    hits: int = 0

    @property
    def total(self) -> float:
        """Core-hours of all stages."""
        return sum(self.hours.values())

    @property
    def validation(self) -> float:
        """Core-hours that count against `learning.budget.core_hours`: validation, with or without a
        label.
        """
        return self.hours[VALIDATE] + self.hours[FAILED]

    @property
    def per_hit(self) -> float | None:
        """Core-hours of all stages per hit; None without a hit."""
        return self.total / self.hits if self.hits else None

    def add(self, other: Account) -> None:
        """Add the costs and the yield of another account."""
        for stage, hours in other.hours.items():
            self.hours[stage] += hours
        self.oracle_calls += other.oracle_calls
        self.labels += other.labels
        self.failures += other.failures
        self.hits += other.hits


@dataclass(frozen=True)
class Ledger:
    """Costs of one campaign.

    Parameters
    ----------
    rounds
        Round index to account; training and proposing are the round's.
    samplers
        Sampling method to account of its candidates: screen and validation.
    sources
        Source to account of its candidates, as for samplers. A crystal that several sources
        proposed is one candidate, and so is counted once: for its own source.
    """

    rounds: Mapping[int, Account]
    samplers: Mapping[str, Account]
    sources: Mapping[str, Account] = field(default_factory=dict)

    @property
    def whole(self) -> Account:
        """All rounds together."""
        total = Account()
        for account in self.rounds.values():
            total.add(account)
        return total


def read_ledger(store: Store, campaign_id: str) -> Ledger:
    """Add up a campaign's costs; every core-hour is counted once.

    Training counts the cores that its firework asks for, proposing and the screen one; validation
    what the engine says.
    """
    spec = stored_campaign(store.campaign(campaign_id))
    cores = spec.resources.train.cores
    rounds = {document.index: _of_round(document, cores) for document in store.rounds(campaign_id)}
    samplers: dict[str, Account] = defaultdict(Account)
    sources: dict[str, Account] = defaultdict(Account)
    labels = store.label_fields(campaign_id, ("candidate_id", "core_hours", "by_hand"))
    spent = _of_labels(labels)
    bands = _of_bands(store, campaign_id, labels)
    only_source = spec.sources[0].label
    for found in store.candidate_fields(campaign_id, _FIELDS):
        candidate = _of_candidate(found, spent, bands)
        rounds[found["round_index"]].add(candidate)
        samplers[found["sampler"]].add(candidate)
        sources[found.get("source") or only_source].add(candidate)
    return Ledger(rounds, dict(samplers), dict(sources))


def _of_round(document: RoundDoc, cores: int) -> Account:
    account = Account()
    account.hours[TRAIN] = cores * document.seconds.get("train", 0.0) / HOUR
    account.hours[PROPOSE] = document.seconds.get("propose", 0.0) / HOUR
    return account


def _of_labels(labels: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Candidate to core-hours of its labels."""
    hours: dict[str, float] = defaultdict(float)
    for label in labels:
        hours[label["candidate_id"]] += label["core_hours"]
    return hours


def _of_bands(
    store: Store, campaign_id: str, labels: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Candidate to core-hours of bands that were computed outside its validation."""
    # A label that has the id of the bands contains their cost, unless it was made of them alone.
    counted = {label["_id"] for label in labels if not label.get("by_hand")}
    hours = {}
    for made in store.from_bands(campaign_id):
        if made.id not in counted:
            hours[made.candidate_id] = made.core_hours
    return hours


def _of_candidate(
    found: Mapping[str, Any], spent: Mapping[str, float], bands: Mapping[str, float]
) -> Account:
    """One candidate's own account."""
    key, state = found["candidate_id"], State.parse(found["state"])
    verdict = StoredVerdict.of(found.get("surrogate"))
    given_up = state.kind is Kind.GIVEN_UP
    account = Account()
    account.hours[SCREEN] = (verdict.seconds or 0.0) / HOUR
    account.hours[VALIDATE] = spent.get(key, 0.0)
    account.hours[FAILED] = found.get("lost_core_hours") or 0.0
    account.hours[BANDS] = bands.get(key, 0.0)
    account.oracle_calls = int(state.is_open or state.is_labelled or given_up)
    account.labels = int(state.is_labelled)
    account.failures = int(given_up)
    account.hits = int(state.kind is Kind.HIT)
    return account
