"""Hits, or all validated candidates, as an OPTIMADE database (https://www.optimade.org), by
optimade-python-tools.

The server answers from a copy in memory, in OPTIMADE's own form, to which it adds what has come
since; the campaigns' database is only read. Fields of ours carry the prefix `_gen2dft_`.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from gen2dft import __version__
from gen2dft.campaign import stored_campaign
from gen2dft.properties import Properties
from gen2dft.report.wording import target_text
from gen2dft.store.documents import CampaignDoc, CandidateDoc, LabelDoc, RoundDoc
from gen2dft.store.store import candidate_key, round_key

if TYPE_CHECKING:
    from gen2dft.store.store import Store

PREFIX = "gen2dft"
LOOK_EVERY = 5.0  # seconds between looks for new crystals
AT_ONCE = 200
BUILT_IN = Properties()
Shared = Literal["hits", "validated"]

# Name, type in OPTIMADE's words, description; values of properties come in addition, with their
# units.
FIELDS: tuple[tuple[str, str, str], ...] = (
    ("campaign", "string", "Id of the campaign that found the crystal."),
    ("round", "integer", "Round of the campaign, from 1."),
    (
        "candidate_id",
        "string",
        "Hash of generator and latent vector that the crystal was decoded from.",
    ),
    ("snapshot", "string", "Hash of the trained generator."),
    ("sampler", "string", "How the latent vector was drawn."),
    ("parents", "list", "Ids of the training crystals that it was drawn from."),
    ("is_hit", "boolean", "Whether the crystal meets all targets of its campaign."),
    ("targets", "dictionary", "What the campaign asks for: property to text."),
    (
        "predicted",
        "dictionary",
        "Predictions of the generator that no engine has computed: property to value.",
    ),
    ("engine", "string", "Program that relaxed the crystal and computed its values."),
    ("is_dft", "boolean", "Whether that engine is DFT; a surrogate is not."),
    ("preset", "string", "Named settings of the engine."),
    ("settings_hash", "string", "Hash of these settings."),
    ("run_type", "string", "Functional and U."),
    ("corrections", "list", "Named corrections of the energy, already applied."),
    ("hull", "string", "Hash of the set of phases that e_above_hull is measured against."),
)


def build_optimade(store: Store, shared: Shared, base_url: str | None = None) -> Any:
    """The OPTIMADE application.

    Parameters
    ----------
    shared
        `hits`, or `validated`: every crystal that an engine has labelled.
    base_url
        Where others reach it, without `/v1`.

    Returns
    -------
    An ASGI application that answers at `/v1/structures` and so on.
    """
    # It would write log files in /var/log as soon as it is imported.
    logging.getLogger("optimade").addHandler(logging.NullHandler())
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    config = ServerConfig(
        insert_test_data=False,
        database_backend="mongomock",
        # the library shares one database in memory among applications
        mongo_database=f"{PREFIX}-{uuid.uuid4().hex}",
        base_url=base_url,
        page_limit=50,
        implementation={"name": "gen2dft", "version": __version__},
        provider={
            "prefix": PREFIX,
            "name": "gen2dft",
            "description": "Crystals found by generative design and validated by an engine that "
            "each of them names",
        },
        provider_fields={"structures": field_descriptions(known_in(store))},
    )
    app = create_app(config)
    return _Fresh(app, _Copy(store, shared, app.state.entry_collections["structures"].collection))


def known_in(store: Store) -> Properties:
    """Every property, those of the campaigns that are there now among them.

    Where two campaigns give one name to two things, the earlier one has it.
    """
    newest_first = [stored_campaign(document) for document in store.campaigns()]
    return Properties(prop for spec in newest_first for prop in spec.known_properties.own.values())


def field_descriptions(known: Properties = BUILT_IN) -> list[dict[str, Any]]:
    """Our fields as `/info/structures` describes them."""
    described = [{"name": name, "type": kind, "description": text} for name, kind, text in FIELDS]
    values = [
        {
            "name": p.name,
            "type": "float",
            "unit": p.unit,
            "description": f"{p.title}, as the engine computed it.",
        }
        for p in known.values()
    ]
    return described + values


class _Fresh:
    """An application that looks for new crystals, now and then, before it answers."""

    def __init__(self, app: Any, copy: _Copy) -> None:
        self._app, self._copy = app, copy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.concurrency import run_in_threadpool

        await run_in_threadpool(self._copy.refresh)
        await self._app(scope, receive, send)


class _Copy:
    """Crystals in OPTIMADE's form: one entry per label."""

    def __init__(self, store: Store, shared: Shared, entries: Any) -> None:
        self._store, self._shared, self._entries = store, shared, entries
        self._known: dict[str, bool] = {}  # label, and whether it was a hit's when it was copied
        self._looked = -LOOK_EVERY
        self._lock = threading.Lock()
        entries.create_index("id")

    def refresh(self) -> None:
        """Add what is new, if the last look is old enough.

        States only move forward, so nothing is ever removed.
        """
        with self._lock:
            if time.monotonic() - self._looked < LOOK_EVERY:
                return
            hits = self._store.hit_labels()
            wanted = (
                dict.fromkeys(self._store.ids(LabelDoc), False)
                if self._shared == "validated"
                else {}
            )
            wanted |= dict.fromkeys(hits, True)
            new = [
                label for label, is_hit in wanted.items() if self._known.get(label) is not is_hit
            ]
            for i in range(0, len(new), AT_ONCE):
                for entry in entries_of(self._store, new[i : i + AT_ONCE], hits):
                    self._entries.replace_one({"id": entry["id"]}, entry, upsert=True)
            self._known |= {label: wanted[label] for label in new}
            self._looked = time.monotonic()


