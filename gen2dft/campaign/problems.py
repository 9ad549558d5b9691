"""Why pydantic refused a part of a campaign file, one line per problem: place, cause, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def explain(err: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per problem; a misspelt key is told the nearest valid one.

    Parameters
    ----------
    err
        What validating `model` raised.
    model
        The whole that was validated; places are dotted keys in it.
    """
    return [_explain_one(problem, model) for problem in err.errors()]


def _explain_one(problem: Mapping[str, Any], model: type[BaseModel]) -> str:
    steps = problem["loc"]
    place = ".".join(map(str, steps)) or "file"
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key; {_remedy(str(steps[-1]), _keys_at(model, steps[:-1]))}"
    cause = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict | list):
        return f"{place}: {cause}"
    return f"{place}: {cause} (given: {problem['input']!r})"


def _remedy(key: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, valid, n=1, cutoff=0.4)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"valid keys: {', '.join(sorted(valid))}" if valid else "there are no keys here"


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Valid keys of the part at `place`."""
    for step in place:
        if isinstance(step, int):
            continue
        info = next(f for n, f in model.model_fields.items() if step in (n, f.alias))
        model = next(t for t in (info.annotation, *get_args(info.annotation)) if _is_model(t))
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
