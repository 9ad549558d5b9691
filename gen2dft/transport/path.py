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
    lattice = series.lattice * np.sign(np.linalg.det(series.lattice))
    path = Cell(lattice).bandpath(npoints=POINTS)
    distances, places, names = path.get_linear_kpoint_axis()
    energies = series.energies(np.asarray(path.kpts, dtype=np.float64)) - valence
    return BandPath(
        distances=tuple(np.round(distances, 5).tolist()),
        energies=tuple(map(tuple, np.round(energies, 4).tolist())),
        points=tuple(
            (round(float(x), 5), str(name)) for x, name in zip(places, names, strict=True)
        ),
    )
