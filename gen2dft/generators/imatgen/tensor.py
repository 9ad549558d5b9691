"""The 1 x 200 x 6 tensor that the materials generator reads and writes, made of one cell code and
the basis codes.

The last dimension has six slots of 200 numbers. Slots 0 to 4 hold the basis codes of up to five
elements, as the paper's broad set needs; of vanadium oxides the first two are V and O, and the
other three stay 0. Slot 5 holds the cell code, whose 20 numbers are each repeated ten times: so the
cell weighs as much in the reconstruction loss as one element, and what comes back is the mean of
ten. (The published code has these slots; how the cell fills its own, it does not tell.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError
from gen2dft.generators.imatgen.networks import BASIS_CODE, CELL_CODE, LENGTH, SLOTS

CELL_SLOT = SLOTS - 1
REPEATS = LENGTH // CELL_CODE


def tensors_of(cell: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 1, 200, 6) tensors of (n, 20) cell codes and (n, E, 200) basis codes.

    DatasetError for other lengths.
    """
    if cell.shape[1:] != (CELL_CODE,) or basis.ndim != 3 or basis.shape[2] != BASIS_CODE:
        raise DatasetError(
            f"codes of shape {cell.shape} (cell) and {basis.shape} (basis) do not fit: a cell code "
            f"has {CELL_CODE} "
            f"numbers, a basis code {BASIS_CODE} per element"
        )
    if not 1 <= basis.shape[1] <= CELL_SLOT or len(cell) != len(basis):
        raise DatasetError(
            f"{len(cell)} cell codes and basis codes of {len(basis)} crystals with "
            f"{basis.shape[1]} elements each do "
            f"not fit: as many of both, and 1 to {CELL_SLOT} elements"
        )
    out = np.zeros((len(cell), 1, LENGTH, SLOTS), dtype=np.float32)
    out[:, 0, :, : basis.shape[1]] = basis.transpose(0, 2, 1)
    out[:, 0, :, CELL_SLOT] = np.repeat(cell, REPEATS, axis=1)
    return out


def codes_of(
    tensors: NDArray[np.float32], num_elements: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, 20) cell codes and (n, E, 200) basis codes of (n, 1, 200, 6) tensors.

    DatasetError for other shapes.
    """
    if tensors.shape[1:] != (1, LENGTH, SLOTS):
        raise DatasetError(
            f"tensors of shape {tensors.shape} do not fit: (n, 1, {LENGTH}, {SLOTS}) is expected"
        )
    cell = tensors[:, 0, :, CELL_SLOT].reshape(-1, CELL_CODE, REPEATS).mean(axis=2)
    return cell, tensors[:, 0, :, :num_elements].transpose(0, 2, 1)
