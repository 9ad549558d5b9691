"""Choose which screened candidates are validated, within the budget."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from gen2dft import learning
from gen2dft.acquisition import Beliefs, CostModel, load_acquisition, per_core_hour, within_budget
from gen2dft.crystals import CrystalTable
from gen2dft.ledger import read_ledger
from gen2dft.rounds.arms import Arm, arms
from gen2dft.rounds.context import RoundContext, unpack_arrays
from gen2dft.rounds.shortlist import target_spreads
from gen2dft.screening.gates import stage_count
from gen2dft.store.documents import CandidateDoc, LabelDoc, StoredVerdict, now
from gen2dft.store.states import Kind, State
from gen2dft.streams import Stream

BY_SURROGATE = ("formation_energy", "e_above_hull")
GATE_AUDIT = "gate-audit"
MIN_ERRORS = 5  # labels from which the surrogate's error is known


@dataclass(frozen=True)
class Verdict:
    """What the selection says of one candidate; `by` is None if it is not chosen."""

    candidate_id: str
    by: str | None
    score: float | None
    predicted: dict[str, float]

    def change(self) -> dict[str, Any]:
        """Where it puts the candidate, and what it leaves there."""
        state = State(Kind.QUEUED) if self.by else State.rejected("not_selected")
        return {
            "state": state,
            "score": self.score,
            "selected_by": self.by,
            "predicted": self.predicted,
        }


def select(context: RoundContext, surrogate_count: dict[str, object]) -> int:
    """Queue the batch and open the round for validation; how many were queued.

    The choice is written down before the first candidate moves, so that one that was interrupted is
    carried out as it was made, whatever labels have arrived since, and the budget holds.

    Parameters
    ----------
    surrogate_count
        The surrogate stage's counters, which complete the funnel.
    """
    if context.round.batch_id is None:
        content = json.dumps([asdict(verdict) for verdict in choose(context)]).encode()
        context.store.set_round_once(
            context.campaign_id, context.index, "batch_id", context.store.put_blob(content, "batch")
        )
    verdicts = [
        Verdict(**found)
        for found in json.loads(context.store.get_blob(str(context.round.batch_id)))
    ]
    context.store.move_candidates(
        context.campaign_id, {found.candidate_id: found.change() for found in verdicts}
    )
    number = sum(found.by is not None for found in verdicts)
    count = stage_count("select", [None if found.by else "not_selected" for found in verdicts])
    funnel = [
        stage.model_dump()
        for stage in context.round.funnel
        if stage.stage not in ("surrogate", "select")
    ]
    context.store.move_round(
        context.campaign_id,
        context.index,
        "proposing",
        "validating",
        dispatched=now(),
        dispatch_size=number,
        funnel=[*funnel, surrogate_count, count.model_dump()],
    )
    context.progress("validate", 0, number)
    return number


def choose(context: RoundContext) -> list[Verdict]:
    """A verdict for each screened candidate: the batch, in the order of preference, within the
    budget.
    """
    spec, waiting = context.spec.learning, screened(context)
    size = learning.calls_left(
        spec, sum(r.dispatch_size for r in context.store.rounds(context.campaign_id))
    )
    costs = cost_model(context)
    rejects = [doc for doc in waiting if doc.verdict.reason]  # that the audit of the gate drew
    passed = [doc for doc in waiting if not doc.verdict.reason]
    chosen: dict[str, str] = {doc.candidate_id: GATE_AUDIT for doc in rejects[:size]}
    said: dict[str, Verdict] = {}
    points = unpack_arrays(context.store.get_blob(str(context.round.latents_id)))["latents"]
    parts = arms(context)
    sizes = shares(size - len(chosen), [arm.share for arm in parts])
    for arm, number in zip(parts, sizes, strict=True):
        mine = [doc for doc in passed if doc.arm == arm.name]
        verdicts, batch = choose_of_arm(context, arm, mine, points, number, costs)
        said |= verdicts
        chosen |= batch
    by_id = {doc.candidate_id: doc for doc in waiting}
    hours = predicted_hours(costs, [by_id[key] for key in chosen])
    kept = dict(list(chosen.items())[: within_budget(len(chosen), hours, hours_left(context))])
    silent = {key: Verdict(key, None, None, doc.predicted) for key, doc in by_id.items()}
    return [replace(verdict, by=kept.get(key)) for key, verdict in (silent | said).items()]


def choose_of_arm(
    context: RoundContext,
    arm: Arm,
    waiting: Sequence[CandidateDoc],
    points: NDArray[np.float32],
    size: int,
    costs: CostModel | None,
) -> tuple[dict[str, Verdict], dict[str, str]]:
    """Scores of an arm's candidates, and those chosen with what chose them, best first."""
    if not waiting:
        return {}, {}
    spec = context.spec.learning
    values, members = predict_relaxed(context, arm, waiting)
    beliefs = Beliefs.of(arm.view.targets, values, members, target_spreads(arm.view))
    rng = context.rng(arm.acquisition)
    value = load_acquisition(spec.acquisition)(beliefs, spec, rng)
    value = per_core_hour(value, predicted_hours(costs, waiting), spec.cost_weight)
    rows = [doc.latent_row for doc in waiting if doc.latent_row is not None]
    batch = learning.choose_batch(value, points[rows], spec, size, rng)
    said = {
        doc.candidate_id: Verdict(
            doc.candidate_id,
            None,
            float(value[:, row].mean()),
            {name: float(column[row]) for name, column in values.items()},
        )
        for row, doc in enumerate(waiting)
    }
    return said, {
        waiting[row].candidate_id: by for row, by in zip(batch.rows, batch.chosen_by, strict=True)
    }


