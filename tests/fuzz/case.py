"""One input of the fuzz, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CASE_FOLDER = "case"
Special = Literal["folder", "fifo", "null", "dangling", "itself"]


@dataclass(frozen=True)
class Facts:
    """What the author of a data file knows about it.

    Parameters
    ----------
    rows
        Crystals that the input holds, good and bad.
    ids
        Their ids as text; None where they are meant to be unclear.
    labels
        Formation energies by id, of the rows whose label was left alone.
    """

    rows: int
    ids: frozenset[str] | None = None
    labels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A command line and the files that lie in the folder it runs in.

    Parameters
    ----------
    entry
        Name of the entry point.
    kind
        What was done to a valid input; inputs of one kind are counted together.
    place
        Where it was done: a field, a column, a member of an archive.
    argv
        Arguments of `gen2dft`; paths are relative to the folder.
    files
        Path to content.
    specials
        Path to what is there in the place of a file.
    then
        Further commands that must work afterwards if the first one took the input.
    facts
        What is known about a data file.
    """

    entry: str
    kind: str
    place: str
    argv: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    specials: Mapping[str, Special] = field(default_factory=dict)
    then: tuple[tuple[str, ...], ...] = ()
    facts: Facts | None = None


@dataclass(frozen=True)
class Outcome:
    """What a command wrote, and how it ended.

    Parameters
    ----------
    exit_code
        None if it did not end in time.
    crash
        Traceback of an error that nobody expected.
    strays
        What it wrote, opened or imported outside of its folder.
    kept
        Id to formation energy of the data set that it read.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str
    stderr: str
    crash: str = ""
    strays: tuple[str, ...] = ()
    kept: Mapping[str, float] | None = None


Execute = Callable[[Case, Path], list[Outcome]]


def lay_out(case: Case, top: Path) -> Path:
    """Write the files of a case into a folder of its own under `top`."""
    folder = top / CASE_FOLDER
    folder.mkdir(parents=True)
    (top / "tmp").mkdir()
    for name, content in case.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for name, special in case.specials.items():
        _make_special(folder / name, special)
    return folder


def _make_special(path: Path, special: Special) -> None:
    import os

    path.unlink(missing_ok=True)
    if special == "folder":
        path.mkdir(parents=True)
    elif special == "fifo":
        os.mkfifo(path)
    elif special == "null":
        path.symlink_to("/dev/null")
    else:
        path.symlink_to(path if special == "itself" else path.with_name("gone"))
