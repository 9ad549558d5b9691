"""Fourier interpolation of bands by symmetrised plane waves: Shankland, Koelling and Wood, as in
BoltzTraP2.

Source: G. K. H. Madsen, J. Carrete and M. J. Verstraete, Comput. Phys. Commun. 231, 140 (2018),
section 2.1, after R. D. Shankland, Int. J. Quantum Chem. Symp. 5, 497 (1971) and D. D. Koelling and
J. H. Wood, J. Comput. Phys. 67, 253 (1986). The mathematics is theirs; what differs is the order of
the work: phases are products of one-dimensional tables, all algebra is real because each star holds
-R with R, and bands pass one at a time through a real FFT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.transport.stars import Stars

FloatArray = NDArray[np.float64]
# Weights of the roughness function that Madsen et al. take from Pickett, Krakauer and Allen, Phys.
# Rev. B 38, 2721.
ROUGHNESS = (0.75, 0.75)
CHUNK = 4_000_000  # phases held at a time: k-points times lattice vectors
PAIRS = (
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 1),
    (1, 2),
    (2, 2),
)  # of Cartesian axes, order of symmetric tensors


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Bands as Fourier series: e(k) = sum over stars of coefficient times the mean of exp(2 pi i
    k.R) over the star.

    Parameters
    ----------
    lattice
        (3, 3) lattice vectors as rows, Angstrom.
    stars
        The m stars of the series.
    coefficients
        (n_bands, m) eV.
    """

    lattice: FloatArray
    stars: Stars
    coefficients: FloatArray

    def energies(self, kpoints: FloatArray) -> FloatArray:
        """Band energies (n_bands, n_k), eV, at fractional k-points (n_k, 3)."""
        return self.coefficients @ star_functions(kpoints, self.stars).T

    def smallest_grid(self) -> NDArray[np.int64]:
        """(3,) the grid that just holds the series; BoltzTraP2's choice."""
        return 2 * self.stars.reach + 1


@dataclass(frozen=True, eq=False)
class GridBand:
    """One band on a grid of k-points.

    one of k and -k, which are alike, is left out and counted by its weight.

    Parameters
    ----------
    energies
        (n,) eV.
    velocities
        (3, n) derivatives by the Cartesian wave vector, eV Angstrom (hbar times the velocity).
    curvatures
        (6, n) second derivatives in the order of `PAIRS`, eV Angstrom^2; None if not asked for.
    """

    energies: FloatArray
    velocities: FloatArray
    curvatures: FloatArray | None


def fit(
    lattice: FloatArray, stars: Stars, functions: FloatArray, energies: FloatArray
) -> Interpolation:
    """The smoothest series of these stars that passes through all energies.

    Parameters
    ----------
    lattice
        (3, 3) rows, Angstrom.
    functions
        (n_k, m) `star_functions` at the k-points.
    energies
        (n_bands, n_k) eV.

    Notes
    -----
    Minimise the sum of rho_L |c_L|^2 under e(k) = sum c_L S_L(k): with differences to the last
    k-point, H l = de, H_kk' = sum_L dS_L(k) dS_L(k') / rho_L, c_L = sum_k l_k dS_L(k) / rho_L
    (Madsen et al., eqs. 5 to 8).
    """
    s = functions
    ds, de = s[:-1, 1:] - s[-1, 1:], (energies[:, :-1] - energies[:, -1:]).T
    smooth = 1.0 / roughness(stars.lengths[1:])
    multipliers = _solve((ds * smooth) @ ds.T, de)
    rest = smooth * (multipliers.T @ ds)
    origin = energies[:, -1] - rest @ s[-1, 1:]
    return Interpolation(lattice, stars, np.column_stack([origin, rest]))


def roughness(lengths: FloatArray) -> FloatArray:
    """Roughness (1 - c1 x^2)^2 + c2 x^6 with x = |R| / |R_shortest|.

    lengths of the stars without the origin.
    """
    x2 = (lengths / lengths[0]) ** 2
    return (1.0 - ROUGHNESS[0] * x2) ** 2 + ROUGHNESS[1] * x2**3


