"""Crystals of one's own, read file by file: every crystal under the name of its file, and every
file that holds none with its problem and the remedy.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.datasets.structure_text import (
    DAMAGED,
    PartialOccupancy,
    UnreadableStructure,
    parse_structure,
)
from gen2dft.errors import DatasetError
from gen2dft.parallel import map_parts

if TYPE_CHECKING:
    from pymatgen.core import Structure

PATTERNS = ("*.cif", "POSCAR*", "CONTCAR*", "*.poscar", "*.vasp", "*.json")
LOOKED_FOR = "CIF files (*.cif), POSCARs (POSCAR*, CONTCAR*, *.poscar, *.vasp) and pymatgen JSON"
ISOTOPES = ("D", "T")
OVERLAP = 0.5  # Angstrom; no two atoms of any crystal are closer
PARSED_AT_ONCE = 100  # files per task, where they are shared out among the cores
SHOWN = 20  # broken files that an error names

_CIF_BLOCK = re.compile(r"^(?=data_)", re.MULTILINE)


class Broken(NamedTuple):
    """A file, or a crystal in it, that cannot be used, and why."""

    name: str
    problem: str


@dataclass(frozen=True, eq=False)
class OwnStructures:
    """What a folder or file holds.

    Parameters
    ----------
    names
        (n,) path of each crystal's file below the folder; of a file with several crystals with the
        crystal's number, `many.json[2]`.
    crystals
        `n` crystals, as they stand in their files.
    broken
        What cannot be used.
    """

    names: tuple[str, ...]
    crystals: CrystalTable
    broken: tuple[Broken, ...] = ()


def read_own_structures(path: Path, *, skip_broken: bool = False) -> OwnStructures:
    """Read the crystals of a folder, with its subfolders, or of one file.

    Parameters
    ----------
    path
        A folder, or a CIF file, a POSCAR, or a JSON file with a pymatgen structure, a list of them,
        or names with one each. Hidden files and folders are left alone.
    skip_broken
        Go on without the files that cannot be used.

    Raises
    ------
    DatasetError
        There is no such folder, nothing to read in it, or a file that cannot be used.
    """
    path = path.expanduser()
    files = _files_in(path)
    root = path if path.is_dir() else path.parent
    starts = range(0, len(files), PARSED_AT_ONCE)
    parts = [(root, files[start : start + PARSED_AT_ONCE]) for start in starts]
    names: list[str] = []
    tables: list[CrystalTable] = []
    broken: list[Broken] = []
    for found in map_parts(_read_part, parts):
        names += found.names
        tables.append(found.crystals)
        broken += found.broken
    _refuse_broken(path, broken, len(names), skip_broken=skip_broken)
    return OwnStructures(tuple(names), CrystalTable.concatenate(tables), tuple(broken))


def one_crystal(content: Any) -> Structure:
    """An ordered crystal of elements from a pymatgen dictionary; without anything else it carries.

    Raises
    ------
    DatasetError
        Why it cannot be used, and what to do.
    """
    found = _usable(content)
    if isinstance(found, str):
        raise DatasetError(found)
    return CrystalTable.from_structures([found]).structure(0)


def _files_in(path: Path) -> list[Path]:
    """The files to read, in the order of their names."""
    if not path.exists():
        raise DatasetError(f"--structures {path}: there is no such folder or file")
    if path.is_file():
        return [path]
    found = {file for pattern in PATTERNS for file in path.rglob(pattern) if file.is_file()}
    seen = [file for file in found if not _is_hidden(file.relative_to(path))]
    if not seen:
        raise DatasetError(f"--structures {path}: nothing to read; looked for {LOOKED_FOR}")
    return sorted(seen)


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _refuse_broken(path: Path, broken: Sequence[Broken], usable: int, *, skip_broken: bool) -> None:
    if not broken or (usable and skip_broken):
        return
    lines = [f"  {entry.name}: {entry.problem}" for entry in broken[:SHOWN]]
    if len(broken) > SHOWN:
        lines.append(f"  and {len(broken) - SHOWN} more")
    count = f"{len(broken)} of {len(broken) + usable} crystals cannot be used"
    remedy = "\nTo go on without them: --skip-broken" if usable else ""
    raise DatasetError("\n".join([f"--structures {path}: {count}:", *lines]) + remedy)


def _read_part(part: tuple[Path, Sequence[Path]]) -> OwnStructures:
    root, files = part
    names: list[str] = []
    structures: list[Structure] = []
    broken: list[Broken] = []
    for file in files:
        name = file.relative_to(root).as_posix()
        for found, content in _contents_of(file, name):
            structure = _usable(content)
            if isinstance(structure, str):
                broken.append(Broken(found, structure))
            else:
                names.append(found)
                structures.append(structure)
    return OwnStructures(tuple(names), CrystalTable.from_structures(structures), tuple(broken))


def _contents_of(file: Path, name: str) -> Iterator[tuple[str, Any]]:
    """Name and content of each crystal of a file; an exception in the place of what is broken."""
    try:
        text = file.read_text("utf-8", errors="replace")  # comments of old CIFs are in Latin-1
        if file.suffix.lower() == ".json":
            yield from _of_json(text, name)
        elif file.suffix.lower() == ".cif":
            yield from _of_cif(text, name)
        else:
            yield name, _poscar(text)
    except (OSError, UnreadableStructure) as err:
        yield name, err


def _of_cif(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Blocks with atoms; journals put others, without any, before them."""
    blocks = [block for block in _CIF_BLOCK.split(text) if "_atom_site_" in block]
    if len(blocks) < 2:
        yield name, text
        return
    for number, block in enumerate(blocks, start=1):
        yield f"{name}[{number}]", block


