"""The ledger as tables: a line per round, per source, per sampler, and for the whole campaign; and
a line per outcome of the validation, with a column for each of its steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gen2dft.ledger import FAILED, STAGES, Account, Ledger, StepAccount, in_order
from gen2dft.report.wording import round_title, words

UNKNOWN = "\u2013"
COLUMNS = (
    "core-hours of",
    *("validation without label" if stage == FAILED else stage for stage in STAGES),
    "all", "oracle calls", "labels", "failures", "hits", "core-hours per hit",
)  # fmt: skip


def rows(ledger: Ledger) -> list[list[str]]:
    """Texts of `COLUMNS`; sources have lines of their own where there are several."""
    table = []
    for index, account in sorted(ledger.rounds.items()):
        row = _row(round_title(index), account)
        table.append(list(row))
    if len(ledger.sources) > 1:
        table += _of_candidates(ledger.sources)
    table += _of_candidates(ledger.samplers)
    last = _row("whole campaign", ledger.whole)
    return [*table, list(last)]


def _of_candidates(accounts: Mapping[str, Account]) -> list[list[str]]:
    """Lines without training and proposing, which serve all candidates."""
    lines = []
    for name, account in sorted(accounts.items()):
        row = _row(name, account, only_candidates=True)
        lines.append(list(row))
    return lines


def _row(name: str, account: Account, *, only_candidates: bool = False) -> Iterator[str]:
    shared = STAGES[:2] if only_candidates else ()
    yield name
    for stage in STAGES:
        yield UNKNOWN if stage in shared else f"{account.hours[stage]:.3g}"
    yield f"{account.total:.3g}"
    for count in (account.oracle_calls, account.labels, account.failures, account.hits):
        yield f"{count:,}"
    yield UNKNOWN if account.per_hit is None else f"{account.per_hit:.3g}"


def step_columns(ledger: Ledger) -> list[str]:
    """Headers of the table of steps; core-minutes, since a step seldom takes an hour."""
    steps = [words(step) for step in _steps(ledger)]
    return ["core-minutes of", "candidates", *steps, "all", "per candidate"]


def step_rows(ledger: Ledger) -> list[list[str]]:
    """Texts of `step_columns`: a line per outcome, the dearest first, and one for all.

    None while nothing has been validated.
    """
    steps = _steps(ledger)
    if not steps:
        return []
    dearest = sorted(ledger.outcomes.items(), key=lambda item: (-item[1].total, item[0]))
    table = [_step_row(words(name), account, steps) for name, account in dearest]
    return [*table, _step_row("all candidates", ledger.all_outcomes, steps)]


def _steps(ledger: Ledger) -> list[str]:
    return in_order(ledger.all_outcomes.hours)


def _step_row(name: str, account: StepAccount, steps: Sequence[str]) -> list[str]:
    spent = [_minutes(account.hours.get(step, 0.0)) for step in steps]
    mean = account.total / max(account.candidates, 1)
    return [name, f"{account.candidates:,}", *spent, _minutes(account.total), _minutes(mean)]


def _minutes(hours: float) -> str:
    return f"{60 * hours:.3g}"
