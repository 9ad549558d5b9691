"""The named entry points: for each a strategy and the database that its commands open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.fuzz import examples
from tests.fuzz.case import Case
from tests.fuzz.entries.archives import archives, valid_archives
from tests.fuzz.entries.campaigns import (
    campaign_files,
    set_texts,
    valid_campaigns,
    valid_sets,
)
from tests.fuzz.entries.data_files import data_files, valid_files
from tests.fuzz.entries.queries import queries, valid_queries


class EntryPoint(NamedTuple):
    """Where inputs enter, and how they are made.

    Parameters
    ----------
    make_store
        A database for one case.
    valid
        The inputs before they are damaged, which must be taken.
    """

    cases: st.SearchStrategy[Case]
    make_store: Callable[[], Any]
    valid: Callable[[], list[Case]]


ENTRY_POINTS = {
    "campaign files": EntryPoint(campaign_files(), examples.database, valid_campaigns),
    "--set": EntryPoint(set_texts(), examples.database, valid_sets),
    "queries": EntryPoint(queries(), examples.database, valid_queries),
    "data files": EntryPoint(data_files(), examples.database, valid_files),
    "archives": EntryPoint(archives(), examples.empty_database, valid_archives),
}
