"""Which crystals that passed the cheap gates the surrogate relaxes: the best as predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import SurrogateSpec
from gen2dft.crystals import CrystalTable
from gen2dft.heads.base import Prediction
from gen2dft.loop import targets
from gen2dft.loop.acquisition import PROBABILITY, Beliefs, as_merit, by_chance, chance_of_all
from gen2dft.loop.sieve import Sifted
from gen2dft.loop.view import Arm, View

if TYPE_CHECKING:
    from gen2dft.thermo.hull import ReferenceHull

ENERGY, DISTANCE = "formation_energy", "e_above_hull"
NOT_SHORTLISTED = "not_shortlisted"


def shortlist(view: View, sifted: Sifted) -> list[str | None]:
    """One entry per crystal that the gates kept: `not_shortlisted` for those beyond the number that
    the surrogate may relax, worst predicted first, and None for the others.
    """
    arm = sifted.drawn.arm
    number = len(sifted.kept)
    reasons: list[str | None] = [None] * number
    given = view.spec.screening.surrogate.max_relaxations
    limit = number if given is None else round(arm.share * given)
    if limit >= number:
        return reasons
    worth = _predicted_worth(view, arm, sifted.predicted)
    worth += passing_the_screen(
        view.spec.screening.surrogate,
        view.screen_hull,
        sifted.crystals,
        sifted.predicted,
        view.energy_shifts.get(arm.key, 0.0),
    )
    # Nothing has judged these crystals yet but the gates.
    worth += as_merit(sifted.weights)
    best_first = np.argsort(-worth, kind="stable")
    for row in best_first[limit:]:
        reasons[row] = NOT_SHORTLISTED
    return reasons


def _predicted_worth(view: View, arm: Arm, predicted: Prediction) -> NDArray[np.float64]:
    """(k,) what the targets make of the predictions: the merit, or how likely all are met where the
    batch is chosen by that.

    By merit a metal with a large power factor makes up for the gap that it lacks.
    """
    wanted = view.targets(arm)
    spread = view.spreads(arm, wanted)
    beliefs = Beliefs.of(wanted, predicted.values, predicted.members, spread)
    if view.spec.learning.acquisition != PROBABILITY:
        return beliefs.merit
    return by_chance(beliefs)


def passing_the_screen(
    limits: SurrogateSpec,
    hull: ReferenceHull,
    crystals: CrystalTable,
    predicted: Prediction,
    shift: float = 0.0,
) -> NDArray[np.float64]:
    """(k,) logarithm of the chance that a distance to the hull lies within the surrogate's limits.

    The head tells the formation energy, the hull its own energy at the composition. A system that
    the hull does not cover is refused whatever is relaxed; one in which it lacks phases, so that
    all lie far below it, comes last. Where the head has no uncertainty of energies, all crystals
    are alike.

    Parameters
    ----------
    shift
        Added to the predicted energies, eV/atom, see `gen2dft.loop.bias`.
    """
    if ENERGY not in predicted.members:
        return np.zeros(len(crystals))
    energies = predicted.members[ENERGY]
    distances = energies + shift - hull.energies_beneath(crystals)
    limit = targets.of_the_screen(limits)
    chance = chance_of_all([limit], {DISTANCE: distances})
    return as_merit(chance)
