"""Learning: which candidates make up a batch, what the labels teach, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import LearningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.store.documents import LabelDoc

HITS_FIRST = 1e3  # above any merit


def seed_rank(merit: NDArray[np.float64], is_hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) rank of known crystals as seeds, larger is better: hits of earlier rounds, then the
    others, by merit.
    """
    return merit + HITS_FIRST * is_hit


@dataclass(frozen=True, eq=False)
class Batch:
    """Candidates chosen for validation: rows, and for each whether the acquisition or the audit
    chose it.
    """

    rows: tuple[int, ...]
    chosen_by: tuple[str, ...]


def choose_batch(
    value: NDArray[np.float64],
    latents: NDArray[np.float32],
    spec: LearningSpec,
    size: int,
    rng: np.random.Generator,
) -> Batch:
    """Choose `size` candidates: greedily by value plus distance to those already chosen, then an
    audit at random.

    Parameters
    ----------
    value
        (r, m) acquisition values, larger is better; the j-th choice goes by row j mod r.
    latents
        (m, d) latent vectors; distances count in units of their mean distance from the centre.
    spec
        Gives the weight of diversity and the share of the audit.
    size
        Candidates wanted; fewer come back when there are fewer.
    rng
        Draws the audit.
    """
    size = min(size, value.shape[1])
    num_audit = round(spec.audit * size)
    chosen: list[int] = []
    free = np.ones(value.shape[1], dtype=bool)
    radius = (
        float(np.linalg.norm(latents - latents.mean(axis=0), axis=1).mean()) if value.size else 1.0
    )
    nearest = np.full(value.shape[1], radius)
    for place in range(size - num_audit):
        gain = value[place % len(value)] + spec.diversity * np.minimum(
            nearest / (radius or 1.0), 2.0
        )
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, np.linalg.norm(latents - latents[best], axis=1))
    audit = sorted(int(i) for i in rng.choice(np.flatnonzero(free), size=num_audit, replace=False))
    return Batch((*chosen, *audit), ("acquisition",) * len(chosen) + ("audit",) * len(audit))


def labels_to_learn(spec: LearningSpec, labels: Sequence[LabelDoc]) -> list[LabelDoc]:
    """The labels that the generator learns from: all, or those whose settings custodian left
    alone.
    """
    return [
        label
        for label in labels
        if spec.corrected_labels == "include" or not label.settings_changed
    ]


def training_set(base: Dataset, labels: Sequence[LabelDoc], max_sites: int) -> Dataset:
    """The base set followed by what the engines have labelled so far.

    Labels are taken in the order of their ids, so that the order of their arrival changes nothing.
    Relaxed cells of more than `max_sites` sites do not fit the representation and are left out.
    """
    from pymatgen.core import Structure

    taken = sorted(
        (doc for doc in labels if len(doc.structure["sites"]) <= max_sites), key=lambda doc: doc.id
    )
    if not taken:
        return base
    names = sorted(
        {name for doc in taken for name in doc.values} & ({*base.labels} | {"formation_energy"})
    )
    return base.extend(
        Dataset(
            CrystalTable.from_structures(Structure.from_dict(doc.structure) for doc in taken),
            tuple(f"label-{doc.id}" for doc in taken),
            {name: np.array([doc.values.get(name, np.nan) for doc in taken]) for name in names},
            properties=base.properties,
        )
    )


def stop_reason(
    spec: LearningSpec, hits_per_round: Sequence[int], oracle_calls: int, core_hours: float
) -> str | None:
    """Why the campaign ends after the rounds closed so far, or None to go on.

    Parameters
    ----------
    hits_per_round
        New hits of each closed round, in order.
    oracle_calls, core_hours
        Spent on validation so far.
    """
    if len(hits_per_round) >= spec.rounds:
        return f"all {spec.rounds} rounds are done"
    if spec.budget.oracle_calls is not None and oracle_calls >= spec.budget.oracle_calls:
        return f"the budget of {spec.budget.oracle_calls} oracle calls is spent"
    if spec.budget.core_hours is not None and core_hours >= spec.budget.core_hours:
        return f"the budget of {spec.budget.core_hours:g} core-hours is spent"
    if spec.hits is not None and sum(hits_per_round) >= spec.hits:
        return f"{sum(hits_per_round)} hits are found, {spec.hits} were wanted"
    if (
        spec.patience is not None
        and len(hits_per_round) >= spec.patience
        and not any(hits_per_round[-spec.patience :])
    ):
        return f"no new hit in the last {spec.patience} rounds"
    return None


def calls_left(spec: LearningSpec, oracle_calls: int) -> int:
    """How many candidates the next batch may hold."""
    if spec.budget.oracle_calls is None:
        return spec.batch
    return max(0, min(spec.batch, spec.budget.oracle_calls - oracle_calls))
