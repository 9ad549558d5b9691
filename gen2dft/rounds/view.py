"""Read a round from the store as the values that the loop works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pymatgen.core import Structure

from gen2dft.crystal_documents import structure_of
from gen2dft.crystals import CrystalTable
from gen2dft.ledger import read_ledger
from gen2dft.loop.bias import energy_shift
from gen2dft.loop.costs import CostModel, cost_model, work_of
from gen2dft.loop.shortlist import DISTANCE, ENERGY
from gen2dft.loop.stopping import calls_left
from gen2dft.loop.view import CONTROL, Arm, Learner, View
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.learner import earlier_labels, read_learner
from gen2dft.rounds.models import read_models
from gen2dft.rounds.round import Round
from gen2dft.screening.surrogate import UNCONVERGED
from gen2dft.store.documents import CandidateDoc, LabelDoc
from gen2dft.thermo.placing import IMPLAUSIBLE_ENERGY

MIN_ERRORS = 5  # labels from which the surrogate's error is known


def read_view(context: Round) -> View:
    """The round with its arms, as far as every step needs it.

    Raises
    ------
    StoreError
        If the round, or one that its control arm stays with, has not been trained.
    """
    return View(
        spec=context.spec,
        index=context.index,
        arms=tuple(read_arms(context)),
        base=context.base,
        earlier=CrystalTable.from_structures([]),
        screen_hull=footing_of(context).screen_hull,
    )


def view_to_propose(context: Round) -> View:
    """The round as its draws need it: with the crystals that are not to be computed twice, and
    what the potential said of them.
    """
    view = read_view(context)
    screened = earlier_candidates(context)
    crystals = [structure_of(doc.structure) for doc in screened if doc.structure]
    return replace(
        view,
        earlier=CrystalTable.from_structures(crystals),
        energy_shifts={arm.key: energy_shift_of(context, arm, screened) for arm in view.arms},
    )


def view_to_choose(context: Round) -> View:
    """The round as the choice of a batch needs it: with errors, costs and what is left to spend."""
    # Bands computed by hand tell neither costs of validation nor energies.
    labels = [label for label in earlier_labels(context) if not label.by_hand]
    rounds = context.store.rounds(context.campaign_id)
    calls_made = sum(document.dispatch_size for document in rounds)
    return replace(
        read_view(context),
        surrogate_errors=surrogate_errors(context, labels),
        costs=costs_of(context, labels),
        calls_left=calls_left(context.spec.learning, calls_made),
        hours_left=hours_left(context),
    )


def costs_of(context: Round, labels: Sequence[LabelDoc]) -> CostModel | None:
    """What earlier labels have cost, by the work that their crystals asked for."""
    is_dft = context.spec.validates_by_dft
    paid = [label for label in labels if label.core_hours > 0]
    crystals = [structure_of(label.structure) for label in paid]
    work = [work_of(crystal, is_dft=is_dft) for crystal in crystals]
    hours = [label.core_hours for label in paid]
    return cost_model(work, hours, is_dft=is_dft)


def read_arms(context: Round) -> list[Arm]:
    """The arms of a round: each source with what is learnt, then each with the first round's.

    In the first round nothing is learnt yet, so there is no control.
    """
    control = context.spec.learning.control if context.index else 0.0
    learner = read_learner(context)
    arms = arms_of(context, learner, 1.0 - control)
    if control:
        first = Round(context.store, context.campaign_id, 0)
        beginning = replace(read_learner(first), name=CONTROL)
        arms += arms_of(first, beginning, control)
    return arms


def arms_of(context: Round, learner: Learner, share: float) -> list[Arm]:
    """One arm per source, with the models that a round has trained."""
    arms = []
    for place, model in enumerate(read_models(context)):
        of_model = share * model.source.share
        arm = Arm(learner, model, of_model, place)
        arms.append(arm)
    return arms


def earlier_candidates(context: Round) -> list[CandidateDoc]:
    """Candidates of earlier rounds that came as far as the surrogate."""
    earlier = {"$lt": context.index}
    found = context.store.candidates(
        context.campaign_id, round_index=earlier, surrogate={"$ne": None}
    )
    return list(found)


def energy_shift_of(context: Round, arm: Arm, screened: Sequence[CandidateDoc]) -> float:
    """What is added to the formation energies that an arm's head predicts of decoded crystals,
    eV/atom.

    Predictions are made anew: stored ones are of earlier heads, and those of candidates that were
    chosen are the surrogate's own.
    """
    only_source = context.spec.sources[0].label
    structures: list[Structure] = []
    found: list[float] = []
    for doc in screened:
        energy = doc.verdict.formation_energy
        is_own = (doc.source or only_source) == arm.source
        if is_own and doc.structure and energy is not None and _is_believed(doc):
            structures.append(structure_of(doc.structure))
            found.append(energy)
    if not structures or ENERGY not in arm.model.head.properties:
        return 0.0
    predicted = arm.model.head.predict(CrystalTable.from_structures(structures))
    return energy_shift(predicted.values[ENERGY], found)


def _is_believed(candidate: CandidateDoc) -> bool:
    """Whether the surrogate's energy tells of the crystal."""
    return candidate.verdict.reason not in (IMPLAUSIBLE_ENERGY, UNCONVERGED)


def surrogate_errors(context: Round, labels: Sequence[LabelDoc]) -> Mapping[str, float]:
    """Root mean square difference between the screen's values and labels, in their units."""
    by_candidate = {label.candidate_id: label.own_values for label in labels}
    names = (ENERGY, DISTANCE)
    fields = [f"surrogate.{name}" for name in names]
    earlier = context.store.candidate_fields(
        context.campaign_id, ("candidate_id", *fields), round_index={"$lt": context.index}
    )
    errors = {}
    for name in names:
        pairs = []
        for found in earlier:
            screened = found.get("surrogate") or {}
            labelled = by_candidate.get(found["candidate_id"], {})
            pair = (screened.get(name), labelled.get(name))
            if None not in pair:
                pairs.append(pair)
        if len(pairs) >= MIN_ERRORS:
            said, told = np.array(pairs, dtype=np.float64).T
            mean_square = np.mean((said - told) ** 2)
            errors[name] = float(np.sqrt(mean_square))
    return errors


def hours_left(context: Round) -> float | None:
    """Core-hours of validation that the budget still holds; None if it has no limit."""
    budget = context.spec.learning.budget.core_hours
    if budget is None:
        return None
    ledger = read_ledger(context.store, context.campaign_id)
    return budget - ledger.whole.validation
