"""Thousands of inputs, and tables of what became of them."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz import examples
from tests.fuzz.case import Case, Outcome, lay_out
from tests.fuzz.driver import judge, run_apart
from tests.fuzz.entry_points import ENTRY_POINTS
from tests.fuzz.rules import broken_rules, verdict
from tests.toys import toys_registered

GOOD = ("refused", "accepted", "accepted with a remark")
EXAMPLES_KEPT = 2  # of each verdict, entry point and kind
TIMES_SHOWN = 5


class Found(NamedTuple):
    """What became of one input."""

    way: str  # in one process, or as a process
    entry: str
    verdict: str
    kind: str
    place: str
    detail: str
    example: str


class LongRun:
    """Runs inputs, and keeps one example of each kind of outcome in a folder.

    Parameters
    ----------
    out
        Folder of the tables and examples.
    """

    def __init__(self, out: Path, number: int, names: Sequence[str]) -> None:
        self.out = out
        self.seed = number
        self.names = names
        self.found: list[Found] = []
        self.seconds: list[tuple[float, str]] = []
        self._kept: Counter[tuple[str, ...]] = Counter()
        out.mkdir(parents=True, exist_ok=True)

    @property
    def broken(self) -> list[Found]:
        """Inputs that broke a rule."""
        return [found for found in self.found if found.verdict not in GOOD]

    def in_one_process(self, number: int) -> None:
        """So many inputs of each entry point through the command line in this process."""
        with toys_registered():
            for name in self.names:
                here = partial(judge, make_store=ENTRY_POINTS[name].make_store)
                self._draw(name, number, here, "one process")

    def as_processes(self, number: int) -> None:
        """So many inputs, shared out among the entry points, as processes of their own."""
        if not number:  # no server is started for nothing
            return
        with examples.served_database() as variables, toys_registered():

            def apart(case: Case) -> Any:
                with tempfile.TemporaryDirectory(prefix="gen2dft-fuzz-") as folder:
                    outcomes = run_apart(case, Path(folder), variables)
                return outcomes, broken_rules(case, outcomes)

            for name in self.names:
                self._draw(name, -(-number // len(self.names)), apart, "own process")

    def _draw(self, name: str, number: int, run: Callable[[Case], Any], way: str) -> None:
        """Draw inputs of an entry point and note what becomes of each."""
        if not number:
            return

        @seed(self.seed + 7919 * (way == "own process"))
        @settings(
            max_examples=number,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=ENTRY_POINTS[name].cases)
        def every(case: Case) -> None:
            begin = time.process_time()
            outcomes, broken = run(case)
            self.seconds.append((time.process_time() - begin, f"{name}: {case.kind}"))
            self._note(way, case, outcomes, verdict(outcomes, broken), broken)

        every()
        self.write_tables()  # a long run that is stopped has told what it found

    def _note(self, way: str, case: Case, outcomes: list[Outcome], word: str, broken: Any) -> None:
        details = [detail for _, detail in broken] or [outcomes[0].stderr.strip()]
        kept = self._keep(case, outcomes, word, "\n".join(details))
        last = details[0].splitlines()[-1] if details[0] else ""
        self.found.append(Found(way, case.entry, word, case.kind, case.place, last, kept))

    def _keep(self, case: Case, outcomes: list[Outcome], word: str, detail: str) -> str:
        """Write a case down unless its like is there already; return the name of its folder."""
        like = (case.entry, word, case.kind)
        self._kept[like] += 1
        if self._kept[like] > EXAMPLES_KEPT:
            return ""
        name = f"{case.entry}/{word}/{len(self.found):05d}".replace(" ", "-").replace("--", "")
        folder = self.out / name
        shutil.rmtree(folder, ignore_errors=True)
        lay_out(case, folder)
        (folder / "tmp").rmdir()
        told = {"argv": case.argv, "kind": case.kind, "place": case.place}
        (folder / "input.json").write_text(json.dumps(told, indent=1))
        texts = [f"$ {' '.join(o.argv)}\n{o.stdout[-3000:]}\n{o.stderr[-5000:]}" for o in outcomes]
        report = "\n".join([detail, *texts])
        (folder / "outcome.txt").write_text(report, encoding="utf-8", errors="backslashreplace")
        return name

    def write_tables(self) -> str:
        """Write `table.md` and `inputs.jsonl`; return the text of the first."""
        lines = [*self._totals(), "", *self._by_kind(), "", *self._slowest()]
        text = "\n".join(lines)
        (self.out / "table.md").write_text(text, encoding="utf-8", errors="backslashreplace")
        rows = [json.dumps(found._asdict()) for found in self.found]
        (self.out / "inputs.jsonl").write_text("\n".join(rows))
        return "\n".join(self._totals())

    def _totals(self) -> Iterator[str]:
        words = sorted({found.verdict for found in self.found} - set(GOOD))
        headers = ["entry point", "way", "inputs", *GOOD, *words]
        yield f"| {' | '.join(headers)} |"
        yield "|---" * len(headers) + "|"
        for name in self.names:
            for way in ("one process", "own process"):
                here = [f.verdict for f in self.found if (f.entry, f.way) == (name, way)]
                counts = [str(here.count(word)) for word in (*GOOD, *words)]
                yield f"| {name} | {way} | {len(here)} | {' | '.join(counts)} |"

    def _by_kind(self) -> Iterator[str]:
        """Broken rules and silent acceptances, by entry point and kind, with an example each."""
        groups: dict[tuple[str, str, str], list[Found]] = defaultdict(list)
        for found in self.found:
            if found.verdict != "refused":
                groups[found.verdict, found.entry, found.kind].append(found)
        yield "| outcome | entry point | what was done | times | where | detail | example |"
        yield "|---" * 7 + "|"
        for (word, entry, kind), same in sorted(groups.items()):
            where = ", ".join(sorted({found.place for found in same})[:TIMES_SHOWN])
            cells = (word, entry, kind, str(len(same)), where, same[0].detail, same[0].example)
            yield f"| {' | '.join(cell.replace('|', '/')[:160] for cell in cells)} |"

    def _slowest(self) -> Iterator[str]:
        yield f"CPU seconds in all: {sum(seconds for seconds, _ in self.seconds):.0f}"
        for seconds, what in sorted(self.seconds, reverse=True)[:TIMES_SHOWN]:
            yield f"- {seconds:.1f} s: {what}"
