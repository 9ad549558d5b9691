"""The reference phases of the vanadium oxides: Materials Project ids, known formation energies,
known structures.

Noh et al., Matter 1, 1370 (2019), supporting information, figure S5b, fit their correction to five
oxides. The Materials Project's relaxed structures are the ones meant; three of them, and both
elements, are also given here from the literature, so that a calibration can be tried without a key.
V3O5 and V3O7 come from the Materials Project or a file.

V2O3 at -2.534 eV/atom is not corundum, which has -2.526 there (mp-18937) and lies 0.0087 above the
hull: it is the ground state, of bixbyite type (Ia-3, 40 atoms, 4.54 g/cm^3; CHGNet, too, puts it 9
meV/atom below corundum). It is built here with the positions of In2O3 (M. Marezio, Acta Cryst. 20,
723 (1966)) and the edge that this density gives; the engine relaxes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2dft.thermo.reference_phases import ReferencePhase, oxygen
from gen2dft.thermo.scales import MATERIALS_PROJECT

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.thermo.hull import ReferenceHull


def _v2o5() -> Structure:
    from pymatgen.core import Lattice, Structure

    sites = [
        [0.10118, 0.25, 0.8917],
        [0.1043, 0.25, 0.531],
        [0.9311, 0.25, 0.003],
        [0.25, 0.25, 0.001],
    ]
    cell = Lattice.orthorhombic(11.512, 3.564, 4.368)
    return Structure.from_spacegroup("Pmmn:2", cell, ["V", "O", "O", "O"], sites)


def _vo2() -> Structure:
    from pymatgen.core import Lattice, Structure

    cell = Lattice.tetragonal(4.5546, 2.8514)
    return Structure.from_spacegroup("P4_2/mnm", cell, ["V", "O"], [[0, 0, 0], [0.3001, 0.3001, 0]])


def _v2o3() -> Structure:
    from pymatgen.core import Lattice, Structure

    sites = [[0.25, 0.25, 0.25], [0.466, 0, 0.25], [0.390, 0.155, 0.382]]
    crystal = Structure.from_spacegroup("Ia-3", Lattice.cubic(9.57), ["V", "V", "O"], sites)
    return crystal.get_primitive_structure()


def _vanadium() -> Structure:
    from pymatgen.core import Lattice, Structure

    half = 3.028 / 2
    primitive = [[-half, half, half], [half, -half, half], [half, half, -half]]
    return Structure(Lattice(primitive), ["V"], [[0, 0, 0]])


OXIDES: tuple[ReferencePhase, ...] = (
    ReferencePhase(
        "V2O5", "mp-25620", -2.305, _v2o5, "Enjalbert and Galy, Acta Cryst. C 42, 1467 (1986)"
    ),
    ReferencePhase("V3O7", "mp-622640", -2.375),
    ReferencePhase(
        "VO2", "mp-19094", -2.488, _vo2, "McWhan et al., Phys. Rev. B 10, 490 (1974): rutile"
    ),
    ReferencePhase("V3O5", "mp-622497", -2.524),
    ReferencePhase(
        "V2O3",
        "mp-25787",
        -2.534,
        _v2o3,
        "bixbyite type: In2O3's parameters, Marezio (1966), a = 9.57 A",
    ),
)
"""The five oxides of figure S5b with their formation energies, eV/atom."""


def known_hull() -> ReferenceHull:
    """Hull of the five oxides and the elements, on the Materials Project's scale: what ships
    without a key.
    """
    from pymatgen.core import Composition

    from gen2dft.thermo.hull import ReferenceHull

    formulas = [Composition(phase.formula) for phase in OXIDES]
    energies = [phase.formation_energy for phase in OXIDES if phase.formation_energy is not None]
    return ReferenceHull.build(formulas, energies, scale=MATERIALS_PROJECT)


ELEMENTS: tuple[ReferencePhase, ...] = (
    ReferencePhase("V", "mp-146", None, _vanadium, "bcc, a = 3.028 Angstrom"),
    ReferencePhase(
        "O2", "mp-12957", None, oxygen, "molecule at its PBE bond length, triplet", is_molecule=True
    ),
)
"""Vanadium metal and the oxygen molecule."""
