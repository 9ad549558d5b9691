"""Sample the latent space, decode crystals, pass them through the cheap gates, and store every
candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft import learning, sampling, targets
from gen2dft.crystals import CrystalTable
from gen2dft.funnel import StageCount
from gen2dft.hashing import content_hash
from gen2dft.representations.base import DecodeResult
from gen2dft.rounds.arms import Arm, arms
from gen2dft.rounds.context import RoundContext, pack_arrays
from gen2dft.rounds.shortlist import shortlist, target_spreads
from gen2dft.screening.gates import run_gates, screening_gates, stage_count
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.states import Kind, State
from gen2dft.store.store import candidate_key
from gen2dft.streams import Stream

MAP_SIZE = 2000  # training crystals kept for the latent map of the report


@dataclass(frozen=True, eq=False)
class Proposal:
    """What one arm of a round has drawn.

    Parameters
    ----------
    latents
        (n, d) latent vectors of the crystals that the arm knows.
    points, decoded
        What was sampled, and the crystals in it.
    """

    arm: Arm
    latents: NDArray[np.float32]
    points: sampling.LatentPoints
    decoded: DecodeResult


def propose(context: RoundContext) -> list[str]:
    """Store the round's candidates; the ids of those that passed the cheap gates come back.

    Every sampled point becomes a candidate document: rejected with exactly one reason, or still
    `sampled`.
    """
    with context.stage("propose"):
        drawn = [draw(context, arm) for arm in arms(context)]
        verdicts, counts = sieve(context, drawn)
        documents: list[CandidateDoc] = []
        repairs: Counter[str] = Counter()
        for proposal, (reasons, predicted) in zip(drawn, verdicts, strict=True):
            documents += candidate_documents(context, proposal, predicted, reasons, len(documents))
            repairs.update(proposal.decoded.repairs)
        context.store.insert_many_new(documents)
        points = np.concatenate([proposal.points.points for proposal in drawn])
        context.update(
            funnel=[count.model_dump() for count in counts],
            repairs=dict(repairs),
            latents_id=context.store.put_blob(
                latent_map(context, points, drawn[0].latents), "latents"
            ),
        )
    return [doc.candidate_id for doc in documents if doc.state == "sampled"]


def draw(context: RoundContext, arm: Arm) -> Proposal:
    """Sample an arm's share of points, around what it knows, and decode them with its generator."""
    view = arm.view
    latents = view.generator.encode(view.known.crystals)
    rank = learning.seed_rank(known_merit(view, view.generator.predict(latents)), known_hits(view))
    specs = [
        spec.model_copy(update={"num_points": max(1, round(arm.share * spec.num_points))})
        for spec in context.spec.sampling
    ]
    points = sampling.sample(specs, latents, rank, context.rng(arm.sampling))
    return Proposal(arm, latents, points, view.generator.decode(points.points))


def sieve(
    context: RoundContext, drawn: Sequence[Proposal]
) -> tuple[list[tuple[list[str | None], NDArray[np.float64]]], list[StageCount]]:
    """Pass the crystals of all arms through the cheap gates and the shortlist.

    Of two equal crystals the later one is a duplicate: the arms take turns in being first, round by
    round.

    Returns
    -------
    For each arm one reason per point, None for those that passed, and the predictions for its
    crystals, NaN for those that the gates stopped; then the counters of all stages.
    """
    order = list(drawn) if context.index % 2 == 0 else list(drawn)[::-1]
    crystals = CrystalTable.concatenate([proposal.decoded.crystals for proposal in order])
    gates = screening_gates(context.spec.screening, context.known, earlier_candidates(context))
    _, stopped, counts = run_gates(crystals, gates)
    found: dict[str, tuple[list[str | None], NDArray[np.float64]]] = {}
    late: list[str | None] = []
    start = 0
    for proposal in order:
        mine = stopped[start : start + len(proposal.decoded.crystals)]
        start += len(mine)
        kept = np.flatnonzero([reason is None for reason in mine])
        predicted = predictions(proposal, kept)
        last = shortlist(context, proposal.arm, proposal.decoded.crystals, predicted, kept)
        late += [last[row] for row in kept]
        reasons: list[str | None] = list(proposal.decoded.reasons)
        for row, reason, after in zip(proposal.decoded.kept, mine, last, strict=True):
            reasons[row] = reason or after
        found[proposal.arm.name] = (reasons, predicted)
    number = sum(len(proposal.points) for proposal in drawn)
    stages = [
        StageCount(stage="sample", n_in=number, n_out=number),
        stage_count(
            "invert", [reason for proposal in drawn for reason in proposal.decoded.reasons]
        ),
        *counts,
        stage_count("shortlist", late),
    ]
    return [found[proposal.arm.name] for proposal in drawn], stages


