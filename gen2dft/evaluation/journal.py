"""Verdicts of relaxations in a file, so that an evaluation that is run again computes none
twice.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import SurrogateSpec
from gen2dft.crystals import CrystalTable
from gen2dft.engines import load_engine
from gen2dft.errors import OutputError
from gen2dft.hashing import content_hash
from gen2dft.report.output import make_folder
from gen2dft.screening.surrogate import SurrogateVerdict, surrogate_screen
from gen2dft.store.documents import StoredVerdict

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.thermo.hull import ReferenceHull

Relax = Callable[["Structure"], SurrogateVerdict]


class Journal:
    """Answers from a file of JSON lines, or asks and writes the answer down.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    relax
        From structure to verdict.
    settings
        Everything besides the structure that decides the verdict.
    """

    def __init__(self, path: Path | None, relax: Relax, settings: str) -> None:
        self.path = path
        self.relax = relax
        self.settings = settings
        self._known: dict[str, StoredVerdict] = {}
        if path is not None and path.is_file():
            self._known = _read(path)

    def __call__(self, structure: Structure) -> SurrogateVerdict:
        """The verdict on a structure."""
        key = self._key(structure)
        if key not in self._known:
            verdict = self.relax(structure)
            self._write({"key": key, **verdict.as_dict()})
            return verdict
        return SurrogateVerdict.from_stored(self._known[key])

    def _key(self, structure: Structure) -> str:
        crystal = CrystalTable.from_structures([structure])
        return content_hash(self.settings, crystal.content_hash(), digits=16)

    def _write(self, record: dict[str, Any]) -> None:
        if self.path is None:
            return
        make_folder(self.path.parent)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(record) + "\n")  # a line that was cut off ends here
        except OSError as err:
            raise OutputError(
                f"cannot write {self.path}: {err.strerror or err}; free some space there"
            ) from err


def _read(path: Path) -> dict[str, StoredVerdict]:
    """Verdicts by key.

    A line that was cut off, because its writer was killed, is left out and so computed again.
    """
    records = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        key = record.pop("key")
        records[key] = StoredVerdict.model_validate(record)
    return records


def surrogate_journal(
    surrogate: SurrogateSpec, hull: ReferenceHull, folder: Path | None
) -> Journal:
    """Relaxation by a surrogate, measured against a hull; verdicts are kept in a folder.

    Raises
    ------
    CampaignError, SettingsError
        The engine or its preset does not exist or is not installed.
    """
    preset = load_engine(surrogate.engine).preset(surrogate.preset)
    dumped = surrogate.model_dump(mode="json")
    # The dump leaves the switch out where it has its default, also in journals of versions without.
    symmetry = {"symmetrise": surrogate.symmetrise}
    settings = [dumped, preset.settings_hash, hull.hull_hash, symmetry]
    path = folder / "relaxations.jsonl" if folder else None
    relax = functools.partial(surrogate_screen, spec=surrogate, hull=hull)
    return Journal(path, relax, json.dumps(settings))
