"""The contract of a representation, as a function that its tests call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.representations.base import DecodeResult, Representation
from gen2dft.representations.cells import lattice_parameters
from gen2dft.representations.indexing import site_owners

POSITION_TOLERANCE = 1e-5  # fractional; float32 keeps 7 digits
LENGTH_TOLERANCE = 1e-5  # relative
ANGLE_TOLERANCE = 1e-3  # degree
WHOLE_TRANSLATION = (1.0, -2.0, 3.0)  # in lattice vectors
# Networks write anything: numbers of three scales, zeros, and the values that break arithmetic.
GARBAGE_SCALES = (1.0, 30.0, 1e6)
GARBAGE_CONSTANTS = (0.0, 1.0, -1.0, 90.0, 1e30, np.nan, np.inf, -np.inf)


def validate_representation(representation: Representation, table: CrystalTable) -> None:
    """Check that decode is the inverse of encode, that order and origin cell do not matter, and
    that decode is total.

    Parameters
    ----------
    representation
        The representation to check.
    table
        Crystals that it must be able to hold; different species and sizes, hydrides and binaries
        included if allowed.

    Raises
    ------
    ValueError
        Names the first promise that is broken and the crystal.
    """
    tensors = representation.encode(table)
    shape = (len(table), *representation.shape)
    _require_well_formed(tensors, shape)
    result = representation.decode(tensors)
    _require_all_decoded(result, len(table))
    for index in range(len(table)):
        _require_same_crystal(table, result.crystals, index)
    again = representation.encode(result.crystals)
    _require(_close(again, tensors), "encode(decode(encode(x))) differs from encode(x)")
    equivalent = representation.encode(_equivalent(table))
    _require(_close(equivalent, tensors), "the order of sites or whole translations matter")
    _require_total(representation)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"not a valid representation: {problem}")


def _require_well_formed(tensors: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    _require(tensors.shape == shape, f"encode gives shape {tensors.shape}")
    _require(tensors.dtype == np.float32, f"encode gives {tensors.dtype}, not float32")
    _require(_all_finite(tensors), "encode gives values that are not finite")


def _require_all_decoded(result: DecodeResult, count: int) -> None:
    refused = set(result.reasons) - {None}
    _require(len(result.crystals) == count, f"decode refuses true tensors: {refused}")


def _all_finite(values: NDArray[np.floating]) -> bool:
    return bool(np.isfinite(values).all())


def _close(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    return np.allclose(first, second, rtol=1e-4, atol=1e-3)


def _require_same_crystal(table: CrystalTable, decoded: CrystalTable, index: int) -> None:
    """Same lengths and angles, and for every site one of the same species at the same place; the
    order of the sites may differ.
    """
    true = table.select([index])
    back = decoded.select([index])
    difference = _difference(true, back)
    _require(difference is None, f"crystal {index} comes back with {difference}")


def _difference(true: CrystalTable, back: CrystalTable) -> str | None:
    """The first difference between two tables of one crystal; None if they are the same."""
    if not _same_cell(true, back):
        return "another cell"
    species, species_back = _species(true), _species(back)
    if species != species_back:
        return f"species {species_back}, not {species}"
    if not _same_places(true, back):
        return "other positions"
    is_inside = (back.frac >= 0) & (back.frac < 1)
    if not is_inside.all():
        return "positions outside [0, 1)"
    return None


def _species(crystal: CrystalTable) -> list[int]:
    return sorted(crystal.numbers.tolist())


def _same_cell(true: CrystalTable, back: CrystalTable) -> bool:
    """Whether two tables of one crystal have the same lengths and angles."""
    lengths, angles = lattice_parameters(true.lattices)
    lengths_back, angles_back = lattice_parameters(back.lattices)
    stretch = np.abs(lengths_back / lengths - 1)
    turn = np.abs(angles_back - angles)
    return bool(stretch.max() < LENGTH_TOLERANCE and turn.max() < ANGLE_TOLERANCE)


def _same_places(true: CrystalTable, back: CrystalTable) -> bool:
    """Whether every site has one of its species at its place, in two tables of one crystal."""
    apart = true.frac[:, None] - back.frac
    apart -= np.round(apart)  # the short way round the cell
    distance = np.abs(apart).max(axis=2)
    is_alike = true.numbers[:, None] == back.numbers
    is_match = is_alike & (distance < POSITION_TOLERANCE)
    has_match = is_match.any(axis=1)
    return bool(has_match.all())


def _equivalent(table: CrystalTable) -> CrystalTable:
    """The same crystals with sites in reverse order and moved by whole lattice vectors."""
    owner = site_owners(table)
    first = table.offsets[owner]
    last = table.offsets[owner + 1] - 1
    sites = np.arange(len(owner))
    mirrored = first + last - sites
    moved = table.frac[mirrored] + WHOLE_TRANSLATION
    return CrystalTable(table.lattices, table.numbers[mirrored], moved, table.offsets)


def _require_total(representation: Representation) -> None:
    """Whatever a network writes, decode answers with a crystal or one reason per row."""
    garbage = _garbage(representation.shape)
    result = representation.decode(garbage)
    crystals = result.crystals
    _require(len(result.reasons) == len(garbage), "decode gives fewer reasons than rows")
    _require(_all_finite(crystals.lattices), "decode lets a cell pass that is not finite")
    _require(_all_finite(crystals.frac), "decode lets a position pass that is not finite")
    have_volume = bool((crystals.volumes > 0).all())
    _require(have_volume, "decode lets a cell without volume pass")
    representation.encode(crystals)


def _garbage(shape: tuple[int, ...]) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    parts = []
    for scale in GARBAGE_SCALES:
        noise = rng.standard_normal((8, *shape))
        parts.append(scale * noise)
    for value in GARBAGE_CONSTANTS:
        parts.append(np.full((1, *shape), value))
    return np.concatenate(parts).astype(np.float32)
