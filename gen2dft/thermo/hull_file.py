"""Hulls as files: written with their hash, and checked entry by entry when they are read.

A stored hull was checked when it was made. A file may have been edited, or made by another
program, so that each thing that would spoil every distance is looked for and named.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gen2dft.errors import DatasetError, MixedEnergies, StoreError
from gen2dft.input_files import UnreadableFile, read_bytes, shown
from gen2dft.label_checks import LOWEST_ELEMENT
from gen2dft.thermo.formulas import Formula, formula_text, parse_formula, reduced
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.scales import MATERIALS_PROJECT

SUFFIXES = (".json", ".json.gz")
UNIT = "eV/atom"
LARGEST = 6.0
"""eV/atom: no compound has a formation energy beyond; the lowest known have -5.2"""
OTHER_UNIT = (
    f"formation energies lie within {LARGEST:g} {UNIT}, so this is in another unit (kJ/mol, eV per "
    "formula unit) or a total energy"
)
MOST_ATOMS = 10**6  # of one element in a formula
COVERAGES = ("elements", "compounds")
REBUILD = "gen2dft data build hull writes such a file"


def is_hull_file(source: str) -> bool:
    """Whether a source names a file that must hold a hull."""
    return source.endswith(SUFFIXES) and Path(source).is_file()


def file_content(hull: ReferenceHull) -> bytes:
    """A hull as a file holds it: its content, and the hash that it must have."""
    content = json.loads(hull.to_bytes())
    return json.dumps({"hash": hull.hull_hash, **content}).encode()


def read_hull_file(
    path: Path, expected: str | None = None, scale: str | None = None
) -> ReferenceHull:
    """The hull of a file.

    Parameters
    ----------
    expected
        Hash that it must have; None: any.
    scale
        Scale that it must be on, where it names one; None: any.

    Raises
    ------
    StoreError
        It cannot be read, or is another hull than the one expected.
    DatasetError
        An entry is doubled or unreadable, or has no formation energy per atom.
    MixedEnergies
        It is on another scale, or mixes scales that must not meet.
    """
    data, origin = _unpacked(path), f"hull file {path}"
    content = _content(data, origin)
    _check_entries(content["entries"], origin)
    hull = ReferenceHull.from_bytes(data, origin)
    _check_hash(hull, content.get("hash"), expected, origin)
    _check_scale(hull, scale, origin)
    return hull


def _unpacked(path: Path) -> bytes:
    """The text of a file, packed or not; StoreError if it is missing or cut short."""
    try:
        return read_bytes(path)
    except UnreadableFile as err:
        raise StoreError(f"hull file {path} cannot be read: it {err}") from err


def _content(data: bytes, origin: str) -> dict[str, Any]:
    """The content of a file; StoreError if it is no hull, DatasetError for another unit."""
    try:
        content = json.loads(data, object_pairs_hook=_without_doubled_keys)
    except (ValueError, RecursionError) as err:
        text = str(err)[:200]
        raise StoreError(f"{origin} is not a gen2dft hull or is damaged: {text}") from err
    if not isinstance(content, dict) or not isinstance(content.get("entries"), list):
        raise StoreError(f"{origin} is not a gen2dft hull: it has no list `entries`; {REBUILD}")
    _check_fields(content, origin)
    return content


def _without_doubled_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {doubled[:40]!r} stands there twice")
    return content


def _check_fields(content: dict[str, Any], origin: str) -> None:
    """DatasetError for another unit than eV/atom, or none; StoreError for other broken fields."""
    unit = content.get("unit")
    if unit is None:
        raise DatasetError(
            f'{origin} states no unit: if its energies are in {UNIT}, add "unit": "{UNIT}" to it'
        )
    if unit != UNIT:
        raise DatasetError(f"{origin}: its unit is {shown(unit)}, and must be {UNIT!r}; {REBUILD}")
    scale, coverage = content.get("scale"), content.get("coverage", COVERAGES[0])
    if not isinstance(scale, str | None):
        raise StoreError(f"{origin}: its scale is no text")
    if coverage not in COVERAGES:
        raise StoreError(
            f"{origin}: its coverage is {shown(coverage)}, and must be {' or '.join(COVERAGES)}"
        )
    for name in ("known_stable", "mixed"):
        listed = content.get(name, [])
        if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
            raise StoreError(f"{origin}: its {name} is no list of formulas")


def _check_entries(entries: list[Any], origin: str) -> None:
    """DatasetError for the first entry that no hull can rest on."""
    seen: dict[Formula, int] = {}
    for number, entry in enumerate(entries, start=1):
        place = f"{origin}, entry {number}"
        formula = _formula_of(entry, place)
        if formula in seen:
            raise DatasetError(
                f"{place}: {formula_text(formula)} is entry {seen[formula]} already: leave the "
                "lowest phase of each formula"
            )
        seen[formula] = number
        _check_energy(entry[1], f"{place} ({entry[0]})", is_element=len(formula) == 1)


def _formula_of(entry: Any, place: str) -> Formula:
    """The formula of an entry; DatasetError if it is none, or names what is no element."""
    from pymatgen.core import Element

    if not isinstance(entry, list) or len(entry) != 2:
        raise DatasetError(f"{place}: {shown(entry)} is no pair of formula and energy")
    text, _ = entry
    try:
        formula = reduced(parse_formula(str(text)))
    except (ValueError, DatasetError) as err:
        raise DatasetError(f"{place}: {shown(text)} is no formula like 'Li2 O1'") from err
    if max(count for _, count in formula) > MOST_ATOMS:
        raise DatasetError(f"{place}: {shown(text)} has more than {MOST_ATOMS:,} atoms")
    for symbol, _ in formula:
        if not Element.is_valid_symbol(symbol):
            raise DatasetError(f"{place}: {text!r} holds {symbol!r}, which is no element")
    return formula


def _check_energy(energy: Any, place: str, *, is_element: bool) -> None:
    if isinstance(energy, bool) or not isinstance(energy, int | float):
        raise DatasetError(f"{place}: its energy {shown(energy)} is no number")
    if isinstance(energy, float) and not math.isfinite(energy):
        raise DatasetError(f"{place}: its energy is {energy}, no number; leave such phases out")
    if abs(energy) > LARGEST:
        raise DatasetError(f"{place}: its energy is {_short(energy)}: {OTHER_UNIT}")
    if is_element and energy < LOWEST_ELEMENT:
        raise DatasetError(
            f"{place}: its energy is {energy:g} {UNIT}, but elements are the zero of formation "
            "energies: these are total energies"
        )


def _short(energy: float) -> str:
    return shown(energy) if isinstance(energy, int) else f"{energy:g}"


def _check_hash(hull: ReferenceHull, said: Any, expected: str | None, origin: str) -> None:
    """StoreError if the content is not what the file or the campaign says."""
    found = hull.hull_hash
    if said is not None and said != found:
        raise StoreError(
            f"{origin} says that its hash is {said}, but its content has {found}: it was changed "
            f"after it was written; {REBUILD}"
        )
    if expected is not None and expected != found:
        raise StoreError(
            f"{origin} has the hash {found}, and hull.hash asks for {expected}: name the file that "
            f"the campaign was written for, or set hull.hash: {found}"
        )


def _check_scale(hull: ReferenceHull, wanted: str | None, origin: str) -> None:
    """MixedEnergies if the hull is not on the scale that the campaign says, or mixes others."""
    if wanted is not None and hull.scale not in (None, wanted):
        raise MixedEnergies(
            f"{origin} is on scale {hull.scale!r}, and hull.scale says {wanted!r}: leave the key "
            "out, or name a hull on that scale"
        )
    if hull.mixed and hull.scale != MATERIALS_PROJECT:
        raise MixedEnergies(
            f"{origin} holds phases of the scheme that mixes in r2SCAN, which may stand beside "
            f"those of scale {MATERIALS_PROJECT!r} alone, but is on scale {hull.scale!r}"
        )
