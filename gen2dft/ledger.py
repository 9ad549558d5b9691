"""Costs of a campaign in core-hours: by stage, round, source, sampler and per hit, and by step of
the validation and outcome. Failures are included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gen2dft.calculation import GAP
from gen2dft.campaign import stored_campaign
from gen2dft.datasets.computed_labels import METAL
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
    "lost_costs",
)
_LABEL_FIELDS = ("candidate_id", "core_hours", "costs", "by_hand", f"values.{GAP}")
# Steps of a validation in the order in which they run; others follow by name.
STEPS = ("look", "relax", "static", "bands", "transport")
UNNAMED = "other"  # core-hours that no step claims: labels of older versions
ROUNDING = 1e-9  # core-hours


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


@dataclass
class StepAccount:
    """What the validation of candidates with one outcome has cost.

    Parameters
    ----------
    candidates
        How many there are.
    hours
        Step to core-hours.
    """

    candidates: int = 0
    hours: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Core-hours of all steps."""
        return sum(self.hours.values())

    def add(self, spent: Mapping[str, float]) -> None:
        """Count one candidate and what each of its steps has cost."""
        self.candidates += 1
        for step, hours in spent.items():
            self.hours[step] = self.hours.get(step, 0.0) + hours


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
    outcomes
        What became of candidates to what their validation has cost, step by step: `hit`, `metal`,
        `labelled` (a target was missed), and the reasons for which candidates were given up.
    """

    rounds: Mapping[int, Account]
    samplers: Mapping[str, Account]
    sources: Mapping[str, Account] = field(default_factory=dict)
    outcomes: Mapping[str, StepAccount] = field(default_factory=dict)

    @property
    def whole(self) -> Account:
        """All rounds together."""
        total = Account()
        for account in self.rounds.values():
            total.add(account)
        return total

    @property
    def all_outcomes(self) -> StepAccount:
        """The validation of all candidates, whatever became of them."""
        total = StepAccount()
        for account in self.outcomes.values():
            total.candidates += account.candidates
            for step, hours in account.hours.items():
                total.hours[step] = total.hours.get(step, 0.0) + hours
        return total


def read_ledger(store: Store, campaign_id: str) -> Ledger:
    """Add up a campaign's costs; every core-hour is counted once.

    Training counts the cores that its firework asks for, proposing and the screen one; validation
    what the engine says.
    """
    spec = stored_campaign(store.campaign(campaign_id))
    cores = spec.resources.train.cores
    rounds: dict[int, Account] = defaultdict(Account)  # one of them may be unreadable
    for document in store.rounds(campaign_id):
        rounds[document.index] = _of_round(document, cores)
    samplers: dict[str, Account] = defaultdict(Account)
    sources: dict[str, Account] = defaultdict(Account)
    labels = store.label_fields(campaign_id, _LABEL_FIELDS)
    bands = _of_bands(store, campaign_id, labels)
    by_candidate = _by_candidate(labels)
    outcomes: dict[str, StepAccount] = defaultdict(StepAccount)
    only_source = spec.sources[0].label
    for found in store.candidate_fields(campaign_id, _FIELDS):
        own = by_candidate[found["candidate_id"]]
        candidate = _of_candidate(found, own, bands)
        if candidate.labels or candidate.failures:
            outcomes[_outcome(found, own)].add(_by_step(found, own))
        rounds[found["round_index"]].add(candidate)
        samplers[found["sampler"]].add(candidate)
        sources[found.get("source") or only_source].add(candidate)
    return Ledger(dict(sorted(rounds.items())), dict(samplers), dict(sources), dict(outcomes))


def _of_round(document: RoundDoc, cores: int) -> Account:
    account = Account()
    account.hours[TRAIN] = cores * document.seconds.get("train", 0.0) / HOUR
    account.hours[PROPOSE] = document.seconds.get("propose", 0.0) / HOUR
    return account


def _by_candidate(labels: Sequence[Mapping[str, Any]]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Candidate to its labels; none for one without."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for label in labels:
        found[label["candidate_id"]].append(label)
    return found


def _outcome(found: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> str:
    """What became of a candidate, see `Ledger`."""
    state = State.parse(found["state"])
    if state.kind is not Kind.LABELLED:
        return state.reason or state.kind.value
    is_metal = any(label.get("values", {}).get(GAP) == 0 for label in labels)
    return METAL if is_metal else state.kind.value


def _by_step(found: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    """Step to core-hours of one candidate, what gave no label included."""
    parts = [(label.get("costs") or {}, label["core_hours"]) for label in labels]
    parts.append((found.get("lost_costs") or {}, found.get("lost_core_hours") or 0.0))
    spent: dict[str, float] = defaultdict(float)
    for costs, whole in parts:
        for step, hours in costs.items():
            spent[step] += hours
        unnamed = whole - sum(costs.values())
        if unnamed > ROUNDING:
            spent[UNNAMED] += unnamed
    return spent


def in_order(steps: Iterable[str]) -> list[str]:
    """Names of steps in the order in which they run; unknown ones follow by name."""
    wanted = set(steps)
    known = [step for step in STEPS if step in wanted]
    others = sorted(wanted.difference(STEPS, {UNNAMED}))
    last = [UNNAMED] if UNNAMED in wanted else []
    return [*known, *others, *last]


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
    found: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], bands: Mapping[str, float]
) -> Account:
    """One candidate's own account.

    Parameters
    ----------
    labels
        The candidate's own.
    bands
        Candidate to core-hours of bands that were computed outside its validation.
    """
    key, state = found["candidate_id"], State.parse(found["state"])
    verdict = StoredVerdict.of(found.get("surrogate"))
    given_up = state.kind is Kind.GIVEN_UP
    account = Account()
    account.hours[SCREEN] = (verdict.seconds or 0.0) / HOUR
    account.hours[VALIDATE] = sum((label["core_hours"] for label in labels), 0.0)
    account.hours[FAILED] = found.get("lost_core_hours") or 0.0
    account.hours[BANDS] = bands.get(key, 0.0)
    account.oracle_calls = int(state.is_open or state.is_labelled or given_up)
    account.labels = int(state.is_labelled)
    account.failures = int(given_up)
    account.hits = int(state.kind is Kind.HIT)
    return account