def shares(size: int, parts: Sequence[float]) -> list[int]:
    """`size` places shared out; what rounding leaves goes to the first part."""
    others = [round(size * part) for part in parts[1:]]
    return [size - sum(others), *others]


def screened(context: RoundContext) -> list[CandidateDoc]:
    """Candidates of this round that the screen let through, in the order of their ids."""
    found = context.store.candidates(
        context.campaign_id, round_index=context.index, state="sampled", surrogate={"$ne": None}
    )
    return list(found)


def predict_relaxed(
    context: RoundContext, arm: Arm, waiting: Sequence[CandidateDoc]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """What is believed of each relaxed candidate: property heads overruled by the surrogate.

    (m,) and (K, m).

    Members of the ensemble differ in the heads, and in what the surrogate says by the error that
    its values had so far.
    """
    generator, ensemble = arm.view.generator, arm.view.ensemble
    relaxed = CrystalTable.from_structures(
        Structure.from_dict(doc.verdict.structure or {}) for doc in waiting
    )
    latents = generator.encode(relaxed)
    predicted = generator.predict(latents)
    values = {name: predicted[:, column] for column, name in enumerate(generator.properties)}
    members = ensemble.predict(latents) if ensemble is not None else {}
    errors = surrogate_errors(context)
    noise = context.rng(Stream.SURROGATE_NOISE).standard_normal(
        (context.spec.learning.ensemble, len(waiting))
    )
    for name in BY_SURROGATE:
        values[name] = np.array([doc.verdict.values[name] for doc in waiting], dtype=np.float64)
        members[name] = values[name] + errors.get(name, 0.0) * noise
    return values, members


def surrogate_errors(context: RoundContext) -> Mapping[str, float]:
    """Root mean square difference between the screen's values and the labels of earlier rounds, in
    their units.
    """
    labels = {label.candidate_id: label for label in _earlier_labels(context)}
    fields = ("candidate_id", *(f"surrogate.{name}" for name in BY_SURROGATE))
    earlier = context.store.candidate_fields(
        context.campaign_id, fields, round_index={"$lt": context.index}
    )
    found = [
        (StoredVerdict.of(doc.get("surrogate")).values, labels[doc["candidate_id"]].values)
        for doc in earlier
        if doc["candidate_id"] in labels
    ]
    errors = {}
    for name in BY_SURROGATE:
        pairs = [(screened[name], computed.get(name)) for screened, computed in found]
        known = np.array([pair for pair in pairs if None not in pair], dtype=np.float64).reshape(
            -1, 2
        )
        if len(known) >= MIN_ERRORS:
            errors[name] = float(np.sqrt(np.mean((known[:, 0] - known[:, 1]) ** 2)))
    return errors


def cost_model(context: RoundContext) -> CostModel | None:
    """What a calculation costs by its number of sites, from the labels of earlier rounds."""
    labels = _earlier_labels(context)
    return CostModel.fit(
        [len(label.structure["sites"]) for label in labels], [label.core_hours for label in labels]
    )


def _earlier_labels(context: RoundContext) -> list[LabelDoc]:
    return context.store.labels(context.campaign_id, round_index={"$lt": context.index})


def predicted_hours(
    costs: CostModel | None, waiting: Sequence[CandidateDoc]
) -> NDArray[np.float64] | None:
    """(m,) core-hours that candidates are expected to cost; None while nothing tells."""
    if costs is None:
        return None
    structures = [doc.verdict.structure or {"sites": [0]} for doc in waiting]
    sites = [len(structure["sites"]) for structure in structures]
    return costs.core_hours(np.array(sites, dtype=np.int64))


def hours_left(context: RoundContext) -> float | None:
    """Core-hours of validation that the budget still holds; None if it has no limit."""
    budget = context.spec.learning.budget.core_hours
    if budget is None:
        return None
    return budget - read_ledger(context.store, context.campaign_id).whole.validation
