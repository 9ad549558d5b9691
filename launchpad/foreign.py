"""Configuration files of jobflow, FireWorks and atomate2, tried before these read them.

They read their files while they are imported, wherever that happens, and a broken file ends in
whatever Python says of it. The command looks at the files first, before any verb.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gen2dft.errors import SettingsError, brief
from gen2dft.plain_yaml import read_yaml_file


class ForeignFile(NamedTuple):
    """A configuration file that another package reads.

    Parameters
    ----------
    package
        Whose it is.
    variable
        Names another file.
    default
        Where it is else.
    load
        Imports what reads it; None: too slow to try.
    """

    package: str
    variable: str
    default: str
    load: Callable[[], Any] | None = None

    @property
    def remedy(self) -> str:
        """How to go on."""
        return f"mend the file, or name another one by {self.variable}"


def _import_jobflow() -> Any:
    from jobflow import SETTINGS

    return SETTINGS


def _import_fireworks() -> Any:
    from fireworks import fw_config

    return fw_config


FILES = (
    ForeignFile("jobflow", "JOBFLOW_CONFIG_FILE", "~/.jobflow.yaml", _import_jobflow),
    ForeignFile("FireWorks", "FW_CONFIG_FILE", "~/.fireworks/FW_config.yaml", _import_fireworks),
    ForeignFile("FireWorks", "FW_CONFIG_FILE", "FW_config.yaml", _import_fireworks),
    ForeignFile("atomate2", "ATOMATE2_CONFIG_FILE", "~/.atomate2.yaml"),
    ForeignFile("pymatgen", "PMG_CONFIG_FILE", "~/.config/.pmgrc.yaml"),
)


def check_foreign_files() -> None:
    """Try the configuration files that are there.

    Raises
    ------
    SettingsError
        One cannot be read or used; the message names file, cause and remedy.
    """
    for file in FILES:
        for path in _places(file):
            _check(file, path)


def _places(file: ForeignFile) -> Iterator[Path]:
    """The file that the variable names, and that of the default place if it is there."""
    named = os.environ.get(file.variable)
    if named:
        yield _expanded(named, file)
    try:
        default = Path(file.default).expanduser()
        is_there = default.exists()
    except (OSError, RuntimeError):  # without a home folder, nothing is in it
        return
    if is_there and not named:
        yield default


def _expanded(named: str, file: ForeignFile) -> Path:
    try:
        path = Path(named).expanduser()
        is_there = path.exists()
    except (OSError, RuntimeError, ValueError) as err:
        raise SettingsError(f"{file.variable}={brief(named)}: {brief(str(err))}") from err
    if not is_there:
        raise SettingsError(
            f"{file.variable} names {brief(named, 300)}, which does not exist, and {file.package} "
            "would go by its defaults; correct the variable, or unset it"
        )
    return path


def _check(file: ForeignFile, path: Path) -> None:
    what = f"the configuration file of {file.package}, at"
    content = read_yaml_file(path, what, SettingsError, file.remedy)
    if content is None:
        return
    if not isinstance(content, dict):
        raise SettingsError(f"{what} {path} holds no lines of the form `KEY: value`; {file.remedy}")
    if file.load is None:
        return
    try:
        file.load()
    except Exception as err:  # a broken file may raise anything
        why = brief(str(err).splitlines()[0] if str(err) else type(err).__name__, 200)
        raise SettingsError(
            f"{file.package} cannot use its file {path}: {why}; {file.remedy}"
        ) from err
