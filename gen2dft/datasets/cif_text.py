"""One crystal from CIF text, held to what the file says of itself.

pymatgen's parser mutes much: it guesses elements from the first letters of any symbol, drops groups
such as OH, defaults to P1, and only warns where the atoms are not the formula. Here these are
reasons. Plain P1 CIFs take a short cut that is ten times as fast as pymatgen.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gen2dft.crystal_check import BAD_VOLUME, NO_ELEMENT, TOO_CLOSE
from gen2dft.crystal_documents import element_symbol
from gen2dft.crystals import with_isotopes_as_elements
from gen2dft.datasets.refused import (
    DAMAGED,
    RefusedCrystal,
    UnreadableStructure,
    refuse_unsound,
    short,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.core.operations import SymmOp

FORMULA_MISMATCH: Final = "formula_mismatch"
NO_HYDROGENS: Final = "hydrogens_without_positions"

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
_STATED = {
    key: re.compile(rf"^{key}\s+['\"]?([^'\"\n;]+)['\"]?\s*$", re.MULTILINE)
    for key in ("_chemical_formula_sum", "_cell_formula_units_Z")
}

_AXES = ("fract_x", "fract_y", "fract_z")
_PART = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)(?:\(\d+\))?")
_GROUP = re.compile(r"[A-Za-z]+\d+[A-Za-z]")  # H2O
_LETTERS = re.compile(r"[A-Za-z]+")
_UNCERTAINTY = re.compile(r"\(\d+\)$")
WATER = {"Ow": "O", "Hw": "H"}
GROUPS = ("Wat", "wat", "OH", "NO3")  # pymatgen leaves out their hydrogens, or all of them
FORMULA_TOLERANCE = 0.01  # of a ratio; formulas are often rounded to two digits
# Coordinates of three digits: 0.333 is off by a thousandth of 1/3, and its images by twice that.
THREE_DIGITS: Final[Mapping[str, Any]] = {"frac_tolerance": 1.1e-3, "site_tolerance": 2.1e-3}

Amounts = dict[str, float]


def crystal_of_cif(text: str) -> Structure:
    """The crystal of CIF text; D is read as H.

    Raises
    ------
    RefusedCrystal
        It cannot be read, or its atoms are not those that the file states.
    """
    try:
        return _crystal(text)
    except RefusedCrystal:
        raise
    except KeyError as err:
        raise UnreadableStructure(f"it has no {err.args[0]}") from err
    except DAMAGED as err:
        raise UnreadableStructure(f"it is no valid CIF: {short(err)}") from err


def _crystal(text: str) -> Structure:
    plain = _plain_p1(text)
    if plain is not None:
        stated = {key: found.group(1) for key in _STATED if (found := _STATED[key].search(text))}
        _check_formula(plain, stated)
        return plain
    with np.errstate(all="ignore"):  # of cells that are none, which the check names
        return _by_pymatgen(text)


# Through pymatgen
# ------------------------------------------------------------------------------------------------


def _by_pymatgen(text: str) -> Structure:
    crystal, stated = _parsed(text, {})
    try:
        refuse_unsound(crystal)
        _check_formula(crystal, stated)
    except RefusedCrystal as first:
        # Images of a special position given to three digits are no longer one: 0.333 for 1/3.
        if first.reason not in (TOO_CLOSE, FORMULA_MISMATCH):
            raise
        merged, _ = _parsed(text, THREE_DIGITS)
        if len(merged) == len(crystal):
            raise
        refuse_unsound(merged)
        _check_formula(merged, stated)
        return merged
    return crystal


def _parsed(text: str, tolerances: Mapping[str, Any]) -> tuple[Structure, Mapping[str, Any]]:
    """The one crystal of a text, and the block that holds it."""
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of the warnings is checked below
        parser: Any = CifParser.from_str(text, **tolerances)
        block = _only_block(parser.as_dict().values())
        _check_block(block)
        try:
            crystals = parser.parse_structures(primitive=False, on_error="ignore")
        except ValueError as err:
            raise UnreadableStructure(_last_warning(parser.warnings) or str(err)) from err
    _check_operations(parser.symmetry_operations)
    return with_isotopes_as_elements(crystals[0]), block


def _only_block(blocks: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The block with atoms; journals put others, without any, before it."""
    with_atoms = [block for block in blocks if _has_atoms(block)]
    if not with_atoms:
        raise UnreadableStructure("no structures in it, as no atoms are listed")
    if len(with_atoms) > 1:
        raise UnreadableStructure(
            f"the text holds {len(with_atoms)} crystals: give each a file or row of its own"
        )
    return with_atoms[0]


