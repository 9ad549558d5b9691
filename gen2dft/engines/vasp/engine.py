"""Engine `vasp`: real DFT by atomate2 and custodian.

Needs VASP, its pseudopotentials, and so a licence.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from gen2dft.engines.base import (
    CalculationDoc,
    CalculationFailure,
    Engine,
    Makers,
    Relaxed,
    without_references,
)
from gen2dft.engines.vasp.attempts import GoOn, Spent, relax_attempt, single_attempt
from gen2dft.engines.vasp.presets import PRESETS, get_preset
from gen2dft.engines.vasp.requirements import check
from gen2dft.errors import CalculationFailed


def relax(structure: Structure, preset: str = "ggau-v1") -> Relaxed:
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
            return _result(outcome)
        start, spent = outcome.structure, outcome.spent


def static(structure: Structure, preset: str = "ggau-v1") -> Relaxed:
    """Energy, forces, stress, moments and gap of a structure as it is.

    Runs and fails as `relax` does.
    """
    get_preset(preset)
    with _new_folder("static"):
        return _result(single_attempt("static", preset, structure))


def _new_folder(task: str) -> contextlib.chdir[str]:
    return contextlib.chdir(tempfile.mkdtemp(prefix=f"vasp_{task}_", dir=Path.cwd()))


def _result(outcome: CalculationDoc | CalculationFailure) -> Relaxed:
    if isinstance(outcome, CalculationFailure):
        raise CalculationFailed(outcome.reason, outcome.detail, outcome.directory)
    return Relaxed(
        structure=outcome.structure,
        energy=outcome.energy_per_atom,
        forces=None if outcome.forces is None else np.array(outcome.forces),
        stress=None if outcome.stress is None else np.array(outcome.stress),
        magmoms=None if outcome.magmoms is None else np.array(outcome.magmoms),
        converged=outcome.converged,
        max_force=outcome.max_force or 0.0,
        steps=outcome.num_steps,
        seconds=outcome.wall_seconds,
        warnings=tuple(outcome.warnings),
        band_gap=outcome.band_gap,
        run_type=outcome.run_type,
        hubbards=outcome.hubbards,
        is_stand_in=outcome.is_stand_in,
    )


def _makers(preset: str) -> Makers:
    from gen2dft.engines.vasp.makers import VaspRelaxMaker, VaspStaticMaker, VaspUniformBandsMaker

    name = get_preset(preset).name
    return Makers(
        VaspRelaxMaker(preset=name),
        VaspStaticMaker(preset=name),
        VaspUniformBandsMaker(preset=name),
    )


ENGINE = Engine(
    name="vasp",
    is_dft=True,
    provides=frozenset({"formation_energy", "e_above_hull", "band_gap", "power_factor"}),
    presets=PRESETS,
    relax=relax,
    static=static,
    makers=_makers,
    formation_energy=without_references("vasp"),
    check=check,
    breakdowns=frozenset(
        {"potcar_missing", "unsuitable_preset", "vasp_command_not_found", "vasp_died"}
    ),
)
