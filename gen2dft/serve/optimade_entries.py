"""Entries of the OPTIMADE server in memory, and the bounds within which they are searched.

The library turns texts of a filter into regular expressions and gives a search all the time that it
wants. Here texts are literal, a filter has a largest size, and a search ends after some seconds.
Importing this module imports the library; see `build_optimade` for what must precede.
"""

from __future__ import annotations

import copy
import operator
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bson.errors import BSONError
from lark import Token, Tree
from lark.exceptions import LarkError, UnexpectedInput, VisitError
from mongomock.filtering import filter_applies
from optimade.exceptions import BadRequest, OptimadeHTTPException
from optimade.filterparser import LarkParser
from optimade.filtertransformers.mongo import MongoTransformer
from optimade.server.entry_collections import EntryCollection
from optimade.server.entry_collections.mongo import MongoCollection
from optimade.server.query_params import EntryListingQueryParams, SingleEntryQueryParams

from gen2dft.errors import QueryError
from gen2dft.store.filters import check_size

SECONDS = 5.0  # that a search may take
MAX_SKIPPED = 10**9
OTHER_KIND = "a value of the filter is not of the kind of its field"
NOT_OF_KIND = (ValueError, TypeError, KeyError, AttributeError, OverflowError, BSONError)
QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
JOINT = re.compile(r"\b(?:AND|OR)\b", re.IGNORECASE)


class TooSlow(OptimadeHTTPException):
    """A search that took too long."""

    status_code = 503
    title = "Service Unavailable"


class Parser(LarkParser):
    """The grammar of filters, for texts within bounds."""

    def parse(self, filter_: str) -> Tree[Any]:
        """The tree of a filter.

        Raises
        ------
        BadRequest
            The filter is too large, or not one.
        """
        check_filter_text(filter_)
        try:
            # Unlike the library, keep no tree: another thread would overwrite it.
            return self.lark.parse(filter_)
        except UnexpectedInput as err:
            place = f"near character {err.column}" if err.column > 0 else "at its end"
            raise BadRequest(f"the filter is not understood {place}") from err
        except (LarkError, RecursionError) as err:
            raise BadRequest("the filter is not understood") from err


def check_filter_text(text: str) -> None:
    """Refuse a filter too large to be parsed or searched for; BadRequest says what is taken."""
    bare = QUOTED.sub('""', text)
    depth = deepest = 0
    for character in bare:
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    comparisons = 1 + len(JOINT.findall(bare))
    try:
        check_size(len(text), deepest, comparisons)
    except QueryError as err:
        raise BadRequest(str(err)) from err


class Transformer(MongoTransformer):
    """Filters as MongoDB has them, in which a reader's text is never a pattern."""

    def string(self, arg: list[Token]) -> str:
        """A text without its quotes, and each escaped character as itself."""
        return re.sub(r"\\(.)", r"\1", arg[0][1:-1], flags=re.DOTALL)

    def fuzzy_string_op_rhs(self, arg: list[Any]) -> dict[str, str]:
        """`CONTAINS`, `STARTS` or `ENDS`, perhaps `WITH`, and a text."""
        if not isinstance(arg[-1], str) or isinstance(arg[-1], Token):
            raise BadRequest(f"{arg[0]} takes a text in quotes")
        literal = re.escape(arg[-1])
        patterns = {"CONTAINS": literal, "STARTS": f"^{literal}", "ENDS": rf"{literal}\Z"}
        return {"$regex": patterns[str(arg[0])]}


