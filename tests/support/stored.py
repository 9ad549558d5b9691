"""What version 0.1.0 stored: the files of `tests/data/version-0.1.0`, see its README."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bson import json_util

from gen2dft.campaign import load_campaign

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.campaign import CampaignSpec
    from gen2dft.store.store import Store

DATA = Path(__file__).parents[1] / "data" / "version-0.1.0"
FOLDER = "/scratch/gen2dft"  # where the stored documents say that workers ran
OPTIONS = json_util.RELAXED_JSON_OPTIONS.with_options(tz_aware=True)
LOST_SECONDS = 600
ATTEMPTS = 4

# Defaults that changed on purpose: a file that leaves them out begins another campaign now.
FORMER_DEFAULTS = {
    "learning.acquisition": "greedy",
    "learning.quorum": 1.0,
    "hull.source": "dataset",
}

Row = dict[str, Any]


def read_json(name: str) -> Any:
    """Content of a JSON file."""
    return json.loads((DATA / f"{name}.json").read_text())


def left_out(text: str) -> Row:
    """What version 0.1.0 took for what a campaign file leaves out, as overrides."""
    content, missing = yaml.safe_load(text), {}
    for place, value in FORMER_DEFAULTS.items():
        part, _, key = place.partition(".")
        if key not in content.get(part, {}):
            missing[place] = value
    return missing


def load_then(name: str) -> CampaignSpec:
    """A stored campaign file as version 0.1.0 understood it."""
    file = DATA / f"{name}.yaml"
    return load_campaign(str(file), left_out(file.read_text()))


def load_database(name: str, database: Any, folder: Path | str = FOLDER) -> str | None:
    """Insert the documents of a stored database.

    Parameters
    ----------
    folder
        Replaces `FOLDER` in all documents.

    Returns
    -------
    Id of the newest campaign; None if there is no campaign.
    """
    rows: dict[str, list[Row]] = {}
    text = lzma.decompress((DATA / f"{name}.jsonl.xz").read_bytes()).decode()
    for line in text.replace(FOLDER, str(folder)).splitlines():
        row = json_util.loads(line, json_options=OPTIONS)
        rows.setdefault(row["collection"], []).append(row["document"])
    for collection, documents in rows.items():
        database[collection].delete_many({})  # FireWorks' counters exist as soon as one connects
        database[collection].insert_many(documents)
    campaigns = sorted(rows.get("campaigns", []), key=lambda row: row["created"])
    return campaigns[-1]["_id"] if campaigns else None


def everything(database: Any) -> dict[str, list[Row]]:
    """All documents by collection."""
    names = sorted(database.list_collection_names())
    return {name: list(database[name].find().sort("_id", 1)) for name in names}


def carry_on(store: Store, lpad: LaunchPad, work: Callable[[], None], campaign_id: str) -> None:
    """Work on a campaign as `gen2dft run` does, until it is finished or nothing helps any more."""
    from gen2dft.launchpad.lost import recover_lost_runs
    from gen2dft.launchpad.repair import repair

    for _ in range(ATTEMPTS):
        recover_lost_runs(lpad, expiration_secs=LOST_SECONDS)
        repair(store, lpad, campaign_id, retry=True)
        work()
        if store.campaign(campaign_id).state == "finished":
            return


def outcome(database: Any, campaign_id: str) -> Row:
    """What a campaign has come to, read from the bare documents.

    It leaves out what depends on a clock or on the last bits of a number, such as ids of candidates
    that were drawn later.
    """
    place = {"campaign_id": campaign_id}
    campaign = database.campaigns.find_one({"_id": campaign_id})
    candidates = {row["_id"]: row for row in database.candidates.find(place)}
    states = Counter(f"{_place(row)} {row['state']}" for row in candidates.values())
    of_labels = ("preset", "values", "warnings", "reused_from")
    of_factors = ("values", "mesh", "reason", "converged")
    return {
        "campaign": {key: campaign[key] for key in ("state", "stop_reason", "spec_hash")},
        "rounds": [_round(row) for row in database.rounds.find(place).sort("index", 1)],
        "states": dict(sorted(states.items())),
        "labels": _facts(database.labels.find(place), candidates, of_labels),
        "hits": _facts(database.hits.find(place), candidates, ("values", "basis", "is_dft")),
        "power_factors": _facts(database.power_factors.find(place), candidates, of_factors),
    }


def _round(row: Row) -> Row:
    return {key: row[key] for key in ("index", "state", "funnel", "dispatch_size")}


def _place(row: Row) -> str:
    return f"{row['arm']} {row['round_index']}"


def _facts(
    rows: Iterable[Row], candidates: Mapping[str, Row], fields: tuple[str, ...]
) -> dict[str, Row]:
    """Fields of documents, by arm, round and formula of their candidate."""
    found = {}
    for row in rows:
        candidate = candidates[f"{row['campaign_id']}:{row['candidate_id']}"]
        facts = {name: row[name] for name in fields}
        if "warnings" in facts:  # without the names of files
            facts["warnings"] = [text.partition(" /")[0] for text in facts["warnings"]]
        found[f"{_place(candidate)} {candidate['formula']}"] = facts
    return dict(sorted(found.items()))


def must_be_like(found: Any, wanted: Any, tolerance: float = 1e-6, place: str = "") -> None:
    """AssertionError, with the place, where two structures of plain values differ.

    Parameters
    ----------
    tolerance
        Of numbers, relative or absolute.
    """
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), place
        for key in wanted:
            must_be_like(found[key], wanted[key], tolerance, f"{place}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), place
        for index, value in enumerate(wanted):
            must_be_like(found[index], value, tolerance, f"{place}[{index}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=tolerance, abs=tolerance), place
    else:
        assert found == wanted, place
