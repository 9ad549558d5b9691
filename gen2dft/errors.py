"""Errors that a user can act on: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path


class Gen2DFTError(Exception):
    """Base of every error that gen2dft raises for bad input or a broken environment."""


class CampaignError(Gen2DFTError):
    """A campaign file is missing, unreadable or not valid."""


class SettingsError(Gen2DFTError):
    """A setting is missing or has an unusable value."""


class DatasetError(Gen2DFTError):
    """Training data is missing, broken or not enough for the campaign."""


class CrystalError(Gen2DFTError, ValueError):
    """A document that should hold a crystal holds none; the message says where it is wrong."""


class PluginMissing(Gen2DFTError):
    """A campaign needs a package that is not installed here, or cannot be imported."""


class StoreError(Gen2DFTError):
    """The database cannot be reached, read or written."""


class DatabaseAway(StoreError):
    """The database cannot be reached just now."""


class SnapshotError(Gen2DFTError):
    """A stored generator cannot be loaded: missing, corrupted or of another version."""


class OutputError(Gen2DFTError):
    """A result cannot be written: disk full, read-only folder."""


class ArchiveError(Gen2DFTError):
    """An archive of a campaign is damaged, was changed, or does not fit what the database holds."""


class ServeError(Gen2DFTError):
    """The web page was asked for something that it does not understand, or cannot be served."""


class QueryError(Gen2DFTError):
    """A condition on hits is not understood, or asks for what they do not carry."""


class AnswerError(Gen2DFTError):
    """A result that was told is not understood, or belongs to no candidate that waits for one."""


class ThermoError(Gen2DFTError):
    """A hull, a correction or a calibration is missing or broken, or energies that must not meet
    were mixed.
    """


class CorrectionRefused(ThermoError):
    """A named correction does not hold for a calculation: wrong U, run type or elements."""


class MixedEnergies(ThermoError):
    """Energies of different engines, run types or scales were about to meet on one hull."""


class WorkerError(Gen2DFTError):
    """Worker processes of `gen2dft run` die again and again."""


class CalculationFailed(Gen2DFTError):
    """An engine could not finish a calculation.

    Parameters
    ----------
    reason
        Short snake_case name, counted in the funnel (`given_up:<reason>`).
    detail
        What happened, for people.
    directory
        Where the files of the calculation are, if it left any.

    Attributes
    ----------
    costs
        Step to core-hours that it has cost; empty where nobody measured.
    """

    def __init__(self, reason: str, detail: str, directory: Path | str | None = None) -> None:
        self.reason = reason
        self.detail = detail
        self.directory = directory
        self.costs: dict[str, float] = {}
        where = f" (files: {directory})" if directory else ""
        super().__init__(f"{reason}: {detail}{where}")

    def __reduce__(self) -> tuple[type[CalculationFailed], tuple[str, str, Path | str | None]]:
        # Exceptions are rebuilt from their message alone when they come from another process; this
        # one has parts.
        return type(self), (self.reason, self.detail, self.directory)


MOST_LISTED = 40  # names in a message
MOST_SHOWN = 80  # characters of a foreign text in a message


def brief(text: str, most: int = MOST_SHOWN) -> str:
    """A foreign text as one line of a message: cut, and without what would steer a terminal."""
    cut = text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
    return "".join(char if char.isprintable() else _escaped(char) for char in cut)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def shown(value: object) -> str:
    """A given value in a message: texts in quotes, numbers as they are, all else by its kind."""
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else "nothing"
    if isinstance(value, str):
        return brief(repr(value))
    if isinstance(value, int) and abs(value) >= 10**MOST_SHOWN:
        return "a number of more than 80 digits"
    if isinstance(value, int | float):
        return repr(value)
    return _kind(value)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} keys with values"
    if isinstance(value, Collection) and not isinstance(value, bytes):
        return f"a list of {len(value)}"
    return "something that is neither text nor number"


def not_one_of(what: str, value: object, choices: Iterable[str]) -> str:
    """Message for a value outside its choices, naming the nearest valid one."""
    names = sorted(choices)
    near = difflib.get_close_matches(str(value)[:MOST_SHOWN], names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = names if len(names) <= MOST_LISTED else f"the {len(names)} known"
    return f"{what} {shown(value)} is not one of {listed}.{hint}"