def _check_operations(operations: Sequence[SymmOp]) -> None:
    for operation in operations:
        determinant = abs(float(np.linalg.det(operation.rotation_matrix)))
        if not _is_close(determinant, 1.0):
            text = operation.as_xyz_str()
            raise UnreadableStructure(f"{text!r} is no operation of a space group")


def _has_atoms(block: Mapping[str, Any]) -> bool:
    return "_atom_site_label" in block or "_atom_site_type_symbol" in block


def _last_warning(texts: Sequence[str]) -> str:
    """The reason that pymatgen gives for a block without a crystal."""
    failed = [text for text in texts if text.startswith("No structure parsed")]
    reason = failed[-1].partition("\n")[2] if failed else ""
    key = reason.strip("'")
    return f"it has no {key}" if key.startswith("_") else reason


def _check_block(block: Mapping[str, Any]) -> None:
    """RefusedCrystal for what pymatgen would guess, drop or overlook."""
    _check_cell(block)
    _check_symbols(block)
    for axis in _AXES:
        for text in _cells(block, f"_atom_site_{axis}"):
            if _number(text) is None:
                raise UnreadableStructure(f"coordinate {text[:20]!r} is no number")
    for occupancy in _cells(block, "_atom_site_occupancy"):
        _check_occupancy(occupancy)
    hydrogens = [_number(text) or 0 for text in _cells(block, "_atom_site_attached_hydrogens")]
    if any(hydrogens):
        raise RefusedCrystal(
            NO_HYDROGENS,
            f"{sum(hydrogens):g} hydrogens are attached to its atoms without positions, so the "
            "atoms listed are not its formula: write the hydrogens as atoms",
        )


def _check_cell(block: Mapping[str, Any]) -> None:
    for name in _LENGTHS_AND_ANGLES:
        text = str(block[f"_cell_{name}"])
        number = _number(text)
        if number is None:
            raise UnreadableStructure(f"_cell_{name} is {text[:20]!r}, which is no number")
        if number <= 0 or (name.startswith("angle") and number >= 180):
            raise RefusedCrystal(BAD_VOLUME, f"_cell_{name} is {number:g}, which no cell has")


def _check_symbols(block: Mapping[str, Any]) -> None:
    has_types = "_atom_site_type_symbol" in block
    column = "_atom_site_type_symbol" if has_types else "_atom_site_label"
    has_formula = bool(_amounts(str(block.get("_chemical_formula_sum", ""))))
    for symbol in dict.fromkeys(_cells(block, column)):
        shown = repr(symbol[:20])
        if element_symbol(symbol) is None and _is_group(symbol, is_label=not has_types):
            raise RefusedCrystal(
                NO_ELEMENT, f"{shown} is a group of atoms: write each with its position"
            )
        if _element_of(symbol, is_label=not has_types) is None:
            raise RefusedCrystal(NO_ELEMENT, f"{shown} is no element: put an element in its place")
        if not has_formula and not _is_sure(symbol):
            raise RefusedCrystal(
                NO_ELEMENT,
                f"{shown} may be an element or a group of atoms: write elements as Co, atoms of a "
                "group one by one, or state _chemical_formula_sum",
            )


def _is_group(symbol: str, *, is_label: bool) -> bool:
    """Whether a symbol is that of several atoms; of labels, O1A is none."""
    return symbol.startswith(GROUPS) or (not is_label and _GROUP.match(symbol) is not None)


def _cells(block: Mapping[str, Any], column: str) -> list[str]:
    found = block.get(column, [])
    return [str(found)] if isinstance(found, str) else list(map(str, found))


def _element_of(symbol: str, *, is_label: bool) -> str | None:
    """The element that a symbol such as Mg2+ or a label such as O1A begins with; None if none."""
    if " + " in symbol:  # Pauling File: 0.8Nb + 0.2Zr, which pymatgen takes apart
        return symbol
    letters = _LETTERS.match(symbol)
    if letters is None:
        return None
    name = letters.group()
    known = WATER.get(name) or element_symbol(name) or element_symbol(name.capitalize())
    if known is not None or not is_label:
        return known
    # Of a label, capitals behind the element tell sites apart: CuA, OB.
    for length in (2, 1):
        if name[length:].isupper() and element_symbol(name[:length].capitalize()):
            return element_symbol(name[:length].capitalize())
    return None


def _is_sure(symbol: str) -> bool:
    """Whether a symbol can be but one element; CO may be cobalt, NH4 is no nihonium."""
    letters = _LETTERS.match(symbol)
    name = letters.group() if letters else symbol
    if " + " in symbol or name in WATER or element_symbol(name) is not None:
        return True
    return element_symbol(name.capitalize()) is not None and not all(map(element_symbol, name))


