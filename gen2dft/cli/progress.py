"""Progress of a campaign for those who watch `gen2dft run`, and the summary at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gen2dft.campaign import stored_campaign
from gen2dft.cli.at_work import TIMES
from gen2dft.cli.candidates import print_candidates
from gen2dft.cli.common import funnel_table, joined, report_folder
from gen2dft.funnel import HITS_LEFT
from gen2dft.ledger import VALIDATE
from gen2dft.report.candidate_table import is_of_own_structures
from gen2dft.report.chances import counted_hits
from gen2dft.report.standing import stage_progress
from gen2dft.report.wording import (
    counted,
    duration,
    evidence_counts,
    evidence_text,
    honest_notes,
    round_title,
    surrogate_engines,
    words,
)
from gen2dft.store.documents import now

if TYPE_CHECKING:
    from gen2dft.store.documents import RoundDoc
    from gen2dft.store.store import Store

# Plain lines come at most so often, but at once when the stage changes.
LINE_EVERY = timedelta(seconds=10)


# Stages of a round that has closed, in its one line.
IN_SHORT = ("sample", "invert", "surrogate", "select", "validate", *HITS_LEFT)


@dataclass(frozen=True)
class Standing:
    """Where a campaign stands at one moment.

    Parameters
    ----------
    done, total
        Units of the stage: epochs, candidates.
    hits
        Hits of all rounds so far.
    """

    round_index: int
    rounds_at_most: int
    stage: str
    done: int
    total: int
    message: str
    hits: int

    @property
    def place(self) -> str:
        """Round, and how many there will be at most."""
        return f"{round_title(self.round_index)} of {self.rounds_at_most}"

    @property
    def share(self) -> str:
        """Units done and in all; empty for a stage that is not counted."""
        return f"{self.done:,}/{self.total:,}" if self.total > 1 else ""

    def text(self) -> str:
        """In one line, without times."""
        stage = f"{words(self.stage)} {self.share}".strip()
        return joined((self.place, stage, self.message, counted(self.hits, "hit")))

    def is_in_the_stage_of(self, other: Standing) -> bool:
        """Whether both are in the same stage of the same round."""
        return (self.round_index, self.stage) == (other.round_index, other.stage)


def standing(store: Store, campaign_id: str) -> Standing | None:
    """Read where a campaign stands; None before its first round."""
    rounds = store.rounds(campaign_id)
    if not rounds:
        return None
    document = rounds[-1]
    stage, done, total, message = "closed", 1, 1, ""
    if document.state != "closed":
        stage, done, total = stage_progress(store, document)
    if document.state == "proposing":
        message = str(document.progress.get("message") or "")
    learning = store.campaign(campaign_id).spec["learning"]
    hits = store.state_counts(campaign_id).get("hit", 0)
    return Standing(document.index, int(learning["rounds"]), stage, done, total, message, hits)


class CampaignProgress:
    """Display of a campaign's progress: live on a terminal, plain lines elsewhere.

    Use it as a context manager.

    Parameters
    ----------
    store, campaign_id
        What to watch.
    console
        Where to write.
    clock
        The present moment; times are measured from when the display begins, so they hold after a
        restart too.
    at_work
        Gives a line for each calculation that runs.
    """

    def __init__(
        self,
        store: Store,
        campaign_id: str,
        console: Console,
        clock: Callable[[], datetime] = now,
        at_work: Callable[[], Sequence[str]] = list,
    ) -> None:
        self.store = store
        self.campaign_id = campaign_id
        self.console = console
        self.clock = clock
        self.at_work = at_work
        self._begun = self._stage_seen = clock()
        self._done_then = 0
        self._last: Standing | None = None
        self._written: Standing | None = None
        self._steps_written: list[str] = []
        self._last_look = self._begun - LINE_EVERY
        self._seen: Sequence[str] = []
        self._last_line = self._begun - LINE_EVERY
        # Rounds that closed before this display began are no news.
        rounds = store.rounds(campaign_id)
        self._told = {document.index for document in rounds if document.state == "closed"}
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        """Begin the display."""
        if self._live:
            self._live.start()
        self.tick()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the display and leave a line per closed round."""
        if kind is None:
            self.tick()
        if self._live:
            self._live.stop()

    def tick(self) -> None:
        """Read the store again and show what has changed."""
        self._tell_closed_rounds()
        current = standing(self.store, self.campaign_id)
        if current is None:
            return
        if self._last is None or not current.is_in_the_stage_of(self._last):
            self._stage_seen, self._done_then = self.clock(), current.done
        if self._live:
            self._live.update(self._picture(current))
        elif current.stage != "closed":
            self._write_line(current)
        self._last = current

    def eta(self, current: Standing) -> float | None:
        """Seconds until the stage ends, at the pace seen since this display first saw it.

        None while unknown.
        """
        gone = current.done - self._done_then
        spent = (self.clock() - self._stage_seen).total_seconds()
        left = current.total - current.done
        if gone <= 0 or spent <= 0 or left <= 0:
            return None
        return spent / gone * left

    def _times(self, current: Standing) -> str:
        elapsed = (self.clock() - self._begun).total_seconds()
        text = f"elapsed {duration(elapsed)}"
        left = self.eta(current)
        if left is None:
            return text
        return joined((text, f"stage ends in about {duration(left)}"))

    def _picture(self, current: Standing) -> Group:
        """Lines for the live display: campaign and round, a bar for the stage, times."""
        hits = (counted(current.hits, "hit"), "green")
        head = Text.assemble((self.campaign_id, "bold"), f"  {current.place}  ", hits)
        times = Text(self._times(current), style="dim")
        running = [Text(f"  {line}", style="dim") for line in self._running(current)]
        return Group(head, self._bar(current), *running, times)

    def _running(self, current: Standing) -> Sequence[str]:
        """A line for each calculation that runs, while candidates are validated.

        The store is asked at most once in `LINE_EVERY`, since the question takes some time.
        """
        if current.stage != VALIDATE:
            return []
        if self.clock() - self._last_look >= LINE_EVERY:
            self._last_look, self._seen = self.clock(), self.at_work()
        return self._seen

    def _bar(self, current: Standing) -> Table:
        """The stage under way, with its bar, which pulses if nothing is counted."""
        is_counted = current.total > 1
        bar = ProgressBar(
            total=current.total if is_counted else None,
            completed=current.done,
            width=min(40, max(10, self.console.width - 50)),
            pulse=not is_counted,
        )
        stage = Text(words(current.stage), style="bold")
        message = Text(current.message, style="dim")
        row = Table.grid(padding=(0, 1))
        row.add_row(stage, bar, Text(current.share), message)
        return row

    def _write_line(self, current: Standing) -> None:
        """A plain line if something has changed and the last line is old enough, or the stage is a
        new one.
        """
        new_stage = self._written is None or current.stage != self._written.stage
        if not new_stage and self.clock() - self._last_line < LINE_EVERY:
            return
        running = self._running(current)
        steps = [line.partition(TIMES)[0] for line in running]
        if current == self._written and steps == self._steps_written:
            return
        self._last_line, self._written, self._steps_written = self.clock(), current, steps
        line = joined((current.text(), self._times(current)))
        for text in (line, *(f"  {step}" for step in running)):
            self.console.print(escape(text), highlight=False, soft_wrap=True)

    def _tell_closed_rounds(self) -> None:
        """One lasting line for each round that has closed since the last look."""
        for document in self.store.rounds(self.campaign_id):
            if document.state == "closed" and document.index not in self._told:
                self._told.add(document.index)
                line = f"[bold]{_closed_text(document)}[/]"
                self.console.print(line, highlight=False, soft_wrap=True)


