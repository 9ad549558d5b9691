"""The ledger as a table: a line per round, per sampler, and for the whole campaign."""

from __future__ import annotations

from gen2dft.ledger import FAILED, STAGES, Account, Ledger
from gen2dft.report.wording import round_title

UNKNOWN = "\u2013"
COLUMNS = (
    "core-hours of",
    *("validation without label" if stage == FAILED else stage for stage in STAGES),
    "all", "oracle calls", "labels", "failures", "hits", "core-hours per hit",
)  # fmt: skip


def rows(ledger: Ledger) -> list[list[str]]:
    """Texts of `COLUMNS`.

    Samplers have no share in training and proposing, which serve all candidates.
    """
    return [
        *(_row(round_title(index), account) for index, account in sorted(ledger.rounds.items())),
        *(
            _row(name, account, only_candidates=True)
            for name, account in sorted(ledger.samplers.items())
        ),
        _row("whole campaign", ledger.whole),
    ]


def _row(name: str, account: Account, *, only_candidates: bool = False) -> list[str]:
    shared = STAGES[:2] if only_candidates else ()
    hours = [UNKNOWN if stage in shared else f"{account.hours[stage]:.3g}" for stage in STAGES]
    counts = (account.oracle_calls, account.labels, account.failures, account.hits)
    per_hit = UNKNOWN if account.per_hit is None else f"{account.per_hit:.3g}"
    return [name, *hours, f"{account.total:.3g}", *(f"{count:,}" for count in counts), per_hit]