def _check_occupancy(text: str) -> None:
    number = _number(text)
    if number is None and text != "?":
        # A point is nothing to pymatgen, which would leave the atom out.
        raise UnreadableStructure(f"occupancy {text[:20]!r} is no number: write 1 for a whole atom")
    if number is not None and not 0 <= number <= 1:
        raise UnreadableStructure(f"occupancy {number:g} lies outside 0 to 1")


def _number(text: str) -> float | None:
    """A number of a CIF, its uncertainty in brackets left aside; None for anything else."""
    try:
        return float(_UNCERTAINTY.sub("", text.strip()))
    except ValueError:
        return None


# What the file states
# ------------------------------------------------------------------------------------------------


def _check_formula(crystal: Structure, stated: Mapping[str, Any]) -> None:
    """RefusedCrystal if the atoms are not the formula that the file states, where it states one."""
    text = str(stated.get("_chemical_formula_sum", ""))
    formula = _amounts(text)
    if not formula or not crystal.is_ordered:
        return
    atoms = crystal.composition.get_el_amt_dict()
    if _is_multiple(atoms, formula, _number(str(stated.get("_cell_formula_units_Z", "")))):
        return
    units = str(stated.get("_cell_formula_units_Z", "?"))
    raise RefusedCrystal(
        FORMULA_MISMATCH,
        f"the cell holds {_text(atoms)}, but the file states {_text(formula)} (Z = {units[:10]}): "
        "write all atoms, their symmetry and the formula alike",
    )


def _amounts(text: str) -> Amounts:
    """Element to number in a formula such as `H2 Mg O2`; empty for one that is not so plain."""
    amounts: Amounts = {}
    for word in text.replace(",", " ").split():
        parts = list(_PART.finditer(word))
        if "".join(part.group() for part in parts) != word:
            return {}
        for part in parts:
            symbol = element_symbol(part.group(1))
            number = _number(part.group(2) or "1")
            if symbol is None or not number:
                return {}
            amounts[symbol] = amounts.get(symbol, 0.0) + number
    return amounts


def _is_multiple(atoms: Amounts, formula: Amounts, units: float | None) -> bool:
    """Whether a cell holds its formula Z times; once where it states the formula of the cell, as
    pymatgen writes it.
    """
    if atoms.keys() != formula.keys():
        return False
    times = [number / formula[symbol] for symbol, number in atoms.items()]
    whole = sum(atoms.values()) / sum(formula.values())
    if not all(_is_close(ratio, whole) for ratio in times):
        return False
    if not units:
        return True
    is_of_cell = all((number / units).is_integer() for number in formula.values())
    return _is_close(whole, units) or (is_of_cell and _is_close(whole, 1.0))


def _is_close(one: float, other: float) -> bool:
    return abs(one - other) <= FORMULA_TOLERANCE * other


def _text(amounts: Amounts) -> str:
    return " ".join(f"{symbol}{number:g}" for symbol, number in sorted(amounts.items()))


# The short cut
# ------------------------------------------------------------------------------------------------


def _plain_p1(text: str) -> Structure | None:
    """The crystal of a CIF as pymatgen writes it without symmetry; None for anything less plain."""
    from pymatgen.core import Lattice, Structure

    # Several blocks may be several crystals, and a formula over several lines is for the parser.
    if text.count("data_") != 1 or not _has_identity_alone(text) or not _is_stated_plainly(text):
        return None
    cell = [found.group(1) for pattern in _CELL if (found := pattern.search(text))]
    if len(cell) != len(_CELL):
        return None
    rows = _sites(text)
    if rows is None:
        return None
    lengths, angles = cell[:3], cell[3:]
    if not all(0 < float(angle) < 180 for angle in angles):
        return None
    lattice = Lattice.from_parameters(*map(float, [*lengths, *angles]))
    symbols = [str(element_symbol(row["type_symbol"])) for row in rows]
    positions = [[float(row[axis]) for axis in _AXES] for row in rows]
    return Structure(lattice, symbols, positions)


def _is_stated_plainly(text: str) -> bool:
    """Whether formula and Z stand on one line each, where they stand at all."""
    return all(key not in text or pattern.search(text) for key, pattern in _STATED.items())


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
    needed = {"type_symbol", "occupancy", *_AXES}
    if not needed.issubset(columns) or "attached_hydrogens" in columns:
        return None
    return rows if all(map(_is_whole_atom, rows)) else None


def _is_whole_atom(row: Mapping[str, str]) -> bool:
    """Not so with a charge beside the symbol, or part of an atom: that is for pymatgen to judge."""
    numbers = [row["occupancy"], *(row[axis] for axis in _AXES)]
    try:
        occupancy, *_ = map(float, numbers)
    except ValueError:
        return False
    return element_symbol(row["type_symbol"]) is not None and occupancy == 1
