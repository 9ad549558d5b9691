"""Distances to the hull by a potential against published DFT: as they are, corrected, by others.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_stability.py TABLE [--checkpoint FILE]

TABLE has an id, a structure and `decomposition_energy`, eV/atom, as for `gen2dft data build
stability`, whose checkpoint of relaxed crystals is used and written. Five folds by chemical system,
each seed another division. Beside the correction stands what a user would do without it: the mean
difference, and scikit-learn's random forest on pymatgen's composition fractions.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from gen2dft.heads.stability_trees import (
    FOLDS,
    STABLE,
    Known,
    Potential,
    StabilityTrees,
    brier,
    chances,
    folds_of,
    out_of_fold,
)
from gen2dft.shipped.stability_build import read_published, relax_all

Array = NDArray[np.float64]
Guess = Callable[[Known, Known], tuple[Array, Array]]
RECALL = 0.48
BINS = 5
POTENTIAL = Potential("mlip", ())
MIN_WITHOUT = 20  # crystals with an element that is left out


def as_it_is(fitted: Known, asked: Known) -> tuple[Array, Array]:
    """The potential's own distances; their error is that of the fitted crystals."""
    missed = fitted.e_above_hulls_by_dft - fitted.e_above_hulls
    return asked.e_above_hulls, np.full(len(asked), np.sqrt(np.mean(missed**2)))


def mean_shift(fitted: Known, asked: Known) -> tuple[Array, Array]:
    """One number for all."""
    missed = fitted.e_above_hulls_by_dft - fitted.e_above_hulls
    return asked.e_above_hulls + missed.mean(), np.full(len(asked), missed.std())


def forest_on_fractions(fitted: Known, asked: Known) -> tuple[Array, Array]:
    """Ten lines of scikit-learn."""
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(200, random_state=0)
    model.fit(_fractions(fitted), fitted.e_above_hulls_by_dft - fitted.e_above_hulls)
    x = _fractions(asked)
    by_tree = np.array([tree.predict(x) for tree in model.estimators_])
    return asked.e_above_hulls + by_tree.mean(axis=0), np.hypot(by_tree.std(axis=0), 0.05)


def _fractions(known: Known) -> Array:
    counts = np.zeros((len(known), 119))
    np.add.at(counts, (known.crystals.owners, known.crystals.numbers), 1)
    fractions = counts / counts.sum(axis=1, keepdims=True)
    return np.column_stack([fractions, known.e_above_hulls, known.formation_energies])


def by_folds(guess: Guess, known: Known, rng: np.random.Generator) -> tuple[Array, Array]:
    """(n,) values and errors, each guessed without the crystal's chemical system."""
    folds = folds_of(known.systems(), rng)
    expected, error = np.zeros(len(known)), np.zeros(len(known))
    for fold in range(FOLDS):
        held = folds == fold
        expected[held], error[held] = guess(known.select(~held), known.select(held))
    return expected, error


def line(name: str, known: Known, expected: Array, error: Array) -> str:
    """One row of the table."""
    by_dft = known.e_above_hulls_by_dft
    good, called = by_dft <= STABLE, expected <= STABLE
    mae = np.abs(expected - by_dft).mean()
    order = np.argsort(expected)
    found = np.cumsum(good[order]) / good.sum()
    enough = int(np.argmax(found >= RECALL)) + 1
    precision = good[order[:enough]].mean()
    best = good[order[:100]].mean()
    score = brier(chances(expected, error), good)
    within = (np.abs(expected - by_dft) <= error).mean()
    return (
        f"{name:28s} MAE {mae:.4f}  precision {good[called].mean():.3f} at recall "
        f"{(good & called).sum() / good.sum():.3f}, {precision:.3f} at {RECALL}  of the 100 lowest "
        f"{best:.2f}  Brier {score:.4f}  within one error {within:.2f}"
    )


def bins(known: Known, expected: Array, error: Array) -> str:
    """Chances given and found, in bins of equal size."""
    good = known.e_above_hulls_by_dft <= STABLE
    given = chances(expected, error)
    parts = np.array_split(np.argsort(given), BINS)
    pairs = [f"{given[part].mean():.2f}/{good[part].mean():.2f}" for part in parts]
    return f"chance given/found, {BINS} bins of {len(parts[-1])}: {'  '.join(pairs)}"


def without_elements(known: Known, rng: np.random.Generator) -> str:
    """How much larger the error is with all crystals of one element left out of the fit."""
    expected, _ = out_of_fold(known, POTENTIAL, rng)
    usual = np.abs(expected - known.e_above_hulls_by_dft)
    ratios = []
    for number in np.unique(known.crystals.numbers):
        owners = known.crystals.owners[known.crystals.numbers == number]
        has_it = np.isin(np.arange(len(known)), owners)
        if has_it.sum() < MIN_WITHOUT:
            continue
        model = StabilityTrees.fit(known.select(~has_it), "without", POTENTIAL, "", rng)
        asked = known.select(has_it)
        found, _ = model.arrays(asked.crystals, asked.formation_energies, asked.e_above_hulls)
        missed = np.abs(found - asked.e_above_hulls_by_dft)
        ratios.append(missed.mean() / usual[has_it].mean())
    return (
        f"error without an element's crystals: {np.mean(ratios):.2f} times, {len(ratios)} elements"
    )


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=Path("stability.checkpoint.jsonl"))
    parser.add_argument("--preset", default="chgnet-screen-v1")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--elements", action="store_true", help="also leave elements out (long)")
    asked = parser.parse_args()
    crystals = read_published(asked.table)
    known = relax_all(crystals, "mlip", asked.preset, asked.checkpoint).known
    print(f"{len(known)} crystals, {(known.e_above_hulls_by_dft <= STABLE).mean():.3f} within 0.1")
    for seed in range(asked.seeds):
        for guess in (as_it_is, mean_shift, forest_on_fractions):
            told = by_folds(guess, known, np.random.default_rng(seed))
            print(line(f"{seed} {guess.__name__}", known, *told), flush=True)
        told = out_of_fold(known, POTENTIAL, np.random.default_rng(seed))
        print(line(f"{seed} corrected", known, *told))
        print(bins(known, *told), flush=True)
    if asked.elements:
        print(without_elements(known, np.random.default_rng(0)))


if __name__ == "__main__":
    main()