def predictions(proposal: Proposal, kept: NDArray[np.int64]) -> NDArray[np.float64]:
    """(c, p) predictions for an arm's decoded crystals; NaN for those that are not among `kept`."""
    generator, crystals = proposal.arm.view.generator, proposal.decoded.crystals
    predicted = np.full((len(crystals), len(generator.properties)), np.nan)
    predicted[kept] = generator.predict(generator.encode(crystals.select(kept)))
    return predicted


def known_hits(context: RoundContext) -> NDArray[np.bool_]:
    """(n,) which of the known crystals are hits of earlier rounds."""
    hits = context.store.hit_fields(context.campaign_id, ("label_id",))
    return np.isin(context.known.ids, [f"label-{hit['label_id']}" for hit in hits])


def known_merit(context: RoundContext, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) merit of the known crystals, by their labels and, where there is none, by prediction."""
    values = {}
    for column, name in enumerate(context.generator.properties):
        label = context.known.label(name)
        values[name] = np.where(np.isnan(label), predicted[:, column], label)
    return targets.merit(context.targets, values, target_spreads(context))


def earlier_candidates(context: RoundContext) -> CrystalTable:
    """Crystals of earlier rounds that came as far as the surrogate.

    They are not to be computed twice.
    """
    from pymatgen.core import Structure

    found = context.store.candidates(
        context.campaign_id, round_index={"$lt": context.index}, surrogate={"$ne": None}
    )
    return CrystalTable.from_structures(
        Structure.from_dict(doc.structure) for doc in found if doc.structure
    )


def candidate_id(snapshot_id: str, latent: NDArray[np.float32]) -> str:
    """Hash of the snapshot, which holds the decoder's settings, and the latent vector.

    16 hexadecimal digits.
    """
    vector = np.ascontiguousarray(latent, dtype="<f4").tobytes()
    return content_hash(snapshot_id, vector, digits=16)


def _state(reason: str | None) -> State:
    """Where a decoded point stands after the sieve."""
    return State(Kind.SAMPLED) if reason is None else State.rejected(reason)


def candidate_documents(
    context: RoundContext,
    proposal: Proposal,
    predicted: NDArray[np.float64],
    verdicts: Sequence[str | None],
    first_row: int,
) -> list[CandidateDoc]:
    """One document per point of an arm.

    Its latent vectors lie in the round's from `first_row` on.
    """
    view, decoded = proposal.arm.view, proposal.decoded
    snapshot_id = str(view.round.snapshot_id)
    crystal_of = {int(row): i for i, row in enumerate(decoded.kept)}
    formulas = decoded.crystals.formulas()
    documents = []
    for row in range(len(proposal.points)):
        key = candidate_id(snapshot_id, proposal.points.points[row])
        i = crystal_of.get(row)
        documents.append(
            CandidateDoc(
                id=candidate_key(context.campaign_id, key),
                campaign_id=context.campaign_id,
                round_index=context.index,
                candidate_id=key,
                sampler=proposal.points.methods[row],
                parents=[view.known.ids[p] for p in proposal.points.parents[row]],
                latent_row=first_row + row,
                state=str(_state(verdicts[row])),
                formula=formulas[i] if i is not None else None,
                structure=decoded.crystals.structure(i).as_dict(verbosity=0)
                if i is not None
                else None,
                predicted={} if i is None else _named(view.generator.properties, predicted[i]),
                arm=proposal.arm.name,
                snapshot_id=snapshot_id if view is not context else None,
            )
        )
    return documents


def _named(properties: Sequence[str], row: NDArray[np.float64]) -> dict[str, float]:
    """Values by name; what the cheap gates stopped has none."""
    return {
        name: float(value)
        for name, value in zip(properties, row, strict=True)
        if np.isfinite(value)
    }


def latent_map(
    context: RoundContext, points: NDArray[np.float32], latents: NDArray[np.float32]
) -> bytes:
    """The sampled points and a seeded part of the training set, with its labels, for later
    looks.
    """
    rows = np.sort(context.rng(Stream.LATENT_MAP).permutation(len(latents))[:MAP_SIZE])
    labels = {f"train_{name}": context.known.label(name)[rows] for name in context.heads}
    return pack_arrays({"latents": points, "train_latents": latents[rows], **labels})
