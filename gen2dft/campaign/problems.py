"""Why pydantic refused a part of a campaign file, one line per problem: place, cause, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.part import Part
from gen2dft.campaign.sources import DEFAULT, settings_class
from gen2dft.errors import brief, shown

MOST_OF_A_PLACE = 200  # characters
ABOUT_A_KEY = ("missing", "extra_forbidden")
# What pydantic says of these in the words of Python.
IN_WORDS = {
    "missing": "is missing",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
    "dict_type": "must be keys with values",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must have {min_length} entries or more, not {actual_length}",
    "too_long": "must have {max_length} entries at most, not {actual_length}",
    "invalid_key": "a key must be a text: put it in quotes",
}


def explain(err: ValidationError, model: type[BaseModel], data: object = None) -> list[str]:
    """One line per problem; a misspelt key is told the nearest valid one.

    Parameters
    ----------
    err
        What validating `model` raised.
    model
        The whole that was validated; places are dotted keys in it.
    data
        What was validated: the class of a generator's settings depends on its name.
    """
    lines: dict[str, list[str]] = {}
    for problem in err.errors():
        steps = _steps_in(problem, data)
        place = brief(".".join(map(str, steps)), MOST_OF_A_PLACE) or "file"
        causes = lines.setdefault(place, [])
        cause = _cause(problem, steps, model, data)
        if cause not in causes:
            causes.append(cause)
    inner = "\n".join(lines)
    return [
        f"{place}: {'; or '.join(causes)}"
        for place, causes in lines.items()
        if f"{place}." not in inner
    ]


def _steps_in(problem: Mapping[str, Any], data: object) -> tuple[int | str, ...]:
    """Where a problem is; pydantic also tells which of several types it has tried.

    Such a step, of a value that may be a number or a mapping, is in no file.
    """
    if not problem["loc"]:
        return ()
    *above, last = problem["loc"]
    kept: list[int | str] = []
    for step in above:
        inner = _inside(data, step)
        if inner is not None or data is None:
            kept.append(step)
            data = inner
    has_it = data is None or _inside(data, last) is not None
    is_key = isinstance(data, Mapping | list) and problem["type"] in ABOUT_A_KEY
    if has_it or is_key or _is_nothing_in(data, last):
        kept.append(last)
    return tuple(kept)


def _is_nothing_in(data: object, step: int | str) -> bool:
    """Whether data hold an empty value at a step."""
    return isinstance(data, Mapping) and step in data


def _cause(
    problem: Mapping[str, Any], steps: Sequence[int | str], model: type[BaseModel], data: object
) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        return _unknown_key(steps, model, data)
    context = problem.get("ctx", {})
    words = IN_WORDS.get(kind, "")
    cause = words.format(**context) or problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    is_plain = given is None or isinstance(given, str | int | float)
    is_told = isinstance(given, str | bool) and shown(given) in cause
    if not is_plain or is_told:
        return cause
    return f"{cause} (given: {shown(given)})"


def _unknown_key(place: Sequence[int | str], model: type[BaseModel], data: object) -> str:
    """The problem with the key at `place`, which its part does not have."""
    if not place:
        return "unknown key"
    *above, key = place
    part, generator = _part_at(above, model, data)
    owner = f" of generator {generator!r}" if generator else ""
    return f"unknown key{owner}; {_remedy(str(key), _keys_of(part))}"


def _remedy(key: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(key[:MOST_OF_A_PLACE], valid, n=1, cutoff=0.4)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"valid keys: {', '.join(sorted(valid))}" if valid else "there are no keys here"


def _keys_of(part: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in part.model_fields.items()]


def _part_at(
    place: Sequence[int | str], model: type[BaseModel], data: object
) -> tuple[type[BaseModel], str]:
    """The class that reads the part at `place`, and the generator whose settings it is, if any."""
    part = model
    generator = ""
    names_an_entry = False
    for step in place:
        data = _inside(data, step)
        if names_an_entry:
            names_an_entry = False
        elif isinstance(step, str):
            # The keys of a mapping, such as `properties`, are names that the file chooses.
            names_an_entry = _is_mapping(part, step)
            part, generator = _part_of(part, step), ""
        if part is GeneratorSpec and isinstance(data, Mapping):
            generator = str(data.get("name", DEFAULT))
            part = settings_class(generator)
    return part, generator


def _inside(data: Any, step: int | str) -> object:
    """The part of the data at a step; None for a part given by another name."""
    try:
        return data[step]
    except (LookupError, TypeError):
        return None


def _part_of(part: type[BaseModel], key: str) -> type[BaseModel]:
    """The class of the part at a key of another part, or in a list or mapping there."""
    annotation = _field_of(part, key).annotation
    return next(choice for choice in _types_in(annotation) if _is_model(choice))


def _field_of(part: type[BaseModel], key: str) -> FieldInfo:
    fields = part.readable() if issubclass(part, Part) else part.model_fields
    return next(field for name, field in fields.items() if key in (name, field.alias))


def _is_mapping(part: type[BaseModel], key: str) -> bool:
    return get_origin(_field_of(part, key).annotation) is dict


def _types_in(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is composed of."""
    yield annotation
    for inner in get_args(annotation):
        yield from _types_in(inner)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
