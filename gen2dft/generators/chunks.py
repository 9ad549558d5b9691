"""A network evaluated in chunks of one size, so that a row's result does not depend on its
company.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.keras_setup import as_array

CHUNK = 256


def in_chunks(
    network: Callable[[NDArray[np.float32]], Any],
    rows: NDArray[np.float32],
    *row_shape: int,
    chunk: int = CHUNK,
) -> NDArray[np.float32]:
    """(n, *row_shape) results of a network, `chunk` rows at a time, the last chunk filled up with
    zeros.

    The network always sees the same number of rows: sums over batches of another size are split
    otherwise, and round otherwise.
    """
    out = np.empty((len(rows), *row_shape), dtype=np.float32)
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        size = len(part)
        full = np.zeros((chunk, *rows.shape[1:]), dtype=np.float32)
        full[:size] = part
        result = as_array(network(full))
        out[start : start + size] = result[:size]
    return out
