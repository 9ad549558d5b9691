from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice

from gen2dft.representations.cells import lattice_parameters, lattices_from_parameters


def test_parameters_agree_with_pymatgen():
    lattices = np.random.default_rng(0).normal(0, 3, (20, 3, 3))
    lengths, angles = lattice_parameters(lattices)
    for i, matrix in enumerate(lattices):
        np.testing.assert_allclose([*lengths[i], *angles[i]], Lattice(matrix).parameters)


def test_cells_have_the_parameters_they_are_made_from():
    lengths, angles = lattice_parameters(np.random.default_rng(1).normal(0, 3, (20, 3, 3)))
    lattices, is_cell = lattices_from_parameters(lengths, angles)
    assert is_cell.all() and (np.linalg.det(lattices) > 0).all()
    np.testing.assert_allclose(
        np.hstack(lattice_parameters(lattices)), np.hstack([lengths, angles]), rtol=1e-6
    )


@pytest.mark.parametrize(
    "parameters",
    [
        (0, 1, 1, 90, 90, 90),
        (5, 5, 5, 0, 90, 90),
        (5, 5, 5, 60, 60, 120),
        (5, 5, 5, 30, 30, 100),
        (1e9, 5, 5, 90, 90, 90),
    ],
)
def test_what_is_no_cell_gives_the_unit_matrix(parameters: tuple[float, ...]):
    lattices, is_cell = lattices_from_parameters(
        np.array([parameters[:3]]), np.array([parameters[3:]])
    )
    assert not is_cell[0] and (lattices[0] == np.eye(3)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_any_content_is_allowed(value: float):
    lattices, is_cell = lattices_from_parameters(np.full((1, 3), value), np.full((1, 3), value))
    assert not is_cell[0] and np.isfinite(lattices).all()
