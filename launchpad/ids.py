"""A LaunchPad whose ids are drawn right on every server, and whose signs of life outlast an absence of the database.

FireWorks takes the ids from the counters as they were before it raised them. MongoDB reads and raises in one step.
SecantusDB (seen in 0.7.0b3) reads first, so that two processes may get the same id, and the firework of one then
replaces that of the other. The counters as they are after the step are exact on both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad
from pymongo import ReturnDocument
from pymongo.errors import ConnectionFailure

if TYPE_CHECKING:
    from pymongo.collection import Collection


class Counters:
    """FireWorks' collection of counters.

    Parameters
    ----------
    collection
        The collection; whatever is not asked for here is asked of it.
    """

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self.collection = collection

    def find_one_and_update(
        self, query: Mapping[str, Any], update: Mapping[str, Mapping[str, int]]
    ) -> dict[str, Any] | None:
        """Raise counters; their values before that, None if there are no counters yet."""
        after = self.collection.find_one_and_update(query, update, return_document=ReturnDocument.AFTER)
        return None if after is None else {**after, **{key: after[key] - by for key, by in update["$inc"].items()}}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.collection, name)


class SharedLaunchPad(LaunchPad):
    """FireWorks' LaunchPad with `Counters`; the parameters are the same."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fw_id_assigner: Any = Counters(self.db["fw_id_assigner"])

    def ping_launch(self, *args: Any, **kwargs: Any) -> None:
        """Give a sign of life; one that does not get through is made up for by the next, for the run itself goes on."""
        with contextlib.suppress(ConnectionFailure):
            super().ping_launch(*args, **kwargs)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> LaunchPad:
        """As FireWorks' own, which names its class and so would make a plain LaunchPad."""
        lpad = super().from_dict(d)
        lpad.fw_id_assigner = Counters(lpad.fw_id_assigner)
        return lpad
