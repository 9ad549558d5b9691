"""Fit the elemental reference energies of an ML potential to known formation energies.

A potential trained on Materials Project energies reproduces compounds better than elements (oxygen,
fluorine and nitrogen molecules are far from its training data), so the references are those that
make its formation energies right on average: with x_ki the fraction of element i in crystal k,

    minimise  sum_k (E_k - Ef_k - sum_i x_ki mu_i)^2  +  ridge * sum_i (mu_i - prior_i)^2 .

CHGNet's energies already contain the MP2020 corrections, so nothing is added to E_k.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError

# eV/atom; beyond it the label and the potential speak of different phases or magnetic states
OUTLIER = 0.3
RIDGE = 0.05  # the prior weighs as much as a twentieth of one elemental crystal
MAX_ATOMIC_NUMBER = 118
LEAST_CRYSTALS = 10


@dataclass(frozen=True)
class ReferenceFit:
    """Fitted references.

    Parameters
    ----------
    references
        Symbol to eV/atom.
    mae
        Mean absolute error of the formation energies on the crystals fitted, outliers included,
        eV/atom.
    mae_cv
        The same on crystals left out, by 5-fold cross-validation, eV/atom.
    num_crystals
        Crystals with a label and an energy.
    num_outliers
        Of these, left out of the last fit.
    prior_only
        Elements without a crystal, whose reference is the prior itself.
    """

    references: Mapping[str, float]
    mae: float
    mae_cv: float
    num_crystals: int
    num_outliers: int
    prior_only: tuple[str, ...]


def fit_references(
    crystals: CrystalTable,
    energies: NDArray[np.float64],
    formation_energies: NDArray[np.float64],
    prior: Mapping[str, float],
    rng: np.random.Generator,
    ridge: float = RIDGE,
) -> ReferenceFit:
    """Fit references to crystals with both energies; rows with NaN are left out.

    Parameters
    ----------
    crystals
        `n` crystals.
    energies
        (n,) energies of the potential, eV/atom.
    formation_energies
        (n,) known formation energies, eV/atom.
    prior
        Symbol to a first guess, eV/atom; elements without one start from the fit's mean.
    rng
        Splits the crystals for the cross-validation.
    ridge
        Weight of the prior.

    Raises
    ------
    DatasetError
        If fewer than 10 crystals carry both energies.
    """
    from pymatgen.core import Element

    sums = energies - formation_energies
    is_known = np.isfinite(sums)
    number = int(is_known.sum())
    if number < LEAST_CRYSTALS:
        raise DatasetError(
            f"{number} crystals with energy and formation energy are too few to fit references"
        )
    # The energy that an atom has as an element, on average, for elements without a guess.
    mean = sums[is_known].mean()
    guess = np.full(MAX_ATOMIC_NUMBER + 1, mean)
    for symbol, value in prior.items():
        guess[Element(symbol).Z] = value
    fractions = element_fractions(crystals)
    problem = _Problem(fractions, sums, guess, ridge).of(is_known)
    fitted, is_used = problem.robust_fit()
    errors = problem.errors(fitted)
    occurring = _occurring(problem.fractions)
    return ReferenceFit(
        _by_symbol(fitted, {*occurring, *prior}),
        mae=float(errors.mean()),
        mae_cv=_cross_validate(problem, rng),
        num_crystals=number,
        num_outliers=number - int(is_used.sum()),
        prior_only=tuple(_in_order(prior.keys() - occurring)),
    )


def _occurring(fractions: NDArray[np.float64]) -> set[str]:
    """Symbols of the elements that some crystal holds."""
    from pymatgen.core import Element

    largest = fractions.max(axis=0)
    return {Element.from_Z(number).symbol for number in np.flatnonzero(largest).tolist()}


def _by_symbol(references: NDArray[np.float64], symbols: Iterable[str]) -> dict[str, float]:
    """Symbol to reference, eV/atom, in the order of atomic numbers."""
    from pymatgen.core import Element

    rounded = {}
    for symbol in _in_order(symbols):
        number = Element(symbol).Z
        rounded[symbol] = round(float(references[number]), 6)
    return rounded


def _in_order(symbols: Iterable[str]) -> list[str]:
    """Symbols in the order of atomic numbers."""
    from pymatgen.core import Element

    return sorted(symbols, key=lambda symbol: Element(symbol).Z)


def element_fractions(crystals: CrystalTable) -> NDArray[np.float64]:
    """(n, 119) atomic fraction of each element, by atomic number."""
    counts = np.zeros((len(crystals), MAX_ATOMIC_NUMBER + 1))
    np.add.at(counts, (crystals.owners, crystals.numbers), 1.0)
    # An empty cell has no fractions.
    atoms = np.maximum(crystals.num_sites, 1)
    return counts / atoms[:, None]


@dataclass(frozen=True, eq=False)
class _Problem:
    """The least-squares problem: X mu = y, with mu near the prior.

    Parameters
    ----------
    fractions
        (m, 119) X, the atomic fraction of each element.
    sums
        (m,) y = E - Ef, eV/atom.
    prior
        (119,) first guess of mu, eV/atom.
    ridge
        Weight of the prior.
    """

    fractions: NDArray[np.float64]
    sums: NDArray[np.float64]
    prior: NDArray[np.float64]
    ridge: float

    def of(self, rows: NDArray[np.bool_]) -> _Problem:
        """The problem of some of the crystals."""
        return replace(self, fractions=self.fractions[rows], sums=self.sums[rows])

    def errors(self, references: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) absolute errors, eV/atom."""
        return np.abs(self.sums - self.fractions @ references)

    def fit(self) -> NDArray[np.float64]:
        """(119,) references by atomic number, eV/atom."""
        # (X^T X + ridge) (mu - prior) = X^T (y - X prior)
        transposed = self.fractions.T
        normal = transposed @ self.fractions
        normal += self.ridge * np.eye(len(self.prior))
        predicted = self.fractions @ self.prior
        residuals = self.sums - predicted
        shift = np.linalg.solve(normal, transposed @ residuals)
        return self.prior + shift

    def robust_fit(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The fit after outliers of a first one are dropped, and (m,) which crystals it used."""
        is_used = self.errors(self.fit()) <= OUTLIER
        return self.of(is_used).fit(), is_used


def _cross_validate(problem: _Problem, rng: np.random.Generator, folds: int = 5) -> float:
    """Mean absolute error on crystals left out, eV/atom."""
    number = len(problem.sums)
    fold = rng.permutation(number) % folds
    errors = np.empty(number)
    for held_out in range(folds):
        is_held_out = fold == held_out
        fitted, _ = problem.of(~is_held_out).robust_fit()
        errors[is_held_out] = problem.of(is_held_out).errors(fitted)
    return float(errors.mean())
