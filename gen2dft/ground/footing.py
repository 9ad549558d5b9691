"""What the energies of one round stand on: hulls, calibrations and references, from the store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gen2dft.campaign import CampaignSpec
from gen2dft.crystal_documents import structure_of
from gen2dft.errors import ThermoError
from gen2dft.ground.energies import fitted_of
from gen2dft.ground.hulls import get_hull, put_hull
from gen2dft.ground.stability import corrector_of, has_correction, refinement_by_labels
from gen2dft.store.documents import CalibrationDoc, CampaignDoc, LabelDoc, Refinement
from gen2dft.store.store import Store
from gen2dft.thermo.corrected import Corrector
from gen2dft.thermo.corrections import Fitted, get_correction
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.scales import MATERIALS_PROJECT


@dataclass(frozen=True)
class Footing:
    """What the energies of one round are measured with.

    Parameters
    ----------
    spec
        The campaign's resolved spec.
    index
        Number of the round.
    """

    store: Store
    campaign: CampaignDoc
    spec: CampaignSpec
    index: int

    @cached_property
    def hull(self) -> ReferenceHull:
        """The hull that this round's labels are measured against.

        The campaign's frozen one. Where the campaign says so, labels of earlier rounds join it when
        the round begins. That hull is kept under a hash of its own, so that a straggler's label
        changes it no more.
        """
        if not (self.spec.hull.own_phases and self.index):
            return get_hull(self.store, self.campaign.hull_id)
        document = self.store.round(self.campaign.id, self.index)
        if document.hull_id is None:
            joined = self._joined()
            self.store.set_round_once(self.campaign.id, self.index, "hull_id", joined.hull_hash)
            document = self.store.round(self.campaign.id, self.index)
        return get_hull(self.store, str(document.hull_id))

    def _joined(self) -> ReferenceHull:
        """The campaign's hull with the labels of earlier rounds, kept in the store."""
        labels = self.store.labels(self.campaign.id, round_index={"$lt": self.index})
        labels = [label for label in labels if self._may_join(label)]
        compositions = [structure_of(label.structure).composition for label in labels]
        energies = [label.hull_energy for label in labels]
        frozen = get_hull(self.store, self.campaign.hull_id)
        joined = frozen.joined_by(compositions, energies)
        origin = f"{self.campaign.hull_id} and rounds below {self.index} of {self.campaign.id}"
        put_hull(self.store, joined, origin)
        return joined

    def _may_join(self, label: LabelDoc) -> bool:
        """Whether a label has a formation energy on the scale of the campaign's hull."""
        is_of_the_screen = "formation_energy" in label.basis
        if is_of_the_screen and self.campaign.screen_hull_id is not None:
            return False
        return "formation_energy" in label.values

    @cached_property
    def screen_hull(self) -> ReferenceHull:
        """The hull that the surrogate's energies are measured against."""
        key = self.campaign.screen_hull_id
        return self.hull if key is None else get_hull(self.store, key)

    @cached_property
    def refinement(self) -> Refinement | None:
        """What DFT labels of earlier rounds make of the correction of the surrogate's distances.

        Kept when the round first asks, so that a straggler's label changes it no more.
        """
        document = self.store.round(self.campaign.id, self.index)
        if document.refinement is None and self.index:
            found = self._refined_by_labels()
            value = found.model_dump()
            self.store.set_round_once(self.campaign.id, self.index, "refinement", value)
            document = self.store.round(self.campaign.id, self.index)
        return document.refinement

    def _refined_by_labels(self) -> Refinement:
        """The refinement by labels on the correction's scale; those on another say nothing of
        it.
        """
        if self.hull.scale != MATERIALS_PROJECT:
            return Refinement()
        return refinement_by_labels(self.store, self.campaign.id, self.spec, self.index)

    @cached_property
    def screen_corrector(self) -> Corrector | None:
        """The correction of the surrogate's distances; None where none is in force."""
        surrogate = self.spec.screening.surrogate
        return self.corrector(self.screen_hull, surrogate.engine, surrogate.preset)

    def corrector(self, hull: ReferenceHull, engine: str, preset: str) -> Corrector | None:
        """The correction of an engine's distances to a hull; None where none is in force.

        Raises
        ------
        CampaignError
            If the campaign names a correction that this version does not bring.
        """
        if not has_correction(self.spec):
            return None
        return corrector_of(self.spec, self.refinement, hull, engine, preset)

    def fitted(self, preset: str) -> Fitted | None:
        """The parameters that the campaign's calibration found for a preset.

        None if the correction needs none.

        Raises
        ------
        ThermoError
            If it needs some and the campaign has none.
        """
        correction = get_correction(self.spec.validation.correction)
        if not correction.is_fitted:
            return None
        if preset not in self.campaign.calibration_ids:
            raise ThermoError(
                f"campaign {self.campaign.id} has no calibration of correction "
                f"{correction.name!r} for preset {preset!r}: run `gen2dft calibrate` and submit "
                "the campaign again"
            )
        key = self.campaign.calibration_ids[preset]
        return fitted_of(self.store.get(CalibrationDoc, key))

    def references(self, preset: str) -> dict[str, float]:
        """Energies of the elements with a preset, eV/atom, frozen with the campaign.

        Empty: the engine's own.
        """
        return self.campaign.elements.get(preset) or self.spec.validation.references_of(preset)
