"""Files of uniform bands by GPAW: their reader, and what bands on the next mesh start from."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from gen2dft.engines.gpaw.presets import (
    GPAWPreset,
    bands_to_spare,
    number_of_bands,
    starting_moments,
)
from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.loaders import from_gpw
from gen2dft.transport.selection import select_bands
from gen2dft.transport.settings import TransportSettings

UNIFORM_FILE = "uniform.gpw"
DENSITY_FILE = "density.gpw"
ENOUGH_DOPING = 1e20  # carriers per cm^3 that few bands must hold; label definitions ask for 1e19


@dataclass(frozen=True)
class Cell:
    """A crystal with a finished density, of which bands are computed.

    Parameters
    ----------
    atoms
        ASE's, with GPAW's calculator.
    structure, settings
        The same crystal, and the preset.
    folder
        For the files.
    """

    atoms: Any
    structure: Structure
    settings: GPAWPreset
    folder: Path

    @property
    def wide(self) -> tuple[int, int]:
        """Bands to compute and to converge for dopings up to 1e22 per cm^3."""
        is_magnetic = starting_moments(self.structure) is not None
        return number_of_bands(self._electrons, len(self.structure), is_magnetic)

    @property
    def narrow(self) -> tuple[int, int]:
        """The same for dopings up to `ENOUGH_DOPING`."""
        moment = float(self.atoms.get_magnetic_moment())
        return bands_to_spare(self._electrons, len(self.structure), moment)

    @property
    def _electrons(self) -> float:
        return float(self.atoms.calc.get_number_of_electrons())


def kept_density(coarser: Path | None, folder: Path) -> Any:
    """Atoms with the density that coarser bands were computed at, which is handed on to the folder;
    None without the file, or where it was cut short.
    """
    if coarser is None or not (coarser / DENSITY_FILE).is_file():
        return None
    from gpaw import GPAW

    kept = folder / DENSITY_FILE
    shutil.copyfile(coarser / DENSITY_FILE, kept)
    try:
        calculator = GPAW(str(kept), txt=str(folder / "density.txt"))
    except (
        Exception
    ):  # GPAW stumbles over damage with errors of any kind; a density can be had anew
        return None
    return calculator.get_atoms()


def read_bands(folder: Path) -> UniformBands:
    """Bands that `uniform_bands` left in a folder; CalculationFailed `no_bands` without them."""
    file = folder / UNIFORM_FILE
    if not file.is_file():
        raise CalculationFailed("no_bands", f"there is no {UNIFORM_FILE} in {folder}", folder)
    return from_gpw(file)


def gap_of(folder: Path) -> float:
    """Gap on the mesh of finished bands, eV; 0 for a metal.

    From the mesh: the Fermi level may lie at a band's edge.
    """
    try:
        return read_bands(folder).edges().gap
    except CalculationFailed as failure:
        if failure.reason == "metal":
            return 0.0
        raise


def reach_far_enough(folder: Path) -> bool:
    """Whether the bands in a folder are complete as high as electrons of `ENOUGH_DOPING` reach."""
    try:
        select_bands(read_bands(folder), TransportSettings(dopings=(ENOUGH_DOPING,)))
    except CalculationFailed as failure:
        return failure.reason != "too_few_bands"
    return True
