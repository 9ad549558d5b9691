"""One crystal from text: CIF, or pymatgen's JSON.

Plain P1 CIFs by a short cut ten times as fast as pymatgen.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

_LENGTHS_AND_ANGLES = (
    "length_a",
    "length_b",
    "length_c",
    "angle_alpha",
    "angle_beta",
    "angle_gamma",
)
_CELL = [re.compile(rf"^_cell_{name}\s+([\d.]+)\s*$", re.MULTILINE) for name in _LENGTHS_AND_ANGLES]
_OPERATIONS = r"\s*_(?:symmetry_equiv_pos|space_group_symop\w*)_as_xyz"
_SYMMETRY_START = re.compile("^" + _OPERATIONS, re.MULTILINE)
_SYMMETRY = re.compile(_OPERATIONS + r"\s*\n\s*(?:1\s+)?'?x, ?y, ?z'?\s*\n\s*loop_")
_ATOMS = re.compile(r"loop_\s*((?:\s*_atom_site_\w+\s*\n)+)((?:(?!\s*(?:loop_|_|#|data_)).*\n?)*)")


class UnreadableStructure(ValueError):
    """The text is no crystal; the message says why."""


class PartialOccupancy(ValueError):
    """A site is shared by several species or partly empty."""


def parse_structure(content: Any) -> Structure:
    """An ordered crystal from CIF text, pymatgen JSON text, or a pymatgen dictionary.

    Raises
    ------
    UnreadableStructure
        If it is none of these, or damaged.
    PartialOccupancy
        If a site is not occupied by exactly one atom.
    """
    structure = _parse(content)
    if not len(structure):
        raise UnreadableStructure("no sites")
    if not structure.is_ordered:
        raise PartialOccupancy("partially occupied sites")
    return structure


def _parse(content: Any) -> Structure:
    from pymatgen.core import Structure

    try:
        if isinstance(content, Mapping):
            return Structure.from_dict(dict(content))
        if not isinstance(content, str) or not content.strip():
            raise UnreadableStructure("empty")
        if content.lstrip().startswith("{"):
            return Structure.from_dict(json.loads(content))
        return _plain_p1(content) or _by_pymatgen(content)
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        ArithmeticError,
        AssertionError,
    ) as err:
        # All of these are what pymatgen's readers raise for damaged input.
        raise UnreadableStructure(" ".join(str(err).split())[:200] or type(err).__name__) from err


def _by_pymatgen(text: str) -> Structure:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on rounding; what cannot be read raises
        structures = CifParser.from_str(text).parse_structures(primitive=False)
    return structures[0]


def _plain_p1(text: str) -> Structure | None:
    """The crystal of a CIF as pymatgen writes it without symmetry; None for anything less plain."""
    from pymatgen.core import Lattice, Structure

    cell = [match.group(1) for match in (pattern.search(text) for pattern in _CELL) if match]
    symmetry = _SYMMETRY_START.search(text)
    loops = _ATOMS.findall(text)
    if (
        len(cell) != 6
        or len(loops) != 1
        or not symmetry
        or not _SYMMETRY.match(text, symmetry.start())
    ):
        return None
    columns = [name.removeprefix("_atom_site_") for name in loops[0][0].split()]
    wanted = ("type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    rows = [line.split() for line in loops[0][1].splitlines() if line.strip()]
    if (
        not set(wanted).issubset(columns)
        or any(len(row) != len(columns) for row in rows)
        or text.count("data_") != 1
    ):
        return None
    places = [columns.index(name) for name in wanted]
    if any(not row[places[0]].isalpha() or float(row[places[4]]) != 1 for row in rows):
        return None
    lattice = Lattice.from_parameters(*map(float, cell))
    return Structure(
        lattice, [r[places[0]] for r in rows], [[float(r[p]) for p in places[1:4]] for r in rows]
    )
