"""Campaigns of version 0.1 by today's names: `starter` was the set that is called `prototypes` now.

A stored campaign keeps its spec, whose hash is part of its id, and its own copy of the training
set. Where its source is read again, the ids in that copy tell which set was meant.
"""

from __future__ import annotations

from gen2dft.dataset import Dataset
from gen2dft.datasets.prototypes import ID_PREFIX
from gen2dft.datasets.sources import PROTOTYPES, STARTER
from gen2dft.errors import StoreError
from gen2dft.store.documents import CampaignDoc
from gen2dft.store.store import Store


def as_named_today(store: Store, campaign: CampaignDoc) -> CampaignDoc:
    """The campaign with the name that its training set has today; it is not to be stored.

    A campaign that was imported without its training set stays as it is.
    """
    query = campaign.spec["dataset"]
    if query["source"] != STARTER or not _holds_prototypes(store, campaign):
        return campaign
    spec = {**campaign.spec, "dataset": {**query, "source": PROTOTYPES}}
    return campaign.model_copy(update={"spec": spec})


def _holds_prototypes(store: Store, campaign: CampaignDoc) -> bool:
    try:
        data = store.get_blob(campaign.dataset_id)
    except StoreError:
        return False
    dataset = Dataset.from_bytes(data, f"dataset of {campaign.id}")
    return any(name.startswith(ID_PREFIX) for name in dataset.ids)
