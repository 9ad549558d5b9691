"""The web page over a store of 20,000 candidates: seconds per page, and many readers while a
campaign writes.

    .venv/bin/python benchmarks/bench_serve.py [--candidates 20000] [--readers 50] [--seconds 60]
    [--database URI]

Without --database an embedded server is started in a temporary folder. The candidates are made up,
but shaped like a campaign: most are rejected, a tenth is labelled, one in a hundred is a hit. First
one reader waits until the server has read the campaign, then asks for each page several times, each
time for an answer that is not kept from the last. Then a writer moves candidates forward as a
worker does, alone and with the readers, who ask for all pages in turn. Server, writer and readers
are processes of their own.
"""

from __future__ import annotations

import argparse
import io
import itertools
import multiprocessing
import statistics
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.funnel import StageCount
from gen2dft.serve.app import build_app
from gen2dft.serve.mirror import MirrorStore
from gen2dft.serve.server import address, listen, serve
from gen2dft.settings import Settings
from gen2dft.store.connect import open_store
from gen2dft.store.documents import CampaignDoc, CandidateDoc, HitDoc, LabelDoc, RoundDoc
from gen2dft.store.store import Store, candidate_key, round_key
from gen2dft.thermo.hull import ReferenceHull

CAMPAIGN = "bench-00000000"
SPEC = CampaignSpec.model_validate(
    {
        "name": "bench",
        "targets": [{"property": "e_above_hull", "max": 0.05}],
        "sampling": [{"method": "local", "num_points": 20_000}],
    }
)
METALS, OTHERS = ("Na", "K", "Ca", "Sr", "Ba", "Ti", "V", "Zr"), ("O", "S", "Se", "Te", "F", "Cl")
REPEATS = 5
AT_ONCE = 500


def fill(store: Store, number: int) -> None:
    """Make the campaign up."""
    from gen2dft.ground.hulls import put_hull

    rng = np.random.default_rng(0)
    phases = [{metal: 1, other: 1} for metal in METALS for other in OTHERS]
    hull_id = put_hull(
        store, ReferenceHull.build(phases, rng.normal(-1.5, 0.3, len(phases))), "made up"
    )
    crystals = [rock_salt(metal, other) for metal in METALS for other in OTHERS]
    latents = rng.normal(size=(number, 128)).astype(np.float32)
    for start in range(0, number, AT_ONCE):
        rows = range(start, min(start + AT_ONCE, number))
        states = [state_of(row) for row in rows]
        made = [
            candidate(row, state, crystals[row % len(crystals)])
            for row, state in zip(rows, states, strict=True)
        ]
        labels = [label(doc, hull_id) for doc in made if doc.state in ("labelled", "hit")]
        store.insert_many_new(made)
        store.insert_many_new(labels)
        store.insert_many_new([hit(doc, hull_id) for doc in made if doc.state == "hit"])
    buffer = io.BytesIO()
    np.savez(buffer, latents=latents, train_latents=rng.normal(size=(4000, 128)).astype(np.float32))
    store.insert_new(
        RoundDoc(
            id=round_key(CAMPAIGN, 0),
            campaign_id=CAMPAIGN,
            index=0,
            state="validating",
            dispatch_size=number // 5,
            latents_id=store.put_blob(buffer.getvalue(), "latents"),
            funnel=[StageCount(stage="sample", n_in=number, n_out=number, reasons={})],
        )
    )
    store.insert_new(
        CampaignDoc(
            id=CAMPAIGN,
            name="bench",
            spec=SPEC.model_dump(mode="json", by_alias=True),
            dataset_id="0" * 32,
            spec_hash=SPEC.content_hash(),
            dataset_hash="0" * 16,
            hull_id=hull_id,
        )
    )


def rock_salt(metal: str, other: str) -> Structure:
    """A crystal of eight atoms."""
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.6), [metal, other], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def state_of(row: int) -> str:
    """Of a hundred, one is a hit, nine are labelled, two given up, eight queued."""
    place = row % 100
    if place == 0:
        return "hit"
    if place < 10:
        return "labelled"
    if place < 12:
        return "given_up:not_converged"
    return "queued" if place < 20 else ("rejected:above_hull", "rejected:atoms_too_close")[row % 2]


def candidate(row: int, state: str, crystal: Structure) -> CandidateDoc:
    """A made-up candidate."""
    key, data = f"{row:016x}", crystal.as_dict(verbosity=0)
    came_far = state != "rejected:atoms_too_close"
    relaxed = {
        "structure": data,
        "formation_energy": -1.5,
        "e_above_hull": (row % 97) / 300,
        "engine": "mlip",
        "preset": "chgnet-screen-v1",
        "seconds": 2.0,
    }
    return CandidateDoc(
        id=candidate_key(CAMPAIGN, key),
        campaign_id=CAMPAIGN,
        round_index=0,
        candidate_id=key,
        sampler="local",
        parents=["starter-0001"],
        latent_row=row,
        state=state,
        formula=crystal.reduced_formula,
        structure=data,
        predicted={"e_above_hull": 0.03},
        surrogate=relaxed if came_far else None,
        failure="it did not converge" if state.startswith("given_up") else None,
    )


def label(doc: CandidateDoc, hull_id: str) -> LabelDoc:
    """A made-up label."""
    return LabelDoc(
        id=f"label-{doc.candidate_id}",
        candidate_id=doc.candidate_id,
        campaign_id=CAMPAIGN,
        round_index=0,
        engine="mlip",
        is_dft=False,
        preset="chgnet-v1",
        settings_hash="0",
        structure=dict(doc.structure or {}),
        values={"formation_energy": -1.5, "e_above_hull": 0.02},
        energy_per_atom=-5.0,
        hull_id=hull_id,
        core_hours=0.01,
    )


