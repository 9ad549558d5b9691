"""What is computed by hand teaches too: power factors of single candidates become labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gen2dft.composition import crystal_fields
from gen2dft.crystal_documents import structure_of
from gen2dft.rounds.stored_transport import transport_behind
from gen2dft.store.documents import LabelDoc, PowerFactorDoc
from gen2dft.store.store import Store

if TYPE_CHECKING:
    from pymatgen.core import Structure


def teach(store: Store, known: PowerFactorDoc, crystal: Structure) -> bool:
    """Write gap and power factor into a label, which the next round trains on.

    A candidate whose own label is by the same engine and settings keeps one label, which takes the
    values. Writing them again changes nothing.

    Parameters
    ----------
    known
        What was kept of the computation.
    crystal
        What it began with; the label's crystal where no bands tell the relaxed one.

    Returns
    -------
    Whether there was something to learn: a metal has a gap of 0, a failure has no value.
    """
    if not known.values:
        return False
    own = store.find(LabelDoc, known.id)
    if own is None:
        label = _label_of(store, known, crystal)
        store.insert_new(label)
    elif not own.by_hand:
        _add_to(store, own, known)
    return True


def _label_of(store: Store, known: PowerFactorDoc, crystal: Structure) -> LabelDoc:
    candidate = store.candidate(known.campaign_id, known.candidate_id)
    campaign = store.campaign(known.campaign_id)
    structure = _relaxed(store, known) or crystal.as_dict(verbosity=0)
    return LabelDoc(
        id=known.id,
        candidate_id=known.candidate_id,
        campaign_id=known.campaign_id,
        round_index=candidate.round_index,
        engine=known.engine,
        is_dft=known.is_dft,
        preset=known.preset,
        settings_hash=known.settings_hash,
        values=known.values,
        errors=known.errors,
        doubts=known.doubts,
        structure=structure,
        energy_per_atom=None,
        hull_id=campaign.hull_id,
        warnings=known.warnings,
        by_hand=True,
        **crystal_fields(structure_of(structure)),
    )


def _relaxed(store: Store, known: PowerFactorDoc) -> dict[str, Any] | None:
    """The crystal of the bands, pymatgen dictionary."""
    transport = transport_behind(store, known)
    return None if transport is None else transport.structure


def _add_to(store: Store, own: LabelDoc, known: PowerFactorDoc) -> None:
    """Values that a candidate's own label lacks, and what they cost."""
    if known.values.keys() <= own.values.keys():
        return
    store.set_label(
        own.id,
        values={**own.values, **known.values},
        errors={**own.errors, **known.errors},
        doubts=sorted({*own.doubts, *known.doubts}),
        core_hours=own.core_hours + known.core_hours,
    )
