"""Propose crystals and store every draw as a candidate, with the reason if it was rejected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gen2dft.loop.draw import Drawn
from gen2dft.loop.ids import id_of
from gen2dft.loop.propose import Proposed
from gen2dft.loop.propose import propose as proposed_by
from gen2dft.loop.sieve import Sifted
from gen2dft.loop.verdicts import named
from gen2dft.loop.view import LEARNING, View
from gen2dft.rounds.arrays import pack_arrays
from gen2dft.rounds.round import Round
from gen2dft.rounds.view import view_to_propose
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.states import Kind, State
from gen2dft.store.store import candidate_key
from gen2dft.streams import Stream

MAP_SIZE = 2000  # training crystals kept for the latent map of the report


def propose(context: Round) -> list[str]:
    """Store the round's candidates; the ids of those that passed the cheap gates come back."""
    with context.stage("propose"):
        view = view_to_propose(context)
        proposed = proposed_by(view)
        documents = candidate_documents(context, view, proposed)
        context.store.insert_many_new(documents)
        context.update(
            funnel=[count.model_dump() for count in proposed.counts],
            repairs=proposed.repairs,
            latents_id=put_latents(context, view, proposed),
        )
    return [doc.candidate_id for doc in documents if doc.state == "sampled"]


def candidate_documents(context: Round, view: View, proposed: Proposed) -> list[CandidateDoc]:
    """One document per draw, arm after arm."""
    documents: list[CandidateDoc] = []
    first_row = 0
    for part in proposed.parts:
        documents += documents_of(context, view, part, first_row)
        if part.drawn.proposal.latents is not None:
            first_row += len(part.drawn.proposal)
    return documents


def documents_of(context: Round, view: View, part: Sifted, first_row: int) -> list[CandidateDoc]:
    """One document per draw of an arm, whose latent vectors begin at `first_row` of the round's."""
    proposal, arm = part.drawn.proposal, part.drawn.arm
    crystal_of = {int(row): i for i, row in enumerate(proposal.kept)}
    place_of = {int(row): i for i, row in enumerate(part.kept)}
    formulas = proposal.crystals.formulas()
    documents = []
    for row in range(len(proposal)):
        key = id_of(view, part.drawn, row)
        crystal = crystal_of.get(row)
        place = None if crystal is None else place_of.get(crystal)
        reason = part.reasons[row]
        document = CandidateDoc(
            id=candidate_key(context.campaign_id, key),
            campaign_id=context.campaign_id,
            round_index=context.index,
            candidate_id=key,
            sampler=proposal.methods[row],
            parents=[arm.learner.known.ids[parent] for parent in proposal.parents[row]],
            latent_row=None if proposal.latents is None else first_row + row,
            state=str(state_after(reason)),
            formula=None if crystal is None else formulas[crystal],
            structure=None
            if crystal is None
            else proposal.crystals.structure(crystal).as_dict(verbosity=0),
            predicted={} if place is None else named(part.predicted, place),
            arm=arm.learner.name,
            source=arm.source,
            also_from=[] if crystal is None else part.also_from.get(crystal, []),
            snapshot_id=None if arm.learner.name == LEARNING else arm.model.snapshot_id,
        )
        documents.append(document)
    return documents


def state_after(reason: str | None) -> State:
    """Where a draw stands after the sieve."""
    return State(Kind.SAMPLED) if reason is None else State.rejected(reason)


def put_latents(context: Round, view: View, proposed: Proposed) -> str | None:
    """Keep the sampled points and a seeded part of the training set, with its labels.

    None where no source has a latent space.
    """
    parts = [part.drawn for part in proposed.parts if part.drawn.known_latents is not None]
    if not parts:
        return None
    points = np.concatenate([drawn.proposal.latents for drawn in parts])
    known = latent_map(view, parts[0])
    return context.store.put_blob(pack_arrays({"latents": points, **known}), "latents")


def latent_map(view: View, first: Drawn) -> Mapping[str, NDArray[np.generic]]:
    """Latent vectors and labels of some crystals that the first arm knows."""
    latents = np.asarray(first.known_latents)
    learner = first.arm.learner
    order = view.streams.rng(Stream.LATENT_MAP).permutation(len(latents))
    rows = np.sort(order[:MAP_SIZE])
    labels = {f"train_{name}": learner.known.label(name)[rows] for name in learner.heads(view.spec)}
    return {"train_latents": latents[rows], **labels}
