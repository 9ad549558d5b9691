"""One crystal from text: CIF, or pymatgen's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gen2dft.crystal_documents import structure_of
from gen2dft.crystals import with_isotopes_as_elements
from gen2dft.datasets.cif_text import crystal_of_cif
from gen2dft.datasets.refused import (
    DAMAGED,
    RefusedCrystal,
    UnreadableStructure,
    refuse_unsound,
    short,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure


def parse_structure(content: Any) -> Structure:
    """A sound, ordered crystal from CIF text, pymatgen JSON text or dictionary, or a Structure.

    Raises
    ------
    RefusedCrystal
        It is none of these, damaged, or fails the check of `gen2dft.crystal_check`; of the kinds
        UnreadableStructure and PartialOccupancy where these apply.
    """
    structure = _parse(content)
    refuse_unsound(structure)
    return structure


def read_all(contents: Mapping[str, Any]) -> tuple[dict[str, Structure], dict[str, str]]:
    """Name to crystal of all contents that hold a sound one, and to `reason: detail` of the others.

    Contents are those of `parse_structure`.
    """
    crystals: dict[str, Structure] = {}
    left_out: dict[str, str] = {}
    for name, content in contents.items():
        try:
            crystals[name] = parse_structure(content)
        except RefusedCrystal as err:
            left_out[name] = str(err)
    return crystals, left_out


def problem_of(error: Exception) -> str:
    """`reason: detail` of whatever was raised while a crystal was read."""
    if isinstance(error, RefusedCrystal):
        return str(error)
    return str(UnreadableStructure(short(error)))


def _parse(content: Any) -> Structure:
    from pymatgen.core import Structure

    if isinstance(content, Structure):
        return with_isotopes_as_elements(content)
    try:
        if isinstance(content, Mapping):
            return structure_of(dict(content))
        if not isinstance(content, str) or not content.strip():
            raise UnreadableStructure("empty")
        if content.lstrip().startswith("{"):
            return structure_of(json.loads(content))
        return crystal_of_cif(content)
    except RefusedCrystal:
        raise
    except DAMAGED as err:
        raise UnreadableStructure(short(err)) from err
