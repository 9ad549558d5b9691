"""Begin a campaign and its rounds: freeze the training set and the hull, give ids that depend on content only."""

from __future__ import annotations

import hashlib

from gen2dft.campaign import CampaignSpec
from gen2dft.datasets.dataset import Dataset
from gen2dft.store.documents import CampaignDoc, HullDoc, RoundDoc
from gen2dft.store.store import Store, round_key
from gen2dft.thermo.hull import ReferenceHull


def campaign_id(spec: CampaignSpec, dataset: Dataset, hull: ReferenceHull) -> str:
    """Name and hash of all that decides the results: spec, training set, hull."""
    content = f"{spec.content_hash()} {dataset.content_hash} {hull.hull_hash}"
    return f"{spec.name}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def begin_campaign(store: Store, spec: CampaignSpec, dataset: Dataset, hull: ReferenceHull) -> tuple[CampaignDoc, bool]:
    """Register a campaign and its first round.

    Parameters
    ----------
    dataset
        Training set; it is frozen with the campaign.
    hull
        Reference that every e_above_hull of the campaign is measured against.

    Returns
    -------
    The campaign, and whether it is new. Beginning the same campaign again changes nothing.
    """
    store.ensure_indices()
    key = campaign_id(spec, dataset, hull)
    blob_id = store.put_blob(hull.to_bytes(), "hull")
    store.insert_new(
        HullDoc(id=hull.hull_hash, blob_id=blob_id, source=spec.dataset.source, num_entries=hull.num_entries)
    )
    document = CampaignDoc(
        id=key,
        name=spec.name,
        spec=spec.model_dump(mode="json", by_alias=True),
        spec_hash=spec.content_hash(),
        dataset_id=store.put_blob(dataset.to_bytes(), "dataset"),
        dataset_hash=dataset.content_hash,
        hull_id=hull.hull_hash,
    )
    begin_round(store, key, 0)  # before the campaign, so that whoever sees the campaign finds its first round
    created = store.insert_new(document)
    return store.campaign(key), created


def begin_round(store: Store, key: str, index: int) -> bool:
    """Register a round; True for exactly one caller."""
    return store.insert_new(RoundDoc(id=round_key(key, index), campaign_id=key, index=index))
