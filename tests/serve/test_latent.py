"""The latent map of a round that has candidates without a latent point."""

from __future__ import annotations

from example_campaign import CAMPAIGN_ID, example_store

from gen2dft.serve.latent import latent_map
from gen2dft.store.store import Store


def shown(store: Store) -> set[str]:
    return {point["id"] for point in latent_map(store, CAMPAIGN_ID, 1)["candidates"]}


def test_candidates_of_sources_without_a_latent_space_are_not_on_it() -> None:
    store = example_store()
    before = shown(store)
    chosen = sorted(before)[0]
    store.set_candidate(CAMPAIGN_ID, chosen, latent_row=None, source="pyxtal")
    assert shown(store) == before - {chosen}
