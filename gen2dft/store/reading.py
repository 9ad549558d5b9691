"""From the database to a model: the one way by which every stored document is read.

A document may be half-written, of another program, or of a version that is not known here. It then
costs itself alone: who lists documents leaves it out and remembers it, who needs it hears which one
it is and what is wrong with it.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from gen2dft.errors import StoreError
from gen2dft.store.documents import Document, StoredVerdict
from gen2dft.store.schema import collection_name
from gen2dft.store.shapes import READING, first_problem

LOGGER = logging.getLogger(__name__)
D = TypeVar("D", bound=Document)
Row = dict[str, Any]
NAMED = 3  # documents that one message names
# Hits of version 0.1.0 have no evidence of their own; scores rank, and a rank may be infinite.
FILLED_IN = "evidence"
ANY_NUMBER = frozenset({"score"})
REMEDY = "restore it from a backup or an archive, or remove it"


class UnreadableDocument(StoreError):
    """A document of the database does not have the form that its collection asks for.

    Attributes
    ----------
    problem
        Field and cause.
    """

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(message)
        self.problem = problem


def read_document(model: type[D], data: Mapping[str, Any]) -> D:
    """A stored document as its model.

    Raises
    ------
    UnreadableDocument
        It lacks a field, has one too many, or a value is of another kind, not a finite number, or
        none that the field may have. Collection, id and field are named.
    """
    try:
        document = model.from_mongo(data)
    except (ValidationError, LookupError, TypeError, AttributeError) as err:
        raise _unreadable(model, data, _cause(err)) from err
    place = _not_finite(model, data)
    if place is not None:
        raise _unreadable(model, data, f"{place}: not a finite number")
    return document


def read_row(model: type[Document], fields: Sequence[str], data: Row) -> Row:
    """Some fields of a stored document, each checked as in its model; defaults fill the gaps.

    Raises
    ------
    UnreadableDocument
        As `read_document`.
    """
    names = sorted({field.partition(".")[0] for field in fields} - {"_id"})
    try:
        _part_of(model, tuple(fields)).model_validate(data, strict=True, context=READING)
    except (ValidationError, TypeError, AttributeError) as err:
        raise _unreadable(model, data, _cause(err)) from err
    present = {name: data[name] for name in names if name in data}
    place = _not_finite(model, present)
    if place is not None:
        raise _unreadable(model, data, f"{place}: not a finite number")
    return data | _defaults(model, [name for name in names if name not in data])


def _no_problem(_: Document) -> str | None:
    return None


class Reading:
    """Reads documents, and remembers those that it had to leave out.

    Attributes
    ----------
    to_show
        Whether whatever cannot be read is left out. Otherwise, as for those who compute with what
        they read, only documents that may be of other campaigns are.
    left_out
        Collection and id to what is wrong with the document.
    """

    def __init__(self) -> None:
        self.to_show = False
        self.left_out: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def all(
        self,
        model: type[D],
        found: Iterable[Mapping[str, Any]],
        *,
        of_everybody: bool = False,
        also: Callable[[D], str | None] = _no_problem,
    ) -> Iterator[D]:
        """Documents that a query found.

        Parameters
        ----------
        of_everybody
            They belong to no campaign, or to any: one that cannot be read stops nobody.
        also
            What else may be wrong with a document, or None.

        Raises
        ------
        UnreadableDocument
            One cannot be read, and the reader needs it.
        """
        for data in found:
            try:
                document = read_document(model, data)
                problem = also(document)
                if problem is not None:
                    raise _unreadable(model, data, problem)
            except UnreadableDocument as err:
                self._leave_out(model, data, err, may=of_everybody)
            else:
                if self.left_out:
                    self._readable_now(document)
                yield document

    def rows(
        self,
        model: type[Document],
        fields: Sequence[str],
        found: Iterable[Row],
        *,
        of_everybody: bool = False,
    ) -> Iterator[Row]:
        """The same for some fields of each document."""
        for data in found:
            try:
                yield read_row(model, fields, data)
            except UnreadableDocument as err:
                self._leave_out(model, data, err, may=of_everybody)

    def _leave_out(
        self,
        model: type[Document],
        data: Mapping[str, Any],
        err: UnreadableDocument,
        *,
        may: bool = False,
    ) -> None:
        if not (self.to_show or may):
            raise err
        self.note(model, id_of(data), err.problem)

    def note(self, model: type[Document], key: str, problem: str) -> None:
        """Remember that a document was left out, and why."""
        place = (collection_name(model), key)
        with self._lock:
            is_new = place not in self.left_out
            self.left_out[place] = problem
        if is_new and not self.to_show:  # who shows something has other ways to say it
            LOGGER.warning("left out %s %s, which cannot be read: %s", *place, problem)

    def do_without(self, model: type[Document], key: str, err: StoreError) -> None:
        """Remember that a document's blob cannot be read; raise where nothing may be missed."""
        if not self.to_show:
            raise err
        self.note(model, key, str(err).partition(";")[0])

    def _readable_now(self, document: Document) -> None:
        """Forget a document that somebody has repaired."""
        with self._lock:
            self.left_out.pop((collection_name(type(document)), document.id), None)

    def message(self) -> str:
        """One line on what was left out; empty if nothing was."""
        with self._lock:
            found = sorted(self.left_out.items())
        if not found:
            return ""
        named = [f"{collection} {key!r} ({why})" for (collection, key), why in found[:NAMED]]
        more = len(found) - len(named)
        rest = f" and {more:,} more" if more else ""
        what = "1 document that" if len(found) == 1 else f"{len(found):,} documents that"
        return f"left out {what} cannot be read: {', '.join(named)}{rest}"


