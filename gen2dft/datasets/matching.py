"""Labels to crystals by id: ids are text, and are the same or not.

A near miss (998 beside 0998, 1 beside mp-1) is named, never matched: which of the two is wrong is
for the user to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gen2dft.input_files import brief

NAMED = 3  # ids that a message names

_ENDING = re.compile(r"\.(cif|mcif|vasp|poscar|json)(\.gz)?$")
_PREFIX = re.compile(r"^(mp|mvc|icsd|cod|oqmd|jvasp|aflow)[-_:]?(?=\d)")
_LEADING_ZEROS = re.compile(r"(?<![0-9.])0+(?=[0-9])")
_FRACTION_ZERO = re.compile(r"(?<=\d)\.0+$")


@dataclass(frozen=True)
class Matched:
    """Rows of labels beside crystals.

    Parameters
    ----------
    row_of
        Crystal to its row of labels.
    without_crystal
        Ids of labels that are no crystal's.
    near
        Of these, id to the crystal that it may mean.
    doubled
        Ids of crystals with several rows.
    """

    row_of: Mapping[str, int]
    without_crystal: tuple[str, ...]
    near: Mapping[str, str]
    doubled: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """What became of labels without a crystal, for the provenance."""
        near = dict(list(self.near.items())[:NAMED])
        return {**first_of(self.without_crystal), "near": near}

    def near_text(self) -> str:
        """Near misses in words; empty if there are none."""
        shown = list(self.near.items())[:NAMED]
        pairs = [f"{brief(label)} beside {brief(crystal)}" for label, crystal in shown]
        return f"{', '.join(pairs)}: ids are compared as text" if pairs else ""


def match(labelled: Sequence[str], crystals: Sequence[str], others: Mapping[str, str]) -> Matched:
    """Find the crystal of each row of labels.

    Parameters
    ----------
    labelled
        Ids of the rows, each once.
    crystals
        Ids of the crystals.
    others
        Other names of crystals, such as those of their files, to the id.
    """
    known = set(crystals)
    row_of: dict[str, int] = {}
    strange: list[str] = []
    doubled: list[str] = []
    for row, name in enumerate(labelled):
        crystal = name if name in known else others.get(name)
        if crystal is None:
            strange.append(name)
        elif crystal in row_of:
            doubled.append(crystal)
        else:
            row_of[crystal] = row
    near = near_misses(strange, crystals) if strange else {}
    return Matched(row_of, tuple(strange), near, tuple(doubled))


def near_misses(strange: Iterable[str], crystals: Iterable[str]) -> dict[str, str]:
    """Ids that are no crystal's to the first crystal that they may mean."""
    alike: dict[str, str] = {}
    for crystal in crystals:
        alike.setdefault(_loose(crystal), crystal)
    found = {}
    for name in strange:
        if (key := _loose(name)) in alike:
            found[name] = alike[key]
    return found


def first_of(names: Sequence[str]) -> dict[str, Any]:
    """How many names, and the first of them, for the provenance."""
    return {"count": len(names), "first": list(names[:NAMED])}


def _loose(name: str) -> str:
    """What ids that may mean the same have in common."""
    text = name.strip().lower().replace("_", "-")
    text = _FRACTION_ZERO.sub("", _ENDING.sub("", text))
    return _LEADING_ZEROS.sub("", _PREFIX.sub("", text))
