"""What a round without a latent map says instead."""

from __future__ import annotations

import pytest
from example_campaign import CAMPAIGN_ID, example_store

from gen2dft.errors import ServeError
from gen2dft.serve.latent import latent_map
from gen2dft.store.store import Store


@pytest.fixture
def store() -> Store:
    """The example campaign, whose second round has no latent points."""
    store = example_store()
    store.database.rounds.update_one({"index": 1}, {"$set": {"latents_id": None}})
    return store


def test_sources_without_a_latent_space_have_no_map(store: Store) -> None:
    with pytest.raises(ServeError, match="none of its sources has a latent space"):
        latent_map(store, CAMPAIGN_ID, 1)


def test_a_round_that_has_not_sampled_has_no_map_yet(store: Store) -> None:
    store.database.rounds.update_one({"index": 1}, {"$set": {"funnel": []}})
    with pytest.raises(ServeError, match="look again once it has sampled"):
        latent_map(store, CAMPAIGN_ID, 1)