def id_of(data: Mapping[str, Any]) -> str:
    """The id of a stored document, whatever wrote it."""
    return str(data.get("_id", "without an id"))[:100]


def _cause(err: Exception) -> str:
    if isinstance(err, ValidationError):
        return first_problem(err)
    return f"it has not the form of a document ({type(err).__name__})"


def _unreadable(model: type[Document], data: Mapping[str, Any], cause: str) -> UnreadableDocument:
    where = f"document {id_of(data)!r} of collection {collection_name(model)!r}"
    return UnreadableDocument(f"{where} cannot be read: {cause}; {REMEDY}", cause)


@cache
def _part_of(model: type[BaseModel], fields: tuple[str, ...]) -> type[BaseModel]:
    """A model of some (dotted) fields of a document."""
    inside: dict[str, tuple[str, ...]] = {}
    for field in fields:
        name, _, rest = field.partition(".")
        inside[name] = (*inside.get(name, ()), *([rest] if rest else []))
    parts: dict[str, Any] = {}
    for name, rests in inside.items():
        known = model.model_fields.get(name)
        if known is not None:
            parts[name] = _part_field(known, rests, may_lack=name == FILLED_IN)
    return create_model("Part", __config__=ConfigDict(extra="ignore"), **parts)


def _part_field(
    field: FieldInfo, rests: tuple[str, ...], *, may_lack: bool
) -> tuple[Any, FieldInfo]:
    """Type and default of a field, of which nothing but `rests` may have been asked for."""
    annotation: Any = field.annotation
    inner = next(filter(_is_model, _types_in(annotation)), None)
    if rests and inner is not None:
        annotation = _part_of(inner, rests) | None
    if field.is_required() and not may_lack:
        return annotation, field
    optional = copy(field)
    optional.default, optional.default_factory = None, None
    return annotation, optional


def _defaults(model: type[Document], names: Iterable[str]) -> Row:
    """What documents of older versions lack: the fixed defaults of their fields."""
    found = {}
    for name in names:
        field = model.model_fields.get(name)
        if field is not None and not field.is_required() and field.default_factory is None:
            found[name] = field.get_default(call_default_factory=False)
    return found


# Finite numbers
# ------------------------------------------------------------------------------------------------


def _not_finite(model: type[BaseModel], data: Mapping[str, Any], above: str = "") -> str | None:
    """The first place of a number that is NaN or infinite; None if there is none.

    Plain dictionaries are left alone: a training may diverge. So are the values of a crystal that
    the screen refused, perhaps for that very number.
    """
    if issubclass(model, StoredVerdict) and data.get("reason") is not None:
        return None
    for name, (holds_numbers, inner) in _numeric_fields(model).items():
        value = data.get(name)
        place = f"{above}{name}"
        found = None
        if inner is not None:
            found = _not_finite_within(inner, value, place)
        elif holds_numbers:
            found = _first_not_finite(value, place)
        if found is not None:
            return found
    return None


def _not_finite_within(model: type[BaseModel], value: Any, place: str) -> str | None:
    """The same in a part, or in a list of parts."""
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        found = _not_finite(model, part, f"{place}.") if isinstance(part, Mapping) else None
        if found is not None:
            return found
    return None


def _first_not_finite(value: Any, place: str) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return place
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, float) and not math.isfinite(inner):
                return f"{place}.{key}"
    return None


@cache
def _numeric_fields(model: type[BaseModel]) -> dict[str, tuple[bool, type[BaseModel] | None]]:
    """Fields with numbers, and the model of their parts, if they have parts."""
    fields = {}
    for name, field in model.model_fields.items():
        types = set(_types_in(field.annotation))
        inner = next((found for found in types if _is_model(found)), None)
        holds_numbers = float in types and Any not in types and name not in ANY_NUMBER
        if inner is not None or holds_numbers:
            fields[name] = (holds_numbers, inner)
    return fields


def _types_in(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is composed of."""
    yield annotation
    if get_origin(annotation) is not None or isinstance(annotation, UnionType):
        for inner in get_args(annotation):
            yield from _types_in(inner)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
