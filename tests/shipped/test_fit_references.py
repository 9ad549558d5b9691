import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.shipped.fit_references import element_fractions, fit_references

TRUE = {"Na": -1.3, "K": -1.1, "Cl": -1.8, "Br": -1.6}


def alloys(rng: np.random.Generator, n: int = 60) -> tuple[CrystalTable, np.ndarray, np.ndarray]:
    """Random mixtures of four elements, their energies with a little noise, and their formation
    energies.
    """
    species = [list(rng.choice(list(TRUE), 4)) for _ in range(n)]
    sites = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    table = CrystalTable.from_structures(Structure(Lattice.cubic(6), s, sites) for s in species)
    known = rng.uniform(-3, 0, n)
    return (
        table,
        known + [np.mean([TRUE[x] for x in s]) for s in species] + rng.normal(0, 0.01, n),
        known,
    )


def test_the_references_behind_the_energies_are_found():
    rng = np.random.default_rng(0)
    fit = fit_references(*alloys(rng), prior={}, rng=rng)
    assert fit.references == pytest.approx(TRUE, abs=0.02)
    assert fit.mae < fit.mae_cv < 0.015


def test_outliers_do_not_move_the_references():
    rng = np.random.default_rng(1)
    table, energies, known = alloys(rng, 200)
    energies[:6] += 2.0
    fit = fit_references(table, energies, known, prior={}, rng=rng)
    assert fit.num_outliers == 6
    assert fit.references == pytest.approx(TRUE, abs=0.02)


def test_an_element_that_does_not_occur_keeps_its_prior():
    rng = np.random.default_rng(2)
    fit = fit_references(*alloys(rng), prior={"W": -12.9, "K": -1.0}, rng=rng)
    assert fit.prior_only == ("W",)
    assert fit.references["W"] == pytest.approx(-12.9)


def test_crystals_without_label_or_energy_are_left_out():
    rng = np.random.default_rng(3)
    table, energies, known = alloys(rng)
    energies[3], known[7] = np.nan, np.nan
    assert fit_references(table, energies, known, prior={}, rng=rng).num_crystals == 58


def test_too_few_crystals_are_refused():
    rng = np.random.default_rng(4)
    with pytest.raises(
        DatasetError, match="9 crystals with energy and formation energy are too few"
    ):
        fit_references(*alloys(rng, 9), prior={}, rng=rng)


def test_fractions_add_up_to_one():
    table, _, _ = alloys(np.random.default_rng(5))
    fractions = element_fractions(table)
    assert fractions.sum(axis=1) == pytest.approx(1)
    assert set(np.flatnonzero(fractions.max(axis=0))) == {11, 17, 19, 35}
