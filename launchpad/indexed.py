"""FireWorks' questions in the form that the embedded server answers by an index.

SecantusDB (seen in 0.7.0b3) walks through a whole collection for find-and-modify, and for a query
with `$or`, which FireWorks asks before each launch: with 20,000 fireworks one launch took 20 s.
MongoDB does either as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.results import UpdateResult

Query = Mapping[str, Any]


class Wrapped:
    """A collection, some of whose methods a subclass replaces."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self.collection = collection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.collection, name)


class Indexed(Wrapped):
    """A collection whose documents are found first and then changed by their `_id`, if they still
    are as was asked.
    """

    def find_one_and_update(
        self, query: Query, update: Query, sort: Any = None
    ) -> dict[str, Any] | None:
        """Update one document; it as it was, None if there is none."""
        return self._change(query, sort, lambda place: self.collection.update_one(place, update))

    def find_one_and_replace(
        self, query: Query, document: Query, upsert: bool = False
    ) -> dict[str, Any] | None:
        """Replace one document; it as it was, None if there is none."""
        replace_one = self.collection.replace_one
        before = self._change(query, None, lambda place: replace_one(place, document))
        if before is None and upsert:
            self.collection.replace_one(query, document, upsert=True)
        return before

    def _change(
        self, query: Query, sort: Any, change: Callable[[Query], UpdateResult]
    ) -> dict[str, Any] | None:
        # Conditions under `$or` and the like (which workers may run it) do not change in a
        # firework.
        asked = {name: value for name, value in query.items() if not name.startswith("$")}
        while True:
            found = self.collection.find_one(query, sort=sort)
            if found is None:
                return None
            # Another worker may have changed it since; then none is matched, and the next is tried.
            changed = change({"_id": found["_id"], **asked})
            if changed.matched_count:
                return found


def indexable(query: Query) -> dict[str, Any]:
    """A worker's query without its `$or`, and the state, which has an index, in front."""
    state = {"state": query["state"]} if "state" in query else {}
    match query.get("$or"):
        case [
            {"spec._fworker": {"$exists": False}},
            {"spec._fworker": None},
            {"spec._fworker": name},
        ]:
            rest = {key: value for key, value in query.items() if key != "$or"}
            return {**state, **rest, "spec._fworker": {"$in": [None, name]}}
    return {**state, **query}
