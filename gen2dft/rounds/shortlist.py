"""Which of the crystals that passed the cheap gates the surrogate relaxes: the best as
predicted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft import targets
from gen2dft.acquisition import as_merit, chance_of_all
from gen2dft.crystals import CrystalTable
from gen2dft.rounds.arms import Arm
from gen2dft.rounds.context import RoundContext

ENERGY, DISTANCE = "formation_energy", "e_above_hull"
NOT_SHORTLISTED = "not_shortlisted"


def shortlist(
    context: RoundContext,
    arm: Arm,
    crystals: CrystalTable,
    predicted: NDArray[np.float64],
    kept: NDArray[np.int64],
) -> list[str | None]:
    """Reason `not_shortlisted` for survivors beyond the number that the surrogate may relax, worst
    predicted first.

    Parameters
    ----------
    crystals
        All m decoded crystals of the arm.
    predicted
        (m, p) predictions of its generator, NaN where a gate has stopped a crystal.
    kept
        Rows of those that no gate has stopped.
    """
    reasons: list[str | None] = [None] * len(predicted)
    given = context.spec.screening.surrogate.max_relaxations
    limit = len(kept) if given is None else round(arm.share * given)
    if limit >= len(kept):
        return reasons
    values = {
        name: predicted[kept, column] for column, name in enumerate(arm.view.generator.properties)
    }
    worth = targets.merit(arm.view.targets, values, target_spreads(arm.view))
    worth += passing_the_screen(context, arm, crystals.select(kept))
    for row in kept[np.argsort(-worth, kind="stable")[limit:]]:
        reasons[row] = NOT_SHORTLISTED
    return reasons


def passing_the_screen(
    context: RoundContext, arm: Arm, crystals: CrystalTable
) -> NDArray[np.float64]:
    """(k,) logarithm of the chance that a crystal's distance to the hull lies within the
    surrogate's limits.

    The ensemble tells the formation energy, the hull its own energy at the composition; a system
    that the hull does not cover, or in which it lacks phases so that all lie far below it, is
    refused whatever is relaxed. Without an ensemble that tells energies nothing is known, and all
    are alike.
    """
    ensemble, limits = arm.view.ensemble, context.spec.screening.surrogate
    if ensemble is None or ENERGY not in ensemble.properties:
        return np.zeros(len(crystals))
    energies = ensemble.predict(arm.view.generator.encode(crystals))[ENERGY]
    distances = energies - context.screen_hull.energies_beneath(crystals)
    return as_merit(chance_of_all([targets.of_the_screen(limits)], {DISTANCE: distances}))


def target_spreads(context: RoundContext) -> dict[str, float]:
    """The unit in which each target's property counts."""
    return targets.spreads(
        context.targets, {t.property: context.known.label(t.property) for t in context.targets}
    )