def hit(doc: CandidateDoc, hull_id: str) -> HitDoc:
    """A made-up hit."""
    return HitDoc(
        id=doc.id,
        campaign_id=CAMPAIGN,
        round_index=0,
        candidate_id=doc.candidate_id,
        formula=doc.formula or "",
        spacegroup="Fm-3m",
        values={"e_above_hull": 0.02},
        basis={"e_above_hull": "mlip"},
        is_dft=False,
        label_id=f"label-{doc.candidate_id}",
        hull_id=hull_id,
        structure=dict(doc.structure or {}),
    )


PAGES = {
    "campaigns": "",
    "campaign": f"campaigns/{CAMPAIGN}",
    "hits": f"campaigns/{CAMPAIGN}/hits?elements=Te",
    "candidates": f"campaigns/{CAMPAIGN}/candidates",
    "candidates, rejected, page 20": f"campaigns/{CAMPAIGN}/candidates?state=rejected&page=20",
    "candidate": f"campaigns/{CAMPAIGN}/candidates/{0:016x}",
    "phase diagrams": f"campaigns/{CAMPAIGN}/systems",
    "phase diagram": f"campaigns/{CAMPAIGN}/systems/O-Ti",
    "points of the latent map": f"campaigns/{CAMPAIGN}/latent/0/points",
}


def run_server(settings: Settings, told: multiprocessing.Queue[str]) -> None:
    """The web page, in a process of its own."""
    listening = listen("127.0.0.1", 0)
    told.put(address(listening, None))
    store = MirrorStore(open_store(settings).database)
    store.begin()
    serve(build_app(store), listening)


def run_writer(
    settings: Settings, seconds: float, told: multiprocessing.Queue[dict[str, float]]
) -> None:
    """A worker's writes: a queued candidate begins, its round counts it."""
    store, ended, took = open_store(settings), time.monotonic() + seconds, []
    for row in itertools.cycle(row for row in range(100_000) if state_of(row) == "queued"):
        if time.monotonic() > ended:
            break
        begun = time.monotonic()
        store.move_candidate(CAMPAIGN, f"{row:016x}", "running", attempts=1)
        store.set_candidate(CAMPAIGN, f"{row:016x}", state="queued", history=[])
        took.append(time.monotonic() - begun)
    told.put({"writes_per_second": 2 * len(took) / seconds, "slowest_s": max(took)})


def run_readers(
    base: str, number: int, seconds: float, told: multiprocessing.Queue[dict[str, float]]
) -> None:
    """Readers that ask for every page in turn, each beginning with another one."""
    ended, took, errors = time.monotonic() + seconds, [], []

    def read(first: int) -> None:
        for path in itertools.islice(itertools.cycle(PAGES.values()), first, None):
            if time.monotonic() > ended:
                return
            try:
                took.append(ask(base + path))
            except (OSError, urllib.error.URLError) as err:
                errors.append(err)

    threads = [threading.Thread(target=read, args=(i % len(PAGES),)) for i in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    told.put(
        {
            "answers": len(took),
            "errors": len(errors),
            "per_second": len(took) / seconds,
            "median_s": took[len(took) // 2],
            "p95_s": took[int(0.95 * len(took))],
            "slowest_s": took[-1],
        }
    )


def ask(url: str) -> float:
    """Seconds until a page is there; HTTPError if it is not."""
    begun = time.monotonic()
    with urllib.request.urlopen(url, timeout=120) as answer:
        answer.read()
    return time.monotonic() - begun


def one_reader(base: str) -> None:
    """Print seconds per page.

    A word of no meaning in the address makes each a question of its own.
    """
    print(f"first page after the start {ask(base + PAGES['campaign']):.1f} s", flush=True)
    for name, path in PAGES.items():
        took = [ask(f"{base}{path}{'&' if '?' in path else '?'}n={i}") for i in range(REPEATS)]
        print(
            f"{name:32s} median {statistics.median(took):6.3f} s   slowest {max(took):6.3f} s",
            flush=True,
        )


def main() -> None:
    """Fill, serve, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--database", default="embedded")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), database=given.database, database_name="gen2dft_bench"
        )
        store = open_store(settings)
        begun = time.monotonic()
        fill(store, given.candidates)
        print(
            f"{given.candidates:,} candidates written in {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        # No fork: clients of the database do not survive it.
        spawn = multiprocessing.get_context("spawn")
        told = spawn.Queue()
        server = spawn.Process(target=run_server, args=(settings, told), daemon=True)
        server.start()
        base = told.get()
        one_reader(base)
        for readers in (0, given.readers):
            if readers:
                reading = spawn.Queue()
                reader = spawn.Process(
                    target=run_readers, args=(base, readers, given.seconds, reading)
                )
                reader.start()
            writing = spawn.Queue()
            writer = spawn.Process(target=run_writer, args=(settings, given.seconds, writing))
            writer.start()
            print(f"writer, {readers} readers:", rounded(writing.get()), flush=True)
            if readers:
                print(f"{readers} readers:", rounded(reading.get()), flush=True)
        server.terminate()
        store.database.client.drop_database("gen2dft_bench")
        if settings.is_embedded:
            from gen2dft.store.embedded import stop_server

            stop_server(settings.data_dir)


def rounded(figures: dict[str, float]) -> str:
    """Figures in one line."""
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())


if __name__ == "__main__":
    main()
