"""Bands along straight lines between points of high symmetry, for people to look at."""

from __future__ import annotations

import numpy as np

from gen2dft.transport.document import BandPath
from gen2dft.transport.interpolation import Interpolation

POINTS = 150  # k-points of a path


def band_path(series: Interpolation, valence: float) -> BandPath:
    """The interpolated bands along the path of the cell's Bravais lattice.

    Parameters
    ----------
    valence
        Highest energy of the valence bands, eV, from which energies are measured.

    Notes
    -----
    Path and names of Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010), in the basis of
    the cell as it is, by ASE. A cell that is not primitive has folded bands.
    """
    from ase.cell import Cell

    # Minus a left-handed lattice is right-handed, and bands at -k are those at k.
    lattice = series.lattice
    handedness = np.sign(np.linalg.det(lattice))
    cell = Cell(lattice * handedness)
    path = cell.bandpath(npoints=POINTS)
    distances, corners, names = path.get_linear_kpoint_axis()
    kpoints = np.asarray(path.kpts, dtype=np.float64)
    energies = series.energies(kpoints) - valence
    way = np.round(distances, 5).tolist()
    bands = np.round(energies, 4).tolist()
    places = [round(float(corner), 5) for corner in corners]
    points = zip(places, map(str, names), strict=True)
    return BandPath(distances=tuple(way), energies=tuple(map(tuple, bands)), points=tuple(points))
