"""Hits, or all labelled candidates, as an OPTIMADE database (https://www.optimade.org), by
optimade-python-tools.

The server answers from a copy in memory in OPTIMADE's own format, to which it adds new crystals; it
only reads the campaigns' database. Fields of gen2dft carry the prefix `_gen2dft_`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gen2dft import __version__
from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.crystal_documents import structure_of
from gen2dft.errors import CampaignError
from gen2dft.properties import Properties, Property
from gen2dft.report.wording import target_text
from gen2dft.store.documents import (
    CampaignDoc,
    CandidateDoc,
    Evidence,
    LabelDoc,
    RoundDoc,
    StabilityRecord,
)
from gen2dft.store.store import candidate_key, round_key

if TYPE_CHECKING:
    from gen2dft.serve.optimade_entries import Entries
    from gen2dft.store.store import Store

PREFIX = "gen2dft"
LOOK_EVERY = 5.0  # seconds between looks for new crystals
AT_ONCE = 200
BUILT_IN = Properties()
IMPLEMENTATION = {"name": "gen2dft", "version": __version__}
PROVIDER = {
    "prefix": PREFIX,
    "name": "gen2dft",
    "description": "Crystals found by generative design and computed by an engine that each of "
    "them names",
}
Shared = Literal["hits", "computed"]

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
    (
        "evidence",
        "string",
        "Of a hit: dft (DFT computed the value of every target), mixed (of some) or surrogate.",
    ),
    ("is_dft", "boolean", "Whether that engine is DFT; a surrogate is not."),
    ("preset", "string", "Named settings of the engine."),
    ("settings_hash", "string", "Hash of these settings."),
    ("run_type", "string", "Functional and U."),
    ("corrections", "list", "Named corrections of the energy, already applied."),
    ("hull", "string", "Hash of the set of phases that e_above_hull is measured against."),
    (
        "chance",
        "float",
        "Probability, 0 to 1, that DFT finds at most chance_of above the hull, where a surrogate "
        "gave e_above_hull.",
    ),
    ("composition_unlike", "boolean", "Whether the correction has seen no such composition."),
    ("stability_correction", "string", "Name and hash of the correction in e_above_hull."),
)
# The same in eV/atom.
ENERGY_FIELDS: tuple[tuple[str, str], ...] = (
    ("e_above_hull_potential", "Energy above hull as the surrogate gives it, before correction."),
    ("e_above_hull_error", "Error of e_above_hull, one standard deviation."),
    ("chance_of", "Energy above hull that `chance` is about: what the target accepts."),
)

STORED_FIELDS = ("elements", "nelements", "nsites")  # as labels carry them
STABILITY_FIELDS = (
    "e_above_hull_potential",
    "e_above_hull_error",
    "chance",
    "chance_of",
    "composition_unlike",
    "stability_correction",
)


def build_optimade(store: Store, shared: Shared, base_url: str | None = None) -> Any:
    """The OPTIMADE application.

    Parameters
    ----------
    shared
        `hits`, or `computed`: every crystal that an engine has labelled.
    base_url
        Where others reach it, without `/v1`.

    Returns
    -------
    An ASGI application that answers at `/v1/structures` and so on.
    """
    # It would write log files in /var/log as soon as it is imported.
    logging.getLogger("optimade").addHandler(logging.NullHandler())
    from fastapi.exceptions import RequestValidationError
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    from gen2dft.serve.optimade_entries import Entries

    # The library shares one database in memory among applications.
    database = f"{PREFIX}-{uuid.uuid4().hex}"
    config = ServerConfig(
        insert_test_data=False,
        database_backend="mongomock",
        mongo_database=database,
        base_url=base_url,
        page_limit=50,
        implementation=IMPLEMENTATION,
        provider=PROVIDER,
        provider_fields={"structures": field_descriptions(known_in(store))},
    )
    app = create_app(config)
    kinds = app.state.entry_collections
    kinds |= {name: Entries(like) for name, like in kinds.items()}
    app.add_exception_handler(RequestValidationError, _bad_field)
    return _Fresh(app, _Copy(store, shared, kinds["structures"]))


def _bad_field(request: Any, error: Any) -> Any:
    """400 for a field of an address that is not of its kind, where the library answers 500."""
    from optimade.exceptions import BadRequest
    from optimade.server.exception_handlers import general_exception

    wrong = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
    return general_exception(request, BadRequest("; ".join(wrong)))


def known_in(store: Store) -> Properties:
    """Every property, those of the campaigns that are there now among them.

    Where two campaigns give one name to two things, the earlier one has it.
    """
    newest_first = readable_specs(store, store.campaigns()).values()
    return Properties(prop for spec in newest_first for prop in spec.known_properties.own.values())


def readable_specs(store: Store, campaigns: Iterable[CampaignDoc]) -> dict[str, CampaignSpec]:
    """Campaign to its spec, of those that this version can read."""
    specs = {}
    for document in campaigns:
        try:
            specs[document.id] = stored_campaign(document)
        except CampaignError as err:
            lines = str(err).splitlines()
            store.reading.note(CampaignDoc, document.id, f"spec: {lines[-1].strip()}")
    return specs


def field_descriptions(known: Properties = BUILT_IN) -> list[dict[str, Any]]:
    """Our fields as `/info/structures` describes them."""
    described = [{"name": name, "type": kind, "description": text} for name, kind, text in FIELDS]
    for name, text in ENERGY_FIELDS:
        entry = {"name": name, "type": "float", "unit": "eV/atom", "description": text}
        described.append(entry)
    values = [_described(entry) for entry in known.values()]
    return described + values


def _described(prop: Property) -> dict[str, Any]:
    text = f"{prop.title}, as the engine computed it."
    return {"name": prop.name, "type": "float", "unit": prop.unit, "description": text}


class _Fresh:
    """An application that looks for new crystals before it answers, every few seconds."""

    def __init__(self, app: Any, copy: _Copy) -> None:
        self._app = app
        self._copy = copy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from optimade.exceptions import OptimadeHTTPException
        from starlette.concurrency import run_in_threadpool

        await run_in_threadpool(self._copy.refresh)
        # The library has answered these already, and raises them again for a log.
        with contextlib.suppress(OptimadeHTTPException):
            await self._app(scope, receive, send)


class _Copy:
    """Crystals in OPTIMADE's format: one entry per label."""

    def __init__(self, store: Store, shared: Shared, entries: Entries) -> None:
        self._store = store
        self._shared = shared
        self._entries = entries
        self._known: dict[str, bool] = {}  # label, and whether it was a hit's when it was copied
        self._looked = -LOOK_EVERY
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Add new crystals, at most every `LOOK_EVERY` seconds.

        States only move forward, so nothing is ever removed.
        """
        with self._lock:
            if time.monotonic() - self._looked < LOOK_EVERY:
                return
            hits = self._store.hit_labels()
            wanted = self._wanted(hits)
            # A label may become a hit's after it was copied: it is copied again then.
            new = [label for label in wanted if self._known.get(label) is not wanted[label]]
            for start in range(0, len(new), AT_ONCE):
                self._add(new[start : start + AT_ONCE], hits)
            self._known |= wanted
            self._looked = time.monotonic()

    def _wanted(self, hits: Collection[str]) -> dict[str, bool]:
        """Labels to share, and whether each is a hit's."""
        wanted: dict[str, bool] = {}
        if self._shared == "computed":
            labels = self._store.ids(LabelDoc)
            wanted |= dict.fromkeys(labels, False)
        return wanted | dict.fromkeys(hits, True)

    def _add(self, labels: Sequence[str], hits: Mapping[str, Evidence]) -> None:
        for entry in entries_of(self._store, labels, hits):
            self._entries.put(entry)


