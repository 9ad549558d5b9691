"""Sample the latent space, decode crystals, pass them through the cheap gates, and store every candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gen2dft import sampling, targets
from gen2dft.crystals import CrystalTable
from gen2dft.funnel import StageCount
from gen2dft.rounds.context import RoundContext, pack_arrays
from gen2dft.screening.gates import run_gates, screening_gates, stage_count
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.store import candidate_key

MAP_SIZE = 2000  # training crystals kept for the latent map of the report


def propose(context: RoundContext) -> list[str]:
    """Store the round's candidates; the ids of those that passed the cheap gates come back.

    Every sampled point becomes a candidate document: rejected with exactly one reason, or still `sampled`.
    """
    with context.stage("propose"):
        spec, generator, known = context.spec, context.generator, context.known
        latents = generator.encode(known.crystals)
        merit = known_merit(context, generator.predict(latents))
        points = sampling.sample(spec.sampling, latents, merit, context.rng(0))
        decoded = generator.decode(points.points)
        gates = screening_gates(spec.screening, known, earlier_candidates(context))
        kept, reasons, counts = run_gates(decoded.crystals, gates)
        predicted = np.full((len(decoded.crystals), len(generator.properties)), np.nan)
        predicted[kept] = generator.predict(generator.encode(decoded.crystals.select(kept)))
        shortlist_reasons = shortlist(context, predicted, kept)
        verdicts: list[str | None] = list(decoded.reasons)
        for row, reason, late in zip(decoded.kept, reasons, shortlist_reasons, strict=True):
            verdicts[row] = reason or late
        documents = candidate_documents(context, points, decoded, predicted, verdicts, known.ids)
        context.store.insert_many_new(documents)
        late_reasons = [shortlist_reasons[row] for row in kept]
        context.update(
            funnel=[
                count.model_dump()
                for count in (
                    StageCount(stage="sample", n_in=len(points), n_out=len(points)),
                    stage_count("invert", decoded.reasons),
                    *counts,
                    stage_count("shortlist", late_reasons),
                )
            ],
            repairs=dict(decoded.repairs),
            latents_id=context.store.put_blob(latent_map(context, points.points, latents), "latents"),
        )
    return [doc.candidate_id for doc in documents if doc.state == "sampled"]


def known_merit(context: RoundContext, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) merit of the known crystals, by their labels and, where there is none, by prediction."""
    values = {}
    for column, name in enumerate(context.generator.properties):
        label = context.known.label(name)
        values[name] = np.where(np.isnan(label), predicted[:, column], label)
    return targets.merit(context.targets, values, target_spreads(context))


def target_spreads(context: RoundContext) -> dict[str, float]:
    """The unit in which each target's property counts."""
    return targets.spreads(context.targets, {t.property: context.known.label(t.property) for t in context.targets})


def earlier_candidates(context: RoundContext) -> CrystalTable:
    """Crystals of earlier rounds that came as far as the surrogate; they are not to be computed twice."""
    from pymatgen.core import Structure

    found = context.store.candidates(context.campaign_id, round_index={"$lt": context.index}, surrogate={"$ne": None})
    return CrystalTable.from_structures(Structure.from_dict(doc.structure) for doc in found if doc.structure)


def shortlist(context: RoundContext, predicted: NDArray[np.float64], kept: NDArray[np.int64]) -> list[str | None]:
    """Reason `not_shortlisted` for survivors beyond the number that the surrogate may relax, worst predicted first."""
    reasons: list[str | None] = [None] * len(predicted)
    limit = context.spec.screening.surrogate.max_relaxations
    if limit is None or len(kept) <= limit:
        return reasons
    values = {name: predicted[kept, column] for column, name in enumerate(context.generator.properties)}
    order = np.argsort(-targets.merit(context.targets, values, target_spreads(context)), kind="stable")
    for row in kept[order[limit:]]:
        reasons[row] = "not_shortlisted"
    return reasons


def candidate_id(snapshot_id: str, latent: NDArray[np.float32]) -> str:
    """Hash of the snapshot, which holds the decoder's settings, and the latent vector; 16 hexadecimal digits."""
    content = snapshot_id.encode() + np.ascontiguousarray(latent, dtype="<f4").tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def candidate_documents(
    context: RoundContext,
    points: sampling.LatentPoints,
    decoded: object,
    predicted: NDArray[np.float64],
    verdicts: Sequence[str | None],
    known_ids: Sequence[str],
) -> list[CandidateDoc]:
    """One document per sampled point."""
    snapshot_id = str(context.round.snapshot_id)
    crystal_of = {int(row): i for i, row in enumerate(decoded.kept)}  # type: ignore[attr-defined]
    crystals: CrystalTable = decoded.crystals  # type: ignore[attr-defined]
    formulas = crystals.formulas()
    documents = []
    for row in range(len(points)):
        key = candidate_id(snapshot_id, points.points[row])
        i = crystal_of.get(row)
        documents.append(
            CandidateDoc(
                id=candidate_key(context.campaign_id, key),
                campaign_id=context.campaign_id,
                round_index=context.index,
                candidate_id=key,
                sampler=points.methods[row],
                parents=[known_ids[p] for p in points.parents[row]],
                latent_row=row,
                state=f"rejected:{verdicts[row]}" if verdicts[row] else "sampled",
                formula=formulas[i] if i is not None else None,
                structure=crystals.structure(i).as_dict(verbosity=0) if i is not None else None,
                predicted={} if i is None else _named(context.generator.properties, predicted[i]),
            )
        )
    return documents


def _named(properties: Sequence[str], row: NDArray[np.float64]) -> dict[str, float]:
    """Values by name; what the cheap gates stopped has none."""
    return {name: float(value) for name, value in zip(properties, row, strict=True) if np.isfinite(value)}


def latent_map(context: RoundContext, points: NDArray[np.float32], latents: NDArray[np.float32]) -> bytes:
    """The sampled points and a seeded part of the training set, with its labels, for later looks."""
    rows = np.sort(context.rng(1).permutation(len(latents))[:MAP_SIZE])
    labels = {f"train_{name}": context.known.label(name)[rows] for name in context.heads}
    return pack_arrays({"latents": points, "train_latents": latents[rows], **labels})
