"""Stars, the Fourier series, and bands on a grid: properties first, then slow and obvious sums."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands, cosine_energies, tetragonal

from gen2dft.transport.interpolation import (
    PAIRS,
    bands_on_grid,
    fit,
    grid_weights,
    roughness,
    star_functions,
)
from gen2dft.transport.stars import find_stars
from gen2dft.transport.symmetry import point_group, symmetric_mesh

CRYSTAL = tetragonal(3.0, 4.0)
BANDS = cosine_bands((6, 6, 4), (0.3, 0.3, 0.6), structure=CRYSTAL)
STARS = find_stars(CRYSTAL.lattice.matrix, BANDS.rotations, 60)


def series():
    return fit(
        CRYSTAL.lattice.matrix, STARS, star_functions(BANDS.kpoints, STARS), BANDS.energies[0, :2]
    )


def test_stars_are_whole_apart_and_as_long_as_said():
    assert np.array_equal(STARS.vectors[0], [0, 0, 0])
    assert STARS.sizes.sum() == len(STARS.vectors) == len(np.unique(STARS.vectors, axis=0))
    assert (np.diff(STARS.lengths) > -1e-9).all()
    for start, size, length in zip(STARS.starts[:20], STARS.sizes, STARS.lengths, strict=False):
        star = STARS.vectors[start : start + size]
        images = {tuple(row) for row in (BANDS.rotations @ star[0])}
        assert images == {tuple(row) for row in star}
        assert np.linalg.norm(star @ CRYSTAL.lattice.matrix, axis=1) == pytest.approx(length)


def test_there_are_about_as_many_stars_as_asked_for():
    assert 60 <= len(STARS.sizes) <= 120


def test_star_functions_are_means_of_plane_waves():
    kpoints = np.random.default_rng(0).uniform(size=(5, 3))
    waves = np.exp(2j * np.pi * kpoints @ STARS.vectors.T)
    means = np.add.reduceat(waves, STARS.starts, axis=1) / STARS.sizes
    assert np.allclose(means.imag, 0, atol=1e-12)
    assert np.allclose(star_functions(kpoints, STARS), means.real, atol=1e-12)


def test_the_series_passes_through_all_energies_and_keeps_the_symmetry():
    found = series()
    assert np.allclose(found.energies(BANDS.kpoints), BANDS.energies[0, :2], atol=1e-9)
    k = np.array([[0.13, 0.31, 0.22]])
    images = (k @ BANDS.rotations).reshape(-1, 3)
    assert np.allclose(found.energies(images), found.energies(k), atol=1e-12)


def test_a_series_of_cosines_is_found_again_between_the_points():
    k = np.random.default_rng(1).uniform(size=(50, 3))
    exact = cosine_energies(CRYSTAL, k, (0.3, 0.3, 0.6), 1.0)[:2]
    width = np.ptp(exact)
    assert np.abs(series().energies(k) - exact).max() < 0.01 * width


def test_roughness_is_one_at_the_shortest_star_and_grows():
    values = roughness(np.array([2.0, 4.0, 8.0]))
    # x = 1: (1 - 0.75)^2 + 0.75
    assert values[0] == pytest.approx(0.8125)
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("extra", [0, 3])  # sizes odd and even
def test_bands_on_a_grid_are_the_series_and_its_derivatives(extra: int):
    found = series()
    grid = found.smallest_grid() + extra
    half = int(grid[2]) // 2 + 1
    steps = np.stack(
        np.meshgrid(*(np.arange(n) for n in (grid[0], grid[1], half)), indexing="ij"), axis=-1
    )
    kpoints = steps.reshape(-1, 3) / grid
    chosen = np.random.default_rng(2).choice(len(kpoints), 20, replace=False)
    vectors = found.stars.vectors @ found.lattice
    waves = np.exp(2j * np.pi * kpoints[chosen] @ found.stars.vectors.T)
    for band, coefficients in zip(
        bands_on_grid(found, grid, curvature=True), found.coefficients, strict=True
    ):
        amplitudes = (coefficients / found.stars.sizes)[found.stars.star_of]
        assert np.allclose(band.energies[chosen], (waves @ amplitudes).real)
        slopes = (waves @ (1j * amplitudes[:, None] * vectors)).real
        assert np.allclose(band.velocities[:, chosen], slopes.T)
        assert band.curvatures is not None
        for place, (a, b) in enumerate(PAIRS):
            bent = (waves @ (-amplitudes * vectors[:, a] * vectors[:, b])).real
            assert np.allclose(band.curvatures[place, chosen], bent)


@pytest.mark.parametrize("grid", [(4, 4, 5), (4, 4, 6), (3, 3, 1)])
def test_weights_count_every_point_of_the_grid(grid: tuple[int, int, int]):
    assert grid_weights(np.array(grid)).sum() == np.prod(grid)


def test_meshes_grow_only_along_axes_that_rotations_link():
    rotations = point_group(tetragonal(3.0, 4.0))
    assert symmetric_mesh(np.array([4, 5, 9]), rotations) == (5, 5, 9)
    assert symmetric_mesh(np.array([4, 5, 9]), point_group(tetragonal())) == (9, 9, 9)
    assert symmetric_mesh(np.array([4, 5, 9]), np.array([np.eye(3), -np.eye(3)], dtype=int)) == (
        4,
        5,
        9,
    )
