"""A LaunchPad whose ids are drawn right on every server, which asks by index, and outlasts an
absence of the database.

FireWorks takes the ids from the counters as they were before it raised them. MongoDB reads and
raises in one step. SecantusDB (seen in 0.7.0b3) reads first, so that two processes may get the same
id, and the firework of one then replaces that of the other. The counters as they are after the step
are exact on both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from fireworks import LaunchPad
from gen2dft.launchpad.indexed import Indexed, Wrapped, indexable
from pymongo import ReturnDocument
from pymongo.errors import ConnectionFailure


class Counters(Wrapped):
    """FireWorks' collection of counters."""

    def find_one_and_update(
        self, query: Mapping[str, Any], update: Mapping[str, Mapping[str, int]]
    ) -> dict[str, Any] | None:
        """Raise counters; their values before that, None if there are no counters yet."""
        counters = self.collection.find_one_and_update(
            query, update, return_document=ReturnDocument.AFTER
        )
        if counters is None:
            return None
        for name, step in update["$inc"].items():
            counters[name] -= step
        return counters


class SharedLaunchPad(LaunchPad):
    """FireWorks' LaunchPad with `Counters` and `Indexed` collections.

    The parameters are the same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _wrap(self)

    def _get_a_fw_to_run(
        self, query: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        ready = indexable({**(query or {}), "state": "READY"})
        return super()._get_a_fw_to_run(ready, *args, **kwargs)

    def get_fw_ids(self, query: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """Ids of the fireworks that fit a query."""
        return super().get_fw_ids(indexable(query or {}), *args, **kwargs)

    def ping_launch(self, *args: Any, **kwargs: Any) -> None:
        """Send a heartbeat.

        A lost one does no harm: the run itself goes on, and the next one follows.
        """
        with contextlib.suppress(ConnectionFailure):
            super().ping_launch(*args, **kwargs)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> LaunchPad:
        """As FireWorks' own, which names its class and so would make a plain LaunchPad."""
        lpad = super().from_dict(d)
        _wrap(lpad)
        return lpad


def _wrap(lpad: Any) -> None:
    lpad.fw_id_assigner = Counters(lpad.db["fw_id_assigner"])
    for name in ("fireworks", "launches", "workflows"):
        setattr(lpad, name, Indexed(lpad.db[name]))
