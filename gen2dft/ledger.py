"""What a campaign has cost, in core-hours: by stage, round, sampler and per hit, failures
included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.store.documents import StoredVerdict
from gen2dft.store.states import Kind, State

if TYPE_CHECKING:
    from gen2dft.store.documents import RoundDoc
    from gen2dft.store.store import Store

HOUR = 3600.0
# Stages in the order of a round. `failed` is what validation spent without a label.
TRAIN, PROPOSE, SCREEN, VALIDATE, FAILED, BANDS = (
    "train",
    "propose",
    "screen",
    "validate",
    "failed",
    "bands",
)
STAGES = (TRAIN, PROPOSE, SCREEN, VALIDATE, FAILED, BANDS)
_FIELDS = (
    "candidate_id",
    "round_index",
    "sampler",
    "state",
    "selected_by",
    "surrogate.seconds",
    "lost_core_hours",
)


@dataclass
class Account:
    """What one round, or one sampler, has cost and given.

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


@dataclass(frozen=True)
class Ledger:
    """Costs of one campaign.

    Parameters
    ----------
    rounds
        Round index to account; training and proposing are the round's.
    samplers
        Sampling method to account, of what belongs to single candidates: screen and validation.
    """

    rounds: Mapping[int, Account]
    samplers: Mapping[str, Account]

    @property
    def whole(self) -> Account:
        """All rounds together."""
        total = Account()
        for account in self.rounds.values():
            for stage, hours in account.hours.items():
                total.hours[stage] += hours
            for name in ("oracle_calls", "labels", "failures", "hits"):
                setattr(total, name, getattr(total, name) + getattr(account, name))
        return total


def read_ledger(store: Store, campaign_id: str) -> Ledger:
    """Add up a campaign's costs; every core-hour is counted once.

    Training counts the cores that its firework asks for, proposing and the screen one; validation
    what the engine says.
    """
    cores = stored_campaign(store.campaign(campaign_id)).resources.train.cores
    rounds = {document.index: _of_round(document, cores) for document in store.rounds(campaign_id)}
    samplers: dict[str, Account] = defaultdict(Account)
    labelled = {
        label["_id"]: (label["candidate_id"], label["core_hours"])
        for label in store.label_fields(campaign_id, ("candidate_id", "core_hours"))
    }
    bands = {
        made.candidate_id: made.core_hours
        for made in store.from_bands(campaign_id)
        if made.id not in labelled
    }
    spent: dict[str, float] = defaultdict(float)
    for candidate, hours in labelled.values():
        spent[candidate] += hours
    for found in store.candidate_fields(campaign_id, _FIELDS):
        for account in (rounds[found["round_index"]], samplers[found["sampler"]]):
            _add(account, found, spent, bands)
    return Ledger(rounds, dict(samplers))


def _of_round(document: RoundDoc, cores: int) -> Account:
    account = Account()
    account.hours[TRAIN] = cores * document.seconds.get("train", 0.0) / HOUR
    account.hours[PROPOSE] = document.seconds.get("propose", 0.0) / HOUR
    return account


def _add(
    account: Account,
    found: Mapping[str, Any],
    spent: Mapping[str, float],
    bands: Mapping[str, float],
) -> None:
    """Add one candidate."""
    key, state = found["candidate_id"], State.parse(found["state"])
    verdict = StoredVerdict.of(found.get("surrogate"))
    account.hours[SCREEN] += (verdict.seconds or 0.0) / HOUR
    account.hours[VALIDATE] += spent.get(key, 0.0)
    account.hours[FAILED] += found.get("lost_core_hours") or 0.0
    account.hours[BANDS] += bands.get(key, 0.0)
    given_up = state.kind is Kind.GIVEN_UP
    account.oracle_calls += state.is_open or state.is_labelled or given_up
    account.labels += state.is_labelled
    account.failures += given_up
    account.hits += state.kind is Kind.HIT
