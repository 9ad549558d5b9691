"""The named entry points: for each a strategy and the database that its commands open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.fuzz import examples
from tests.fuzz.case import Case
from tests.fuzz.entries.archives import archives
from tests.fuzz.entries.campaigns import campaign_files, set_texts
from tests.fuzz.entries.data_files import data_files
from tests.fuzz.entries.queries import queries


class EntryPoint(NamedTuple):
    """Where inputs enter, and how they are made.

    Parameters
    ----------
    make_store
        A database for one case.
    """

    cases: st.SearchStrategy[Case]
    make_store: Callable[[], Any]


ENTRY_POINTS = {
    "campaign files": EntryPoint(campaign_files(), examples.database),
    "--set": EntryPoint(set_texts(), examples.database),
    "queries": EntryPoint(queries(), examples.database),
    "data files": EntryPoint(data_files(), examples.database),
    "archives": EntryPoint(archives(), examples.empty_database),
}
