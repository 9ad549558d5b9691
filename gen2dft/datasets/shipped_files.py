"""Files of data that ship with the package."""

from __future__ import annotations

from importlib import resources

from gen2dft.errors import DatasetError

FOLDER = "gen2dft.datasets"


def shipped_file(name: str, what: str, remedy: str) -> bytes:
    """The content of a file that ships.

    Parameters
    ----------
    name
        Its name in this folder.
    what
        What it belongs to, for the message.
    remedy
        A command that makes it anew.

    Raises
    ------
    DatasetError
        If this installation lacks it.
    """
    content = optional_file(name)
    if content is None:
        raise DatasetError(
            f"{name} of {what} is missing from this installation; reinstall gen2dft, or {remedy}"
        )
    return content


def optional_file(name: str) -> bytes | None:
    """The content of a file that ships; None if this installation lacks it."""
    file = resources.files(FOLDER) / name
    return file.read_bytes() if file.is_file() else None
