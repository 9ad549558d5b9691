"""What DFT is expected to say where a potential gives a distance to the hull: value, error, chance.

Models are fitted to published crystals (`gen2dft.heads.stability_trees`); without one, distances
stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from scipy.special import ndtr

if TYPE_CHECKING:
    from pymatgen.core import Structure


# Of compounds that the Materials Project has, potentials trained on it know the energies: CHGNet
# errs by 0.00 +- 0.03 eV/atom (benchmarks/bench_known_stability.py), where it puts new ones 0.14
# too low.
ERROR_ON_KNOWN = 0.03


@dataclass(frozen=True)
class Estimate:
    """What DFT is expected to say of one crystal.

    Parameters
    ----------
    e_above_hull
        eV/atom, corrected.
    error
        eV/atom, one standard deviation.
    unlike
        Whether nothing like its composition was among the crystals that the model was fitted to.
    """

    e_above_hull: float
    error: float
    unlike: bool

    @classmethod
    def of_known(cls, e_above_hull: float) -> Self:
        """What is expected of a crystal whose formula the hull has: the potential's own distance.

        A new structure of a known formula is taken for as well known, which flatters it.
        """
        return cls(e_above_hull, ERROR_ON_KNOWN, unlike=False)

    def chance(self, most: float) -> float:
        """Probability that DFT finds at most `most` eV/atom."""
        return float(ndtr((most - self.e_above_hull) / self.error))


class StabilityModel(Protocol):
    """The correction of one potential."""

    @property
    def name(self) -> str:
        """What campaigns and documents call it."""

    @property
    def model_hash(self) -> str:
        """Hash of its content."""

    def estimate(
        self,
        structures: Sequence[Structure],
        formation_energies: Sequence[float],
        e_above_hulls: Sequence[float],
    ) -> list[Estimate]:
        """One estimate per crystal, from energies of the potential, eV/atom."""
