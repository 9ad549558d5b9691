"""Kinds of options: files and folders that are what they should be, numbers within bounds."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from pathlib import Path

import typer

from gen2dft.errors import Gen2DFTError, brief

MANY = 100_000_000  # crystals, draws, candidates
MOST_WORKERS = 4096
LARGEST_SEED = 2**63 - 1
WEEK = 7 * 86400
LONGEST = 1000 * WEEK  # seconds


def in_file(text: str) -> Path:
    """A file to read; that it is there is the verb's to say."""
    return _path(text, "file", stat.S_ISREG)


def in_folder(text: str) -> Path:
    """A folder to read."""
    return _path(text, "folder", stat.S_ISDIR)


def in_path(text: str) -> Path:
    """A file or folder to read."""
    return _path(text, "file or folder", _is_file_or_folder)


def out_file(text: str) -> Path:
    """A file to write, which must not be a folder or device."""
    return _path(text, "file", stat.S_ISREG)


def out_folder(text: str) -> Path:
    """A folder to write to."""
    return _path(text, "folder", stat.S_ISDIR)


def number(low: float, high: float, unit: str = "") -> Callable[[str], float]:
    """A reader of numbers within bounds, which NaN is not."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            limits = f"{low:g} to {high:g} {unit}".rstrip()
            raise typer.BadParameter(f"{brief(str(text))!r} is no number from {limits}.")
        return value

    return number


def _is_file_or_folder(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _path(text: str, wanted: str, fits: Callable[[int], bool]) -> Path:
    path, shown = Path(text), brief(str(text), 300)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or err
        raise Gen2DFTError(f"{shown} cannot be used: {why}; choose a {wanted}") from err
    if not fits(mode):
        raise Gen2DFTError(f"{shown} is {_kind(mode)}: choose a {wanted}")
    return path


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a file" if stat.S_ISREG(mode) else "a device or pipe"
