"""A closed round of a campaign of toys, and its archive; both are made once and only read."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_campaign import empty_store

from gen2dft.campaign import CampaignSpec
from gen2dft.exchange.archive import to_line
from gen2dft.exchange.credits import Credits
from gen2dft.exchange.export import Choice, export_campaign
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import up_to_dispatch, validate_all


@pytest.fixture(scope="session")
def finished() -> Store:
    """A store with one finished campaign."""
    with toys.toys_registered():
        store, dataset = empty_store(), toys.toy_dataset()
        spec = CampaignSpec.model_validate(
            {**toys.TOY_CAMPAIGN, "learning": {"rounds": 1, "batch": 6}}
        )
        campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
        context = Round(store, campaign.id, 0)
        up_to_dispatch(context)
        validate_all(context)
        assert try_close(context)
    return store


@pytest.fixture(scope="session")
def campaign_id(finished: Store) -> str:
    return finished.find_campaign().id


@pytest.fixture(scope="session")
def archive(finished: Store, campaign_id: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive with all there is."""
    path = tmp_path_factory.mktemp("archive") / "toy.zip"
    with toys.toys_registered():
        export_campaign(
            finished, campaign_id, path, Credits(authors=("Curie, Marie",)), Choice(True, True)
        )
    return path


@pytest.fixture(autouse=True)
def _toys(toy_plugins: None) -> None:
    pass


def everything(store: Store) -> dict[str, list[bytes]]:
    """All documents of a store that an archive may hold, in any order: no calculations
    (docs/sharing.md), no tally.
    """
    left_out = ("calculations", "tallies")
    names = [
        name for name in sorted(store.database.list_collection_names()) if name not in left_out
    ]
    return {
        name: sorted(map(to_line, store.database[name].find()))
        for name in names
        if "blobs" not in name
    }
