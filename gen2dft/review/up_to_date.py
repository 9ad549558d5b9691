"""Brings documents of older versions up to date: what their crystals are made of, and their round.

Each document is written by itself and only where it lacks a field, so that a run that was killed
goes on where it stopped, and a second one writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gen2dft.composition import crystal_fields
from gen2dft.crystal_documents import structure_of
from gen2dft.store.crystal_fields import FIRST_ROUND
from gen2dft.store.documents import Document, HitDoc, LabelDoc
from gen2dft.store.schema import collection_name

if TYPE_CHECKING:
    from gen2dft.store.store import Store

OF_CRYSTALS: tuple[type[Document], ...] = (HitDoc, LabelDoc)
AT_ONCE = 200  # documents that are read and written in one message
OUTDATED: dict[str, Any] = {"$or": [{"nsites": None}, {"round": None}]}
ADDED = "formula_pretty, elements, nelements, chemsys, nsites, symmetry, round"
# What reading a crystal from a document may raise.
NO_CRYSTAL = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

Progress = Callable[[int, int], None]


@dataclass
class Brought:
    """What became of the outdated documents of one collection.

    Parameters
    ----------
    written
        How many are up to date now.
    failed
        Id of each that could not be, with the reason.
    """

    written: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def count_outdated(store: Store, model: type[Document], campaign_id: str | None = None) -> int:
    """Documents of a kind (of one campaign) that lack a field of this version."""
    query = OUTDATED if campaign_id is None else {"campaign_id": campaign_id, **OUTDATED}
    return store.database[collection_name(model)].count_documents(query)


def bring_up_to_date(
    store: Store, model: type[Document], progress: Progress | None = None
) -> Brought:
    """Add what documents of a kind lack.

    Parameters
    ----------
    progress
        Called with (documents seen, documents in all).
    """
    collection = store.database[collection_name(model)]
    keys = [found["_id"] for found in collection.find(OUTDATED, {"_id": 1}).sort("_id", 1)]
    brought = Brought()
    for start in range(0, len(keys), AT_ONCE):
        part = keys[start : start + AT_ONCE]
        _bring_part(collection, part, brought)
        if progress is not None:
            progress(start + len(part), len(keys))
    return brought


def _bring_part(collection: Any, keys: list[Any], brought: Brought) -> None:
    from pymongo import UpdateOne

    fields = {"structure": 1, "round_index": 1}
    updates = []
    for found in collection.find({"_id": {"$in": keys}}, fields):
        try:
            lacking = missing_fields(found)
        except NO_CRYSTAL as err:
            brought.failed[str(found["_id"])] = " ".join(str(err).split())[:200]
            continue
        updates.append(UpdateOne({"_id": found["_id"], **OUTDATED}, {"$set": lacking}))
    if updates:
        brought.written += collection.bulk_write(updates, ordered=False).modified_count


def missing_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a document of an older version lacks, of its structure and round."""
    crystal = structure_of(document["structure"])
    return {**crystal_fields(crystal), "round": document["round_index"] + FIRST_ROUND}
