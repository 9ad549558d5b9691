"""Registries: what ships with gen2dft, and what other installed packages add by entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

T = TypeVar("T")
GROUPS = ("gen2dft.engines", "gen2dft.generators", "gen2dft.acquisitions")


def registered(builtin: Mapping[str, Callable[[], T]], group: str) -> dict[str, Callable[[], T]]:
    """Loaders by name: the built-in ones and those of the entry-point group.

    Parameters
    ----------
    builtin
        Name to a function that imports and returns the thing; a built-in name cannot be taken over.
    group
        Entry-point group, e.g. `gen2dft.engines`; each entry point names the thing itself.
    """
    found = {point.name: point.load for point in entry_points(group=group)}
    return {**found, **builtin}


def added() -> list[EntryPoint]:
    """What other packages add to any of the registries, by group and name; nothing is loaded."""
    return [
        point
        for group in GROUPS
        for point in sorted(entry_points(group=group), key=lambda point: point.name)
    ]
