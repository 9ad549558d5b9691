"""LabelTensors: Seebeck and conductivity tensors behind a file of labels, for both carriers over
temperature and doping, so that any definition of the power factor has labels.

They lie beside the labels as plain arrays (.npz), six numbers for each symmetric tensor.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError
from gen2dft.input_files import DAMAGED_ARRAYS, UnreadableFile, opened_arrays, read_bytes
from gen2dft.transport.document import Carrier
from gen2dft.transport.tables import CarrierTables, TransportTables

CARRIERS: tuple[Carrier, ...] = ("p", "n")
# Rows and columns of the six numbers: xx, yy, zz, yz, xz, xy.
ROWS, COLUMNS = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
# Bits kept of each number: 1e-4 of it, far below the error of any mesh, and files a third as large.
BITS = 13
# Parts of a tensor below this share of its largest are zero by symmetry, but for rounding.
ZERO = 1e-5
ARRAYS = ("ids", "crystals", "temperatures", "dopings", "seebeck", "conductivity_per_tau")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelTensors:
    """Tensors of labelled crystals at the same temperatures and dopings.

    Parameters
    ----------
    ids
        The crystals' ids in their dataset.
    crystals
        Their content hashes, see `computed_labels.crystal_hash`.
    temperatures, dopings
        K; carriers per cm^3; ascending.
    seebeck, conductivity
        (n, 2, 6, n_temperatures, n_dopings) uV/K, and over the relaxation time S m^-1 s^-1; holes
        first. NaN where too few bands were computed.
    made
        How they were computed, as plain values.
    """

    ids: tuple[str, ...]
    crystals: tuple[str, ...]
    temperatures: FloatArray
    dopings: FloatArray
    seebeck: NDArray[np.float32]
    conductivity: NDArray[np.float32]
    made: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, tables: Mapping[str, TransportTables], crystals: Sequence[str], made: Mapping[str, Any]
    ) -> LabelTensors:
        """Tensors of crystals by id, all at the same temperatures.

        Dopings are those of any; what a crystal lacks is NaN.
        """
        found = list(tables.values())
        dopings = max((table.dopings for table in found), key=len)
        packed = [_packed(table, len(dopings)) for table in found]
        seebeck = np.stack([pair[0] for pair in packed])
        conductivity = np.stack([pair[1] for pair in packed])
        temperatures = found[0].temperatures
        ids = tuple(tables)
        return cls(ids, tuple(crystals), temperatures, dopings, seebeck, conductivity, made)

    def tables(self, name: str, crystal: str) -> TransportTables | None:
        """The tables of one crystal by id and content hash; None if there are none."""
        if name not in self.ids:
            return None
        row = self.ids.index(name)
        if self.crystals[row] != crystal:
            return None
        carriers = {}
        for index, carrier in enumerate(CARRIERS):
            seebeck = _unpacked(self.seebeck[row, index])
            conductivity = _unpacked(self.conductivity[row, index])
            carriers[carrier] = CarrierTables(seebeck, conductivity)
        return TransportTables(name, self.temperatures, self.dopings, carriers)

    def to_bytes(self) -> bytes:
        """The content of a file; the same tensors give the same bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            ids=np.array(self.ids),
            crystals=np.array(self.crystals),
            temperatures=self.temperatures,
            dopings=self.dopings,
            seebeck=self.seebeck,
            conductivity_per_tau=self.conductivity,
            made=np.array(json.dumps(dict(self.made), sort_keys=True)),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> LabelTensors:
        """Inverse of `to_bytes`; DatasetError names `origin` if it is no such file."""
        try:
            with opened_arrays(data) as file:
                arrays = {name: file[name] for name in ARRAYS}
                made = json.loads(str(file["made"]))
        except DAMAGED_ARRAYS as err:
            raise DatasetError(
                f"{origin} holds no tensors of labels ({err}): make it anew with gen2dft data "
                "tensors"
            ) from err
        _check_lists(arrays, origin)
        ids, crystals = (tuple(map(str, arrays[name])) for name in ("ids", "crystals"))
        found = cls(
            ids,
            crystals,
            arrays["temperatures"],
            arrays["dopings"],
            arrays["seebeck"],
            arrays["conductivity_per_tau"],
            made,
        )
        found.check(origin)
        return found

    def check(self, origin: str) -> None:
        """DatasetError if the arrays do not fit each other."""
        shape = (len(self.ids), 2, 6, len(self.temperatures), len(self.dopings))
        shapes = {self.seebeck.shape, self.conductivity.shape}
        values = (self.temperatures, self.dopings, self.seebeck, self.conductivity)
        if any(array.dtype.kind != "f" or np.isinf(array).any() for array in values):
            raise DatasetError(
                f"{origin}: tensors that are infinite or no numbers: make it anew with gen2dft "
                "data tensors"
            )
        if shapes != {shape} or len(self.crystals) != len(self.ids):
            raise DatasetError(
                f"{origin}: tensors of shape {sorted(shapes)} instead of {shape}: make it anew "
                "with gen2dft data tensors"
            )


def _check_lists(arrays: Mapping[str, NDArray[Any]], origin: str) -> None:
    for name in ("ids", "crystals", "temperatures", "dopings"):
        if arrays[name].ndim != 1:
            raise DatasetError(
                f"{origin}: {name} is no list: make it anew with gen2dft data tensors"
            )


def read_tensors(path: Path) -> LabelTensors | None:
    """The tensors in a file; None if there is no such file."""
    if not path.exists():
        return None
    try:
        return LabelTensors.from_bytes(read_bytes(path), str(path))
    except UnreadableFile as err:
        raise DatasetError(f"{path} {err}: make it anew with gen2dft data tensors") from err


def tensors_path(labels: Path) -> Path:
    """Where the tensors behind a file of labels lie."""
    return labels.with_suffix(".npz")


def _packed(
    table: TransportTables, num_dopings: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both kinds of tensors, (2, 6, n_temperatures, num_dopings), as they are stored."""
    pair = []
    for name in ("seebeck", "conductivity"):
        kinds = [_six(getattr(table.carriers[kind], name), num_dopings) for kind in CARRIERS]
        pair.append(np.stack(kinds))
    return pair[0], pair[1]


def _six(tensors: FloatArray, num_dopings: int) -> NDArray[np.float32]:
    """(6, n_temperatures, num_dopings) of tensors (n_temperatures, n_dopings, 3, 3)."""
    size = np.abs(tensors).max(axis=(2, 3), keepdims=True)
    cleaned = np.where(np.abs(tensors) < ZERO * size, 0.0, tensors)
    symmetric = (cleaned + cleaned.swapaxes(2, 3)) / 2
    six = np.moveaxis(symmetric[:, :, ROWS, COLUMNS], -1, 0)
    missing = num_dopings - six.shape[-1]
    padded = np.pad(six, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)
    return _rounded(padded)


def _rounded(values: FloatArray) -> NDArray[np.float32]:
    """The same to `BITS` binary digits."""
    mantissa, exponent = np.frexp(values)
    scale = 2.0**BITS
    rounded = np.ldexp(np.round(mantissa * scale) / scale, exponent)
    return rounded.astype(np.float32)


def _unpacked(six: NDArray[np.float32]) -> FloatArray:
    """(n_temperatures, n_dopings, 3, 3) of (6, n_temperatures, n_dopings)."""
    tensors = np.empty((*six.shape[1:], 3, 3))
    for values, row, column in zip(six, ROWS, COLUMNS, strict=True):
        tensors[..., row, column] = values
        tensors[..., column, row] = values
    return tensors
