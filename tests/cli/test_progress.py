"""Progress is shown live on a terminal and line by line elsewhere; the summary holds the funnel."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from example_campaign import CAMPAIGN_ID, HITS, START, empty_store, example_store
from rich.console import Console

from gen2dft.cli.progress import CampaignProgress, Standing, print_summary, standing
from gen2dft.report.wording import duration
from gen2dft.store.documents import RoundDoc
from gen2dft.store.store import Store


class Clock:
    """A clock that goes only when told."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Store:
    """The example, with a third round that trains."""
    store = example_store(state="running", stop_reason=None)
    store.insert_new(RoundDoc(id=f"{CAMPAIGN_ID}:2", campaign_id=CAMPAIGN_ID, index=2))
    train(store, 0)
    return store


def train(store: Store, done: int, stage: str = "train", total: int = 60) -> None:
    fields = {
        "stage": stage,
        "done": done,
        "total": total,
        "message": f"loss 0.{done}",
        "since": START,
    }
    store.update_round(CAMPAIGN_ID, 2, progress=fields)


def plain() -> Console:
    return Console(file=io.StringIO(), width=150)


def lines(console: Console) -> list[str]:
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines()


def test_standing_reads_the_round_at_work(store: Store) -> None:
    train(store, 12)
    assert standing(store, CAMPAIGN_ID) == Standing(2, 2, "train", 12, 60, "loss 0.12", len(HITS))
    assert standing(empty_store(), "none") is None


def test_lines_come_seldom_within_a_stage_and_at_once_with_a_new_one(
    store: Store, clock: Clock
) -> None:
    console = plain()
    with CampaignProgress(store, CAMPAIGN_ID, console, clock) as progress:
        for epoch in range(1, 11):
            clock.wait(4)
            train(store, epoch)
            progress.tick()
        train(store, 0, "propose", 1)
        progress.tick()
        progress.tick()
    stages = [line.split(" \u00b7 ")[1] for line in lines(console)]
    assert stages == ["train 0/60", "train 3/60", "train 6/60", "train 9/60", "propose"]


def test_nothing_is_written_while_nothing_changes(store: Store, clock: Clock) -> None:
    console = plain()
    with CampaignProgress(store, CAMPAIGN_ID, console, clock) as progress:
        for _ in range(5):
            clock.wait(60)
            progress.tick()
    assert len(lines(console)) == 1


def test_eta_is_measured_from_what_this_display_has_seen(store: Store, clock: Clock) -> None:
    train(store, 20)
    progress = CampaignProgress(store, CAMPAIGN_ID, plain(), clock)
    progress.tick()
    clock.wait(30)
    now_at = Standing(2, 2, "train", 30, 60, "", 0)
    assert progress.eta(now_at) == pytest.approx(30 / 10 * 30)
    assert progress.eta(Standing(2, 2, "train", 20, 60, "", 0)) is None


def test_a_round_that_closes_leaves_one_line(store: Store, clock: Clock) -> None:
    console = plain()
    with CampaignProgress(store, CAMPAIGN_ID, console, clock) as progress:
        funnel = [stage.model_dump() for stage in store.round(CAMPAIGN_ID, 1).funnel]
        store.update_round(CAMPAIGN_ID, 2, state="closed", funnel=funnel)
        progress.tick()
        progress.tick()
    closed = [line for line in lines(console) if "closed" in line]
    wanted = "sample 400 > invert 370 > surrogate 30 > select 10 > validate 9 > targets 3"
    assert closed == [f"round 3 closed: {wanted}"]


def test_a_terminal_gets_a_live_display_which_ends_clean(store: Store, clock: Clock) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with CampaignProgress(store, CAMPAIGN_ID, console, clock) as progress:
        clock.wait(10)
        train(store, 12)
        progress.tick()
    text = "\n".join(lines(console))
    assert "12/60" in text
    assert "stage ends in about" in text
    assert "\x1b[?25h" in text  # the cursor is shown again


def test_an_error_passes_through_and_the_terminal_is_given_back(store: Store) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(KeyboardInterrupt), CampaignProgress(store, CAMPAIGN_ID, console):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in "\n".join(lines(console))


def test_summary_holds_funnel_hits_and_the_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEN2DFT_DATA_DIR", "/data")
    console = plain()
    print_summary(example_store(), CAMPAIGN_ID, console)
    text = "\n".join(lines(console))
    assert text.count("stopped, by reason") == 2
    assert "is finished (all 2 rounds done)" in text
    assert "4 candidates for DFT" in text
    assert "only on a surrogate (mlip), not on DFT" in text
    assert f"gen2dft hits -c {CAMPAIGN_ID}" in text
    assert f"/data/reports/{CAMPAIGN_ID}" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (59.4, "59 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_steps_that_change_are_written_although_no_candidate_has_finished(
    store: Store, clock: Clock
) -> None:
    store.move_round(CAMPAIGN_ID, 2, "proposing", "validating", dispatch_size=2)
    console, steps = plain(), ["NaCl: gpaw relax for 3 s"]
    with CampaignProgress(store, CAMPAIGN_ID, console, clock, lambda: list(steps)) as progress:
        clock.wait(20)
        steps[:] = ["NaCl: gpaw relax for 23 s"]  # the same step: nothing new
        progress.tick()
        clock.wait(20)
        steps[:] = ["NaCl: gpaw static for 2 s"]
        progress.tick()
        clock.wait(1)
    text = "\n".join(lines(console))
    assert text.count("gpaw relax") == text.count("gpaw static") == 1


def test_the_store_is_not_asked_at_each_tick_what_runs(store: Store, clock: Clock) -> None:
    store.move_round(CAMPAIGN_ID, 2, "proposing", "validating", dispatch_size=2)
    asked: list[datetime] = []

    def at_work() -> list[str]:
        asked.append(clock())
        return []

    with CampaignProgress(store, CAMPAIGN_ID, plain(), clock, at_work) as progress:
        for _ in range(40):
            clock.wait(1)
            progress.tick()
    gaps = [later - before for before, later in pairwise(asked)]
    assert min(gaps) >= timedelta(seconds=10)
    assert len(asked) == 5
