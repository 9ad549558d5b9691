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
PROBABILITY = "probability"  # name of the acquisition
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
        sizes = [len(part) for part in members.values()]
        number = max(sizes, default=1)
        merit = targets.merit(wanted, values, spread)
        seen = dict(values)
        for name, v in values.items():
            # A property without an ensemble is the same to every member.
            repeated = np.tile(v, (number, 1))
            seen[name] = members.get(name, repeated)
        rows = []
        for k in range(number):
            one = {name: v[k] for name, v in seen.items()}
            row = targets.merit(wanted, one, spread)
            rows.append(row)
        stacked = np.array(rows).reshape(number, len(merit))
        chance = chance_of_all(wanted, seen)
        return cls(merit, stacked, chance)

    @property
    def deviations(self) -> Array:
        """(K, m) members about their mean."""
        mean = self.members.mean(axis=0)
        return self.members - mean

    @property
    def uncertainty(self) -> Array:
        """(m,) standard deviation of the members' merit; 0 without an ensemble."""
        return _deviation(self.members)


def chance_of_all(wanted: Sequence[Target], members: Mapping[str, Array]) -> Array:
    """(m,) probability that all targets are met: the share of (K, m) members that meet them,
    smoothed.

    Each member stands for a normal distribution about its value (a kernel density, with Silverman's
    width). What counts in a member is the target it is least likely to meet: properties of one
    crystal go together, a product would take them for independent.
    """
    first = next(iter(members.values()))
    worst = np.ones(first.shape)
    for target in wanted:
        values = members[target.property]
        narrowing = len(values) ** -0.2
        width = SILVERMAN * narrowing * _deviation(values)
        within = targets.margin(target, values)
        with np.errstate(divide="ignore", invalid="ignore"):
            likely = ndtr(within / width)
        # Without a width there is no doubt: a value either meets the target or misses it.
        certain = within >= 0
        chance = np.where(width > 0, likely, certain)
        worst = np.minimum(worst, chance)
    return worst.mean(axis=0)


def _deviation(members: Array) -> Array:
    """(m,) standard deviation of (K, m) values of members; 0 for a single member."""
    number, m = members.shape
    if number <= 1:
        return np.zeros(m)
    return members.std(axis=0, ddof=1)


def as_merit(chance: Array) -> Array:
    """The logarithm of probabilities; where there is hardly any chance, all are alike."""
    floored = np.maximum(chance, LEAST_CHANCE)
    return np.log(floored)


Acquisition = Callable[[Beliefs, LearningSpec, np.random.Generator], Array]


def greedy(beliefs: Beliefs, _: LearningSpec, __: np.random.Generator) -> Array:
    """The predicted merit, nothing else."""
    return beliefs.merit[None, :]


def probability(beliefs: Beliefs, _: LearningSpec, __: np.random.Generator) -> Array:
    """How likely all targets are met, on a logarithmic scale.

    Of those equally likely, the merit decides.
    """
    return by_chance(beliefs)[None, :]


def by_chance(beliefs: Beliefs) -> Array:
    """(m,) logarithm of the chance that all targets are met, with the merit between equals."""
    return as_merit(beliefs.chance) + TIE * beliefs.merit


def ucb(beliefs: Beliefs, spec: LearningSpec, _: np.random.Generator) -> Array:
    """Upper confidence bound: predicted merit + `exploration` times its uncertainty."""
    bonus = spec.exploration * beliefs.uncertainty
    value = beliefs.merit + bonus
    return value[None, :]


def thompson(beliefs: Beliefs, _: LearningSpec, rng: np.random.Generator) -> Array:
    """Thompson sampling: each place of the batch goes by one member of the ensemble, in random
    order.
    """
    value = beliefs.merit + beliefs.deviations
    number = len(beliefs.members)
    order = rng.permutation(number)
    return value[order]


def diverse(beliefs: Beliefs, _: LearningSpec, __: np.random.Generator) -> Array:
    """All of the better half alike: the distance to those already chosen decides."""
    merit = beliefs.merit
    if not len(merit):
        return np.zeros((1, 0))
    middle = np.median(merit)
    value = np.where(merit >= middle, 0.0, -FAR)
    return value[None, :]


def at_random(beliefs: Beliefs, _: LearningSpec, rng: np.random.Generator) -> Array:
    """Any candidate: what an acquisition must be better than.

    So far apart that diversity changes nothing.
    """
    number = len(beliefs.merit)
    rank = rng.permutation(number)
    value = FAR * rank.astype(np.float64)
    return value[None, :]


ACQUISITIONS: dict[str, Callable[[], Acquisition]] = registry("gen2dft.acquisitions")


def load_acquisition(name: str) -> Acquisition:
    """The registered acquisition function of that name; CampaignError names the choices."""
    if name not in ACQUISITIONS:
        message = not_one_of("learning.acquisition", name, ACQUISITIONS)
        raise CampaignError(message)
    build = ACQUISITIONS[name]
    return build()
