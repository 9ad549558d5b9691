"""A worker that kills itself at one point of a round: `python -m tests.support.killed_worker POINT
CAMPAIGN_ID`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fireworks import FWorker
from fireworks.core.rocket_launcher import rapidfire
from gen2dft.flows import power_factors
from gen2dft.launchpad import advance as advancing
from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad
from gen2dft.launchpad.lost import worker_name

from gen2dft.engines import kept, makers
from gen2dft.rounds import close
from gen2dft.rounds.round import Round
from gen2dft.settings import load_settings
from gen2dft.store.store import Store
from gen2dft.store.tally import Tally

Point = tuple[Any, str, Callable[..., bool]]


def _moves_to(state: str) -> Point:
    return (
        Store,
        "move_candidates",
        lambda _, __, moves: any(str(move["state"]) == state for move in moves.values()),
    )


def _tallies(state: str) -> Point:
    return Tally, "_write", lambda _, rows, **__: any(str(row["state"]) == state for row in rows)


def _round_becomes(state: str) -> Point:
    return Store, "move_round", lambda *args, **_: args[4] == state


# What is about to be called when the worker dies; everything before it is written. In the order of
# a round.
POINTS: dict[str, Point] = {
    "propose: candidates are stored, their tally is not": (Tally, "begin", lambda *_: True),
    "propose: all but the latent points is stored": (
        Store,
        "put_blob",
        lambda *args: args[2] == "latents",
    ),
    "screen: a chunk is half through": (Round, "count", lambda _: True),
    "select: the choice is written down, nobody has moved": _moves_to("queued"),
    "select: candidates have moved, their tally is behind": _tallies("queued"),
    "select: all have moved, the round has not": _round_becomes("validating"),
    "dispatch: fireworks are inserted, the round does not know": (
        Round,
        "update",
        lambda _, **fields: "dispatched_to" in fields,
    ),
    "validate: an attempt is counted, it has not begun": _moves_to("running"),
    "ingest: the label is written, the candidate has not moved": _moves_to("labelled"),
    "ingest: the candidate has moved, its tally is behind": _tallies("labelled"),
    "ingest: the hit is written, the candidate has not moved": _moves_to("hit"),
    "close: all is counted, the round is open": _round_becomes("closed"),
    "close: the round is closed, the next has not begun": (close, "go_on", lambda _: True),
}
# The same while the power factor of a candidate is computed by an engine without jobs of its own.
BAND_POINTS: dict[str, Point] = {
    "bands: they have not begun": (
        makers,
        "calculate",
        lambda task, *_: task == "uniform_bands",
    ),
    "bands: their files are written, their outcome is not": (
        kept,
        "write_outcome",
        lambda _, __, outcome: getattr(outcome, "task", None) == "uniform_bands",
    ),
    "transport: the bands have been read, nothing is computed": (
        power_factors,
        "transport_within_bands",
        lambda *_: True,
    ),
}


def die_at(point: Point) -> None:
    """Make this process kill itself instead of a call."""
    owner, name, is_it = point
    call = getattr(owner, name)

    def mortal(*args: Any, **fields: Any) -> Any:
        if is_it(*args, **fields):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **fields)

    setattr(owner, name, mortal)


def main(point: str, campaign_id: str) -> None:
    """Work on a campaign until the point is reached."""
    settings = load_settings()
    configure_jobflow(settings)
    advancing.LEASE_SECONDS = 1  # the dead one's lease runs out sooner than in earnest
    die_at({**POINTS, **BAND_POINTS}[point])
    worker = FWorker(worker_name(), query={"spec.gen2dft.campaign_id": campaign_id})
    rapidfire(
        connect_launchpad(settings),
        worker,
        str(Path.cwd()),
        max_loops=1,
        sleep_time=0.01,
        strm_lvl="CRITICAL",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