def entries_of(
    store: Store, label_ids: Iterable[str], hits: Mapping[str, Evidence]
) -> list[dict[str, Any]]:
    """Entries of these labels, in the order of their ids.

    Parameters
    ----------
    hits
        Labels of hits, to the hits' evidence.
    """
    labels = store.find_many(LabelDoc, list(label_ids))
    origins = _Origins.of(store, labels.values())
    entries = []
    for key in sorted(labels):
        if not origins.has_all_of(labels[key]):
            continue  # its campaign, its round or its candidate cannot be read
        entry = dict(_fields_of(labels[key], origins))
        entry["is_hit"] = key in hits
        entry["evidence"] = hits.get(key)
        entries.append(entry)
    return entries


@dataclass(frozen=True)
class _Origins:
    """Documents that some labels come from, by their ids: read for all of them at once."""

    candidates: Mapping[str, CandidateDoc]
    specs: Mapping[str, CampaignSpec]
    rounds: Mapping[str, RoundDoc]

    @classmethod
    def of(cls, store: Store, labels: Iterable[LabelDoc]) -> _Origins:
        candidates, campaigns, rounds = set(), set(), set()
        for label in labels:
            campaign_id = label.campaign_id
            candidates.add(candidate_key(campaign_id, label.candidate_id))
            campaigns.add(campaign_id)
            rounds.add(round_key(campaign_id, label.round_index))
        return cls(
            store.find_many(CandidateDoc, sorted(candidates)),
            readable_specs(store, store.find_many(CampaignDoc, sorted(campaigns)).values()),
            store.find_many(RoundDoc, sorted(rounds)),
        )

    def has_all_of(self, label: LabelDoc) -> bool:
        """Whether everything that a label comes from is there."""
        candidate = candidate_key(label.campaign_id, label.candidate_id)
        round_ = round_key(label.campaign_id, label.round_index)
        is_known = label.campaign_id in self.specs
        return is_known and candidate in self.candidates and round_ in self.rounds

    def spec_of(self, label: LabelDoc) -> CampaignSpec:
        """The spec of the campaign that a label belongs to."""
        return self.specs[label.campaign_id]


