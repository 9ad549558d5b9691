"""A round of 20,000 candidates: dispatch, `gen2dft status` and closing.

Seconds, and memory while it goes on.

    .venv/bin/python benchmarks/bench_rounds.py [--candidates 20000] [--database URI]

Without --database an embedded server is started in a temporary folder. The candidates are made up
and all of them were selected; dispatch inserts their fireworks, as `gen2dft advance` does: first a
portion, as much as the queue holds, and what one launch of FireWorks costs then; afterwards all the
others at once. `status` is the command itself, its start included. Then every candidate gets a
label or a reason, one in a hundred a hit, and the round is closed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from bench_serve import CAMPAIGN, METALS, OTHERS, SPEC, candidate, hit, label, rock_salt
from fireworks import FWAction, FWorker, LaunchPad
from gen2dft.launchpad import advance as advancing
from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.repair import repair

from gen2dft.datasets.prototypes import load_prototypes
from gen2dft.funnel import StageCount
from gen2dft.ground.hulls import put_hull
from gen2dft.rounds.close import try_close
from gen2dft.rounds.round import Round
from gen2dft.settings import Settings
from gen2dft.store.connect import open_store
from gen2dft.store.documents import CampaignDoc, RoundDoc, now
from gen2dft.store.store import Store, round_key
from gen2dft.thermo.hull import ReferenceHull

AT_ONCE = 500


def queue_round(store: Store, number: int) -> str:
    """Make up a round whose candidates are all selected; the id of its hull."""
    phases = [{metal: 1, other: 1} for metal in METALS for other in OTHERS]
    hull_id = put_hull(store, ReferenceHull.build(phases, [-1.5] * len(phases)), "made up")
    crystals = [rock_salt(metal, other) for metal in METALS for other in OTHERS]
    for start in range(0, number, AT_ONCE):
        rows = range(start, min(start + AT_ONCE, number))
        store.insert_many_new(
            [candidate(row, "queued", crystals[row % len(crystals)]) for row in rows]
        )
    place = {"id": round_key(CAMPAIGN, 0), "campaign_id": CAMPAIGN, "index": 0}
    funnel = [StageCount(stage="select", n_in=number, n_out=number, reasons={})]
    store.insert_new(
        RoundDoc(**place, state="validating", dispatched=now(), dispatch_size=number, funnel=funnel)
    )
    spec = SPEC.model_dump(mode="json", by_alias=True)
    dataset_id = store.put_blob(load_prototypes().to_bytes(), "dataset")
    ids = {
        "dataset_id": dataset_id,
        "spec_hash": SPEC.content_hash(),
        "dataset_hash": "0" * 16,
        "hull_id": hull_id,
    }
    store.insert_new(CampaignDoc(id=CAMPAIGN, name="bench", spec=spec, **ids))
    return hull_id


def finish_candidates(store: Store, hull_id: str) -> None:
    """Give every candidate its end: eight of ten a label, one of a hundred a hit, the others a
    reason.
    """
    waiting = list(store.candidates(CAMPAIGN))
    for start in range(0, len(waiting), AT_ONCE):
        part = [(doc, end_of(doc.latent_row)) for doc in waiting[start : start + AT_ONCE]]
        store.insert_many_new(
            [label(doc, hull_id) for doc, end in part if end in ("labelled", "hit")]
        )
        store.insert_many_new([hit(doc, hull_id) for doc, end in part if end == "hit"])
        for state in ("labelled", "hit", "given_up:not_converged"):
            reached = [
                doc for doc, end in part if end == state or (end, state) == ("hit", "labelled")
            ]
            store.move_candidates(CAMPAIGN, {doc.candidate_id: {"state": state} for doc in reached})


def end_of(row: int) -> str:
    """How a candidate ends."""
    if row % 10 >= 8:
        return "given_up:not_converged"
    return "labelled" if row % 100 else "hit"


def measured(what: str, step: Callable[[], object]) -> None:
    """Run a step; print its seconds and the memory of this process before it and at most."""
    process, peak, ended = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    before, begun = process.memory_info().rss, time.perf_counter()
    watcher.start()
    step()
    seconds = time.perf_counter() - begun
    ended.set()
    watcher.join()
    print(
        f"{what}: {seconds:.2f} s; memory {before / 1e6:.0f} MB before, {peak[0] / 1e6:.0f} MB at "
        "most",
        flush=True,
    )


def launch(lpad: LaunchPad) -> None:
    """What FireWorks asks of the database for one firework: is there one, take it, complete it, is
    there another.
    """
    worker = FWorker(query={"spec.gen2dft.campaign_id": CAMPAIGN})
    lpad.run_exists(worker)
    _, launch_id = lpad.checkout_fw(worker, ".")
    lpad.complete_launch(launch_id, FWAction())
    lpad.run_exists(worker)


def status(settings: Settings, *words: str) -> None:
    """The command as a person calls it."""
    environment = {**os.environ, **settings.as_environment()}
    command = [sys.executable, "-m", "gen2dft.cli.app", "status", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure on one store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--database", default="embedded")
    options = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"  # FireWorks draws a bar for each portion
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            database=options.database, database_name="gen2dft_bench_rounds", data_dir=Path(folder)
        )
        store, lpad = open_store(settings), connect_launchpad(settings)
        if store.campaigns():
            raise SystemExit("database gen2dft_bench_rounds is not empty: drop it first")
        begun = time.perf_counter()
        hull_id = queue_round(store, options.candidates)
        print(
            f"{options.candidates} candidates made up in {time.perf_counter() - begun:.0f} s",
            flush=True,
        )
        measured("dispatch of a portion", lambda: advance(store, lpad, CAMPAIGN))
        measured("one launch, the queue full", lambda: launch(lpad))
        advancing.IN_QUEUE = 2 * options.candidates
        measured("dispatch of all", lambda: advance(store, lpad, CAMPAIGN))
        assert lpad.fireworks.count_documents({}) == options.candidates
        measured("one launch, all in the queue", lambda: launch(lpad))
        measured("advance with nothing to do", lambda: advance(store, lpad, CAMPAIGN))
        measured("repair with nothing to do", lambda: repair(store, lpad, CAMPAIGN))
        measured("gen2dft status", lambda: status(settings))
        measured("gen2dft status CAMPAIGN", lambda: status(settings, CAMPAIGN))
        measured("every candidate's end written", lambda: finish_candidates(store, hull_id))
        measured("closing the round", lambda: try_close(Round(store, CAMPAIGN, 0)))
        assert store.round(CAMPAIGN, 0).state == "closed"
        measured("gen2dft status CAMPAIGN, closed", lambda: status(settings, CAMPAIGN))
        store.database.client.drop_database("gen2dft_bench_rounds")


if __name__ == "__main__":
    main()
