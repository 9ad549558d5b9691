"""Geometry and element gates, vectorised over a CrystalTable."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.geometry import cell_angles, closest_contacts

TOO_CLOSE = "atoms_too_close"
BAD_VOLUME = "volume_out_of_range"
BAD_ANGLE = "angle_out_of_range"
BAD_ELEMENT = "element_not_allowed"
BAD_NUMBER = "number_of_elements"


def geometry_gate(table: CrystalTable, spec: ScreeningSpec) -> list[str | None]:
    """First of `volume_out_of_range`, `angle_out_of_range`, `atoms_too_close` that applies to each
    crystal.

    Volumes and angles come first because they are cheap; distances are computed only for sane
    cells. A crystal without sites, or with NaN, has no volume per atom in range.
    """
    reasons = np.full(len(table), None, dtype=object)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_atom = table.volumes / table.num_sites
    angles = cell_angles(table.lattices)
    _mark(reasons, ~_within(per_atom, spec.volume_per_atom), BAD_VOLUME)
    _mark(reasons, _within(angles, spec.angles).sum(axis=1) < 3, BAD_ANGLE)
    rows = np.flatnonzero(reasons == None)  # noqa: E711 - elementwise
    contacts = closest_contacts(table.select(rows))
    # Written so that NaN coordinates are refused too.
    apart = (contacts.distance >= spec.min_distance) & (contacts.ratio >= spec.min_distance_ratio)
    reasons[rows[~apart]] = TOO_CLOSE
    return list(reasons)


def element_gate(
    table: CrystalTable, allowed: Collection[int], how_many: Collection[int]
) -> list[str | None]:
    """`element_not_allowed` or `number_of_elements` for each crystal of which one is true.

    Parameters
    ----------
    allowed
        Atomic numbers that a crystal may hold.
    how_many
        Numbers of different elements that a crystal may have.
    """
    wrong = ~np.isin(table.numbers, list(allowed))
    owners = np.repeat(np.arange(len(table)), table.num_sites)
    reasons = np.full(len(table), None, dtype=object)
    _mark(reasons, np.bincount(owners[wrong], minlength=len(table)) > 0, BAD_ELEMENT)
    _mark(reasons, ~np.isin(element_counts(table), list(how_many)), BAD_NUMBER)
    return list(reasons)


def element_counts(table: CrystalTable) -> NDArray[np.int64]:
    """(n,) different elements in each crystal."""
    present = np.zeros((len(table), 256), dtype=bool)
    present[np.repeat(np.arange(len(table)), table.num_sites), table.numbers] = True
    return present.sum(axis=1)


def allowed_elements(spec: ScreeningSpec, known: CrystalTable) -> frozenset[int]:
    """Atomic numbers that candidates may have: those named in the spec, or else those of the known
    crystals.

    Raises
    ------
    CampaignError
        If a symbol is not an element's, or nothing remains.
    """
    named = _atomic_numbers(spec.allowed_elements, "screening.allowed_elements")
    chosen = named or frozenset(int(z) for z in np.unique(known.numbers))
    remaining = chosen - _atomic_numbers(spec.excluded_elements, "screening.excluded_elements")
    if not remaining:
        raise CampaignError(
            "screening.excluded_elements leaves no element that candidates may have"
        )
    return remaining


def _atomic_numbers(symbols: Collection[str], place: str) -> frozenset[int]:
    from pymatgen.core import Element

    table = {element.symbol: int(element.Z) for element in Element}
    for symbol in symbols:
        if symbol not in table:
            raise CampaignError(f"{place}: {not_one_of('element', symbol, table)}")
    return frozenset(table[symbol] for symbol in symbols)


def _within(values: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Whether each value lies within the bounds; NaN does not."""
    return (values >= bounds[0]) & (values <= bounds[1])


def _mark(reasons: NDArray[np.object_], which: NDArray[np.bool_], reason: str) -> None:
    """Give a reason to the rows that have none yet."""
    reasons[which & (reasons == None)] = reason  # noqa: E711 - elementwise