def star_functions(kpoints: FloatArray, stars: Stars) -> FloatArray:
    """(n_k, m) mean of exp(2 pi i k.R) over each star; real, since a star holds -R with R."""
    bounds = stars.reach
    # exp(2 pi i k.R) is a product of three factors, each from a small table.
    tables = [
        np.exp(2j * np.pi * np.outer(kpoints[:, axis], np.arange(-bounds[axis], bounds[axis] + 1)))
        for axis in range(3)
    ]
    out = np.empty((len(kpoints), len(stars.sizes)))
    starts = np.append(stars.starts, len(stars.vectors))
    step = max(1, CHUNK // len(kpoints))
    begin = 0
    while begin < len(stars.sizes):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + step, side="right")) - 1)
        rows = stars.vectors[starts[begin] : starts[end]] + bounds
        xy = tables[0][:, rows[:, 0]] * tables[1][:, rows[:, 1]]
        z = tables[2][:, rows[:, 2]]
        real = xy.real * z.real - xy.imag * z.imag
        out[:, begin:end] = np.add.reduceat(real, starts[begin:end] - starts[begin], axis=1)
        begin = end
    return out / stars.sizes


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve for a positive matrix; by least squares where rounding makes it singular."""
    from scipy import linalg

    try:
        factor = linalg.cho_factor(matrix)
    except linalg.LinAlgError:
        return linalg.lstsq(matrix, right)[0]
    solution = linalg.cho_solve(factor, right)
    # One step of refinement: the entries of the matrix span many orders of magnitude.
    return solution + linalg.cho_solve(factor, right - matrix @ solution)


def grid_weights(grid: NDArray[np.int64]) -> FloatArray:
    """(n,) how many points of the whole grid each point of a GridBand stands for."""
    half = grid[2] // 2 + 1
    along = np.full(half, 2.0)
    along[0] = 1.0
    if grid[2] % 2 == 0:
        along[-1] = 1.0
    return np.tile(along, grid[0] * grid[1])


def bands_on_grid(
    series: Interpolation, grid: NDArray[np.int64], curvature: bool
) -> Iterator[GridBand]:
    """Energies, velocities and, if asked for, curvatures of each band in turn, on a grid of
    k-points from Gamma.

    Parameters
    ----------
    grid
        (3,) points along each reciprocal axis, at least `series.smallest_grid()`.
    """
    stars = series.stars
    kept = stars.vectors[:, 2] >= 0
    vectors, star = stars.vectors[kept], stars.star_of[kept]
    shape = (int(grid[0]), int(grid[1]), int(grid[2]) // 2 + 1)
    places = np.ravel_multi_index(
        (vectors[:, 0] % grid[0], vectors[:, 1] % grid[1], vectors[:, 2]), shape
    )
    cartesian = (vectors @ series.lattice).T
    for coefficients in series.coefficients:
        amplitudes = (coefficients / stars.sizes)[star]
        # d/dk of exp(i k.R) is i R times it, and so on.
        energies = _to_grid(amplitudes, places, grid)
        velocities = np.stack([_to_grid(1j * amplitudes * r, places, grid) for r in cartesian])
        curvatures = None
        if curvature:
            products = (cartesian[a] * cartesian[b] for a, b in PAIRS)
            curvatures = np.stack([_to_grid(-amplitudes * rr, places, grid) for rr in products])
        yield GridBand(energies, velocities, curvatures)


def _to_grid(
    amplitudes: NDArray[np.complex128] | FloatArray,
    places: NDArray[np.int64],
    grid: NDArray[np.int64],
) -> FloatArray:
    """Sum of amplitude times exp(2 pi i k.R) at the points of the grid that are not minus another
    one.
    """
    from scipy import fft

    half = int(grid[2]) // 2 + 1
    buffer = np.zeros(int(grid[0]) * int(grid[1]) * half, dtype=np.complex128)
    buffer[places] = amplitudes
    shaped = buffer.reshape(int(grid[0]), int(grid[1]), half)
    whole = fft.irfftn(shaped, s=tuple(int(n) for n in grid), norm="forward", overwrite_x=True)
    return np.ascontiguousarray(whole[:, :, :half]).reshape(-1)
