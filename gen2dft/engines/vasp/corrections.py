"""Custodian: which handlers watch a calculation, and what they changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gen2dft.engines.base import CustodianCorrection

# Custodian's handlers as atomate2 uses them, without KspacingMetalHandler and
# IncorrectSmearingHandler: these two rewrite k-points and smearing wherever they meet a metal, and
# so would make two data sets of one.
HANDLERS = (
    "VaspErrorHandler",
    "MeshSymmetryErrorHandler",
    "UnconvergedErrorHandler",
    "NonConvergingErrorHandler",
    "PotimErrorHandler",
    "PositiveEnergyErrorHandler",
    "FrozenJobErrorHandler",
    "StdErrHandler",
    "LargeSigmaHandler",
)
WALLTIME_HANDLER = "WalltimeHandler"

# INCAR tags that decide how the ground state is found, not which: a converged energy does not
# depend on them.
ALGORITHM_TAGS = frozenset(
    [
        "ALGO",
        "AMIN",
        "AMIX",
        "AMIX_MAG",
        "BMIX",
        "BMIX_MAG",
        "EDIFF",
        "IALGO",
        "IBRION",
        "ICHARG",
        "IMIX",
        "ISEARCH",
        "ISTART",
        "KPAR",
        "LCHARG",
        "LPLANE",
        "LSCALAPACK",
        "LWAVE",
        "MAXMIX",
        "NBANDS",
        "NCORE",
        "NELM",
        "NELMDL",
        "NELMIN",
        "NPAR",
        "NSIM",
        "NSW",
        "POTIM",
        "SMASS",
        "TIME",
    ]
)


def fresh_handlers() -> list[Any]:
    """New handlers for one run: they count what they have tried, so another calculation must not
    share them.
    """
    from custodian.vasp import handlers

    classes = [getattr(handlers, name) for name in HANDLERS]
    fresh = [handler() for handler in classes]
    return [*fresh, _walltime_handler()]


def _walltime_handler() -> Any:
    """Stops VASP before the queue does, where the end of the queue's job is known.

    Else without effect.

    The queue scripts that gen2dft writes set JOB_END_TIME, seconds since 1970.
    """
    from custodian.vasp.handlers import WalltimeHandler

    end = os.environ.get("JOB_END_TIME") or os.environ.get("SLURM_JOB_END_TIME", "")
    if not end.isdigit():
        return WalltimeHandler()  # looks for PBS_WALLTIME and SBATCH_TIMELIMIT itself
    handler = WalltimeHandler(wall_time=max(1, int(end) - int(time.time())))
    handler.start_time = datetime.now()
    return handler


def read_log(directory: Path) -> list[Mapping[str, Any]]:
    """Custodian's log of the runs in a folder, zipped or not; empty if there is none."""
    from monty.io import zopen
    from monty.os.path import zpath

    path = Path(zpath(str(directory / "custodian.json")))
    if not path.is_file():
        return []
    with zopen(path, "rt", encoding="utf-8") as file:
        return list(json.load(file))


def logged(log: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All entries of a log in order: handler, errors, and actions, which are empty where nothing
    could be done.
    """
    entries: list[Mapping[str, Any]] = []
    for run in log:
        entries += run.get("corrections") or []
    return entries


def applied(log: Iterable[Mapping[str, Any]]) -> list[CustodianCorrection]:
    """The corrections that were really made."""
    made = [entry for entry in logged(log) if entry.get("actions")]
    return [_correction(entry) for entry in made]


def _correction(entry: Mapping[str, Any]) -> CustodianCorrection:
    handler = handler_name(entry)
    errors = [str(error) for error in entry["errors"]]
    actions: list[str] = []
    for action in entry["actions"]:
        actions += in_words(action)
    return CustodianCorrection(handler=handler, errors=errors, actions=actions)


def handler_name(entry: Mapping[str, Any]) -> str:
    """Class of the handler that made an entry."""
    handler = entry.get("handler") or {}
    return str(handler.get("@class", "unknown"))


def in_words(action: Mapping[str, Any]) -> list[str]:
    """One of custodian's actions as text: `INCAR: ALGO = Normal`, `CONTCAR: copied to POSCAR`."""
    target = action.get("dict") or action.get("file")
    texts: list[str] = []
    for verb, content in action["action"].items():
        texts += [f"{target}: {text}" for text in _steps(target, verb, content)]
    return texts


def _steps(target: str | None, verb: str, content: Any) -> list[str]:
    """One verb of an action, such as `_set`, in words."""
    if verb == "_set" and target in ("INCAR", "KPOINTS"):
        return [f"{key} = {value}" for key, value in content.items()]
    if verb == "_set":
        return [f"{', '.join(content)} replaced"]
    if verb == "_file_copy":
        return [f"copied to {content['dest']}"]
    keys = ", ".join(map(str, content)) if isinstance(content, Mapping) else str(content)
    spoken = verb.strip("_").replace("_", " ")
    return [f"{spoken} {keys}".rstrip()]


def changes_settings(log: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a correction touched what the converged energy depends on."""
    for entry in logged(log):
        actions = entry.get("actions") or []
        if any(_changes(action) for action in actions):
            return True
    return False


def _changes(action: Mapping[str, Any]) -> bool:
    # Files are copied or deleted to resume elsewhere, which decides nothing.
    if "dict" not in action:
        return False
    if action["dict"] != "INCAR":
        return True
    tags: set[str] = set()
    for content in action["action"].values():
        tags.update(str(tag).upper() for tag in content)
    return not tags <= ALGORITHM_TAGS
