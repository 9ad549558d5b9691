"""A folder of crystals: which files are read, under which id, and which are not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gen2dft.errors import DatasetError
from gen2dft.input_files import not_a_file

LABELS = ("labels.csv", "labels.csv.gz")
NAMED = 3

_CRYSTAL = re.compile(r"\.m?cif(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Folder:
    """The content of a folder.

    Parameters
    ----------
    crystals
        Id (name without ending) to file.
    labels
        The table of labels; None: there is none.
    unread
        Names of all else, each with the reason if there is one.
    """

    crystals: Mapping[str, Path]
    labels: Path | None
    unread: tuple[str, ...]

    @property
    def files(self) -> list[Path]:
        """All that is read."""
        return [*self.crystals.values(), *([] if self.labels is None else [self.labels])]


def list_folder(path: Path) -> Folder:
    """Sort the files of a folder; hidden ones are left alone.

    Raises
    ------
    DatasetError
        The folder cannot be listed, holds no crystal file, two of one id, or two tables of labels.
    """
    crystals: dict[str, Path] = {}
    tables: list[Path] = []
    unread: list[str] = []
    for file in _entries(path):
        problem = _unusable(file)
        if problem is not None:
            unread.append(problem)
        elif file.name.lower() in LABELS:
            tables.append(file)
        else:
            _add(crystals, file)
    if len(tables) > 1:
        names = " and ".join(file.name for file in tables)
        raise DatasetError(f"folder {path} holds {names}: keep one table of labels")
    if not crystals:
        raise DatasetError(f"folder {path} holds no .cif files{_instead(unread)}")
    return Folder(crystals, tables[0] if tables else None, tuple(unread))


def is_crystal_file(path: Path) -> bool:
    """Whether a file's name is that of a CIF file."""
    return _CRYSTAL.search(path.name) is not None


def id_of_file(path: Path) -> str:
    """The id of a crystal by the name of its file."""
    return _CRYSTAL.sub("", path.name)


def _entries(path: Path) -> list[Path]:
    try:
        found = sorted(path.iterdir())
    except OSError as err:
        raise DatasetError(f"folder {path} cannot be listed: {err.strerror}") from err
    return [entry for entry in found if not entry.name.startswith(".")]


def _unusable(file: Path) -> str | None:
    """Name, and why a file is not read; None if it is."""
    name = file.name
    if not name.isprintable():  # bytes that are no text among them
        return f"{ascii(name)[1:-1]} (its name holds other than text)"
    if file.is_dir():
        return f"{name}/"
    is_wanted = name.lower() in LABELS or is_crystal_file(file)
    if not is_wanted:
        return name
    problem = not_a_file(file)
    return None if problem is None else f"{name} ({problem})"


def _add(crystals: dict[str, Path], file: Path) -> None:
    key = id_of_file(file)
    if key in crystals:
        raise DatasetError(
            f"{crystals[key].name} and {file.name} in {file.parent} would have the same id "
            f"{key!r}: rename or remove one"
        )
    crystals[key] = file


def _instead(unread: list[str]) -> str:
    if not unread:
        return ""
    more = ", ..." if len(unread) > NAMED else ""
    return f" (.mcif, .cif.gz), but {', '.join(unread[:NAMED])}{more}"
