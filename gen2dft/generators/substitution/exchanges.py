"""Which exchanges a known crystal allows, and how likely each is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.substitution.oxidation import oxidation_states
from gen2dft.generators.substitution.scales import (
    Scale,
    ion_scale,
    least_chance,
    neighbour_scale,
)
from gen2dft.generators.substitution.settings import SubstitutionSettings

ION_EXCHANGE, NEIGHBOURS = "ion-exchange", "neighbour-exchange"
MOST_COMBINATIONS = 200_000
MOST_TRIED = 2000  # of one parent, in the order of their draw

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Parent:
    """A known crystal whose elements are exchanged.

    Parameters
    ----------
    row
        Of the known crystals.
    numbers, counts
        Atomic numbers, ascending, and atoms per formula unit.
    """

    row: int
    numbers: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Exchange:
    """Elements that take the places of a parent's.

    Parameters
    ----------
    way
        `ion-exchange` or `neighbour-exchange`.
    numbers
        Atomic numbers in the order of the parent's.
    chance
        Product over all species, those that stay included: a probability where ions are exchanged.
    """

    parent: Parent
    way: str
    numbers: tuple[int, ...]
    chance: float


@dataclass(frozen=True, eq=False)
class Species:
    """A parent's elements as species of a scale.

    Parameters
    ----------
    way
        Name of the way of exchanging.
    places
        Place of each element on the scale.
    least
        What the chance of an exchange must exceed.
    """

    way: str
    scale: Scale
    places: tuple[int, ...]
    least: float


def species_of(parent: Parent, settings: SubstitutionSettings) -> Species | None:
    """Ions where oxidation states are known, else elements; None where the settings rule out an
    exchange.
    """
    states = oxidation_states(parent.numbers, parent.counts)
    if states is not None:
        ions = ion_scale()
        found = [ions.places.get(pair) for pair in zip(parent.numbers, states, strict=True)]
        places = tuple(place for place in found if place is not None)
        if len(places) == len(found):
            return Species(ION_EXCHANGE, ions, places, settings.min_probability)
    if not settings.max_steps:
        return None
    elements = neighbour_scale()
    if max(parent.numbers) > len(elements.numbers):
        return None
    places = tuple(elements.places[number, 0] for number in parent.numbers)
    return Species(NEIGHBOURS, elements, places, least_chance(settings.max_steps))


def in_random_order(
    parent: Parent, species: Species, elements: frozenset[int], rng: np.random.Generator
) -> Iterator[Exchange]:
    """Exchanges of a parent, each once, drawn in proportion to their chances.

    Parameters
    ----------
    elements
        Atomic numbers that a crystal may have.
    """
    chosen, chances = possible(parent, species, elements)
    # The largest of log p + Gumbel noise is a draw in proportion to p; the next one is the next
    # draw without replacement.
    noise = rng.gumbel(size=len(chances))
    order = np.argsort(-(np.log(chances) + noise), kind="stable")
    for row in order[:MOST_TRIED].tolist():
        numbers = species.scale.numbers[chosen[row]]
        yield Exchange(parent, species.way, tuple(numbers.tolist()), float(chances[row]))


def possible(parent: Parent, species: Species, elements: frozenset[int]) -> tuple[Places, Floats]:
    """(m, k) places of the new species and (m,) chances of a parent's exchanges.

    They are neutral, likely enough, of allowed and different elements, and change one at least.
    """
    scale = species.scale
    options = _options(species, elements)
    grid = np.meshgrid(*options, indexing="ij")
    chosen = np.stack([axis.ravel() for axis in grid], axis=1)
    factors = [scale.chances[chosen[:, i], old] for i, old in enumerate(species.places)]
    chances = np.prod(factors, axis=0)
    numbers = scale.numbers[chosen]
    total = scale.charges[chosen] @ np.array(parent.counts)
    fits = (total == 0) & (chances > species.least)
    fits &= (numbers != np.array(parent.numbers)).any(axis=1)
    ascending = np.sort(numbers, axis=1)
    fits &= (np.diff(ascending, axis=1) > 0).all(axis=1)
    return chosen[fits], chances[fits]


def _options(species: Species, elements: frozenset[int]) -> Sequence[Places]:
    """For each of a parent's species the allowed ones that may take its place, likeliest first."""
    scale = species.scale
    width = int(MOST_COMBINATIONS ** (1 / len(species.places)))
    is_allowed = np.isin(scale.numbers, list(elements))
    options = []
    for old in species.places:
        chance = np.where(is_allowed, scale.chances[:, old], 0.0)
        likeliest = np.argsort(-chance, kind="stable")[:width]
        # The others cannot make up for what one lacks: no chance is above 1.
        enough = chance[likeliest] > species.least
        options.append(likeliest[enough])
    return options
