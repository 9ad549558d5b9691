"""Gate `geometry`: volume, cell angles and distances, vectorised over a CrystalTable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign.gate_list import GeometrySettings
from gen2dft.crystals import CrystalTable
from gen2dft.geometry import cell_angles, closest_contacts
from gen2dft.screening.base import Gate, GateContext

TOO_CLOSE = "atoms_too_close"
BAD_VOLUME = "volume_out_of_range"
BAD_ANGLE = "angle_out_of_range"


class GeometryGate(Gate[GeometrySettings]):
    """Refuse cells and distances that no crystal has."""

    name = "geometry"
    reasons = {
        BAD_VOLUME: "The volume per atom lies outside `volume_per_atom`, or there is no atom.",
        BAD_ANGLE: "An angle of the cell lies outside `angles`.",
        TOO_CLOSE: "Two atoms are closer than `min_distance`, or than `min_distance_ratio` times "
        "the sum of their covalent radii.",
    }
    Settings = GeometrySettings
    must_refuse = "potentials cannot relax what no crystal is"

    def judge(self, table: CrystalTable, context: GateContext) -> list[str | None]:  # noqa: ARG002
        """See `geometry_gate`."""
        return geometry_gate(table, self.settings)


def geometry_gate(table: CrystalTable, limits: GeometrySettings) -> list[str | None]:
    """First of `volume_out_of_range`, `angle_out_of_range`, `atoms_too_close` that applies to each
    crystal.

    Volumes and angles come first because they are cheap; distances are computed only for sane
    cells. A crystal without sites, or with NaN, has no volume per atom in range.
    """
    reasons = np.full(len(table), None, dtype=object)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_atom = table.volumes / table.num_sites
    _mark(reasons, ~_within(per_atom, limits.volume_per_atom), BAD_VOLUME)
    fine_angles = _within(cell_angles(table.lattices), limits.angles)
    _mark(reasons, fine_angles.sum(axis=1) < 3, BAD_ANGLE)
    sane = np.flatnonzero(reasons == None)  # noqa: E711 - elementwise
    contacts = closest_contacts(table.select(sane))
    # Written so that NaN coordinates are refused too.
    far = contacts.distance >= limits.min_distance
    apart = far & (contacts.ratio >= limits.min_distance_ratio)
    reasons[sane[~apart]] = TOO_CLOSE
    return list(reasons)


def _within(values: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Whether each value lies within the bounds; NaN does not."""
    low, high = bounds
    return (values >= low) & (values <= high)


def _mark(reasons: NDArray[np.object_], which: NDArray[np.bool_], reason: str) -> None:
    """Give a reason to the rows that have none yet."""
    reasons[which & (reasons == None)] = reason  # noqa: E711 - elementwise
