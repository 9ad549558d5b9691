"""Engine `vasp`: real DFT by atomate2 and custodian.

Needs VASP, its pseudopotentials, and so a licence.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from pymatgen.core import Structure

from gen2dft.engines.base import (
    CalculationDoc,
    CalculationFailure,
    Engine,
    Makers,
    Outcome,
    without_references,
)
from gen2dft.engines.vasp.attempts import GoOn, Spent, relax_attempt, single_attempt
from gen2dft.engines.vasp.presets import PRESETS, get_preset
from gen2dft.engines.vasp.requirements import check, doubts
from gen2dft.engines.vasp.run import BOUNDS
from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.loaders import from_vasprun

BAND_FILES = ("vasprun.xml", "vasprun.xml.gz")


def relax(structure: Structure, preset: str = "ggau-v1") -> CalculationDoc:
    """Relax positions and cell in new folders `vasp_*` below the present one.

    Raises
    ------
    CalculationFailed
        With the reasons of `gen2dft.engines.vasp.run.calculate`.
    """
    get_preset(preset)
    start, spent = structure, Spent()
    while True:
        with _new_folder("relax"):
            outcome = relax_attempt(preset, start, spent)
        if not isinstance(outcome, GoOn):
            return _finished(outcome)
        start, spent = outcome.structure, outcome.spent


def static(structure: Structure, preset: str = "ggau-v1") -> CalculationDoc:
    """Energy, forces, stress, moments and gap of a structure as it is.

    Runs and fails as `relax` does.
    """
    get_preset(preset)
    with _new_folder("static"):
        return _finished(single_attempt("static", preset, structure))


def read_bands(folder: Path) -> UniformBands:
    """Bands of a finished run in a folder; CalculationFailed `no_bands` without a vasprun.xml."""
    for name in BAND_FILES:
        if (folder / name).is_file():
            return from_vasprun(folder / name)
    raise CalculationFailed("no_bands", f"neither of {BAND_FILES} is in {folder}", folder)


def _new_folder(task: str) -> contextlib.chdir[str]:
    return contextlib.chdir(tempfile.mkdtemp(prefix=f"vasp_{task}_", dir=Path.cwd()))


def _finished(outcome: Outcome) -> CalculationDoc:
    if isinstance(outcome, CalculationFailure):
        raise CalculationFailed(outcome.reason, outcome.detail, outcome.directory)
    return outcome


def _makers(preset: str) -> Makers:
    from gen2dft.engines.vasp.makers import VaspRelaxMaker, VaspStaticMaker, VaspUniformBandsMaker

    return Makers(
        VaspRelaxMaker(preset=preset),
        VaspStaticMaker(preset=preset),
        VaspUniformBandsMaker(preset=preset),
    )


ENGINE = Engine(
    name="vasp",
    is_dft=True,
    bounds=BOUNDS,
    provides=frozenset({"formation_energy", "e_above_hull", "band_gap"}),
    presets=PRESETS,
    default_preset="mp-ggau-v1",
    relax=relax,
    static=static,
    formation_energy=without_references("vasp"),
    read_bands=read_bands,
    makers=_makers,
    check=check,
    doubts=doubts,
    breakdowns=frozenset(
        {"potcar_missing", "unsuitable_preset", "vasp_command_not_found", "vasp_died"}
    ),
)