def _of_json(text: str, name: str) -> Iterator[tuple[str, Any]]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as err:
        raise UnreadableStructure(f"no JSON: {err}") from err
    if isinstance(data, list):
        for number, content in enumerate(data, start=1):
            yield f"{name}[{number}]", content
    elif isinstance(data, dict) and "lattice" not in data and data:
        for key, content in data.items():
            yield f"{name}[{key}]", content
    else:
        yield name, data


def _poscar(text: str) -> Structure:
    from pymatgen.io.vasp import Poscar

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of missing symbols, which are an error here
            poscar = Poscar.from_str(text)
    except DAMAGED as err:
        raise UnreadableStructure(f"no POSCAR: {' '.join(str(err).split())[:200]}") from err
    if not poscar.true_names:  # pymatgen calls them H, He, Li, ... then
        raise UnreadableStructure("a POSCAR without the line of its elements' symbols")
    return poscar.structure


def _usable(content: Any) -> Structure | str:
    """The crystal of a file, or why it cannot be used and what to do."""
    if isinstance(content, Exception):
        return f"cannot be read ({content}); write it again with pymatgen or ASE"
    try:
        structure = _parsed(content)
    except PartialOccupancy:
        return (
            "sites are shared by several species or partly empty: write an ordered cell or "
            "supercell of it (pymatgen: OrderDisorderedStructureTransformation)"
        )
    except UnreadableStructure as err:
        return _unreadable(str(err))
    return _problem(structure) or structure


def _parsed(content: Any) -> Structure:
    from pymatgen.core import Structure

    if not isinstance(content, Structure):
        return parse_structure(content)
    if not len(content):
        raise UnreadableStructure("no sites")
    return content


def _unreadable(message: str) -> str:
    if "no sites" in message or "no structures" in message.lower():
        return f"it holds no atoms ({message}); write cell and atoms into it, or remove it"
    if "ccupanc" in message:
        return f"atoms lie on one site ({message}); remove all but one of them"
    return f"cannot be read ({message}); write it again with pymatgen or ASE"


def _problem(structure: Structure) -> str | None:
    """Why a crystal that was read cannot be computed, and what to do; None if it can."""
    strange = sorted({site.species_string for site in structure if not _is_element(site.specie)})
    if strange:
        return f"{', '.join(strange)} is no element: put an element in its place"
    isotopes = sorted({_symbol(site.specie) for site in structure} & set(ISOTOPES))
    if isotopes:
        return (
            f"it holds {' and '.join(isotopes)}, an isotope, which engines do not know: write H, "
            "which has the same electrons"
        )
    if not np.isfinite(structure.lattice.matrix).all() or structure.volume < 1e-3:
        return "its cell has no volume: correct its lengths and angles"
    if not np.isfinite(structure.frac_coords).all():
        return "a coordinate is no number: correct it"
    return _overlap(structure)


def _is_element(specie: Any) -> bool:
    from pymatgen.core import Element

    return isinstance(getattr(specie, "element", specie), Element)


def _symbol(specie: Any) -> str:
    """The symbol as it was written: pymatgen takes D for H, but keeps the name."""
    return str(getattr(specie, "element", specie).name)


def _overlap(structure: Structure) -> str | None:
    if len(structure) < 2:
        return None
    distances = structure.distance_matrix + OVERLAP * np.eye(len(structure))
    first, second = np.unravel_index(int(distances.argmin()), distances.shape)
    shortest = float(distances[first, second])
    if shortest >= OVERLAP:
        return None
    pair = f"{structure[int(first)].species_string} and {structure[int(second)].species_string}"
    return (
        f"{pair} are {shortest:.2f} Angstrom apart (sites {first + 1} and {second + 1}): remove "
        "one of them, or correct the coordinates"
    )
