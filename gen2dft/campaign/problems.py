"""Why pydantic refused a part of a campaign file, one line per problem: place, cause, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.part import Part
from gen2dft.campaign.sources import DEFAULT, settings_class


def explain(err: ValidationError, whole: type[Part], data: object = None) -> list[str]:
    """One line per problem; a misspelt key is told the nearest valid one.

    Parameters
    ----------
    err
        What validating the data as a `whole` raised.
    whole
        The part that was validated; places are dotted keys in it.
    data
        The data, which say whose settings a part holds.
    """
    lines = []
    for problem in err.errors():
        place = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            found = _unknown_key(problem["loc"], whole, data)
        else:
            found = problem["msg"].removeprefix("Value error, ") + _given(problem["input"])
        lines.append(f"{place or 'file'}: {found}")
    return lines


def _given(value: object) -> str:
    return "" if isinstance(value, dict | list) else f" (given: {value!r})"


def _unknown_key(place: Sequence[int | str], whole: type[Part], data: object) -> str:
    """What to say of the key at `place`, which its part does not have."""
    *above, key = place
    part, name = _part_at(above, whole, data)
    valid = [field.alias or name for name, field in part.model_fields.items()]
    near = difflib.get_close_matches(str(key), valid, n=1, cutoff=0.4)
    owner = f" of generator {name!r}" if name else ""
    return f"unknown key{owner}; {_remedy(near, valid)}"


def _remedy(near: Sequence[str], valid: Sequence[str]) -> str:
    if near:
        return f"did you mean {near[0]!r}?"
    return f"valid keys: {', '.join(sorted(valid))}" if valid else "there are no keys here"


def _part_at(place: Sequence[int | str], whole: type[Part], data: object) -> tuple[type[Part], str]:
    """The class that reads the part at `place`, and the generator whose settings it is, if any."""
    part, generator = whole, ""
    for step in place:
        data = _inside(data, step)
        if isinstance(step, str):
            part, generator = _part_of(part, step), ""
        if part is GeneratorSpec and isinstance(data, Mapping):
            generator = str(data.get("name", DEFAULT))
            part = settings_class(generator)
    return part, generator


def _inside(data: Any, step: int | str) -> object:
    """What lies in the data at a step; None for a part given by another name."""
    try:
        return data[step]
    except (LookupError, TypeError):
        return None


def _part_of(part: type[Part], key: str) -> type[Part]:
    """The class of the part at a key of another part, or in a list there."""
    field = next(f for name, f in part.readable().items() if key in (name, f.alias))
    return next(choice for choice in _types_in(field.annotation) if _is_part(choice))


def _types_in(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is composed of."""
    yield annotation
    for inner in get_args(annotation):
        yield from _types_in(inner)


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Part)
