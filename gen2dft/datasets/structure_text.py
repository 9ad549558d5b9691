"""One crystal from text: CIF, or pymatgen's JSON.

Plain P1 CIFs take a short cut that is ten times as fast as pymatgen.
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


_AXES = ("fract_x", "fract_y", "fract_z")
# Everything that pymatgen's readers raise for damaged input.
DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)


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
    except DAMAGED as err:
        text = " ".join(str(err).split())[:200]
        raise UnreadableStructure(text or type(err).__name__) from err


def _by_pymatgen(text: str) -> Structure:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on rounding; what cannot be read raises
        structures = CifParser.from_str(text).parse_structures(primitive=False)
    return structures[0]


def _plain_p1(text: str) -> Structure | None:
    """The crystal of a CIF as pymatgen writes it without symmetry; None for anything less plain."""
    from pymatgen.core import Lattice, Structure

    # Several blocks may be several crystals.
    if text.count("data_") != 1 or not _has_identity_alone(text):
        return None
    cell = [found.group(1) for pattern in _CELL if (found := pattern.search(text))]
    if len(cell) != len(_CELL):
        return None
    rows = _sites(text)
    if rows is None:
        return None
    lattice = Lattice.from_parameters(*map(float, cell))
    symbols = [row["type_symbol"] for row in rows]
    positions = [[float(row[axis]) for axis in _AXES] for row in rows]
    return Structure(lattice, symbols, positions)


def _has_identity_alone(text: str) -> bool:
    """Whether the symmetry operations are listed, and there is only `x, y, z`."""
    start = _SYMMETRY_START.search(text)
    return start is not None and _SYMMETRY.match(text, start.start()) is not None


def _sites(text: str) -> list[dict[str, str]] | None:
    """Column to text for each site; None unless each is one whole atom of an element."""
    loops = _ATOMS.findall(text)
    if len(loops) != 1:
        return None
    header, body = loops[0]
    columns = [name.removeprefix("_atom_site_") for name in header.split()]
    lines = [line.split() for line in body.splitlines() if line.strip()]
    if any(len(line) != len(columns) for line in lines):
        return None
    rows = [dict(zip(columns, line, strict=True)) for line in lines]
    if not {"type_symbol", "occupancy", *_AXES}.issubset(columns):
        return None
    for row in rows:
        # A charge beside the symbol, or part of an atom: for pymatgen to judge.
        if not row["type_symbol"].isalpha() or float(row["occupancy"]) != 1:
            return None
    return rows
