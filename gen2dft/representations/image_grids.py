"""The grids of cell and basis images, and the Gaussians drawn on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

WIDTH = 0.26  # Angstrom
CUT = 0.02
REACH = WIDTH * float(np.sqrt(-2 * np.log(CUT)))  # 0.727 Angstrom: beyond it a Gaussian is cut
CELL_VOXELS, BASIS_VOXELS = 32, 64
BOX = 15.0  # Angstrom
VOXEL = BOX / BASIS_VOXELS


def steps_from_centre(reach: Indices) -> Indices:
    """(k, 3) whole steps along the axes, at most (3,) `reach` voxels to either side."""
    axes = [np.arange(-most, most + 1) for most in reach]
    grid = np.meshgrid(*axes, indexing="ij")
    steps = np.stack(grid, axis=-1)
    return steps.reshape(-1, 3)
