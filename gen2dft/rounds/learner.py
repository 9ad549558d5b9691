"""What a round knows: the base set and the labels of earlier rounds, read from the store."""

from __future__ import annotations

from collections.abc import Sequence

from gen2dft.crystal_documents import structure_of
from gen2dft.loop.labels import Label
from gen2dft.loop.learn import learnt
from gen2dft.loop.view import Learner
from gen2dft.rounds.round import Round
from gen2dft.store.documents import LabelDoc


def read_learner(context: Round) -> Learner:
    """What is known when a round begins: the base set and all labels of earlier rounds."""
    documents = earlier_labels(context)
    labels = as_labels(context, documents)
    return learnt(context.spec, context.base, labels)


def earlier_labels(context: Round) -> list[LabelDoc]:
    """Labels of earlier rounds. One that comes late counts from the next round on."""
    return context.store.labels(context.campaign_id, round_index={"$lt": context.index})


def as_labels(context: Round, documents: Sequence[LabelDoc]) -> list[Label]:
    """Stored labels as the loop takes them."""
    hits = context.store.hit_fields(context.campaign_id, ("label_id",))
    of_hits = {hit["label_id"] for hit in hits}
    labels = []
    for document in documents:
        label = Label(
            id=document.id,
            crystal=structure_of(document.structure),
            values=document.values,
            settings_changed=document.settings_changed,
            is_hit=document.id in of_hits,
            candidate=document.candidate_id,
            is_dft=document.is_dft,
            errors=document.errors,
            doubts=document.doubts,
        )
        labels.append(label)
    return labels
