"""Files with secrets."""

from __future__ import annotations

from pathlib import Path

from gen2dft.atomic import FOR_THE_OWNER, write_atomically
from gen2dft.errors import OutputError


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; OutputError names the folder."""
    try:
        write_atomically(path, text, FOR_THE_OWNER)
    except OSError as err:
        reason = err.strerror or err
        raise OutputError(
            f"cannot write {path}: {reason}; free some space or rights in {path.parent}"
        ) from err
