"""The second half of `ask`: after the surrogate, which crystals are computed, and in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.heads.base import Prediction
from gen2dft.loop.acquisition import FAR, Beliefs, as_merit, load_acquisition
from gen2dft.loop.batch import choose_batch
from gen2dft.loop.costs import per_core_hour, within_budget, work_of
from gen2dft.loop.shortlist import DISTANCE, ENERGY, passing_the_screen
from gen2dft.loop.verdicts import Verdict
from gen2dft.loop.view import ACQUISITION_STREAMS, Arm, View
from gen2dft.streams import Stream
from gen2dft.thermo.placing import HULL_INCOMPLETE

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
    passed = [_passed_of(arm, verdicts) for arm in view.arms]
    sizes = _places_of_arms(view, size - len(chosen), [len(found) for found in passed])
    for arm, found, number in zip(view.arms, passed, sizes, strict=True):
        said, batch = choose_of_arm(view, arm, found, number)
        choices |= said
        chosen |= batch
    kept = affordable(view, verdicts, chosen)
    decided = []
    for verdict in verdicts:
        key = verdict.candidate_id
        choice = choices.get(key)
        if choice is None:
            # Rejects that the audit drew have no value: what they were predicted stays.
            choice = Choice(key, None, None, dict(verdict.predicted))
        decided.append(replace(choice, by=kept.get(key)))
    return decided


def _places_of_arms(view: View, size: int, counts: Sequence[int]) -> list[int]:
    """Places of each arm in the batch, those included that other sources of its learner cannot
    fill.

    Control arms keep to themselves: what they are compared with must not grow by them.
    """
    sizes = places(size, [arm.share for arm in view.arms])
    found = list(sizes)
    for learner in dict.fromkeys(arm.learner.name for arm in view.arms):
        rows = [row for row, arm in enumerate(view.arms) if arm.learner.name == learner]
        free = sum(max(0, sizes[row] - counts[row]) for row in rows)
        for row in rows:
            more = min(free, max(0, counts[row] - sizes[row]))
            found[row] += more
            free -= more
    return found


def _passed_of(arm: Arm, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts on the crystals of an arm that the surrogate's gate let through."""
    drawn = [verdict for verdict in verdicts if verdict.arm == arm.key]
    return [verdict for verdict in drawn if verdict.reason is None]


def affordable(
    view: View, verdicts: Sequence[Verdict], chosen: Mapping[str, str]
) -> dict[str, str]:
    """Those of the chosen, best first, that the core-hours that are left will pay for."""
    by_id = {verdict.candidate_id: verdict for verdict in verdicts}
    best_first = [by_id[key] for key in chosen]
    hours = predicted_hours(view, best_first)
    number = within_budget(len(chosen), hours, view.hours_left)
    kept = list(chosen.items())[:number]
    return dict(kept)


def choose_of_arm(
    view: View, arm: Arm, verdicts: Sequence[Verdict], size: int
) -> tuple[dict[str, Choice], dict[str, str]]:
    """Choices for an arm's candidates, and those chosen with what chose them, best first."""
    if not verdicts:
        return {}, {}
    spec = view.spec.learning
    believed = beliefs_of(view, arm, verdicts)
    rng = view.streams.rng(*arm.part_of(ACQUISITION_STREAMS))
    value = _worth(view, arm, believed, rng)
    value = value + unscreened_chance(view, verdicts, believed) + weight_of_gates(verdicts)
    hours = predicted_hours(view, verdicts)
    value = per_core_hour(value, hours, spec.cost_weight)
    order = with_incomplete_last(value, verdicts)
    batch = choose_batch(order, positions(verdicts), spec, size, rng)
    choices = {}
    for row, verdict in enumerate(verdicts):
        key = verdict.candidate_id
        score = float(value[:, row].mean())
        predicted = {name: float(column[row]) for name, column in believed.values.items()}
        choices[key] = Choice(key, None, score, predicted)
    chosen = [verdicts[row].candidate_id for row in batch.rows]
    chosen_by = zip(chosen, batch.chosen_by, strict=True)
    return choices, dict(chosen_by)


