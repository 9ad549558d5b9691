"""Shapes of the parts of documents that are kept as plain dictionaries.

They are checked where a document is read, not where one is made: the code that makes them is ours,
while the database may hold what others wrote, or what a killed import of an older version left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from typing_extensions import TypedDict

from gen2dft.errors import StoreError
from gen2dft.store.states import State

READING = {"reading": True}
"""Validation context of a document that comes from outside of this process."""
Check = Callable[[Any], None]
Plain = dict[str, Any]


def _when_read(check: Check) -> AfterValidator:
    """Apply a check, which raises ValueError, to what is read and to nothing else."""

    def checked(value: Any, info: ValidationInfo) -> Any:
        if info.context and value is not None:
            check(value)
        return value

    return AfterValidator(checked)


class _Learning(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    rounds: int


class _Data(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    source: str


class _Target(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    property: str


class _Spec(TypedDict):
    """The keys of a spec that the list of campaigns reads, whichever version wrote it."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    name: str
    learning: _Learning
    dataset: _Data
    targets: list[_Target]


class _Progress(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    stage: str | None
    done: int | None
    total: int | None
    since: datetime | None
    message: str | None


class _Parity(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    truth: list[float]
    predicted: list[float]


class _Training(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    history: list[dict[str, float]]
    heldout: dict[str, _Parity]
    num_labels: dict[str, int]
    num_train: int
    num_heldout: int


class _Step(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    state: str
    at: datetime


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _shaped_as(shape: Any) -> Check:
    """A check against a shape; its message names the first place that does not fit."""

    def check(value: Any) -> None:
        try:
            _adapter(shape).validate_python(value, strict=True)
        except ValidationError as err:
            raise ValueError(first_problem(err)) from None

    return check


def first_problem(err: ValidationError) -> str:
    """Place and cause of the first problem, without the value that was given."""
    first = err.errors(include_url=False, include_input=False)[0]
    cause = first["msg"].removeprefix("Value error, ")
    place = ".".join(map(str, first["loc"]))[:100]
    return f"{place}: {cause}" if place else cause


def _state(text: str) -> None:
    try:
        State.parse(text)
    except StoreError as err:
        raise ValueError(str(err)) from None


def _crystal(data: Mapping[str, Any]) -> None:
    """A cell of three vectors, and sites with a species and three coordinates each."""
    _decoded(data)
    vectors = [*data["lattice"]["matrix"]]
    vectors += [_coordinates(site) for site in data["sites"]]
    for vector in vectors:
        if not all(map(math.isfinite, vector)):
            raise ValueError("lattice and coordinates must be finite numbers")


def _decoded(data: Mapping[str, Any]) -> None:
    """The same; a generator may have decoded numbers that are none, which a gate then refused."""
    lattice = data.get("lattice")
    matrix = lattice.get("matrix") if isinstance(lattice, Mapping) else None
    if not _is_list(matrix) or not all(map(_is_vector, matrix or ())):
        raise ValueError("lattice.matrix: three vectors of three numbers are needed")
    sites = data.get("sites")
    if not isinstance(sites, list) or not sites:
        raise ValueError("sites: a list of at least one site is needed")
    for number, site in enumerate(sites):
        if not isinstance(site, Mapping) or not _is_site(site):
            raise ValueError(f"sites.{number}: a species and three coordinates are needed")


def _is_site(site: Mapping[str, Any]) -> bool:
    species = site.get("species")
    is_named = isinstance(species, list) and bool(species)
    return is_named and all(map(_is_species, species or ())) and _is_vector(_coordinates(site))


def _coordinates(site: Mapping[str, Any]) -> Any:
    """Fractional coordinates, or Cartesian ones where there are no others."""
    return site.get("abc", site.get("xyz"))


def _is_species(data: object) -> bool:
    return isinstance(data, Mapping) and isinstance(data.get("element"), str)


def _is_list(value: object) -> bool:
    """Whether this is a list of three."""
    return isinstance(value, list | tuple) and len(value) == 3


def _is_vector(values: Any) -> bool:
    return _is_list(values) and all(map(is_number, values))


def is_number(value: object) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


FROM_LIST = BeforeValidator(_tuple)
"""MongoDB gives lists in the place of tuples."""
SpecDict = Annotated[Plain, _when_read(_shaped_as(_Spec))]
ProgressDict = Annotated[Plain, _when_read(_shaped_as(_Progress))]
TrainingDict = Annotated[Plain, _when_read(_shaped_as(_Training))]
HistoryList = Annotated[list[Plain], _when_read(_shaped_as(list[_Step]))]
CrystalDict = Annotated[Plain, _when_read(_crystal)]
DecodedDict = Annotated[Plain, _when_read(_decoded)]
StateText = Annotated[str, _when_read(_state)]