def entries_of(store: Store, label_ids: Iterable[str], hits: set[str]) -> list[dict[str, Any]]:
    """Entries of these labels, in the order of their ids; `hits` are the labels of hits."""
    labels = store.find_many(LabelDoc, list(label_ids))
    keys = {candidate_key(label.campaign_id, label.candidate_id) for label in labels.values()}
    candidates = store.find_many(CandidateDoc, sorted(keys))
    campaigns = store.find_many(
        CampaignDoc, sorted({label.campaign_id for label in labels.values()})
    )
    rounds = store.find_many(
        RoundDoc, sorted({round_key(c.campaign_id, c.round_index) for c in candidates.values()})
    )
    return [
        _entry(
            label,
            candidates[candidate_key(label.campaign_id, label.candidate_id)],
            campaigns[label.campaign_id],
            rounds[round_key(label.campaign_id, label.round_index)],
            label.id in hits,
        )
        for _, label in sorted(labels.items())
    ]


def _entry(
    label: LabelDoc, candidate: CandidateDoc, campaign: CampaignDoc, round_: RoundDoc, is_hit: bool
) -> dict[str, Any]:
    spec = stored_campaign(campaign)
    known = spec.known_properties
    return {
        **structure_fields(label.structure),
        "id": label.id,
        "immutable_id": label.id,
        "last_modified": label.created.replace(tzinfo=None, microsecond=0),
        "campaign": label.campaign_id,
        "round": label.round_index + 1,
        "candidate_id": label.candidate_id,
        "snapshot": round_.snapshot_id,
        "sampler": candidate.sampler,
        "parents": candidate.parents,
        "is_hit": is_hit,
        "targets": {target.property: target_text(target, known) for target in spec.targets},
        "predicted": {
            name: value for name, value in candidate.predicted.items() if name not in label.values
        },
        "engine": label.engine,
        "is_dft": label.is_dft,
        "preset": label.preset,
        "settings_hash": label.settings_hash,
        "run_type": label.run_type,
        "corrections": label.corrections,
        "hull": label.hull_id,
        **{name: label.values.get(name) for name in known},
    }


def structure_fields(structure: dict[str, Any]) -> dict[str, Any]:
    """OPTIMADE's description of a structure (pymatgen dictionary); lengths in Angstrom."""
    from optimade.adapters.structures.pymatgen import from_pymatgen
    from pymatgen.core import Structure

    fields = from_pymatgen(Structure.from_dict(structure)).model_dump(mode="json")
    fields["species"].sort(
        key=lambda species: species["name"]
    )  # the library leaves their order to chance
    return {name: value for name, value in fields.items() if value is not None}
