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
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gen2dft.transport.stars import Stars

FloatArray = NDArray[np.float64]
PhaseTables = list[NDArray[np.complex128]]
# Weights of the roughness function that Madsen et al. take from Pickett, Krakauer and Allen, Phys.
# Rev. B 38, 2721.
ROUGHNESS = (0.75, 0.75)
CHUNK = 4_000_000  # phases held at a time: k-points times lattice vectors
# Pairs of Cartesian axes, in the order of symmetric tensors.
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


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
        functions = star_functions(kpoints, self.stars)
        return self.coefficients @ functions.T

    @property
    def reciprocal_lengths(self) -> FloatArray:
        """(3,) lengths of the reciprocal vectors, 1/Angstrom, with 2 pi."""
        inverse = np.linalg.inv(self.lattice)
        lengths = np.linalg.norm(inverse, axis=0)
        return 2 * np.pi * lengths

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
    without_origin = functions[:, 1:]
    last_s = without_origin[-1]
    last_e = energies[:, -1]
    ds = without_origin[:-1] - last_s
    de = energies[:, :-1].T - last_e
    inverse_rho = 1.0 / roughness(stars.lengths[1:])
    h = (ds * inverse_rho) @ ds.T
    multipliers = _solve(h, de)
    rest = inverse_rho * (multipliers.T @ ds)
    # The star of the origin costs no roughness; it takes up what is left at the last k-point.
    origin = last_e - rest @ last_s
    coefficients = np.column_stack([origin, rest])
    return Interpolation(lattice, stars, coefficients)


def roughness(lengths: FloatArray) -> FloatArray:
    """Roughness (1 - c1 x^2)^2 + c2 x^6 with x = |R| / |R_shortest|.

    lengths of the stars without the origin.
    """
    c1, c2 = ROUGHNESS
    x = lengths / lengths[0]
    x2 = x**2
    curvature = (1.0 - c1 * x2) ** 2
    return curvature + c2 * x2**3


def star_functions(kpoints: FloatArray, stars: Stars) -> FloatArray:
    """(n_k, m) mean of exp(2 pi i k.R) over each star; real, since a star holds -R with R."""
    tables = _phase_tables(kpoints, stars.reach)
    starts = np.append(stars.starts, len(stars.vectors))
    shape = (len(kpoints), len(stars.sizes))
    sums = np.empty(shape)
    at_once = max(1, CHUNK // len(kpoints))
    for chunk in _chunks(starts, at_once):
        first = starts[chunk]
        begin = first[0]
        end = starts[chunk.stop]
        places = stars.vectors[begin:end] + stars.reach
        phases = _real_phases(tables, places)
        sums[:, chunk] = np.add.reduceat(phases, first - begin, axis=1)
    return sums / stars.sizes


def _chunks(starts: NDArray[np.int64], size: int) -> Iterator[slice]:
    """Runs of stars of about `size` vectors in all, each of one star at least.

    Parameters
    ----------
    starts
        (m + 1,) first vector of each star, and the number of all vectors.
    """
    count = len(starts) - 1
    begin = 0
    while begin < count:
        limit = starts[begin] + size
        whole = int(np.searchsorted(starts, limit, side="right")) - 1
        end = max(begin + 1, whole)
        yield slice(begin, end)
        begin = end


def _phase_tables(kpoints: FloatArray, reach: NDArray[np.int64]) -> PhaseTables:
    """exp(2 pi i k_a N) for each axis a: (n_k, 2 reach_a + 1), N from -reach_a on."""
    tables = []
    for k, largest in zip(kpoints.T, reach, strict=True):
        coordinates = np.arange(-largest, largest + 1)
        turns = np.outer(k, coordinates)
        phases = np.exp(2j * np.pi * turns)
        tables.append(phases)
    return tables


def _real_phases(tables: PhaseTables, places: NDArray[np.int64]) -> FloatArray:
    """(n_k, n) cos(2 pi k.R) of vectors given by their places in the tables, (n, 3).

    exp(2 pi i k.R) is a product of three factors, one from each table.
    """
    of_x, of_y, of_z = tables
    x, y, z = places.T
    first = of_x[:, x] * of_y[:, y]
    last = of_z[:, z]
    # The imaginary part, which adds up to 0 over a star, is never made.
    both_real: FloatArray = first.real * last.real
    both_imaginary: FloatArray = first.imag * last.imag
    return both_real - both_imaginary


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve for a positive matrix; by least squares where rounding makes it singular."""
    from scipy import linalg

    try:
        factor = linalg.cho_factor(matrix)
    except linalg.LinAlgError:
        return linalg.lstsq(matrix, right)[0]
    solution = linalg.cho_solve(factor, right)
    # One step of refinement: the entries of the matrix span many orders of magnitude.
    residual = right - matrix @ solution
    return solution + linalg.cho_solve(factor, residual)


def grid_weights(grid: NDArray[np.int64]) -> FloatArray:
    """(n,) how many points of the whole grid each point of a GridBand stands for."""
    a, b, c = grid
    _, _, half = _half_shape(grid)
    along = np.full(half, 2.0)
    # Gamma, and the edge of the zone if the grid holds it, are minus themselves.
    along[0] = 1.0
    if c % 2 == 0:
        along[-1] = 1.0
    return np.tile(along, a * b)


def _half_shape(grid: NDArray[np.int64]) -> tuple[int, int, int]:
    """Shape of the half of a grid that a real FFT keeps."""
    a, b, c = grid.tolist()
    return a, b, c // 2 + 1


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
    # A real FFT is given one of R and -R.
    kept = stars.vectors[:, 2] >= 0
    vectors = stars.vectors[kept]
    star_of = stars.star_of[kept]
    places = _places(vectors, grid)
    to_grid = partial(_to_grid, places=places, grid=grid)
    r = (vectors @ series.lattice).T
    r_r = [r[a] * r[b] for a, b in PAIRS]
    for coefficients in series.coefficients:
        per_vector = coefficients / stars.sizes
        amplitudes = per_vector[star_of]
        energies = to_grid(amplitudes)
        # d/dk of exp(i k.R) is i R times it, and so on.
        first = [to_grid(1j * amplitudes * factor) for factor in r]
        curvatures = None
        if curvature:
            second = [to_grid(-amplitudes * factor) for factor in r_r]
            curvatures = np.stack(second)
        yield GridBand(energies, np.stack(first), curvatures)


def _places(vectors: NDArray[np.int64], grid: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) place of each lattice vector in the flat array that a real FFT is given."""
    a, b, _ = grid
    x, y, z = vectors.T
    # Negative coordinates along the first two axes count from the end.
    wrapped = (x % a, y % b, z)
    return np.ravel_multi_index(wrapped, _half_shape(grid))


def _to_grid(
    amplitudes: NDArray[np.complex128] | FloatArray,
    places: NDArray[np.int64],
    grid: NDArray[np.int64],
) -> FloatArray:
    """Sum of amplitude times exp(2 pi i k.R) at the points of the grid that are not minus another
    one.
    """
    from scipy import fft

    shape = _half_shape(grid)
    spectrum = np.zeros(shape, dtype=np.complex128)
    spectrum.reshape(-1)[places] = amplitudes
    size = tuple(grid.tolist())
    whole = fft.irfftn(spectrum, s=size, norm="forward", overwrite_x=True)
    half = whole[:, :, : shape[2]]
    return np.ascontiguousarray(half).reshape(-1)
