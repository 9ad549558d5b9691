"""The 1 x 200 x 6 tensor that the materials generator reads and writes: one cell code and the basis
codes.

The last dimension has six slots of 200 numbers. Slots 0 to 4 hold the basis codes of up to five
elements, as the paper's broad set needs; of vanadium oxides the first two are V and O, and the
other three stay 0. Slot 5 holds the cell code, whose 20 numbers are each repeated ten times: so the
cell weighs as much in the reconstruction loss as one element, and the decoded code is the mean of
ten. (The published code has these slots; it does not tell how the cell fills its own.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError
from gen2dft.generators.imatgen.networks import BASIS_CODE, CELL_CODE, LENGTH, SLOTS

Array = NDArray[np.float32]
CELL_SLOT = SLOTS - 1
REPEATS = LENGTH // CELL_CODE


def tensors_of(cell: Array, basis: Array) -> Array:
    """(n, 1, 200, 6) tensors of (n, 20) cell codes and (n, E, 200) basis codes.

    DatasetError for other lengths.
    """
    _require_codes(cell, basis)
    count, num_elements, _ = basis.shape
    out = np.zeros((count, 1, LENGTH, SLOTS), dtype=np.float32)
    by_slot = out[:, 0].transpose(0, 2, 1)
    by_slot[:, :num_elements] = basis
    by_slot[:, CELL_SLOT] = np.repeat(cell, REPEATS, axis=1)
    return out


def _require_codes(cell: Array, basis: Array) -> None:
    is_cell = cell.shape[1:] == (CELL_CODE,)
    is_basis = basis.ndim == 3 and basis.shape[-1] == BASIS_CODE
    if not is_cell or not is_basis:
        problem = (
            f"codes of shape {cell.shape} (cell) and {basis.shape} (basis) do not fit: a cell code "
            f"has {CELL_CODE} numbers, a basis code {BASIS_CODE} per element"
        )
        raise DatasetError(problem)
    count, num_elements, _ = basis.shape
    has_room = 1 <= num_elements <= CELL_SLOT
    if not has_room or len(cell) != count:
        problem = (
            f"{len(cell)} cell codes and basis codes of {count} crystals with {num_elements} "
            f"elements each do not fit: as many of both, and 1 to {CELL_SLOT} elements"
        )
        raise DatasetError(problem)


def codes_of(tensors: Array, num_elements: int) -> tuple[Array, Array]:
    """(n, 20) cell codes and (n, E, 200) basis codes of (n, 1, 200, 6) tensors.

    DatasetError for other shapes.
    """
    expected = (1, LENGTH, SLOTS)
    if tensors.shape[1:] != expected:
        raise DatasetError(
            f"tensors of shape {tensors.shape} do not fit: (n, 1, {LENGTH}, {SLOTS}) is expected"
        )
    by_slot = tensors[:, 0].transpose(0, 2, 1)
    repeated = by_slot[:, CELL_SLOT].reshape(-1, CELL_CODE, REPEATS)
    cell = repeated.mean(axis=2)
    basis = by_slot[:, :num_elements]
    return cell, basis
