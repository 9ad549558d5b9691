"""Progress of a campaign for those who watch `gen2dft run`, and the summary at its end."""

from __future__ import annotations

from collections.abc import Callable
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

from gen2dft.cli.common import funnel_table, joined, report_folder
from gen2dft.funnel import HITS_LEFT
from gen2dft.report.standing import stage_progress
from gen2dft.report.wording import (
    counted,
    duration,
    honest_notes,
    round_title,
    surrogate_engines,
    words,
)
from gen2dft.store.documents import now

if TYPE_CHECKING:
    from gen2dft.store.documents import RoundDoc
    from gen2dft.store.store import Store

LINE_EVERY = timedelta(
    seconds=10
)  # plain lines come at most so often, but at once when the stage changes


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

    def text(self) -> str:
        """In one line, without times."""
        place = f"{round_title(self.round_index)} of {self.rounds_at_most}"
        share = f"{self.done:,}/{self.total:,}" if self.total > 1 else ""
        return joined(
            (
                place,
                " ".join(t for t in (words(self.stage), share) if t),
                self.message,
                counted(self.hits, "hit"),
            )
        )


def standing(store: Store, campaign_id: str) -> Standing | None:
    """Read where a campaign stands; None before its first round."""
    rounds = store.rounds(campaign_id)
    if not rounds:
        return None
    document = rounds[-1]
    stage, done, total = (
        stage_progress(store, document) if document.state != "closed" else ("closed", 1, 1)
    )
    return Standing(
        round_index=document.index,
        rounds_at_most=int(store.campaign(campaign_id).spec["learning"]["rounds"]),
        stage=stage,
        done=done,
        total=total,
        message=str(document.progress.get("message") or "")
        if document.state == "proposing"
        else "",
        hits=store.state_counts(campaign_id).get("hit", 0),
    )


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
    """

    def __init__(
        self, store: Store, campaign_id: str, console: Console, clock: Callable[[], datetime] = now
    ) -> None:
        self.store = store
        self.campaign_id = campaign_id
        self.console = console
        self.clock = clock
        self._begun = self._stage_seen = clock()
        self._done_then = 0
        self._last: Standing | None = None
        self._last_line = self._begun - LINE_EVERY
        self._told = {r.index for r in store.rounds(campaign_id) if r.state == "closed"}
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

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
        if self._last is None or (self._last.round_index, self._last.stage) != (
            current.round_index,
            current.stage,
        ):
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
        gone, spent = (
            current.done - self._done_then,
            (self.clock() - self._stage_seen).total_seconds(),
        )
        if gone <= 0 or spent <= 0 or current.total <= current.done:
            return None
        return spent / gone * (current.total - current.done)

    def _times(self, current: Standing) -> str:
        left = self.eta(current)
        elapsed = duration((self.clock() - self._begun).total_seconds())
        return joined(
            (
                f"elapsed {elapsed}",
                f"stage ends in about {duration(left)}" if left is not None else "",
            )
        )

    def _picture(self, current: Standing) -> Group:
        """Lines for the live display: what is done, a bar for the stage, times."""
        bar = Table.grid(padding=(0, 1))
        share = f"{current.done:,}/{current.total:,}" if current.total > 1 else ""
        busy = current.total <= 1
        width = min(40, max(10, self.console.width - 50))
        bar.add_row(
            Text(words(current.stage), style="bold"),
            ProgressBar(
                total=None if busy else current.total,
                completed=current.done,
                width=width,
                pulse=busy,
            ),
            Text(share),
            Text(current.message, style="dim"),
        )
        place = f"{round_title(current.round_index)} of {current.rounds_at_most}"
        head = Text.assemble(
            (self.campaign_id, "bold"), f"  {place}  ", (counted(current.hits, "hit"), "green")
        )
        return Group(head, bar, Text(self._times(current), style="dim"))

    def _write_line(self, current: Standing) -> None:
        """A plain line if something has changed and the last line is old enough, or the stage is a
        new one.
        """
        if current == self._last:
            return
        new_stage = self._last is None or current.stage != self._last.stage
        if new_stage or self.clock() - self._last_line >= LINE_EVERY:
            self._last_line = self.clock()
            self.console.print(
                escape(joined((current.text(), self._times(current)))),
                highlight=False,
                soft_wrap=True,
            )

    def _tell_closed_rounds(self) -> None:
        """One lasting line for each round that has closed since the last look."""
        for document in self.store.rounds(self.campaign_id):
            if document.state == "closed" and document.index not in self._told:
                self._told.add(document.index)
                self.console.print(
                    f"[bold]{_closed_text(document)}[/]", highlight=False, soft_wrap=True
                )


def _closed_text(document: RoundDoc) -> str:
    """What a round came to: `round 1 closed: sample 2,000 > ... > targets 3`."""
    wanted = ("sample", "invert", "surrogate", "select", "validate", *HITS_LEFT)
    counts = (f"{words(s.stage)} {s.n_out:,}" for s in document.funnel if s.stage in wanted)
    return f"{round_title(document.index)} closed: {' > '.join(counts)}"


def print_summary(store: Store, campaign_id: str, console: Console) -> None:
    """The funnel of every round, the number of hits, and where hits and report are."""
    document = store.campaign(campaign_id)
    for entry in store.rounds(campaign_id):
        if entry.funnel:
            console.print()
            console.print(funnel_table(entry))
    found = store.hits(campaign_id)
    labels = store.labels(campaign_id, _id={"$in": [hit.label_id for hit in found]})
    ended = f" ({document.stop_reason})" if document.stop_reason else ""
    console.print(
        f"\ncampaign [bold]{campaign_id}[/] is {document.state}{escape(ended)}", highlight=False
    )
    style = "bold green" if found else "bold"
    console.print(f"[{style}]{counted(len(found), 'hit')}[/]", highlight=False)
    for note in honest_notes(found, surrogate_engines(labels)):
        console.print(note, style="yellow", highlight=False)
    console.print(
        f"hits:    gen2dft hits -c {campaign_id}   (--cif DIR for CIF files)",
        highlight=False,
        soft_wrap=True,
    )
    text = f"report:  gen2dft report -c {campaign_id}   (writes to {report_folder(campaign_id)})"
    console.print(text, highlight=False, soft_wrap=True)
