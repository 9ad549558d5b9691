"""`properties:` of a campaign file: properties of the user's own, and what is said about others."""

from __future__ import annotations

import keyword
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import Field

from gen2dft.campaign.bounds import Value
from gen2dft.campaign.part import LATER, Part
from gen2dft.errors import not_one_of
from gen2dft.plugins import origin, registry
from gen2dft.properties import (
    GROUP,
    PROPERTIES,
    STATIC,
    Properties,
    Property,
    Transform,
    plugged_step,
)

# Names that mean something else in conditions on hits and in tables of crystals.
RESERVED = frozenset(
    {
        "formula", "spacegroup", "round", "is_dft", "evidence", "chance", "source", "id",
        "structure", "formula_pretty", "elements", "nelements", "chemsys", "nsites", "symmetry",
    }
)  # fmt: skip
REMEDY = (
    "To define one, give its unit (and the column of the data set that holds it) under "
    "`properties:`, or install the package that computes it; docs/properties.md"
)


class PropertySpec(Part):
    """One property: of the user's own (then it needs a unit), or one that is known already."""

    unit: str | None = Field(
        None, description="unit of every value; fixed for properties that are built in or computed"
    )
    title: str | None = Field(
        None, description="text for axes and tables; the name in words unless given"
    )
    transform: Transform | None = Field(
        None,
        description="scale on which property heads learn it: `identity` (default), or `log1p` for "
        "skewed positive values",
    )
    min: Value | None = Field(
        None,
        json_schema_extra=LATER,
        description="lowest possible value, property's unit; labels below are refused",
    )
    max: Value | None = Field(
        None,
        json_schema_extra=LATER,
        description="highest possible value, property's unit; labels above are refused",
    )
    column: str | None = Field(
        None, description="column of the data set's file with its labels; by default the name"
    )
    settings: dict[str, Any] = Field(
        {}, description="settings of the step that computes it; see the package that brings it"
    )
    package: str | None = Field(
        None, description="package whose step computes it; filled in from what is installed"
    )

    @property
    def is_complete(self) -> bool:
        """Whether a stored campaign carries it, so that its package need not be here."""
        return self.package is not None and self.unit is not None

    def definition(self, name: str) -> Property:
        """The property that this defines; only for one with a unit."""
        title = self.title or name.replace("_", " ")
        possible = (
            -math.inf if self.min is None else self.min,
            math.inf if self.max is None else self.max,
        )
        transform = self.transform or "identity"
        return Property(name, self.unit or "", title, transform, possible=possible)


def defined(given: Mapping[str, PropertySpec]) -> Properties:
    """Every property, those that a completed campaign defines among them."""
    entries = given.items()
    return Properties(entry.definition(name) for name, entry in entries if entry.unit is not None)


def completed(given: Mapping[str, PropertySpec], wanted: Iterable[str]) -> dict[str, PropertySpec]:
    """What a campaign says of its properties, and the definition of those that packages compute.

    A stored campaign is then understood where such a package is not installed.

    Parameters
    ----------
    given
        From the campaign file.
    wanted
        Names that the campaign uses.

    Raises
    ------
    ValueError
        For a name that nobody defines or that cannot be one, or a definition that contradicts
        another.
    """
    for name, entry in given.items():
        _check_name(name)
        _check_entry(name, entry)
    found = dict(given)
    names = list(dict.fromkeys([*given, *wanted]))
    for name in names:
        entry = given.get(name, PropertySpec())
        if name in PROPERTIES or entry.is_complete:
            continue
        if name in registry(GROUP):
            found[name] = _of_package(name, entry)
            names += _waited_for(name, names)
        elif name not in given:
            choices = {*PROPERTIES, *given, *registry(GROUP)}
            raise ValueError(f"{not_one_of('property', name, choices)} {REMEDY}")
    return found


def _waited_for(name: str, known: Collection[str]) -> list[str]:
    """The step that the step of a property waits for, whose values labels will carry too."""
    before: str = plugged_step(name).after
    return [] if before == STATIC or before in known else [before]


def _check_name(name: str) -> None:
    is_word = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    if not is_word or name in RESERVED:
        raise ValueError(
            f"properties: {name!r} cannot name a property: use letters, digits and _, none of "
            f"Python's own words and none of {', '.join(sorted(RESERVED))}"
        )


def _check_entry(name: str, entry: PropertySpec) -> None:
    """Refuse a definition where there is one, and one without a unit where there is none."""
    if name in PROPERTIES:
        defined = entry.model_dump(include={"unit", "title", "transform", "package", "min", "max"})
        if any(value is not None for value in defined.values()):
            raise ValueError(
                f"properties.{name} is built in, in {PROPERTIES[name].unit}: give no more than "
                "`column` and `settings`, or take another name"
            )
    elif entry.unit is None and name not in registry(GROUP):
        if entry.package is not None:
            raise ValueError(
                f"properties.{name} is computed by package {entry.package}, which is not installed "
                "here: pip install it"
            )
        raise ValueError(
            f'properties.{name} needs a `unit` ("" for a number without one), unless a package '
            "computes it: none that is installed here does"
        )


def _of_package(name: str, entry: PropertySpec) -> PropertySpec:
    """The entry of a property that an installed package computes, with its definition."""
    known: Property = plugged_step(name).definition
    package, _ = origin(GROUP, name)
    if entry.package not in (None, package):
        raise ValueError(
            f"properties.{name}: here it is package {package} that computes it, not "
            f"{entry.package}: install that one, or leave `package` out"
        )
    if entry.unit not in (None, known.unit):
        raise ValueError(
            f"properties.{name}: package {package} computes it in {known.unit!r}, not in "
            f"{entry.unit!r}: leave `unit` out, or take another name"
        )
    definition = {"unit": known.unit, "title": known.title, "transform": known.transform}
    stated = entry.model_dump(exclude_none=True)
    return PropertySpec.model_validate({**definition, **stated, "package": package})
