"""What a campaign of toys comes to when nothing goes wrong: its steps one after another in this
process.
"""

from __future__ import annotations

from pathlib import Path

import mongomock
from mongomock.gridfs import enable_gridfs_integration

from gen2dft.campaign import load_campaign
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.prepare import prepare
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store
from tests import toys
from tests.rounds.test_steps import up_to_dispatch

enable_gridfs_integration()


def undisturbed(file: Path) -> tuple[str, dict[str, dict[str, float]]]:
    """Id of the campaign in a file, and the values of its hits by candidate."""
    with toys.toys_registered():
        store, spec = (
            Store(mongomock.MongoClient(tz_aware=True)["undisturbed"]),
            load_campaign(str(file)),
        )
        campaign, _ = begin_campaign(store, spec, *prepare(spec))
        for index in range(spec.learning.rounds):
            context = Round(store, campaign.id, index)
            up_to_dispatch(context)
            for candidate in list(store.candidates(campaign.id, state="queued")):
                relaxed = toys.run_task(
                    "relax", toys.TOY_ENGINE, "toy-v1", start_of(candidate), None
                )
                static = toys.run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)
                begin_attempt(context, candidate.candidate_id)
                ingest(context, candidate.candidate_id, [relaxed, static])
            assert try_close(context)
        return campaign.id, hits_of(store, campaign.id)


def hits_of(store: Store, campaign_id: str) -> dict[str, dict[str, float]]:
    """Candidate to values, of the hits that a store has."""
    return {hit.candidate_id: hit.values for hit in store.hits(campaign_id)}
