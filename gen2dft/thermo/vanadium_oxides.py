"""The reference phases of the vanadium oxides: Materials Project ids, known formation energies, known structures.

Noh et al., Matter 1, 1370 (2019), supporting information, figure S5b, fit their correction to five oxides. The
Materials Project's relaxed structures are the ones meant; three of them, and both elements, are also given here from
the literature, so that a calibration can be tried without a key. V3O5 and V3O7 come from the Materials Project or a
file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.thermo.scales import MATERIALS_PROJECT

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.thermo.hull import ReferenceHull

# Bond length of O2 in PBE, Angstrom; its energy is stationary there, so that no relaxation in a box is needed.
O2_BOND = 1.22
O2_BOX = (12.0, 13.0, 14.0)  # Angstrom; unequal edges let the molecule be an open shell


@dataclass(frozen=True)
class ReferencePhase:
    """One phase that a calibration needs.

    Parameters
    ----------
    formula
        Reduced formula.
    material_id
        The phase in the Materials Project.
    formation_energy
        Known formation energy, eV/atom; None for an element.
    literature
        The structure from published parameters; None if it must come from elsewhere.
    citation
        Where these parameters are published.
    is_molecule
        Computed as it is, in a box; its cell is not relaxed.
    """

    formula: str
    material_id: str
    formation_energy: float | None
    literature: Callable[[], Structure] | None = None
    citation: str = ""
    is_molecule: bool = False


def _v2o5() -> Structure:
    from pymatgen.core import Lattice, Structure

    sites = [[0.10118, 0.25, 0.8917], [0.1043, 0.25, 0.531], [0.9311, 0.25, 0.003], [0.25, 0.25, 0.001]]
    cell = Lattice.orthorhombic(11.512, 3.564, 4.368)
    return Structure.from_spacegroup("Pmmn:2", cell, ["V", "O", "O", "O"], sites)


def _vo2() -> Structure:
    from pymatgen.core import Lattice, Structure

    cell = Lattice.tetragonal(4.5546, 2.8514)
    return Structure.from_spacegroup("P4_2/mnm", cell, ["V", "O"], [[0, 0, 0], [0.3001, 0.3001, 0]])


def _v2o3() -> Structure:
    from pymatgen.core import Lattice, Structure

    cell = Lattice.hexagonal(4.9515, 14.003)
    sites = [[0, 0, 0.34630], [0.31164, 0, 0.25]]
    return Structure.from_spacegroup("R-3c", cell, ["V", "O"], sites).get_primitive_structure()


def _vanadium() -> Structure:
    from pymatgen.core import Lattice, Structure

    half = 3.028 / 2
    return Structure(Lattice([[-half, half, half], [half, -half, half], [half, half, -half]]), ["V"], [[0, 0, 0]])


def _oxygen() -> Structure:
    from pymatgen.core import Lattice, Structure

    ends = [[0, 0, -O2_BOND / 2], [0, 0, O2_BOND / 2]]
    molecule = Structure(Lattice.orthorhombic(*O2_BOX), ["O", "O"], ends, coords_are_cartesian=True)
    molecule.add_site_property("magmom", [1.0, 1.0])  # the ground state is a triplet
    return molecule


OXIDES: tuple[ReferencePhase, ...] = (
    ReferencePhase("V2O5", "mp-25620", -2.305, _v2o5, "Enjalbert and Galy, Acta Cryst. C 42, 1467 (1986)"),
    ReferencePhase("V3O7", "mp-622640", -2.375),
    ReferencePhase("VO2", "mp-19094", -2.488, _vo2, "McWhan et al., Phys. Rev. B 10, 490 (1974): rutile"),
    ReferencePhase("V3O5", "mp-622497", -2.524),
    ReferencePhase("V2O3", "mp-25787", -2.534, _v2o3, "Dernier, J. Phys. Chem. Solids 31, 2569 (1970): corundum"),
)
"""The five oxides of figure S5b with their formation energies, eV/atom."""


def known_hull() -> ReferenceHull:
    """Hull of the five oxides and the elements, on the Materials Project's scale: what ships without a key."""
    from pymatgen.core import Composition

    from gen2dft.thermo.hull import ReferenceHull

    formulas = [Composition(phase.formula) for phase in OXIDES]
    energies = [phase.formation_energy for phase in OXIDES if phase.formation_energy is not None]
    return ReferenceHull.build(formulas, energies, scale=MATERIALS_PROJECT)


ELEMENTS: tuple[ReferencePhase, ...] = (
    ReferencePhase("V", "mp-146", None, _vanadium, "bcc, a = 3.028 Angstrom"),
    ReferencePhase("O2", "mp-12957", None, _oxygen, "molecule at its PBE bond length, triplet", is_molecule=True),
)
"""Vanadium metal and the oxygen molecule."""
