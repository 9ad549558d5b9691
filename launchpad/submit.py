"""Submit a campaign: freeze its data, register it, insert its first fireworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.launchpad.advance import advance

from gen2dft.rounds.begin import begin_campaign

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.campaign import CampaignSpec
    from gen2dft.dataset import Dataset
    from gen2dft.store.store import Store
    from gen2dft.thermo.hull import ReferenceHull


@dataclass(frozen=True)
class Submitted:
    """A submitted campaign: its id, whether it is new, and what was inserted."""

    campaign_id: str
    created: bool
    actions: tuple[str, ...]


def submit(
    store: Store,
    lpad: LaunchPad,
    spec: CampaignSpec,
    dataset: Dataset,
    hull: ReferenceHull,
    screen_hull: ReferenceHull | None = None,
) -> Submitted:
    """Register a campaign and insert what it is ready for; the same campaign again adds nothing.

    Parameters
    ----------
    dataset
        Training set, checked to carry labels enough.
    hull
        Reference for every e_above_hull of the campaign's labels.
    screen_hull
        Reference of the surrogate, if that is another one.
    """
    campaign, created = begin_campaign(store, spec, dataset, hull, screen_hull)
    actions = advance(store, lpad, campaign.id)
    return Submitted(campaign.id, created, tuple(actions))
