"""A round that stands just before dispatch, without the steps that lead there."""

from __future__ import annotations

from collections.abc import Mapping

from pymatgen.core import Structure

from gen2dft.funnel import StageCount
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CandidateDoc, now
from gen2dft.store.store import candidate_key


def queue_candidates(context: Round, crystals: Mapping[str, Structure]) -> None:
    """Queue crystals as the candidates of a round, by their ids."""
    place = {
        "campaign_id": context.campaign_id,
        "round_index": context.index,
        "sampler": "random",
        "parents": [],
    }
    for row, (name, crystal) in enumerate(crystals.items()):
        key = candidate_key(context.campaign_id, name)
        fields = {"candidate_id": name, "state": "queued", "latent_row": row, "formula": name}
        context.store.insert_new(
            CandidateDoc(id=key, structure=crystal.as_dict(), **fields, **place)
        )
    size = len(crystals)
    funnel = [StageCount(stage="select", n_in=size, n_out=size, reasons={}).model_dump()]
    context.store.move_round(
        context.campaign_id,
        context.index,
        "proposing",
        "validating",
        dispatched=now(),
        dispatch_size=size,
        funnel=funnel,
    )
