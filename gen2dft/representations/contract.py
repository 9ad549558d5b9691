"""What every representation must do, as a function that its tests call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.geometry import cell_angles
from gen2dft.representations.base import Representation

POSITION_TOLERANCE = 1e-5  # fractional; float32 keeps 7 digits
LENGTH_TOLERANCE = 1e-5  # relative
ANGLE_TOLERANCE = 1e-3  # degree


def validate_representation(representation: Representation, table: CrystalTable) -> None:
    """Check that decode is the inverse of encode, that order and origin cell do not matter, and
    that decode is total.

    Parameters
    ----------
    representation
        What is checked.
    table
        Crystals that it must be able to hold; different species and sizes, hydrides and binaries
        included if allowed.

    Raises
    ------
    ValueError
        Names the first promise that is broken and the crystal.
    """
    tensors = representation.encode(table)
    _require(
        tensors.shape == (len(table), *representation.shape), f"encode gives shape {tensors.shape}"
    )
    _require(tensors.dtype == np.float32, f"encode gives {tensors.dtype}, not float32")
    _require(bool(np.isfinite(tensors).all()), "encode gives values that are not finite")
    result = representation.decode(tensors)
    _require(
        len(result.crystals) == len(table),
        f"decode refuses true tensors: {set(result.reasons) - {None}}",
    )
    for index in range(len(table)):
        _require_same_crystal(table, result.crystals, index)
    again = representation.encode(result.crystals)
    _require(
        np.allclose(again, tensors, rtol=1e-4, atol=1e-3),
        "encode(decode(encode(x))) differs from encode(x)",
    )
    shuffled = representation.encode(_equivalent(table))
    _require(
        np.allclose(shuffled, tensors, rtol=1e-4, atol=1e-3),
        "the order of sites or whole translations matter",
    )
    _require_total(representation)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"not a valid representation: {problem}")


def _require_same_crystal(table: CrystalTable, decoded: CrystalTable, index: int) -> None:
    """Same lengths, angles, and for every site one of the same species at the same place, whatever
    the order.
    """
    here, there = table.sites(index), decoded.sites(index)
    lengths = [np.linalg.norm(t.lattices[index], axis=1) for t in (table, decoded)]
    angles = [cell_angles(t.lattices[index : index + 1])[0] for t in (table, decoded)]
    same_lengths = np.abs(lengths[1] / lengths[0] - 1).max() < LENGTH_TOLERANCE
    same_angles = np.abs(angles[1] - angles[0]).max() < ANGLE_TOLERANCE
    _require(bool(same_lengths and same_angles), f"crystal {index} comes back with another cell")
    species = [np.sort(t.numbers[s]).tolist() for t, s in ((table, here), (decoded, there))]
    _require(
        species[0] == species[1],
        f"crystal {index} comes back with species {species[1]}, not {species[0]}",
    )
    apart = table.frac[here][:, None] - decoded.frac[there][None]
    near = (np.abs(apart - np.round(apart)) < POSITION_TOLERANCE).all(axis=2)
    alike = table.numbers[here][:, None] == decoded.numbers[there][None]
    _require(
        bool((near & alike).any(axis=1).all()), f"crystal {index} comes back with other positions"
    )
    inside = (decoded.frac[there] >= 0) & (decoded.frac[there] < 1)
    _require(bool(inside.all()), f"crystal {index} comes back with positions outside [0, 1)")


def _equivalent(table: CrystalTable) -> CrystalTable:
    """The same crystals with sites in reverse order and moved by whole lattice vectors."""
    owner = np.repeat(np.arange(len(table)), table.num_sites)
    place = np.arange(len(owner)) - table.offsets[owner]
    source = table.offsets[owner + 1] - 1 - place
    moved = table.frac[source] + np.array([1.0, -2.0, 3.0])
    return CrystalTable(table.lattices, table.numbers[source], moved, table.offsets)


def _require_total(representation: Representation) -> None:
    """Whatever a network writes, decode answers with a crystal or one reason per row."""
    garbage = _garbage(representation.shape)
    result = representation.decode(garbage)
    _require(len(result.reasons) == len(garbage), "decode gives fewer reasons than rows")
    _require(
        bool(np.isfinite(result.crystals.lattices).all()),
        "decode lets a cell pass that is not finite",
    )
    _require(
        bool(np.isfinite(result.crystals.frac).all()),
        "decode lets a position pass that is not finite",
    )
    _require(bool((result.crystals.volumes > 0).all()), "decode lets a cell without volume pass")
    representation.encode(result.crystals)


def _garbage(shape: tuple[int, ...]) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    rows = [scale * rng.standard_normal((8, *shape)) for scale in (1.0, 30.0, 1e6)]
    constant = [
        np.full((1, *shape), value)
        for value in (0.0, 1.0, -1.0, 90.0, 1e30, np.nan, np.inf, -np.inf)
    ]
    return np.concatenate([*rows, *constant]).astype(np.float32)
