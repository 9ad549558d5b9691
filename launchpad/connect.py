"""FireWorks and jobflow on the campaign's own database.

Fireworks, job outputs and gen2dft's documents share one database (their collections have different
names), so there is one thing to grant rights on, to back up and to drop.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gen2dft.store.connect import checked_client, database_uri
from gen2dft.store.files import write_private

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.settings import Settings

# What repair, resume and dispatch ask of fireworks: of one candidate, of one round, of one campaign
# in some states.
INDICES = ("spec.gen2dft.candidate_id",)
COMPOUND_INDICES = (
    ("spec.gen2dft.campaign_id", "spec.gen2dft.round"),
    ("spec.gen2dft.campaign_id", "state"),
)
OUTPUTS = "outputs"
CONFIG_VARIABLE = "JOBFLOW_CONFIG_FILE"
_exported: set[str] = set()  # files that this process named itself, as against the user's own


def connect_launchpad(settings: Settings) -> LaunchPad:
    """FireWorks' LaunchPad on the database of these settings, initialised on first use.

    Raises
    ------
    SettingsError, StoreError
        As `gen2dft.store.connect.connect` does.
    """
    uri = database_uri(settings).get_secret_value()
    checked_client(uri, os.getpid())  # FireWorks itself would wait long and then show the URI
    return _launchpad(uri, settings.database_name, os.getpid())


@functools.lru_cache(4)
def _launchpad(uri: str, name: str, pid: int) -> LaunchPad:
    """One per database and process."""
    del pid
    from gen2dft.launchpad.ids import SharedLaunchPad

    lpad = SharedLaunchPad(
        uri,
        name=name,
        strm_lvl="ERROR",
        user_indices=list(INDICES),
        wf_user_indices=["locked"],  # see gen2dft.launchpad.lost
        uri_mode=True,
    )
    _initialise(lpad)
    return lpad


def _initialise(lpad: LaunchPad) -> None:
    """Counters and indices.

    Unlike `lpad reset` this never deletes anything and may run twice at once.
    """
    from pymongo.errors import DuplicateKeyError

    # The index that is made last: if it is there, all others are.
    last_made = "_".join(f"{field}_1" for field in COMPOUND_INDICES[-1])
    if last_made in lpad.fireworks.index_information():
        return
    if lpad.fw_id_assigner.find_one() is None:
        with contextlib.suppress(DuplicateKeyError):
            lpad.fw_id_assigner.insert_one({"_id": -1, "next_fw_id": 1, "next_launch_id": 1})
    lpad.tuneup()
    # Jobflow makes no index: each result written or handed on would walk through those of all jobs.
    lpad.db[OUTPUTS].create_index([("uuid", 1), ("index", 1)])
    for fields in COMPOUND_INDICES:
        lpad.fireworks.create_index([(field, 1) for field in fields])


def job_store_spec(settings: Settings) -> dict[str, Any]:
    """Jobflow's description of the job store: documents in `outputs`, large arrays in GridFS."""
    place = {"uri": database_uri(settings).get_secret_value(), "database": settings.database_name}
    return {
        "docs_store": {"type": "MongoStore", "collection_name": OUTPUTS, **place},
        "additional_stores": {
            "data": {"type": "GridFSStore", "collection_name": f"{OUTPUTS}_data", **place}
        },
    }


def jobflow_file(settings: Settings) -> tuple[Path, bool]:
    """Jobflow's configuration file in force, and whether it is gen2dft's own.

    A configuration of the user's wins: $JOBFLOW_CONFIG_FILE, and with a database that is not the
    embedded one also ~/.jobflow.yaml.
    """
    own = settings.data_dir / "jobflow.yaml"
    named = os.environ.get(CONFIG_VARIABLE)
    if named and named not in (str(own), *_exported):
        return Path(named), False
    home = Path("~/.jobflow.yaml").expanduser()
    if not named and not settings.is_embedded and home.is_file():
        return home, False
    return own, True


def configure_jobflow(settings: Settings) -> Path:
    """Make jobflow keep outputs in the campaign's database, unless the user has set up his own
    store.

    The private file with the store is named by $JOBFLOW_CONFIG_FILE, so that every worker reads the
    store from there and no URI gets into a firework.

    Returns
    -------
    Jobflow's configuration file in force.
    """
    path, is_own = jobflow_file(settings)
    if is_own:
        spec = job_store_spec(settings)
        write_private(path, yaml.safe_dump({"JOB_STORE": spec}))
        os.environ[CONFIG_VARIABLE] = str(path)
        _exported.add(str(path))
        if jobflow := sys.modules.get("jobflow"):  # it has read its settings already
            jobflow.SETTINGS.JOB_STORE = jobflow.JobStore.from_dict_spec(spec)
    return path