class Entries(MongoCollection):
    """Entries by their id, in place of a collection of the library's."""

    def __init__(self, like: EntryCollection) -> None:
        super().__init__(
            like.resource_mapper.ENDPOINT, like.resource_cls, like.resource_mapper, like.config
        )
        self.entries: dict[str, dict[str, Any]] = {}
        self.parser = Parser()
        self.transformer = Transformer(mapper=like.resource_mapper)

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, entry: dict[str, Any]) -> None:
        """Add an entry, or replace the one of its id."""
        self.entries[entry["id"]] = entry

    def handle_query_params(
        self, params: EntryListingQueryParams | SingleEntryQueryParams
    ) -> dict[str, Any]:
        """What a request asks for.

        Raises
        ------
        OptimadeHTTPException
            400 for a value that is not understood, as far as the library does not say more.
        NotImplementedError
            For what OPTIMADE knows and the library does not.
        """
        try:
            criteria = super().handle_query_params(params)
        except VisitError as err:
            raise _of_filter(err.orig_exc) from err
        except NotImplementedError as err:
            raise _of_filter(err) from err
        except NOT_OF_KIND as err:
            raise BadRequest(OTHER_KIND) from err
        if criteria.get("skip", 0) > MAX_SKIPPED:
            raise BadRequest(f"pages end at entry {MAX_SKIPPED}")
        criteria["filter"] = _without_zones(criteria["filter"] or {})
        return criteria

    def _run_db_query(
        self, criteria: dict[str, Any], single_entry: bool = False
    ) -> tuple[list[dict[str, Any]], int | None, bool]:
        """Entries of one page, how many there are in all, and whether more follow."""
        found = _in_order(self._matching(criteria["filter"]), criteria.get("sort", ()))
        first = criteria.get("skip", 0)
        last = first + criteria["limit"]
        fields = [name for name, is_wanted in criteria["projection"].items() if is_wanted]
        page = [_fields_of(entry, fields) for entry in found[first:last]]
        return page, len(found), not single_entry and last < len(found)

    def _matching(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Entries that pass a filter, searched one by one until the time is over."""
        begun = time.monotonic()
        found = []
        for entry in list(self.entries.values()):
            if time.monotonic() - begun > SECONDS:
                raise TooSlow(f"the search took longer than {SECONDS:.0f} s; ask for less at once")
            if _passes(entry, wanted):
                found.append(entry)
        return found


def _passes(entry: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    try:
        return bool(filter_applies(wanted, entry))
    except OptimadeHTTPException:
        raise
    except Exception as err:  # the library compares whatever it is given
        raise BadRequest(OTHER_KIND) from err


def _of_filter(cause: Exception) -> Exception:
    """The error of a filter that the library reads but cannot turn into a search."""
    if isinstance(cause, OptimadeHTTPException):
        return cause
    if isinstance(cause, NotImplementedError):
        is_for_people = "__default__" not in str(cause)
        known = str(cause) if is_for_people else "this server cannot filter by true and false"
        return NotImplementedError(known)
    return BadRequest(OTHER_KIND)


def _in_order(entries: list[dict[str, Any]], order: Any) -> list[dict[str, Any]]:
    """Entries by each field of an order; unknown values come before all others."""
    for field, direction in reversed(list(order)):
        known = [entry for entry in entries if entry.get(field) is not None]
        unknown = [entry for entry in entries if entry.get(field) is None]
        try:
            known.sort(key=operator.itemgetter(field), reverse=direction < 0)
        except TypeError as err:
            raise BadRequest(f"entries have no order by {field}") from err
        entries = known + unknown if direction < 0 else unknown + known
    return entries


def _fields_of(entry: Mapping[str, Any], fields: list[str]) -> dict[str, Any]:
    return {name: copy.deepcopy(entry[name]) for name in fields if name in entry}


def _without_zones(wanted: Any) -> Any:
    """A filter whose moments are in UTC without saying so, as those of the entries are."""
    if isinstance(wanted, dict):
        return {key: _without_zones(value) for key, value in wanted.items()}
    if isinstance(wanted, list):
        return [_without_zones(value) for value in wanted]
    if isinstance(wanted, datetime) and wanted.tzinfo is not None:
        return wanted.astimezone(UTC).replace(tzinfo=None)
    return wanted
