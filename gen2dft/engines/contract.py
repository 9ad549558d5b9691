"""The contract of an engine, as functions that need no test framework.

`gen2dft.testing.engines` has them as a test suite that a plugin inherits.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.engines.base import Engine
from gen2dft.errors import CalculationFailed
from gen2dft.properties import PROPERTIES
from gen2dft.transport.bands import UniformBands

BROKEN = "contract_broken"
TOO_SMALL = 1.0  # Angstrom^3 per atom, which no crystal has
FINER = 0.7  # spacing of the second mesh of bands, in units of the first one's


def validate_engine(
    engine: Engine, preset: str, structure: Structure, tolerance: float = 1e-3
) -> None:
    """Check the energies of an engine.

    Parameters
    ----------
    structure
        A sane crystal that is not relaxed.
    tolerance
        Largest difference of energies that should be equal, eV/atom.

    Raises
    ------
    CalculationFailed
        `contract_broken`: the energy is not invariant under translation, permutation, choice of
        axes and supercell, relaxation does not lower it, the result is not finite or names a
        property without a unit, or a collapsed crystal is accepted.
    """
    found = engine.static(structure, preset)
    _check_values(found)
    energy = found.energy_per_atom
    for change, other in _equal_structures(structure).items():
        difference = abs(engine.static(other, preset).energy_per_atom - energy)
        if not difference <= tolerance:
            raise _broken(f"{change} changes the energy by {difference:.2g} eV/atom")
    _check_relaxation(engine, preset, structure, energy + tolerance)
    _must_refuse(engine, preset, structure)


def validate_bands(engine: Engine, preset: str, structure: Structure, scale: float = 1.0) -> None:
    """Check the bands of an engine that gives any.

    Parameters
    ----------
    structure
        A semiconductor.
    scale
        Spacing of the k-points in units of the preset's; a coarse mesh is quick.

    Raises
    ------
    CalculationFailed
        `contract_broken`: the engine does not say that it provides the gap, bands do not belong to
        the crystal, have no gap, or do not follow `scale`, or a folder without bands is read.
    """
    compute, read = engine.bands, engine.read_bands
    if compute is None or read is None:
        raise _broken(f"engine {engine.name!r} lacks `bands` or `read_bands`")

    def bands(spacing: float) -> UniformBands:
        with tempfile.TemporaryDirectory(prefix="gen2dft_bands_") as folder:
            compute(structure, preset, Path(folder), spacing)
            return read(Path(folder))

    if "band_gap" not in engine.provides:
        raise _broken("an engine with bands must name band_gap in `provides`")
    coarse, fine = bands(scale), bands(scale * FINER)
    if coarse.structure.composition != structure.composition:
        raise _broken("the bands are those of another crystal")
    if not fine.spacing < coarse.spacing:
        raise _broken(f"a scale of {FINER:g} leaves the mesh as coarse as it is")
    coarse.edges()
    _must_read_nothing(read)


def _check_values(found: Calculation) -> None:
    unknown = sorted(set(found.values) - set(PROPERTIES))
    if unknown:
        raise _broken(f"no unit is registered for {', '.join(unknown)} among its `values`")
    numbers = {"energy_per_atom": found.energy_per_atom, **found.values}
    infinite = sorted(name for name, value in numbers.items() if not math.isfinite(value))
    if infinite:
        raise _broken(f"{', '.join(infinite)} is not finite")


def _check_relaxation(engine: Engine, preset: str, structure: Structure, highest: float) -> None:
    relaxed = engine.relax(structure, preset)
    energy, composition = relaxed.energy_per_atom, structure.composition
    if not energy <= highest:
        raise _broken(f"relaxation raises the energy to {energy:.4f}, above {highest:.4f} eV/atom")
    if relaxed.structure.composition != composition:
        raise _broken("relaxation changes the composition")
    if not math.isfinite(engine.formation_energy(composition, energy)):
        raise _broken("the formation energy is not finite")


def _equal_structures(structure: Structure) -> dict[str, Structure]:
    moved = structure.copy()
    moved.translate_sites(range(len(moved)), [0.13, 0.27, 0.41])
    turned = structure.copy()
    turned.make_supercell([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    permuted = Structure.from_sites(list(structure)[::-1])
    doubled = structure * (2, 1, 1)
    return {
        "translation": moved,
        "permutation of sites": permuted,
        "another choice of axes": turned,
        "a supercell": doubled,
    }


def _must_refuse(engine: Engine, preset: str, structure: Structure) -> None:
    collapsed = structure.copy()
    collapsed.scale_lattice(len(structure) * TOO_SMALL)
    try:
        engine.static(collapsed, preset)
    except CalculationFailed:
        return
    raise _broken(f"a crystal of {TOO_SMALL:g} Angstrom^3 per atom is accepted")


def _must_read_nothing(read: Callable[[Path], UniformBands]) -> None:
    with tempfile.TemporaryDirectory(prefix="gen2dft_bands_") as folder:
        try:
            read(Path(folder))
        except CalculationFailed as failure:
            if failure.reason == "no_bands":
                return
            raise
    raise _broken("bands are read from an empty folder")


def _broken(detail: str) -> CalculationFailed:
    return CalculationFailed(BROKEN, detail)
