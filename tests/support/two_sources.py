"""A campaign of two toy generators in an in-memory database, after its first round."""

from __future__ import annotations

from typing import Any

import mongomock
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.engines.kit import run_task
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.propose import propose
from gen2dft.rounds.round import Round
from gen2dft.rounds.screen import finish_screen, screen_chunk
from gen2dft.rounds.select import select
from gen2dft.rounds.train import train
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

TOY, WIDE = "toy", "wide-toy"


def two_source_campaign(*others: dict[str, Any]) -> dict[str, Any]:
    """The toy and other generators; unless given, one that knows all crystals that it knows."""
    content = dict(toys.TOY_CAMPAIGN)
    epochs = content.pop("generator")
    content["generators"] = [
        {**epochs, "name": TOY, "share": 0.5},
        *(others or [{**epochs, "name": WIDE, "share": 0.5}]),
    ]
    return content


def two_source_round(*others: dict[str, Any]) -> Round:
    """One whole round; the toys must be registered."""
    enable_gridfs_integration()
    store = Store(mongomock.MongoClient(tz_aware=True)["test"])
    dataset = toys.toy_dataset()
    spec = CampaignSpec.model_validate(two_source_campaign(*others))
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    train(context)
    survivors = propose(context)
    screen_chunk(context, survivors)
    select(context, finish_screen(context, survivors).model_dump())
    for candidate in list(store.candidates(campaign.id, state="queued")):
        _validate(context, candidate)
    assert try_close(context)
    return context


def _validate(context: Round, candidate: CandidateDoc) -> None:
    begin_attempt(context, candidate.candidate_id)
    start = Structure.from_dict(candidate.structure or {})
    relaxed = run_task("relax", toys.TOY_ENGINE, "toy-v1", start, None)
    static = run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)
    ingest(context, candidate.candidate_id, [relaxed, static])
