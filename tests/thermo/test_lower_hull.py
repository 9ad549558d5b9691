"""The planes of a lower hull: below every phase, through the stable ones, as pymatgen's
PhaseDiagram has it.
"""

import numpy as np
import pytest

from gen2dft.errors import ThermoError
from gen2dft.thermo.lower_hull import LowerHull


def with_elements(fractions: np.ndarray, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    k = fractions.shape[1]
    return np.vstack([np.eye(k), fractions]), np.concatenate([np.zeros(k), energies])


def random_phases(rng: np.random.Generator, k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    counts = rng.integers(0, 5, (n, k))
    counts = np.unique(counts[(counts > 0).sum(axis=1) > 1], axis=0)
    fractions = np.unique(np.round(counts / counts.sum(axis=1, keepdims=True), 14), axis=0)
    return with_elements(fractions, rng.normal(-0.5, 1.0, len(fractions)))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_no_phase_lies_below_the_hull_and_every_facet_carries_its_phases(k: int):
    fractions, energies = random_phases(np.random.default_rng(k), k, 60)
    hull = LowerHull.of_phases(fractions, energies)
    assert (energies - hull.energy(fractions)).min() == pytest.approx(0, abs=1e-9)
    for mu, facet in zip(hull.potentials, hull.facets, strict=True):
        assert fractions[facet] @ mu == pytest.approx(energies[facet], abs=1e-9)
    assert hull.stable()[np.unique(hull.facets)].all()


def test_the_hull_is_convex():
    rng = np.random.default_rng(7)
    hull = LowerHull.of_phases(*random_phases(rng, 4, 80))
    a, b = rng.dirichlet(np.ones(4), 200), rng.dirichlet(np.ones(4), 200)
    t = rng.random((200, 1))
    line = t[:, 0] * hull.energy(a) + (1 - t[:, 0]) * hull.energy(b)
    assert (hull.energy(t * a + (1 - t) * b) <= line + 1e-9).all()


@pytest.mark.parametrize("k", [2, 3, 6])
def test_elements_alone_span_a_flat_hull(k: int):
    hull = LowerHull.of_phases(np.eye(k), np.zeros(k))
    assert hull.energy(np.full((1, k), 1 / k)) == pytest.approx(0, abs=1e-12)


def test_phases_on_one_plane_change_nothing():
    fractions = np.array(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.25, 0.25, 0.5]]
    )
    mu = np.array([-1.0, -0.5, 0.0])
    hull = LowerHull.of_phases(fractions, fractions @ mu)
    points = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    assert hull.energy(points) == pytest.approx(points @ mu, abs=1e-10)


def test_what_is_not_finite_or_spans_nothing_is_refused():
    with pytest.raises(ThermoError, match="NaN or infinite"):
        LowerHull.of_phases(np.eye(2), np.array([0.0, np.nan]))
    with pytest.raises(ThermoError, match="are all pure elements there"):
        LowerHull.of_phases(np.array([[0.5, 0.5]]), np.array([-1.0]))
