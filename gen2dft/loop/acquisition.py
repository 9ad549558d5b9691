"""Acquisition functions: how much a candidate's oracle call is worth, from what is believed of it
and how surely.

A function from beliefs about m candidates to (r, m) values, larger is better: the j-th candidate of
a batch is chosen by row j mod r. Other packages add theirs by entry points of the group
`gen2dft.acquisitions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gen2dft.campaign import LearningSpec, Target
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.loop import targets
from gen2dft.plugins import registry

Array = NDArray[np.float64]
FAR = 1e3  # between values, so that no distance makes up for it
# width of a kernel in standard deviations, times the number of members to the power of -1/5
SILVERMAN = 1.06
LEAST_CHANCE = 1e-3  # below it, candidates are alike
TIE = 1e-2  # of the merit against the logarithm of the probability


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What is believed of m candidates.

    Parameters
    ----------
    merit
        (m,) predicted merit, see `gen2dft.loop.targets.merit`.
    members
        (K, m) merit as each member of the ensemble sees it; one row like `merit` if there is no
        ensemble.
    chance
        (m,) probability that all targets are met, see `chance_of_all`.
    """

    merit: Array
    members: Array
    chance: Array

    @classmethod
    def of(
        cls,
        wanted: Sequence[Target],
        values: Mapping[str, Array],
        members: Mapping[str, Array],
        spread: Mapping[str, float],
    ) -> Self:
        """Beliefs from (m,) values of each property and, where an ensemble tells, (K, m) values of
        its members.
        """
        number = max((len(part) for part in members.values()), default=1)
        merit = targets.merit(wanted, values, spread)
        seen = {
            name: members[name] if name in members else np.tile(v, (number, 1))
            for name, v in values.items()
        }
        rows = [
            targets.merit(wanted, {name: v[k] for name, v in seen.items()}, spread)
            for k in range(number)
        ]
        return cls(merit, np.array(rows).reshape(number, len(merit)), chance_of_all(wanted, seen))

    @property
    def deviations(self) -> Array:
        """(K, m) members about their mean."""
        return self.members - self.members.mean(axis=0)

    @property
    def uncertainty(self) -> Array:
        """(m,) standard deviation of the members' merit; 0 without an ensemble."""
        return (
            self.members.std(axis=0, ddof=1) if len(self.members) > 1 else np.zeros(len(self.merit))
        )


def chance_of_all(wanted: Sequence[Target], members: Mapping[str, Array]) -> Array:
    """(m,) probability that all targets are met: the share of (K, m) members that meet them,
    smoothed.

    Each member stands for a normal distribution about its value (a kernel density, with Silverman's
    width). What counts in a member is the target it is least likely to meet: properties of one
    crystal go together, a product would take them for independent.
    """
    number, m = next(iter(members.values())).shape
    worst = np.ones((number, m))
    for target in wanted:
        values = members[target.property]
        width = (
            SILVERMAN * number**-0.2 * (values.std(axis=0, ddof=1) if number > 1 else np.zeros(m))
        )
        within = targets.margin(target, values)
        with np.errstate(divide="ignore", invalid="ignore"):
            likely = ndtr(within / width)
        worst = np.minimum(worst, np.where(width > 0, likely, within >= 0))
    return worst.mean(axis=0)


def as_merit(chance: Array) -> Array:
    """The logarithm of probabilities; where there is hardly any chance, all are alike."""
    return np.log(np.maximum(chance, LEAST_CHANCE))


Acquisition = Callable[[Beliefs, LearningSpec, np.random.Generator], Array]


def greedy(beliefs: Beliefs, _: LearningSpec, __: np.random.Generator) -> Array:
    """The predicted merit, nothing else."""
    return beliefs.merit[None, :]


def probability(beliefs: Beliefs, _: LearningSpec, __: np.random.Generator) -> Array:
    """How likely all targets are met, on a logarithmic scale.

    Of those equally likely, the merit decides.
    """
    return (as_merit(beliefs.chance) + TIE * beliefs.merit)[None, :]


def ucb(beliefs: Beliefs, spec: LearningSpec, _: np.random.Generator) -> Array:
    """Upper confidence bound: predicted merit + `exploration` times its uncertainty."""
    return (beliefs.merit + spec.exploration * beliefs.uncertainty)[None, :]


def thompson(beliefs: Beliefs, _: LearningSpec, rng: np.random.Generator) -> Array:
    """Thompson sampling: each place of the batch goes by one member of the ensemble, in random
    order.
    """
    return (beliefs.merit + beliefs.deviations)[rng.permutation(len(beliefs.members))]


def diverse(beliefs: Beliefs, _: LearningSpec, __: np.random.Generator) -> Array:
    """All of the better half alike: the distance to those already chosen decides."""
    better = (
        beliefs.merit >= np.median(beliefs.merit) if len(beliefs.merit) else np.zeros(0, dtype=bool)
    )
    return np.where(better, 0.0, -FAR)[None, :]


def at_random(beliefs: Beliefs, _: LearningSpec, rng: np.random.Generator) -> Array:
    """Any candidate: what an acquisition must be better than.

    So far apart that diversity changes nothing.
    """
    return FAR * rng.permutation(len(beliefs.merit)).astype(np.float64)[None, :]


ACQUISITIONS: dict[str, Callable[[], Acquisition]] = registry("gen2dft.acquisitions")


def load_acquisition(name: str) -> Acquisition:
    """The registered acquisition function of that name; CampaignError names the choices."""
    if name not in ACQUISITIONS:
        raise CampaignError(not_one_of("learning.acquisition", name, ACQUISITIONS))
    return ACQUISITIONS[name]()
