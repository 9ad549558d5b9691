"""Distances to the hull as a potential gives them, with what DFT is expected to say of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.store.documents import Refinement, StabilityRecord
from gen2dft.thermo.stability import Estimate

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.thermo.hull import ReferenceHull
    from gen2dft.thermo.stability import StabilityModel


@dataclass(frozen=True)
class Corrector:
    """The correction of one potential as one round of a campaign uses it.

    Parameters
    ----------
    model
        As it ships.
    most
        eV/atom above the hull; the chance is that of finding at most this.
    refinement
        What the campaign's own DFT makes of the model; None without any.
    """

    model: StabilityModel
    most: float
    refinement: Refinement | None = None

    def record(
        self,
        structure: Structure,
        formation_energy: float,
        e_above_hull: float,
        *,
        is_known: bool = False,
    ) -> StabilityRecord:
        """What the distance of one crystal is worth.

        Parameters
        ----------
        structure
            As relaxed by the potential.
        formation_energy, e_above_hull
            Of the potential, eV/atom.
        is_known
            Whether the hull has its formula: the model, fitted to new ones, then says nothing.
        """
        if is_known:
            found = Estimate.of_known(e_above_hull)
        else:
            (found,) = self.estimates([structure], [formation_energy], [e_above_hull])
        return StabilityRecord(
            potential=e_above_hull,
            corrected=found.e_above_hull,
            error=found.error,
            chance=found.chance(self.most),
            most=self.most,
            unlike=found.unlike,
            known=is_known,
            model=self.model.name,
            model_hash=self.model.model_hash,
            refined_by=0 if is_known else self._num_labels,
        )

    @property
    def _num_labels(self) -> int:
        """The campaign's DFT labels that have refined the model."""
        return 0 if self.refinement is None else self.refinement.num_labels

    def estimates(
        self,
        structures: Sequence[Structure],
        formation_energies: Sequence[float],
        e_above_hulls: Sequence[float],
    ) -> list[Estimate]:
        """One estimate per crystal, refined by the campaign's own DFT; arguments as for
        `record`.
        """
        found = self.model.estimate(structures, formation_energies, e_above_hulls)
        if self.refinement is None:
            return found
        return [_refined(estimate, self.refinement) for estimate in found]

    def on(
        self, hull: ReferenceHull, structure: Structure, formation_energy: float
    ) -> StabilityRecord | None:
        """The record of a crystal against a hull; None where the hull does not cover it."""
        composition = structure.composition
        if hull.gap(element.symbol for element in composition.elements):
            return None
        distance = hull.e_above_hull(composition, formation_energy)
        return self.at(hull, structure, formation_energy, distance)

    def at(
        self,
        hull: ReferenceHull,
        structure: Structure,
        formation_energy: float,
        e_above_hull: float,
    ) -> StabilityRecord:
        """The same where the distance to the hull has been measured."""
        is_known = hull.knows(structure.composition)
        return self.record(structure, formation_energy, e_above_hull, is_known=is_known)


def _refined(estimate: Estimate, refinement: Refinement) -> Estimate:
    """The estimate shifted, its error scaled."""
    corrected = estimate.e_above_hull + refinement.shift
    error = estimate.error * refinement.scale
    return dataclasses.replace(estimate, e_above_hull=corrected, error=error)
