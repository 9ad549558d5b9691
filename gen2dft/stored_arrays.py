"""Arrays in NumPy's npy and npz form, read from bytes of which nobody knows who made them.

A header of a few bytes may promise terabytes, and a zip file of kilobytes may unpack to gigabytes;
`numpy.load` believes both. Here nothing is allocated that the bytes do not hold, nothing is
unpickled, and whatever is wrong is one kind of error.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MOST = 4_000_000_000
"""Bytes that the arrays of one file may take; the largest that is stored, the crystals of the
whole Materials Project, takes 300 million."""
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What the zip and npy readers raise for bytes that are damaged.
BROKEN = (
    KeyError, TypeError, ValueError, OSError, EOFError, RuntimeError, NotImplementedError,
    OverflowError, RecursionError, MemoryError, SyntaxError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class DamagedArrays(ValueError):
    """The bytes are no arrays, are damaged, or promise more than they hold."""


def read_npz(data: bytes, most: int = MOST) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file by name.

    Parameters
    ----------
    most
        Bytes that they may take together.

    Raises
    ------
    DamagedArrays
        See there; also for arrays of Python objects.
    """
    arrays = {}
    for name, content in unzipped(data, most).items():
        if name.endswith(".npy"):
            arrays[name.removesuffix(".npy")] = read_npy(content)
    return arrays


def unzipped(data: bytes, most: int = MOST) -> dict[str, bytes]:
    """The files of a zip archive by name; DamagedArrays as `read_npz`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            size = sum(info.file_size for info in infos)
            if size > most:
                raise DamagedArrays(f"it would unpack to {size:,} bytes, more than {most:,}")
            return {info.filename: archive.read(info) for info in infos}
    except DamagedArrays:
        raise
    except BROKEN as err:
        raise DamagedArrays(f"it cannot be unpacked: {err}") from err


def read_npy(content: bytes) -> NDArray[Any]:
    """The array of an npy file, which may be written to; DamagedArrays as `read_npz`."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        shape, is_fortran, kind = HEADERS[version](stream)
        if kind.hasobject:
            raise DamagedArrays("it holds Python objects, which are never read")
        start, size = stream.tell(), math.prod(shape) * kind.itemsize
        if size != len(content) - start or kind.itemsize == 0:
            held = len(content) - start
            raise DamagedArrays(f"an array says that it has {size:,} bytes and has {held:,}")
        order: Literal["C", "F"] = "F" if is_fortran else "C"
        return np.ndarray(shape, kind, bytearray(content), start, order=order)
    except DamagedArrays:
        raise
    except BROKEN as err:
        raise DamagedArrays(f"an array is damaged: {err}") from err
