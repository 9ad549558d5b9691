"""Bounds outside which no result of an engine is believed, whatever the crystal."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
# Total energies of PAW codes count from spin-paired atoms. The lowest of all elements and compounds
# in the Materials Project is -14 eV/atom (Pu, Gd); no relaxed crystal lies above free atoms.
PAW_ENERGY: Range = (-25.0, 10.0)


@dataclass(frozen=True)
class Bounds:
    """Bounds of one engine; a result outside them is a failure, never a label."""

    energy_per_atom: Range | None = None
    """eV/atom; None where the zero of energy is the program's own, as in all-electron codes: the
    formation energy tells then"""
    max_force: float = 100.0
    """eV/Angstrom: ten times what a displaced atom of a crystal feels before it touches another"""
    max_stress: float = 1000.0
    """GPa: three times the pressure in the centre of the Earth"""
    max_moment: float = 15.0
    """Bohr magnetons per site: twice that of gadolinium"""
    band_gap: Range = (0.0, 30.0)
    """eV: solid neon, the widest there is, has 21.5"""
    volume_per_atom: Range = (4.0, 120.0)
    """Angstrom^3 per atom of a crystal: diamond has 5.7, caesium 117"""


GENERAL = Bounds()  # of an engine that states none of its own
