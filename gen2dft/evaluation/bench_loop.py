"""Runs of simulated loops over seeds, written down call by call, and the table that compares the
plans.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen2dft.errors import DatasetError, OutputError, not_one_of
from gen2dft.evaluation.journal import surrogate_journal
from gen2dft.evaluation.loop import simulate
from gen2dft.evaluation.plans import PLANS, Call, LoopBudget, Run, check_targets
from gen2dft.evaluation.setting import Setting, training_key
from gen2dft.evaluation.tables import Column, Row, Table
from gen2dft.hashing import content_hash
from gen2dft.report.output import make_folder
from gen2dft.report.wording import target_text
from gen2dft.statistics import ratio, share

JOURNAL = "calls.jsonl"
BASELINE = "published"
COLUMNS = (
    Column("calls", "oracle calls", ".0f"),
    Column("hits", "hits", ".0f"),
    Column("rate", "hits per call", ".3f"),
    Column("rate_low", "95 % from", ".3f"),
    Column("rate_high", "to", ".3f"),
    Column("ratio", f"over {BASELINE}", ".2f"),
    Column("ratio_low", "95 % from", ".2f"),
    Column("ratio_high", "to", ".2f"),
)


def run_plans(
    setting: Setting, names: Sequence[str], seeds: Sequence[int], budget: LoopBudget, folder: Path
) -> Iterator[list[Call]]:
    """Simulate each plan with each seed; all calls so far after each run.

    A run that the journal in `folder` holds is not made again; one that was interrupted is, but
    relaxations and trainings that are kept with the generators are not.

    Raises
    ------
    DatasetError
        A plan that does not exist, targets that the oracle does not tell of.
    OutputError
        The journal cannot be written.
    """
    for name in names:
        if name not in PLANS:
            raise DatasetError(not_one_of("plan", name, PLANS))
    check_targets(setting.any_spec.targets)
    surrogate = setting.any_spec.screening.surrogate
    oracle = surrogate_journal(surrogate, setting.hull, setting.snapshot_dir)
    journal = RunJournal(folder / JOURNAL)
    calls: list[Call] = []
    for seed in seeds:
        for name in names:
            key = run_key(setting, name, seed, budget)
            made = journal.find(key)
            if made is None:
                made = simulate(Run(name, PLANS[name], seed, setting, budget, oracle))
                journal.add(key, made)
            calls += made
            yield calls


def run_key(setting: Setting, name: str, seed: int, budget: LoopBudget) -> str:
    """Hash of all that decides a run."""
    plan, spec = PLANS[name], setting.specs[PLANS[name].variant]
    content = [
        name, asdict(plan), asdict(budget), seed, setting.hull.hull_hash,
        training_key(spec.only_generator, setting.train, setting.properties, setting.seed),
        [part.model_dump(mode="json") for part in (*spec.targets, spec.screening)],
        spec.learning.model_dump(mode="json") if plan.acquisition != "random" else None,
    ]  # fmt: skip
    return content_hash(json.dumps(content), digits=16)


class RunJournal:
    """Finished runs in a file of JSON lines, one per run.

    Parameters
    ----------
    path
        The file; a line that was cut off is left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, key: str) -> list[Call] | None:
        """The calls of a run; None if it was not finished."""
        if not self.path.is_file():
            return None
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record["run"] == key:
                return [Call(**call) for call in record["calls"]]
        return None

    def add(self, key: str, calls: Sequence[Call]) -> None:
        """Write a finished run down; OutputError if that is not possible."""
        make_folder(self.path.parent)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(
                    "\n"
                    + json.dumps({"run": key, "calls": [asdict(call) for call in calls]})
                    + "\n"
                )
        except OSError as err:
            raise OutputError(
                f"cannot write {self.path}: {err.strerror or err}; free some space there"
            ) from err


def by_plan(calls: Sequence[Call]) -> dict[str, list[Call]]:
    """Plan to its calls, in the order in which plans first occur."""
    found: dict[str, list[Call]] = {}
    for call in calls:
        found.setdefault(call.plan, []).append(call)
    return found


def loop_table(setting: Setting, calls: Sequence[Call], budget: LoopBudget) -> Table:
    """Hits per oracle call of each plan, and how many times those of the baseline they are."""
    plans = by_plan(calls)
    rows = [Row(name, plan_figures(made, plans.get(BASELINE))) for name, made in plans.items()]
    surrogate, wanted = setting.any_spec.screening.surrogate, setting.any_spec.targets
    seeds = len({call.seed for call in calls})
    known = setting.any_spec.known_properties
    asked = "; ".join(f"{target.property} {target_text(target, known)}" for target in wanted)
    notes = (
        f"Oracle: {surrogate.engine} ({surrogate.preset}), a surrogate. A hit: relaxed to "
        f"{surrogate.min_e_above_hull:g} to {surrogate.max_e_above_hull:g} eV/atom from the hull "
        "of all "
        f"{len(setting.known):,} crystals of the source, unlike any of these and any earlier hit, "
        f"and {asked}.",
        f"{seeds} seeds of sampling and retraining; one trained generator per variant. Calls of "
        "all seeds together: "
        "Wilson's interval of the share, Katz's of the ratio, both as if calls were independent.",
        f"Plans with one round spend {budget.calls} calls at once; loops in {budget.rounds} rounds "
        "with "
        f"{budget.epochs_warm} epochs of retraining between them. {budget.points:,} latent points "
        "at a time around the "
        f"{budget.num_seeds} best known crystals, drawn again until enough crystals pass "
        "the gates.",
    )
    return Table("bench-loop", "Hits per oracle call", COLUMNS, rows, notes)


def plan_figures(made: Sequence[Call], baseline: Sequence[Call] | None) -> dict[str, float | None]:
    """Figures of one plan."""
    hits = sum(call.hit for call in made)
    rate = share(hits, len(made))
    figures: dict[str, float | None] = {
        "calls": len(made),
        "hits": hits,
        "rate": rate.value,
        "rate_low": rate.low,
        "rate_high": rate.high,
    }
    if baseline and made[0].plan != BASELINE:
        over = ratio((hits, sum(call.hit for call in baseline)), (len(made), len(baseline)))
        if over is not None:
            figures |= {"ratio": over.value, "ratio_low": over.low, "ratio_high": over.high}
    return figures


def as_document(
    setting: Setting, table: Table, calls: Sequence[Call], budget: LoopBudget
) -> Mapping[str, Any]:
    """The table, what decided it and hits per seed, as plain values."""
    per_seed: dict[str, dict[str, list[int]]] = {}
    for call in calls:
        counts = per_seed.setdefault(call.plan, {}).setdefault(str(call.seed), [0, 0])
        counts[0] += call.hit
        counts[1] += 1
    return {
        "budget": asdict(budget),
        "dataset": setting.dataset.content_hash,
        "hull": setting.hull.hull_hash,
        "hits_and_calls_per_seed": per_seed,
        "table": table.as_dict(),
    }
