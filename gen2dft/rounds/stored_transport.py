"""Transport that was computed before answers later questions: another definition, another campaign,
the same crystal again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pymatgen.core import Structure

from gen2dft.campaign import TransportSpec
from gen2dft.crystal_documents import structure_of
from gen2dft.datasets.computed_labels import METAL
from gen2dft.definitions import definition_of
from gen2dft.engines.base import CalculationFailure
from gen2dft.errors import CampaignError
from gen2dft.property_steps import Made
from gen2dft.rounds.power_factors import Outcome
from gen2dft.screening.same import same_crystal
from gen2dft.store.documents import PowerFactorDoc
from gen2dft.store.store import Store
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import factor_in

# Between dopings computed this far apart, in decades, power factors are read within some percent.
HALF_DECADE = 0.51


def transport_behind(store: Store, found: PowerFactorDoc) -> TransportDoc | None:
    """The whole transport behind a power factor; None if there is none."""
    if found.transport_id is None:
        return None
    blob_id = found.transport_id
    return TransportDoc.from_bytes(store.get_blob(blob_id), f"blob {blob_id} of transport")


def stored_outcome(
    store: Store, found: PowerFactorDoc | None, settings: TransportSpec
) -> Outcome | None:
    """What a step would find that was computed before, at no cost; None if bands are needed.

    Bands are needed where the stored transport does not serve the definition, or rests on fewer
    meshes than the settings ask for.
    """
    if found is None:
        return None
    if found.reason == METAL:
        return CalculationFailure(reason=METAL, detail=found.detail or "")
    doc = transport_behind(store, found)
    if doc is None or not _serves(doc, settings) or not _is_fine(doc, settings):
        return None
    return doc.model_copy(update={"core_hours": 0.0})


def same_crystal_before(store: Store, made: Made, crystal: Structure) -> Iterator[PowerFactorDoc]:
    """Power factors of the same crystal in the same settings, of any campaign."""
    formula = crystal.composition.reduced_formula
    for found in store.power_factors(made.engine, made.settings_hash, formula):
        doc = transport_behind(store, found)
        if doc is not None and same_crystal(crystal, structure_of(doc.structure)):
            yield found


def _serves(doc: TransportDoc, settings: TransportSpec) -> bool:
    """Whether a document gives the power factor by the campaign's definition."""
    definition = definition_of(settings.definition)
    try:
        factor = factor_in(doc, definition)
    except CampaignError:
        return False
    return not factor.is_interpolated or doc.decades_apart(factor.point.doping) < HALF_DECADE


def _is_fine(doc: TransportDoc, settings: TransportSpec) -> bool:
    """Whether its meshes are those that the settings ask for."""
    series = doc.convergence
    if series is None:
        return settings.meshes == 1
    reached = series.converged and series.tolerance <= settings.tolerance
    return reached or len(series.steps) >= settings.meshes
