"""A campaign of toys (see tests/toys.py) in an in-memory database."""

import mongomock
import pytest
from mongomock.gridfs import enable_gridfs_integration

from gen2dft.campaign import CampaignSpec
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

enable_gridfs_integration()


@pytest.fixture(autouse=True)
def _toys(toy_plugins):
    pass


@pytest.fixture
def store():
    return Store(mongomock.MongoClient(tz_aware=True)["test"])


@pytest.fixture
def spec():
    return CampaignSpec.model_validate(toys.TOY_CAMPAIGN)


@pytest.fixture
def context(store, spec):
    dataset = toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    return Round(store, campaign.id, 0)
