"""Jinja as all pages use it: every text is escaped, an unknown name is an error."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

from gen2dft.report.wording import chemical, pretty, round_title, words

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def environment(*packages: str) -> Environment:
    """Jinja with templates from these packages, the first that has one of a name."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str | None:
        return next(
            (read_text(package, name) for package in packages if _file(package, name).is_file()),
            None,
        )

    jinja = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {
        "by_count": lambda reasons: sorted(reasons.items(), key=lambda item: -item[1]),
        "chemical": chemical,
        "pretty": pretty,
        "round_title": round_title,
        "subscripts": subscripts,
        "symbol": symbol,
        "words": words,
    }
    return jinja


def read_text(package: str, name: str) -> str:
    """A text file of a package."""
    return _file(package, name).read_text(encoding="utf-8")


def subscripts(formula: str) -> Markup:
    """A formula with its numbers below the line."""
    return _lowered(r"(\d+(?:\.\d+)?)", formula)


def symbol(spacegroup: str) -> Markup:
    """A space group's symbol with its screw axes' numbers below the line."""
    return _lowered(r"_(\d)", spacegroup)


def _lowered(pattern: str, text: str) -> Markup:
    """Text, escaped, with what the pattern's group finds below the line."""
    from markupsafe import Markup, escape

    parts = [
        escape(part) for part in re.split(pattern, text)
    ]  # in turn: between, found, between, ...
    return Markup().join(
        Markup("<sub>{}</sub>").format(part) if i % 2 else part for i, part in enumerate(parts)
    )


def _file(package: str, name: str) -> resources.abc.Traversable:
    return resources.files(package) / name
