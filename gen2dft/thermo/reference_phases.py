"""Reference phases: crystals that a campaign's own engine computes to have something to measure
against.

Elements are given as they are found: crystals by ASE's table of experimental lattice constants, the
gases H2, N2, O2 and F2 as a molecule in a box.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Structure

BOX = (12.0, 13.0, 14.0)  # Angstrom; unequal edges let a molecule be an open shell
# Bond length of O2 in PBE, Angstrom; its energy is stationary there, so that no relaxation in a box
# is needed.
O2_BOND = 1.22


@dataclass(frozen=True)
class ReferencePhase:
    """One phase that is computed for reference.

    Parameters
    ----------
    formula
        Reduced formula.
    material_id
        The phase in the Materials Project; of an element without one, `element-<symbol>`.
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

    @property
    def is_online(self) -> bool:
        """Whether the Materials Project has it."""
        return self.material_id.startswith("mp-")


def element_phase(symbol: str) -> ReferencePhase:
    """The reference phase of an element.

    Without a structure where ASE's table does not tell one.
    """
    from ase.data import atomic_numbers, reference_states

    state = reference_states[atomic_numbers[symbol]] or {}
    name = f"element-{symbol}"
    symmetry = state.get("symmetry")
    if symmetry == "diatom":
        pair = oxygen if symbol == "O" else functools.partial(molecule, symbol, state["d"])
        return ReferencePhase(f"{symbol}2", name, None, pair, "molecule in a box", is_molecule=True)
    build = functools.partial(_crystal, symbol)
    try:
        build()
    # The errors of ASE for crystals that it cannot build.
    except (ValueError, KeyError, RuntimeError, NotImplementedError):
        return ReferencePhase(symbol, name, None)
    return ReferencePhase(symbol, name, None, build, f"ASE's table: {symmetry}")


def _crystal(symbol: str) -> Structure:
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    structure = AseAtomsAdaptor.get_structure(bulk(symbol))
    for name in list(structure.site_properties):  # moments are the engine's to choose
        structure.remove_site_property(name)
    return structure


def molecule(symbol: str, bond: float) -> Structure:
    """Two atoms in a box, `bond` Angstrom apart."""
    from pymatgen.core import Lattice, Structure

    half = bond / 2
    ends = [[0, 0, -half], [0, 0, half]]
    box = Lattice.orthorhombic(*BOX)
    return Structure(box, [symbol, symbol], ends, coords_are_cartesian=True)


def oxygen() -> Structure:
    """The oxygen molecule at its PBE bond length, whose ground state is a triplet."""
    pair = molecule("O", O2_BOND)
    pair.add_site_property("magmom", [1.0, 1.0])
    return pair
