"""Propose crystals and store every draw as a candidate, with the reason if it was rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.proposals import Proposal
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
        funnel = [count.model_dump() for count in proposed.counts]
        latents_id = put_latents(context, view, proposed)
        context.update(funnel=funnel, repairs=proposed.repairs, latents_id=latents_id)
    return [doc.candidate_id for doc in documents if doc.state == "sampled"]


def candidate_documents(context: Round, view: View, proposed: Proposed) -> list[CandidateDoc]:
    """One document per draw, arm after arm."""
    documents: list[CandidateDoc] = []
    first_row = 0
    for part in proposed.parts:
        proposal = part.drawn.proposal
        documents += documents_of(context, view, part, first_row)
        if proposal.latents is not None:
            first_row += len(proposal)
    return documents


def documents_of(context: Round, view: View, part: Sifted, first_row: int) -> list[CandidateDoc]:
    """One document per draw of an arm, whose latent vectors begin at `first_row` of the round's."""
    proposal, arm = part.drawn.proposal, part.drawn.arm
    known_ids = arm.learner.known.ids
    crystals = _crystal_fields(part)
    # The learning arm's snapshot is the round's own; only the control names another.
    snapshot_id = None if arm.learner.name == LEARNING else arm.model.snapshot_id
    documents = []
    for row in range(len(proposal)):
        key = id_of(view, part.drawn, row)
        parents = [known_ids[parent] for parent in proposal.parents[row]]
        latent_row = None if proposal.latents is None else first_row + row
        state = state_after(part.reasons[row])
        document = CandidateDoc(
            id=candidate_key(context.campaign_id, key),
            campaign_id=context.campaign_id,
            round_index=context.index,
            candidate_id=key,
            sampler=proposal.methods[row],
            parents=parents,
            latent_row=latent_row,
            state=str(state),
            arm=arm.learner.name,
            source=arm.source,
            snapshot_id=snapshot_id,
            **_given(proposal, row),
            **crystals.get(row, {}),
        )
        documents.append(document)
    return documents


def _given(proposal: Proposal, row: int) -> dict[str, Any]:
    """The file that a draw was read from, how it was made, and what there is to say of it."""
    found = {}
    if proposal.recipes and proposal.recipes[row]:
        found["recipe"] = proposal.recipes[row]
    if proposal.origins and proposal.origins[row]:
        found["origin"] = proposal.origins[row]
    if proposal.remarks and proposal.remarks[row]:
        found["failure"] = proposal.remarks[row]
    return found


def _crystal_fields(part: Sifted) -> dict[int, dict[str, Any]]:
    """Row of each draw that gave a crystal, to the fields that tell of that crystal."""
    proposal = part.drawn.proposal
    place_of = {int(crystal): place for place, crystal in enumerate(part.kept)}
    formulas = proposal.crystals.formulas()
    fields = {}
    for crystal, row in enumerate(proposal.kept):
        place = place_of.get(crystal)
        predicted = {} if place is None else named(part.predicted, place)
        structure = proposal.crystals.structure(crystal)
        fields[int(row)] = {
            "formula": formulas[crystal],
            "structure": structure.as_dict(verbosity=0),
            "predicted": predicted,
            "also_from": part.also_from.get(crystal, []),
            "weighed": part.weighed.get(crystal, {}),
        }
    return fields


def state_after(reason: str | None) -> State:
    """Where a draw stands after the sieve."""
    if reason is None:
        return State(Kind.SAMPLED)
    return State.rejected(reason)


def put_latents(context: Round, view: View, proposed: Proposed) -> str | None:
    """Keep the sampled points and a seeded part of the training set, with its labels.

    None where no source has a latent space.
    """
    drawn = [part.drawn for part in proposed.parts]
    latent = [part for part in drawn if part.known_latents is not None]
    if not latent:
        return None
    points = np.concatenate([part.proposal.latents for part in latent])
    known = latent_map(view, latent[0])
    data = pack_arrays({"latents": points, **known})
    return context.store.put_blob(data, "latents")


def latent_map(view: View, first: Drawn) -> Mapping[str, NDArray[np.generic]]:
    """Latent vectors and labels of some crystals that the first arm knows."""
    latents = np.asarray(first.known_latents)
    learner = first.arm.learner
    rng = view.streams.rng(Stream.LATENT_MAP)
    order = rng.permutation(len(latents))
    rows = np.sort(order[:MAP_SIZE])
    arrays: dict[str, NDArray[np.generic]] = {"train_latents": latents[rows]}
    for name in learner.heads(view.spec):
        label = learner.known.label(name)
        arrays[f"train_{name}"] = label[rows]
    return arrays
