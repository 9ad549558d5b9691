"""Session: gen2dft's database and settings, as a script or a notebook uses them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.api.campaign import Campaign
from gen2dft.errors import CampaignError, SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from gen2dft.campaign import CampaignSpec
    from gen2dft.rounds.prepare import Prepared
    from gen2dft.settings import Settings
    from gen2dft.store.store import Store

Source = Any  # a CampaignSpec, a mapping, a file, or the name of a campaign that ships


def connect(
    data_dir: str | Path | None = None,
    database: str | None = None,
    database_name: str | None = None,
    workers: int | None = None,
) -> Session:
    """Connect to gen2dft's database.

    Parameters
    ----------
    data_dir
        Folder of the embedded database, caches and logs.
    database
        `embedded`, or a MongoDB URI.
    database_name
        Name of the database on that server.
    workers
        Processes that work on a campaign.

    What is not given is as the command line has it: `GEN2DFT_*` variables, then the configuration
    file, then defaults.

    Raises
    ------
    SettingsError
        A setting that has no usable value.
    """
    from pydantic import ValidationError

    from gen2dft.settings import GivenSettings, load_settings

    given = {
        "data_dir": data_dir,
        "database": database,
        "database_name": database_name,
        "workers": workers,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    settings = load_settings()
    if not changes:
        return Session(settings)
    try:
        return Session(GivenSettings(**{**dict(settings), **changes}))
    except ValidationError as err:
        problem = err.errors()[0]
        what = problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"connect({problem['loc'][0]}=...): {what}") from None


@dataclass(frozen=True)
class Session:
    """Campaigns of one database; made by `connect`.

    Parameters
    ----------
    settings
        Where the database is.
    """

    settings: Settings

    @cached_property
    def store(self) -> Store:
        """The documents of the database; StoreError if it cannot be reached."""
        from gen2dft.store.connect import open_store

        return open_store(self.settings)

    @cached_property
    def writable_store(self) -> Store:
        """The same, for writing; StoreError too where the database's user may only read."""
        from gen2dft.store.connect import open_to_write

        return open_to_write(self.settings)

    def campaign(self, name_or_id: str | None = None) -> Campaign:
        """A campaign by id or name; of several with one name, and without one, the newest.

        Raises
        ------
        StoreError
            If there is none.
        """
        return Campaign(self, self.store.find_campaign(name_or_id).id)

    def campaigns(self) -> pd.DataFrame:
        """All campaigns, newest first: id, name, state, why it stopped, when it was created."""
        import pandas as pd

        found = self.store.campaigns()
        columns = ("id", "name", "state", "stop_reason", "created")
        rows = [[getattr(campaign, column) for column in columns] for campaign in found]
        return pd.DataFrame(rows, columns=list(columns))

    def submit(self, campaign: Source, changes: Mapping[str, Any] | None = None) -> Campaign:
        """Submit a campaign; the same one again adds nothing.

        Parameters
        ----------
        campaign
            A campaign file, the name of a campaign that ships, a dictionary with the content of a
            file, or a CampaignSpec.
        changes
            Dotted keys to values set after reading, `{"learning.rounds": 3}`.

        Raises
        ------
        CampaignError, DatasetError, ThermoError
            What cannot work, before anything is written.
        """
        spec = spec_of(campaign, changes)
        prepared = self._prepared(spec)
        for problem in self._missing_here(spec, prepared):
            warnings.warn(problem, stacklevel=2)
        return self._submit(spec, prepared)

    def run(
        self,
        campaign: Source,
        changes: Mapping[str, Any] | None = None,
        workers: int | None = None,
    ) -> Campaign:
        """Submit a campaign and work on it here until it is finished, or waits for answers.

        Parameters
        ----------
        campaign, changes
            As for `submit`.
        workers
            Processes; 0: this one. Default: as the settings say.

        Raises
        ------
        SettingsError
            Something that the engine needs is missing on this machine; else as `submit` and
            `Campaign.run`.
        """
        spec = spec_of(campaign, changes)
        prepared = self._prepared(spec)
        for problem in self._missing_here(spec, prepared):
            raise SettingsError(problem)
        return self._submit(spec, prepared).run(workers)

    def _prepared(self, spec: CampaignSpec) -> Prepared:
        from gen2dft.rounds.prepare import prepare

        return prepare(spec, self.settings.data_dir / "cache", self.store)

    def _missing_here(self, spec: CampaignSpec, prepared: Prepared) -> tuple[str, ...]:
        from gen2dft.rounds.prepare import check_validation

        return check_validation(spec, prepared.dataset, self.store)

    def _submit(self, spec: CampaignSpec, prepared: Prepared) -> Campaign:
        from gen2dft.launchpad.connect import connect_launchpad
        from gen2dft.launchpad.submit import submit

        lpad = connect_launchpad(self.settings)
        submitted = submit(self.writable_store, lpad, spec, *prepared)
        return Campaign(self, submitted.campaign_id)


def spec_of(campaign: Source, changes: Mapping[str, Any] | None = None) -> CampaignSpec:
    """The campaign that a file, a name, a dictionary or a spec describes.

    Raises
    ------
    CampaignError
        It is none of these, or not valid.
    """
    from gen2dft.campaign import CampaignSpec, load_campaign

    if isinstance(campaign, str | Path):
        return load_campaign(str(campaign), changes)
    if isinstance(campaign, CampaignSpec):
        if not changes:
            return campaign
        campaign = campaign.model_dump(mode="json", by_alias=True)
    if not isinstance(campaign, Mapping):
        raise CampaignError(
            f"a campaign is a file, a name, a dictionary or a CampaignSpec, and not "
            f"{type(campaign).__name__}"
        )
    return _parsed(campaign, changes)


def _parsed(content: Mapping[str, Any], changes: Mapping[str, Any] | None) -> CampaignSpec:
    """A dictionary read as the campaign file that holds it."""
    import json

    import yaml

    from gen2dft.campaign import parse_campaign

    try:
        plain = json.loads(json.dumps(content))
    except (TypeError, ValueError) as err:
        raise CampaignError(
            f"the campaign's dictionary holds what no file could hold: {err}"
        ) from err
    return parse_campaign(yaml.safe_dump(plain), "the campaign's dictionary", changes)
