"""Data sets that `gen2dft data import` has kept: campaigns name them as those that ship."""

from __future__ import annotations

from pathlib import Path

from gen2dft.settings import load_settings

ENDING = ".npz"


def imported_folder() -> Path:
    """The folder in which imported data sets lie."""
    return load_settings().data_dir / "datasets"


def imported_names() -> list[str]:
    """Names of all imported data sets."""
    return sorted(path.name.removesuffix(ENDING) for path in imported_folder().glob(f"*{ENDING}"))


def imported_file(name: str) -> Path | None:
    """The file of an imported data set; None if none has this name.

    A path such as `./mine` is no name, so that a folder can be told from a data set.
    """
    if Path(name).name != name:
        return None
    file = imported_folder() / f"{name}{ENDING}"
    try:
        return file if file.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None
