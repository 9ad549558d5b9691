"""Crystals of one's own, read file by file: every crystal under the name of its file, and every
file that holds none with its problem and the remedy.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gen2dft.crystals import CrystalTable
from gen2dft.datasets.data_blocks import crystal_blocks
from gen2dft.datasets.refused import DAMAGED, RefusedCrystal, UnreadableStructure, short
from gen2dft.datasets.structure_text import parse_structure
from gen2dft.datasets.tables import without_doubled_keys
from gen2dft.errors import DatasetError
from gen2dft.input_files import UnreadableFile, existing, not_a_file, read_legacy_text
from gen2dft.parallel import map_parts

if TYPE_CHECKING:
    from pymatgen.core import Structure

CIF = (".cif", ".mcif")
ENDINGS = (*CIF, ".poscar", ".vasp", ".json")
BEGINNINGS = ("POSCAR", "CONTCAR")
LOOKED_FOR = (
    "CIF files (*.cif), magnetic ones (*.mcif), POSCARs (POSCAR*, CONTCAR*, *.poscar, *.vasp) and "
    "pymatgen JSON, each also packed (.gz)"
)
REWRITE = "write it again with pymatgen or ASE"
PARSED_AT_ONCE = 100  # files per task, where they are shared out among the cores
SHOWN = 16  # broken files that an error names, which then has less than 20 lines


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
    path = _there(path)
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


def _there(given: Path) -> Path:
    try:
        path = existing(given, "--structures")
    except UnreadableFile as err:
        raise DatasetError(str(err)) from err
    if path is None:
        raise DatasetError(f"--structures {given}: there is no such folder or file")
    return path


def one_crystal(content: Any) -> Structure:
    """A sound, ordered crystal from a pymatgen dictionary; without anything else it carries.

    Raises
    ------
    DatasetError
        Why it cannot be used, and what to do.
    """
    found = _usable(content)
    if isinstance(found, str):
        raise DatasetError(found)
    return CrystalTable.from_structures([found]).structure(0)


def read_one_crystal(path: Path) -> Structure:
    """The crystal of a CIF, POSCAR or pymatgen JSON file.

    Raises
    ------
    DatasetError
        The file holds none that can be used, or several.
    """
    found = [_usable(content) for _, content in _contents_of(path, path.name)]
    if len(found) != 1:
        raise DatasetError(f"{path} holds {len(found)} crystals: leave one in the file")
    (crystal,) = found
    if isinstance(crystal, str):
        raise DatasetError(f"{path} holds no crystal that can be read: {crystal}")
    return crystal


def _files_in(path: Path) -> list[Path]:
    """The files to read, in the order of their names."""
    if not path.is_dir():
        if problem := not_a_file(path):
            raise DatasetError(f"--structures {path} {problem}")
        return [path]
    found = [file for file in path.rglob("*") if _is_looked_for(file) and not file.is_dir()]
    seen = [file for file in found if not _is_hidden(file.relative_to(path))]
    if not seen:
        raise DatasetError(f"--structures {path}: nothing to read; looked for {LOOKED_FOR}")
    return sorted(seen)


def _kind(file: Path) -> str:
    """The ending of a file's name in lower case, without that of its packing."""
    name = file.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _is_looked_for(file: Path) -> bool:
    return _kind(file) in ENDINGS or file.name.startswith(BEGINNINGS)


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
        text = read_legacy_text(file)
        if _kind(file) == ".json":
            yield from _of_json(text, name)
        elif _kind(file) in CIF:
            yield from _of_cif(text, name)
        else:
            yield name, _poscar(text)
    except UnreadableFile as err:
        yield name, UnreadableStructure(f"the file {err}")
    except UnreadableStructure as err:
        yield name, err


def _of_cif(text: str, name: str) -> Iterator[tuple[str, str]]:
    blocks = crystal_blocks(text)
    if len(blocks) < 2:
        yield name, text
        return
    for number, block in enumerate(blocks, start=1):
        yield f"{name}[{number}]", block


def _of_json(text: str, name: str) -> Iterator[tuple[str, Any]]:
    try:
        data = json.loads(text, object_pairs_hook=without_doubled_keys)
    except (ValueError, RecursionError) as err:
        raise UnreadableStructure(f"no JSON: {short(err)}") from err
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
        raise UnreadableStructure(f"no POSCAR: {short(err)}") from err
    if not poscar.true_names:  # pymatgen calls them H, He, Li, ... then
        raise UnreadableStructure("a POSCAR without the line of its elements' symbols")
    return poscar.structure


def _usable(content: Any) -> Structure | str:
    """The crystal of a file, or why it cannot be used and what to do."""
    if isinstance(content, Exception):
        return f"cannot be read ({_detail(content)}); {REWRITE}"
    try:
        return parse_structure(content)
    except UnreadableStructure as err:
        return _unreadable(err.detail)
    except RefusedCrystal as err:
        return err.detail


def _detail(error: Exception) -> str:
    return error.detail if isinstance(error, RefusedCrystal) else str(error)


def _unreadable(message: str) -> str:
    if "no structures" in message.lower():
        return f"it holds no atoms ({message}); write cell and atoms into it, or remove it"
    if "exceeded tolerance" in message:
        return f"atoms lie on one site ({message}); remove all but one of them"
    return f"cannot be read ({message}); {REWRITE}"