def _worth(
    view: View, arm: Arm, believed: Prediction, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(r, m) values of the campaign's acquisition function."""
    spec = view.spec.learning
    # The surrogate tells distances to the hull that no head may have learnt; they count too.
    wanted = [target for target in view.spec.targets if target.property in believed.values]
    spreads = view.spreads(arm, wanted)
    beliefs = Beliefs.of(wanted, believed.values, believed.members, spreads)
    acquisition = load_acquisition(spec.acquisition)
    return acquisition(beliefs, spec, rng)


def with_incomplete_last(
    value: NDArray[np.float64], verdicts: Sequence[Verdict]
) -> NDArray[np.float64]:
    """(r, m) values by which the batch is chosen: crystals whose hull lacks phases come last.

    Their distance to the hull is no measure of stability, however good it looks.
    """
    incomplete = np.array([verdict.remark == HULL_INCOMPLETE for verdict in verdicts])
    if not incomplete.any():
        return value
    lowered = value.copy()
    # Below all others by so much that no diversity makes up for it.
    lowered[:, incomplete] -= np.ptp(value) + FAR
    return lowered


def places(size: int, shares: Sequence[float]) -> list[int]:
    """`size` places shared out; what rounding leaves goes to the first part."""
    left = size
    others = []
    for share in shares[1:]:
        # Many parts that are rounded up would overdraw the calls that are left.
        number = min(round(size * share), left)
        others.append(number)
        left -= number
    return [left, *others]


def beliefs_of(view: View, arm: Arm, verdicts: Sequence[Verdict]) -> Prediction:
    """What is believed of each crystal: the head's values, overruled by the surrogate's.

    Members of the ensemble differ in what the heads say, and in what the surrogate says by the
    error that its value states, or else by that which its values had so far.
    """
    table = _table_of(verdicts)
    predicted = arm.model.head.predict(table)
    values = dict(predicted.values)
    members = dict(predicted.members)
    if not _screened(verdicts):
        return _with_foreseen_distances(view, table, values, members)
    shape = (view.spec.learning.ensemble, len(verdicts))
    rng = view.streams.rng(Stream.SURROGATE_NOISE)
    noise = rng.standard_normal(shape)
    for name in (ENERGY, DISTANCE):
        said = [verdict.values.get(name) for verdict in verdicts]
        values[name] = np.array(said, dtype=np.float64)
        so_far = view.surrogate_errors.get(name, 0.0)
        errors = [verdict.errors.get(name, so_far) for verdict in verdicts]
        members[name] = values[name] + np.array(errors) * noise
    return Prediction(values, members)


def _table_of(verdicts: Sequence[Verdict]) -> CrystalTable:
    """(m,) crystals that the verdicts are about."""
    return CrystalTable.from_structures(verdict.crystal for verdict in verdicts)


def _screened(verdicts: Sequence[Verdict]) -> bool:
    """Whether a surrogate was asked."""
    return any(verdict.values for verdict in verdicts)


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
    if _screened(verdicts):
        return np.zeros(len(verdicts))
    table = _table_of(verdicts)
    limits = view.spec.screening.surrogate
    return passing_the_screen(limits, view.screen_hull, table, believed)


def weight_of_gates(verdicts: Sequence[Verdict]) -> NDArray[np.float64]:
    """(m,) logarithm of what weighing gates leave of chances; 0 where a correction has judged.

    The correction knows the composition, and whether it can be neutral: to multiply its chance
    would count the same twice.
    """
    weights = [1.0 if DISTANCE in verdict.errors else verdict.weight for verdict in verdicts]
    return as_merit(np.array(weights, dtype=np.float64))


def positions(verdicts: Sequence[Verdict]) -> NDArray[np.float32]:
    """(m, d) where crystals lie for the measure of diversity.

    Latent vectors where the source has them, else fractions of the elements.
    """
    latents = [verdict.latent for verdict in verdicts if verdict.latent is not None]
    if len(latents) == len(verdicts):
        return np.array(latents, dtype=np.float32)
    table = _table_of(verdicts)
    return element_fractions(table)


def element_fractions(table: CrystalTable) -> NDArray[np.float32]:
    """(m, 118) share of each element among the sites of each crystal."""
    number = len(table)
    counts = np.zeros((number, 118), dtype=np.float32)
    rows = np.arange(number)
    owners = np.repeat(rows, table.num_sites)
    elements = table.numbers.astype(np.int64) - 1
    np.add.at(counts, (owners, elements), 1.0)
    sites = np.maximum(table.num_sites, 1)
    shares = counts / sites[:, None]
    return shares.astype(np.float32)


def predicted_hours(view: View, verdicts: Sequence[Verdict]) -> NDArray[np.float64] | None:
    """(m,) core-hours that candidates are expected to cost; None while nothing tells."""
    if view.costs is None:
        return None
    is_dft = view.spec.validates_by_dft
    work = [work_of(verdict.crystal, is_dft=is_dft) for verdict in verdicts]
    return view.costs.core_hours(np.array(work, dtype=np.float64))
