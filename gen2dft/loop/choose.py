"""The second half of `ask`: after the surrogate, which crystals are computed, and in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.heads.base import Prediction
from gen2dft.loop.acquisition import Beliefs, load_acquisition
from gen2dft.loop.batch import choose_batch
from gen2dft.loop.costs import per_core_hour, within_budget
from gen2dft.loop.shortlist import DISTANCE, ENERGY, passing_the_screen
from gen2dft.loop.verdicts import Verdict
from gen2dft.loop.view import ACQUISITION_STREAMS, Arm, View
from gen2dft.streams import Stream

GATE_AUDIT = "gate-audit"


@dataclass(frozen=True)
class Choice:
    """What the selection says of one candidate; `by` is None if it is not chosen."""

    candidate_id: str
    by: str | None
    score: float | None
    predicted: dict[str, float]


def choose(view: View, verdicts: Sequence[Verdict]) -> list[Choice]:
    """A choice for each candidate; those with `by` make up the batch, within the budget."""
    size = view.calls_left
    rejects = [verdict for verdict in verdicts if verdict.reason is not None]
    # The audit of the gate has been drawn at random already. Its candidates come first, or a full
    # batch would leave none of them and the gate's error would never be measured.
    chosen = {verdict.candidate_id: GATE_AUDIT for verdict in rejects[:size]}
    choices: dict[str, Choice] = {}
    sizes = places(size - len(chosen), [arm.share for arm in view.arms])
    for arm, number in zip(view.arms, sizes, strict=True):
        mine = [found for found in verdicts if found.arm == arm.key and found.reason is None]
        said, batch = choose_of_arm(view, arm, mine, number)
        choices |= said
        chosen |= batch
    kept = affordable(view, verdicts, chosen)
    found = []
    for verdict in verdicts:
        key = verdict.candidate_id
        # Rejects that the audit drew have no value: what they were predicted stays.
        choice = choices.get(key) or Choice(key, None, None, dict(verdict.predicted))
        found.append(replace(choice, by=kept.get(key)))
    return found


def affordable(
    view: View, verdicts: Sequence[Verdict], chosen: Mapping[str, str]
) -> dict[str, str]:
    """Those of the chosen, best first, that the core-hours that are left will pay for."""
    by_id = {verdict.candidate_id: verdict for verdict in verdicts}
    hours = predicted_hours(view, [by_id[key] for key in chosen])
    number = within_budget(len(chosen), hours, view.hours_left)
    return dict(list(chosen.items())[:number])


def choose_of_arm(
    view: View, arm: Arm, verdicts: Sequence[Verdict], size: int
) -> tuple[dict[str, Choice], dict[str, str]]:
    """Choices for an arm's candidates, and those chosen with what chose them, best first."""
    if not verdicts:
        return {}, {}
    spec = view.spec.learning
    believed = beliefs_of(view, arm, verdicts)
    # The surrogate tells distances to the hull that no head may have learnt; they count too.
    wanted = [target for target in view.spec.targets if target.property in believed.values]
    spreads = view.spreads(arm, wanted)
    beliefs = Beliefs.of(wanted, believed.values, believed.members, spreads)
    rng = view.streams.rng(*arm.part_of(ACQUISITION_STREAMS))
    value = load_acquisition(spec.acquisition)(beliefs, spec, rng)
    value = value + unscreened_chance(view, verdicts, believed)
    value = per_core_hour(value, predicted_hours(view, verdicts), spec.cost_weight)
    batch = choose_batch(value, positions(verdicts), spec, size, rng)
    choices = {}
    for row, verdict in enumerate(verdicts):
        score = float(value[:, row].mean())
        predicted = {name: float(column[row]) for name, column in believed.values.items()}
        choices[verdict.candidate_id] = Choice(verdict.candidate_id, None, score, predicted)
    chosen = [verdicts[row].candidate_id for row in batch.rows]
    return choices, dict(zip(chosen, batch.chosen_by, strict=True))


def places(size: int, shares: Sequence[float]) -> list[int]:
    """`size` places shared out; what rounding leaves goes to the first part."""
    others = [round(size * share) for share in shares[1:]]
    return [size - sum(others), *others]


def beliefs_of(view: View, arm: Arm, verdicts: Sequence[Verdict]) -> Prediction:
    """What is believed of each crystal: the head's values, overruled by the surrogate's.

    Members of the ensemble differ in what the heads say, and in what the surrogate says by the
    error that its values had so far.
    """
    table = CrystalTable.from_structures(verdict.crystal for verdict in verdicts)
    predicted = arm.model.head.predict(table)
    values, members = dict(predicted.values), dict(predicted.members)
    if not any(verdict.values for verdict in verdicts):
        return _with_foreseen_distances(view, table, values, members)
    shape = (view.spec.learning.ensemble, len(verdicts))
    noise = view.streams.rng(Stream.SURROGATE_NOISE).standard_normal(shape)
    for name in (ENERGY, DISTANCE):
        said = [verdict.values.get(name) for verdict in verdicts]
        values[name] = np.array(said, dtype=np.float64)
        members[name] = values[name] + view.surrogate_errors.get(name, 0.0) * noise
    return Prediction(values, members)


def _with_foreseen_distances(
    view: View,
    table: CrystalTable,
    values: dict[str, NDArray[np.float64]],
    members: dict[str, NDArray[np.float64]],
) -> Prediction:
    """Where no surrogate was asked, the distance to the hull follows from the predicted energy."""
    if ENERGY not in values:
        return Prediction(values, members)
    beneath = view.screen_hull.energies_beneath(table)
    values[DISTANCE] = values[ENERGY] - beneath
    if ENERGY in members:
        members[DISTANCE] = members[ENERGY] - beneath
    return Prediction(values, members)


def unscreened_chance(
    view: View, verdicts: Sequence[Verdict], believed: Prediction
) -> NDArray[np.float64]:
    """(m,) what the surrogate's gate would do to crystals that it has not seen; 0 where it has."""
    if any(verdict.values for verdict in verdicts):
        return np.zeros(len(verdicts))
    table = CrystalTable.from_structures(verdict.crystal for verdict in verdicts)
    limits = view.spec.screening.surrogate
    return passing_the_screen(limits, view.screen_hull, table, believed)


def positions(verdicts: Sequence[Verdict]) -> NDArray[np.float32]:
    """(m, d) where crystals lie for the measure of diversity.

    Latent vectors where the source has them, else fractions of the elements.
    """
    latents = [verdict.latent for verdict in verdicts if verdict.latent is not None]
    if len(latents) == len(verdicts):
        return np.array(latents, dtype=np.float32)
    table = CrystalTable.from_structures(verdict.crystal for verdict in verdicts)
    return element_fractions(table)


def element_fractions(table: CrystalTable) -> NDArray[np.float32]:
    """(m, 118) share of each element among the sites of each crystal."""
    counts = np.zeros((len(table), 118), dtype=np.float32)
    owners = np.repeat(np.arange(len(table)), table.num_sites)
    np.add.at(counts, (owners, table.numbers.astype(np.int64) - 1), 1.0)
    shares = counts / np.maximum(table.num_sites, 1)[:, None]
    return shares.astype(np.float32)


def predicted_hours(view: View, verdicts: Sequence[Verdict]) -> NDArray[np.float64] | None:
    """(m,) core-hours that candidates are expected to cost; None while nothing tells."""
    if view.costs is None:
        return None
    sites = [len(verdict.crystal) for verdict in verdicts]
    return view.costs.core_hours(np.array(sites, dtype=np.int64))