def _fields_of(label: LabelDoc, origins: _Origins) -> Iterator[tuple[str, Any]]:
    """Fields of an entry: OPTIMADE's, then ours."""
    yield from structure_fields(label.structure).items()
    for name in STORED_FIELDS:
        stored = getattr(label, name)
        if stored is not None:  # a label of an older version
            yield name, stored
    yield "id", label.id
    yield "immutable_id", label.id
    yield "last_modified", label.created.replace(tzinfo=None, microsecond=0)
    yield from _origin_fields(label, origins)
    yield "engine", label.engine
    yield "is_dft", label.is_dft
    yield "preset", label.preset
    yield "settings_hash", label.settings_hash
    yield "run_type", label.run_type
    yield "corrections", label.corrections
    yield "hull", label.hull_id
    yield from _stability_fields(label.stability)
    for name in origins.spec_of(label).known_properties:
        yield name, label.values.get(name)


def _stability_fields(record: StabilityRecord | None) -> Iterator[tuple[str, Any]]:
    """What DFT is expected to say of the distance to the hull; nothing where DFT gave it."""
    if record is None:
        yield from dict.fromkeys(STABILITY_FIELDS).items()
        return
    yield "e_above_hull_potential", record.potential
    yield "e_above_hull_error", record.error
    yield "chance", record.chance
    yield "chance_of", record.most
    yield "composition_unlike", record.unlike
    yield "stability_correction", f"{record.model} {record.model_hash}"


def _origin_fields(label: LabelDoc, origins: _Origins) -> Iterator[tuple[str, Any]]:
    """Campaign, round and generator that a crystal came from, and its predictions."""
    campaign_id = label.campaign_id
    candidate = origins.candidates[candidate_key(campaign_id, label.candidate_id)]
    round_ = origins.rounds[round_key(campaign_id, label.round_index)]
    spec = origins.spec_of(label)
    known = spec.known_properties
    # A value that the engine has computed is served as such, not as a prediction.
    predicted = {k: value for k, value in candidate.predicted.items() if k not in label.values}
    yield "campaign", campaign_id
    yield "round", label.round_index + 1
    yield "candidate_id", label.candidate_id
    yield "snapshot", candidate.snapshot_id or round_.snapshot_of(candidate.source)
    yield "sampler", candidate.sampler
    yield "parents", candidate.parents
    yield "targets", {target.property: target_text(target, known) for target in spec.targets}
    yield "predicted", predicted


def structure_fields(structure: dict[str, Any]) -> dict[str, Any]:
    """OPTIMADE's description of a structure (pymatgen dictionary); lengths in Angstrom."""
    from optimade.adapters.structures.pymatgen import from_pymatgen

    crystal = structure_of(structure)
    fields = from_pymatgen(crystal).model_dump(mode="json")
    # The library leaves their order to chance.
    fields["species"].sort(key=lambda species: species["name"])
    return {name: value for name, value in fields.items() if value is not None}
