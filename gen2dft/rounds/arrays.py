"""Named arrays as bytes for the blob store, without pickle."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import StoreError
from gen2dft.stored_arrays import DamagedArrays, read_npz


def pack_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Arrays as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_arrays(data: bytes, origin: str) -> dict[str, NDArray[Any]]:
    """Inverse of `pack_arrays`; StoreError names `origin` if the bytes are damaged."""
    try:
        return read_npz(data)
    except DamagedArrays as err:
        raise StoreError(f"{origin} is damaged ({err}); restore it from a backup") from err
