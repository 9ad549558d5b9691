"""Hits of the store that meet a condition, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.errors import QueryError
from gen2dft.properties import PROPERTIES
from gen2dft.query.conditions import names_in, parse_where
from gen2dft.query.fields import EVIDENCE, FIELDS, SOURCE, check_fields
from gen2dft.store.connect import reason_of
from gen2dft.store.documents import EVIDENCE_FIELDS, stored_evidence
from gen2dft.store.filters import Filter, parse_filter, shortened
from gen2dft.store.states import LABELLED_STATES

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, HitDoc
    from gen2dft.store.store import Store


def query_hits(store: Store, query: str, campaign_id: str) -> list[HitDoc]:
    """Hits of a campaign that meet a filter of MongoDB written as JSON, in the order of their ids.

    Raises
    ------
    QueryError
        The filter is not understood, asks for more than comparisons or for a field that no hit
        has, or takes too long.
    """
    from pymongo.errors import OperationFailure

    parsed = parse_filter(query)
    if "campaign_id" in parsed:
        raise QueryError("the filter must not name campaign_id; choose it by --campaign")
    check_fields(parsed, carried(store.campaign(campaign_id).spec))
    try:
        return store.hits(campaign_id, **parsed)
    except OperationFailure as err:
        cause = reason_of(err)
        raise QueryError(f"the database refuses the filter {shortened(query)}: {cause}") from err


def find_hits(store: Store, where: str, campaign_id: str | None = None) -> list[HitDoc]:
    """Hits (of one campaign) that meet a condition, in the order of their ids.

    Parameters
    ----------
    where
        Comparisons of properties (numbers in the property's unit), `formula`, `spacegroup`, `round`
        (from 1), `is_dft`, `evidence` (`dft`, `mixed`, `surrogate`), `chance` (0 to 1, that DFT
        confirms the stability), `source`, and emmet-core's `formula_pretty`, `elements`,
        `nelements`, `chemsys`, `nsites` and `symmetry`, joined by `and`, `or`, `not` and
        parentheses: `0.3 < band_gap < 1.5 and "Te" in elements`. A crystal that several sources
        drew is of each of them.

    Raises
    ------
    QueryError
        The condition is not understood, or asks for what the hits of this campaign do not carry.
    """
    campaigns = store.campaigns() if campaign_id is None else [store.campaign(campaign_id)]
    properties = set(PROPERTIES)
    for document in campaigns:
        properties.update(carried(document.spec))
    found = parse_where(where, properties)
    if campaign_id is not None:
        _refuse_others(where, campaigns[0].spec)
    if SOURCE in names_in(where):
        drawn_by: dict[str, tuple[str, ...]] = {}
        for document in campaigns:
            drawn_by |= sources_of_hits(store, document)
        found = _by_id(found, SOURCE, drawn_by)
    if EVIDENCE in names_in(where):
        known: dict[str, tuple[str, ...]] = {}
        for document in campaigns:
            known |= evidence_of_hits(store, document.id)
        found = _by_id(found, EVIDENCE, known)
    return store.hits(campaign_id, **found)


def sources_of_hits(store: Store, campaign: CampaignDoc) -> dict[str, tuple[str, ...]]:
    """Id of each hit to the sources that drew its crystal, the candidate's own one first.

    Candidates that are labelled and no hits may be among them.
    """
    sources = stored_campaign(campaign).sources
    if len(sources) == 1:
        hits = store.hit_fields(campaign.id, ("candidate_id",))
        return {hit["_id"]: (sources[0].label,) for hit in hits}
    # A hit is written before its candidate's state becomes `hit`.
    is_labelled = {"$in": list(LABELLED_STATES)}
    drawn_by = {}
    for found in store.candidate_fields(campaign.id, (SOURCE, "also_from"), state=is_labelled):
        drawn_by[found["_id"]] = (found[SOURCE], *found["also_from"])
    return drawn_by


def evidence_of_hits(store: Store, campaign_id: str) -> dict[str, tuple[str]]:
    """Id of each hit to its evidence."""
    found = store.hit_fields(campaign_id, EVIDENCE_FIELDS)
    return {hit["_id"]: (stored_evidence(hit),) for hit in found}


def files_of_hits(store: Store, campaign: CampaignDoc) -> dict[str, str]:
    """Id of each hit to the file of its crystal; empty where a generator made them."""
    if not any(source.frozen_snapshot for source in stored_campaign(campaign).sources):
        return {}
    is_labelled = {"$in": list(LABELLED_STATES)}
    found = store.candidate_fields(campaign.id, ("origin",), state=is_labelled)
    return {candidate["_id"]: candidate.get("origin") or "" for candidate in found}


def _by_id(condition: Filter, field: str, texts: Mapping[str, Sequence[str]]) -> Filter:
    """A filter whose conditions on a field are conditions on the ids of hits.

    Parameters
    ----------
    texts
        Id of each hit to the texts of the field.
    """
    resolved: Filter = {}
    for key, value in condition.items():
        if key == field:
            resolved["_id"] = {"$in": _passing(value, texts)}
        elif key in ("$and", "$or"):
            resolved[key] = [_by_id(part, field, texts) for part in value]
        else:
            resolved[key] = value
    return resolved


def _passing(comparison: Filter, texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Hits whose texts pass: with `$nin` none of them may be among the values, else one must."""
    ((operator, wanted),) = comparison.items()
    names = set(wanted) if isinstance(wanted, list) else {wanted}
    is_excluded = operator == "$nin"
    return [hit for hit, said in texts.items() if names.isdisjoint(said) == is_excluded]


def carried(spec: Mapping[str, Any]) -> list[str]:
    """Properties of a campaign's hits: its targets."""
    return [target["property"] for target in spec["targets"]]


def _refuse_others(where: str, spec: Mapping[str, Any]) -> None:
    """Refuse properties that the campaign's hits do not carry."""
    names = carried(spec)
    asked_for = names_in(where) - set(FIELDS)
    for name in sorted(asked_for):
        if name not in names:
            raise QueryError(
                f"hits of campaign {spec['name']} carry no {name}: it is no target; they carry "
                f"{', '.join(names)}"
            )