def _closed_text(document: RoundDoc) -> str:
    """A closed round in one line: `round 1 closed: sample 2,000 > ... > targets 3`."""
    counts = []
    for stage in document.funnel:
        if stage.stage in IN_SHORT:
            counts.append(f"{words(stage.stage)} {stage.n_out:,}")
    return f"{round_title(document.index)} closed: {' > '.join(counts)}"


def print_summary(store: Store, campaign_id: str, console: Console) -> None:
    """The funnel of every round, the number of hits, and where hits and report are."""
    document = store.campaign(campaign_id)
    own = is_of_own_structures(stored_campaign(document))
    for entry in store.rounds(campaign_id):
        if entry.funnel:
            console.print()
            console.print(funnel_table(entry))
    if own:
        console.print()
        print_candidates(store, document, console)
    found = store.hits(campaign_id)
    label_ids = [hit.label_id for hit in found]
    labels = store.labels(campaign_id, _id={"$in": label_ids})
    ended = escape(f" ({document.stop_reason})" if document.stop_reason else "")
    state = f"campaign [bold]{campaign_id}[/] is {document.state}{ended}"
    console.print(f"\n{state}", highlight=False)
    style = "bold green" if found else "bold"
    kinds = evidence_text(evidence_counts(hit.evidence for hit in found))
    number = counted_hits(found)
    console.print(f"[{style}]{number}[/]{kinds and f': {kinds}'}", highlight=False)
    for note in honest_notes(found, surrogate_engines(labels, found)):
        console.print(note, style="yellow", highlight=False)
    if own:
        line = f"all:     gen2dft candidates -c {campaign_id}   (--csv, --json)"
        console.print(line, highlight=False, soft_wrap=True)
    for line in (
        f"hits:    gen2dft hits -c {campaign_id}   (--cif DIR for CIF files)",
        f"report:  gen2dft report -c {campaign_id}   (writes to {report_folder(campaign_id)})",
    ):
        console.print(line, highlight=False, soft_wrap=True)
