"""The Jinja environment of all pages: every text is escaped, an unknown name is an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

from gen2dft.report.chances import percent
from gen2dft.report.wording import (
    chemical,
    counted,
    most_frequent_first,
    pretty,
    remarks_on,
    round_title,
    words,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def environment(*packages: str) -> Environment:
    """Jinja with templates from these packages; the first package that has a name wins."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str | None:
        for package in packages:
            if _file(package, name).is_file():
                return read_text(package, name)
        return None

    jinja = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= FILTERS
    return jinja


def read_text(package: str, name: str) -> str:
    """A text file of a package."""
    return _file(package, name).read_text(encoding="utf-8")


def subscripts(formula: str) -> Markup:
    """A formula with its numbers as subscripts."""
    return _lowered(r"(\d+(?:\.\d+)?)", formula)


def symbol(spacegroup: str) -> Markup:
    """A space group's symbol with the numbers of its screw axes as subscripts."""
    return _lowered(r"_(\d)", spacegroup)


def _lowered(pattern: str, text: str) -> Markup:
    """Text, escaped, with every match of the pattern's group as a subscript."""
    from markupsafe import Markup, escape

    below = Markup("<sub>{}</sub>")
    parts = re.split(pattern, text)  # in turn: between, found, between, ...
    shown = []
    for place, part in enumerate(parts):
        is_found = place % 2 == 1
        shown.append(below.format(part) if is_found else escape(part))
    return Markup().join(shown)


FILTERS: dict[str, Callable[..., Any]] = {
    "by_count": most_frequent_first,
    "chemical": chemical,
    "counted": counted,
    "percent": percent,
    "pretty": pretty,
    "remarks_on": remarks_on,
    "round_title": round_title,
    "subscripts": subscripts,
    "symbol": symbol,
    "words": words,
}


def _file(package: str, name: str) -> resources.abc.Traversable:
    return resources.files(package) / name
