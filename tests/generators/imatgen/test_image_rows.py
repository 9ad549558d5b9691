from __future__ import annotations

import numpy as np
import pytest
from example_oxides import example_oxides

from gen2dft.generators.imatgen.image_rows import deformed, image_rows
from gen2dft.representations.image_grids import BASIS_VOXELS
from gen2dft.representations.image_placing import centred_positions
from gen2dft.representations.images import CrystalImages

SHAPE = (BASIS_VOXELS, BASIS_VOXELS, BASIS_VOXELS, 1)


@pytest.fixture
def images() -> CrystalImages:
    return CrystalImages()


def test_without_randomness_the_images_are_those_of_the_crystals(images: CrystalImages):
    crystals = example_oxides(3)
    rows = image_rows(crystals, images.basis_images, 2, SHAPE, 0.1, 0.1)
    (taken,) = rows.take(np.array([4, 1]), None)
    assert rows.count == 6 and taken.shape == (2, *SHAPE)
    assert (taken.reshape(2, -1) == images.basis_images(crystals).dense([4, 1])).all()


def test_the_same_randomness_gives_the_same_images_and_another_one_others(images: CrystalImages):
    rows = image_rows(example_oxides(2), images.basis_images, 2, SHAPE, 0.02, 0.1)
    first, again, other = (
        rows.take(np.array([0, 3]), np.random.default_rng(seed))[0] for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()


def test_cells_are_strained_and_atoms_shifted_by_as_much_as_is_asked():
    table = example_oxides(200)
    strained = deformed(table, np.random.default_rng(0), 0.03, 0.0)
    change = np.linalg.solve(table.lattices, strained.lattices) - np.eye(3)
    assert change == pytest.approx(change.transpose(0, 2, 1), abs=1e-12)
    assert change.std(axis=0) == pytest.approx(np.full((3, 3), 0.03), rel=0.2)
    assert strained.frac == pytest.approx(table.frac, abs=1e-12)
    moved = deformed(table, np.random.default_rng(0), 0.0, 0.05)
    step = centred_positions(moved, moved.lattices) - centred_positions(table, table.lattices)
    # the mean of n atoms goes along with them
    assert step.std() == pytest.approx(0.05 * np.sqrt(1 - 1 / table.num_sites.mean()), rel=0.1)
    assert np.abs(step).max() < 0.3  # no atom went to the other face of its cell
