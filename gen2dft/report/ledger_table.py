"""The ledger as a table: a line per round, per source, per sampler, and for the whole campaign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gen2dft.ledger import FAILED, STAGES, Account, Ledger
from gen2dft.report.wording import round_title

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
