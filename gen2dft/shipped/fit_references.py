"""Fit the elemental reference energies of an ML potential to known formation energies.

A potential trained on Materials Project energies reproduces compounds better than elements (oxygen,
fluorine and nitrogen molecules are far from its training data), so the references are those that
make its formation energies right on average: with x_ki the fraction of element i in crystal k,

    minimise  sum_k (E_k - Ef_k - sum_i x_ki mu_i)^2  +  ridge * sum_i (mu_i - prior_i)^2 .

CHGNet's energies already contain the MP2020 corrections, so nothing is added to E_k.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError

# eV/atom; beyond it the label and the potential speak of different phases or magnetic states
OUTLIER = 0.3
RIDGE = 0.05  # the prior weighs as much as a twentieth of one elemental crystal
MAX_ATOMIC_NUMBER = 118


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

    known = np.flatnonzero(np.isfinite(energies) & np.isfinite(formation_energies))
    if len(known) < 10:
        raise DatasetError(
            f"{len(known)} crystals with energy and formation energy are too few to fit references"
        )
    fractions = element_fractions(crystals)[known]
    sums = energies[known] - formation_energies[known]
    symbols = {Element.from_Z(z).symbol: z for z in range(1, MAX_ATOMIC_NUMBER + 1)}
    guess = np.full(MAX_ATOMIC_NUMBER + 1, sums.mean())
    for symbol, value in prior.items():
        guess[symbols[symbol]] = value
    fitted, used = _robust_fit(fractions, sums, guess, ridge)
    errors = np.abs(sums - fractions @ fitted)
    occurring = fractions.max(axis=0) > 0
    return ReferenceFit(
        {
            symbol: round(float(fitted[z]), 6)
            for symbol, z in symbols.items()
            if occurring[z] or symbol in prior
        },
        float(errors.mean()),
        _cross_validate(fractions, sums, guess, ridge, rng),
        len(known),
        int((~used).sum()),
        tuple(symbol for symbol, z in symbols.items() if symbol in prior and not occurring[z]),
    )


def element_fractions(crystals: CrystalTable) -> NDArray[np.float64]:
    """(n, 119) atomic fraction of each element, by atomic number."""
    owners = np.repeat(np.arange(len(crystals)), crystals.num_sites)
    counts = np.zeros((len(crystals), MAX_ATOMIC_NUMBER + 1))
    np.add.at(counts, (owners, crystals.numbers), 1.0)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _robust_fit(
    fractions: NDArray[np.float64],
    sums: NDArray[np.float64],
    prior: NDArray[np.float64],
    ridge: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """References by atomic number, and which rows were used: outliers are dropped once and the rest
    fitted again.
    """
    first = _ridge(fractions, sums, prior, ridge)
    used = np.abs(sums - fractions @ first) <= OUTLIER
    return _ridge(fractions[used], sums[used], prior, ridge), used


def _ridge(
    fractions: NDArray[np.float64],
    sums: NDArray[np.float64],
    prior: NDArray[np.float64],
    ridge: float,
) -> NDArray[np.float64]:
    # (X^T X + ridge) (mu - prior) = X^T (y - X prior)
    normal = fractions.T @ fractions + ridge * np.eye(fractions.shape[1])
    return prior + np.linalg.solve(normal, fractions.T @ (sums - fractions @ prior))


def _cross_validate(
    fractions: NDArray[np.float64],
    sums: NDArray[np.float64],
    prior: NDArray[np.float64],
    ridge: float,
    rng: np.random.Generator,
    folds: int = 5,
) -> float:
    fold = rng.permutation(len(sums)) % folds
    errors = np.empty(len(sums))
    for k in range(folds):
        fitted, _ = _robust_fit(fractions[fold != k], sums[fold != k], prior, ridge)
        errors[fold == k] = np.abs(sums[fold == k] - fractions[fold == k] @ fitted)
    return float(errors.mean())
