"""In version 0.1 `starter` was the set of prototypes; campaigns of that time still mean it."""

from __future__ import annotations

import pytest
from example_campaign import empty_store

from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.dataset import Dataset
from gen2dft.datasets.prototypes import load_prototypes
from gen2dft.datasets.starter import load_starter
from gen2dft.ground.hulls import campaign_hull
from gen2dft.ground.named_today import as_named_today
from gen2dft.rounds.begin import begin_campaign
from gen2dft.store.documents import CampaignDoc
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys


@pytest.fixture(autouse=True)
def _toys(toy_plugins: None) -> None:
    pass


@pytest.fixture
def store() -> Store:
    return empty_store()


def begun(store: Store, dataset: Dataset, source: str = "starter") -> CampaignDoc:
    content = {**toys.TOY_CAMPAIGN, "dataset": {"source": source}, "hull": {"source": "dataset"}}
    spec = CampaignSpec.model_validate(content)
    part = dataset.select(range(30))
    campaign, _ = begin_campaign(store, spec, part, ReferenceHull.from_dataset(part))
    return campaign


def test_a_campaign_of_version_01_is_measured_by_the_data_that_it_meant(store: Store) -> None:
    campaign = begun(store, load_prototypes())
    named = as_named_today(store, campaign)
    assert named.spec["dataset"]["source"] == "prototypes"
    assert named.id == campaign.id
    assert store.campaign(campaign.id).spec["dataset"]["source"] == "starter"
    hull = campaign_hull(stored_campaign(named))
    meant = ReferenceHull.from_dataset(load_prototypes(), scale="materials-project")
    assert hull.hull_hash == meant.hull_hash


def test_others_stay_as_they_are(store: Store) -> None:
    for dataset, source in ((load_starter(), "starter"), (load_prototypes(), "prototypes")):
        campaign = begun(store, dataset, source)
        assert as_named_today(store, campaign) == campaign


def test_a_campaign_without_its_training_set_stays_as_it_is(store: Store) -> None:
    campaign = begun(store, load_prototypes())
    lost = campaign.model_copy(update={"dataset_id": "0" * 32})
    assert as_named_today(store, lost) == lost
