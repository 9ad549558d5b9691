"""Damage to valid inputs: to plain documents, to text and to bytes.

Every strategy draws a `Damaged`: the content, the kind of damage and its place.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.fuzz.values import WRONG_VALUES

Draw = Callable[[Any], Any]
Path = tuple[Any, ...]


class Damaged(NamedTuple):
    """A damaged input, what was done to it, and where."""

    content: Any
    kind: str
    place: str


NOTHING = "nothing"  # the kind of an input that is as it should be


def places(document: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of all that is in a document of mappings and lists, the document itself left out."""
    if isinstance(document, Mapping):
        steps: Iterator[Any] = iter(document)
    elif isinstance(document, list):
        steps = iter(range(min(len(document), 20)))
    else:
        return
    for step in steps:
        yield (*path, step)
        yield from places(document[step], (*path, step))


def named(path: Path) -> str:
    """A path as a place in a campaign file is written."""
    return ".".join(map(str, path))


@st.composite
def documents(draw: Draw, document: Any, values: Mapping[str, Any] = WRONG_VALUES) -> Damaged:
    """A document with one or two of its parts changed."""
    changed = copy.deepcopy(document)
    kinds, where = [], []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2)))):
        paths = list(places(changed))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        kinds.append(_damage(draw, changed, path, values))
        where.append(named(path))
    return Damaged(changed, " + ".join(kinds), " + ".join(where))


def _damage(draw: Draw, document: Any, path: Path, values: Mapping[str, Any]) -> str:
    """Change one part of a document in place; return the kind of damage."""
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    # Wrong values are the richest kind, so they come most often.
    ways = ("value", "value", "value", "value", "delete", "rename", "double", "swap")
    way = draw(st.sampled_from(ways))
    if way == "value":
        name = draw(st.sampled_from(sorted(values)))
        parent[path[-1]] = copy.deepcopy(values[name])
        return f"value: {name}"
    return _WAYS[way](draw, document, parent, path[-1])


def _delete(draw: Draw, document: Any, parent: Any, step: Any) -> str:
    del parent[step]
    return "deleted"


def _rename(draw: Draw, document: Any, parent: Any, step: Any) -> str:
    if isinstance(parent, list):
        return _double(draw, document, parent, step)
    new = draw(st.sampled_from((f"{step}s", str(step).upper(), f"{step} ", "", "no_such_key")))
    parent[new] = parent.pop(step)
    return "renamed"


def _double(draw: Draw, document: Any, parent: Any, step: Any) -> str:
    if isinstance(parent, list):
        parent.insert(step, copy.deepcopy(parent[step]))
        return "entry doubled"
    parent[f"{step}_2"] = copy.deepcopy(parent[step])
    return "unknown key"


def _swap(draw: Draw, document: Any, parent: Any, step: Any) -> str:
    """Put another part of the document here."""
    other = draw(st.sampled_from(list(places(document))))
    value = document
    for part in other:
        value = value[part]
    parent[step] = copy.deepcopy(value)
    return "value of another place"


_WAYS = {"delete": _delete, "rename": _rename, "double": _double, "swap": _swap}


@st.composite
def byte_damage(draw: Draw, content: bytes) -> Damaged:
    """Bytes truncated, flipped, cut out, doubled or inserted."""
    at = draw(st.integers(0, max(len(content) - 1, 0)))
    length = draw(st.sampled_from((1, 2, 7, 64)))
    way = draw(st.sampled_from(("truncated", "flipped", "cut", "doubled", "inserted")))
    if way == "truncated":
        return Damaged(content[:at], "bytes: truncated", f"byte {at}")
    part = content[at : at + length]
    new = {
        "flipped": bytes(byte ^ draw(st.integers(1, 255)) for byte in part),
        "cut": b"",
        "doubled": part + part,
        "inserted": draw(st.binary(min_size=1, max_size=8)) + part,
    }[way]
    return Damaged(content[:at] + new + content[at + length :], f"bytes: {way}", f"byte {at}")


NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
WRONG_NUMBERS = {
    "nan": "nan",
    "infinite": "inf",
    "infinite of YAML": ".inf",
    "huge": "1e308",
    "beyond double": "1e999",
    "many digits": "9" * 400,
    "negative": "-7.5",
    "zero": "0",
    "minus one": "-1",
    "unknown": "?",
    "inapplicable": ".",
    "asterisks": "********",
    "word": "none",
    "nothing": "",
    "decimal comma": "1,5",
    "two points": "1.2.3",
    "foreign digits": "١٢",
    "with error": "0.3333(12)",
    "hexadecimal": "0x1p4",
    "underscore": "1_0",
}


@st.composite
def number_damage(draw: Draw, text: str) -> Damaged:
    """One of the numbers of a text is replaced."""
    found = list(NUMBER.finditer(text))
    if not found:
        return draw(line_damage(text))
    match = draw(st.sampled_from(found))
    name = draw(st.sampled_from(sorted(WRONG_NUMBERS)))
    changed = text[: match.start()] + WRONG_NUMBERS[name] + text[match.end() :]
    line = text[: match.start()].count("\n") + 1
    return Damaged(changed, f"number: {name}", f"line {line}")


@st.composite
def line_damage(draw: Draw, text: str) -> Damaged:
    """One line is deleted, doubled, swapped with the next, or filled with something else."""
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    way = draw(st.sampled_from(("deleted", "doubled", "swapped", "foreign", "indented", "cut off")))
    if way == "deleted":
        del lines[at]
    elif way == "doubled":
        lines.insert(at, lines[at])
    elif way == "swapped":
        lines[at : at + 2] = reversed(lines[at : at + 2])
    elif way == "foreign":
        foreign = (
            "\0",
            "\ufeff",
            "é🧪\u202e",
            "; '\"",
            "\t",
            "- - -",
            "!!python/name:os.system ''",
        )
        lines.insert(at, draw(st.sampled_from(foreign)))
    elif way == "indented":
        lines[at] = f"   {lines[at]}"
    else:
        lines[at] = lines[at][: len(lines[at]) // 2]
    return Damaged("\n".join(lines), f"line: {way}", f"line {at + 1}")
