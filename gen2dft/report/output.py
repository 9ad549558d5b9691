"""Files for people: written whole or not at all, with errors that say where else to put them."""

from __future__ import annotations

from pathlib import Path

from gen2dft.atomic import write_atomically
from gen2dft.errors import OutputError

REMEDY = "choose a folder that you may write to and that has space, with --out (or --cif)"


def make_folder(folder: Path) -> Path:
    """Create a folder unless it exists, and return it; OutputError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        reason = err.strerror or err
        raise OutputError(f"cannot make folder {folder}: {reason}; {REMEDY}") from err
    return folder


def write_file(path: Path, data: bytes) -> Path:
    """Write a file so that readers see the old content or the new, never a part; create its folder.

    Raises
    ------
    OutputError
        Read-only folder, full disk; the message names the folder. An earlier file is kept.
    """
    make_folder(path.parent)
    try:
        write_atomically(path, data)
    except OSError as err:
        reason = err.strerror or err
        raise OutputError(f"cannot write {path.name} in {path.parent}: {reason}; {REMEDY}") from err
    return path
