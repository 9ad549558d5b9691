"""How readily one ion or element takes the place of another, as one matrix for each scale."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.geometry import COVALENT_RADII

NEVER_SEEN = -5.0  # lambda of a pair of ions that no two known compounds exchange, as in pymatgen
STEP = 1.5  # places on Mendeleev's scale that make an exchange 1/e times as likely
LAST_ELEMENT = 96  # the last one with a covalent radius

# Hume-Rothery's conditions for solid solutions: radii within 15 %, and electronegativities that are
# near each other. Mendeleev's scale runs from the end of one group to the start of the next, which
# makes Li and Ba, or Be and Tl, neighbours.
RADII, ELECTRONEGATIVITIES = 0.15, 0.35


@dataclass(frozen=True, eq=False)
class Scale:
    """Ions or elements, and the chance that one replaces another.

    Parameters
    ----------
    numbers, charges
        (m,) atomic numbers, and charges in units of e; 0 for elements.
    chances
        (m, m) how likely species `i` stands where species `j` stood; products of these compare the
        exchanges of one crystal.
    """

    numbers: NDArray[np.int64]
    charges: NDArray[np.int64]
    chances: NDArray[np.float64]

    @functools.cached_property
    def places(self) -> dict[tuple[int, int], int]:
        """Atomic number and charge to the place of the species."""
        pairs = zip(self.numbers.tolist(), self.charges.tolist(), strict=True)
        return {pair: place for place, pair in enumerate(pairs)}


@functools.cache
def ion_scale() -> Scale:
    """Ions, by the exchanges met among known compounds; columns add up to 1.

    p(i | j) = exp(lambda_ij) / sum_k exp(lambda_kj). Source: Hautier et al., Inorg. Chem. 50, 656
    (2011), equations 2 to 4, with the lambdas that pymatgen ships.
    """
    from pymatgen.analysis.structure_prediction.substitution_probability import (
        SubstitutionProbability,
    )

    model: Any = SubstitutionProbability  # pymatgen has no types here
    table = model(alpha=NEVER_SEEN).as_dict()["init_args"]["lambda_table"]
    species = sorted(frozenset().union(*table), key=lambda ion: (ion.Z, ion.oxi_state))
    place_of = {ion: place for place, ion in enumerate(species)}
    lambdas = np.full((len(species), len(species)), NEVER_SEEN)
    for pair, value in table.items():
        places = [place_of[ion] for ion in pair]
        # A pair of one ion with itself is a set of one.
        lambdas[places[0], places[-1]] = value
        lambdas[places[-1], places[0]] = value
    numbers = np.array([ion.Z for ion in species])
    charges = np.array([round(ion.oxi_state) for ion in species])
    weights = np.exp(lambdas)
    return Scale(numbers, charges, weights / weights.sum(axis=0))


@functools.cache
def neighbour_scale() -> Scale:
    """Elements: the fewer places on Mendeleev's scale lie between two, the likelier.

    c(i | j) = exp(-|m_i - m_j| / STEP) for elements that are alike, see `_are_alike`, else 0.
    Source of the scale: Pettifor, J. Phys. C 19, 285 (1986).
    """
    from pymatgen.core import Element

    numbers = np.arange(1, LAST_ELEMENT + 1)
    elements = [Element.from_Z(int(number)) for number in numbers]
    places = np.array([element.mendeleev_no for element in elements])
    steps = np.abs(places[:, None] - places[None, :])
    greed = np.array([element.data.get("X") or 0.0 for element in elements])
    chances = np.where(_are_alike(numbers, greed), np.exp(-steps / STEP), 0.0)
    return Scale(numbers, np.zeros_like(numbers), chances)


def _are_alike(numbers: NDArray[np.int64], greed: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(m, m) whether elements are alike by Hume-Rothery's conditions."""
    radii = COVALENT_RADII[numbers]
    larger = np.maximum(radii[:, None], radii[None, :])
    apart = np.abs(radii[:, None] - radii[None, :])
    near = np.abs(greed[:, None] - greed[None, :]) <= ELECTRONEGATIVITIES
    return (apart <= RADII * larger) & near


def least_chance(max_steps: int) -> float:
    """What the product of chances exceeds if at most so many places are taken in all."""
    return math.exp(-(max_steps + 0.5) / STEP)


def steps_taken(chance: float) -> int:
    """Places on Mendeleev's scale that all elements of an exchange take together."""
    return round(-STEP * math.log(chance))
