"""What every part of a campaign file is made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from gen2dft.campaign.bounds import LARGEST, LARGEST_WHOLE, Fraction
from gen2dft.errors import brief

__all__ = ["LATER", "Fraction", "NonNegative", "Part"]

NonNegative = Annotated[float, Field(ge=0, le=LARGEST)]
# Marks a key that came after the first release: Field(..., json_schema_extra=LATER).
LATER: dict[str, Any] = {"later": True}
LONGEST = 10_000  # characters of one text
UNTYPABLE = ("Cc", "Cs")  # Unicode's control characters, and halves of characters


class Part(BaseModel):
    """Base of every part of a campaign file: immutable, unknown keys refused, numbers finite and
    within 64 bits, texts without control characters.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_plain(cls, given: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields.get(str(info.field_name))
        kinds = set(_kinds_in(field.annotation)) if field is not None else set()
        if any(issubclass(kind, Part) for kind in kinds):
            return given  # they judge their own values, and name the place
        for value in _values_in(given):
            _refuse_odd(value, kinds)
        return given

    @model_validator(mode="after")
    def _bounds_ascend(self) -> Self:
        names = type(self).model_fields
        for name in names:
            upper = _upper_of(name)
            if upper in names:
                _must_ascend(self, name, upper)
        return self

    @classmethod
    def readable(cls) -> dict[str, FieldInfo]:
        """The fields of the keys that are read."""
        return dict(cls.model_fields)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self.written(handler(self))

    def written(self, data: dict[str, Any]) -> dict[str, Any]:
        """The dumped data without each later key that has its default.

        A campaign's id is the hash of its dumped spec. A key that an earlier version did not have
        must not change the id of a campaign that does not use it, or that campaign, started under
        the earlier version, would begin anew instead of being carried on.
        """
        for name, field in type(self).model_fields.items():
            if field.json_schema_extra is not LATER:
                continue
            if getattr(self, name) == field.get_default(call_default_factory=True):
                data.pop(name, None)
                data.pop(field.alias or name, None)
        return data


def _upper_of(name: str) -> str:
    """Name of the field that holds the upper bound, where this one holds the lower."""
    return "max" + name[3:] if name == "min" or name.startswith("min_") else ""


def _must_ascend(part: Part, lower: str, upper: str) -> None:
    low, high = getattr(part, lower), getattr(part, upper)
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        raise ValueError(f"{lower} {low} is above {upper} {high}: swap them")


def _kinds_in(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        yield annotation
    for inner in get_args(annotation):
        yield from _kinds_in(inner)


def _values_in(given: Any) -> Iterator[Any]:
    """All texts and numbers in plain data, the keys of mappings included."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            yield key
            yield from _values_in(value)
    elif isinstance(given, list | tuple | set | frozenset):
        for value in given:
            yield from _values_in(value)
    else:
        yield given


def _refuse_odd(value: Any, kinds: Collection[type]) -> None:
    """ValueError for what is no number that can be kept, or no text that can be shown.

    Parameters
    ----------
    kinds
        All types in the annotation of the field.
    """
    if isinstance(value, str):
        _refuse_odd_text(value)
    elif isinstance(value, bool):
        if bool not in kinds and (int in kinds or float in kinds):
            raise ValueError(f"{str(value).lower()} is no number")
    elif isinstance(value, int) and float not in kinds:
        if abs(value) > LARGEST_WHOLE:
            raise ValueError("a whole number beyond 64 bits is no value here")
    elif isinstance(value, int | float) and abs(value) > LARGEST:
        raise ValueError(f"numbers beyond {LARGEST:g} are no values here")


def _refuse_odd_text(text: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(f"a text of {len(text):,} characters; {LONGEST:,} are read at most")
    for char in text:
        if unicodedata.category(char) in UNTYPABLE and char not in "\n\r\t":
            raise ValueError(f"character {brief(char)} cannot be part of a text here")
