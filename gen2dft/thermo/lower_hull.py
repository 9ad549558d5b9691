"""The lower convex hull of one chemical system, as the planes that carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import ThermoError

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull

# A facet of the lower hull looks down; what is steeper than this stands on the edge of the
# composition space.
UPRIGHT = 1e-10
# eV/atom by which a plane may lie above a phase that it should carry: rounding.
ROUNDING = 1e-9
SHARE = 1e-7  # of the atoms: rounding


@dataclass(frozen=True, eq=False)
class LowerHull:
    """Lower convex hull of the phases of one chemical system of `k` elements.

    Parameters
    ----------
    fractions
        (p, k) atomic fractions of the phases; the pure elements are among them.
    energies
        (p,) formation energies, eV/atom.
    potentials
        (f, k) one row per facet: the chemical potentials of the elements on it, eV/atom against the
        elements.
    facets
        (f, k) which phases each facet joins.
    """

    fractions: NDArray[np.float64]
    energies: NDArray[np.float64]
    potentials: NDArray[np.float64]
    facets: NDArray[np.int64]

    @classmethod
    def of_phases(cls, fractions: NDArray[np.float64], energies: NDArray[np.float64]) -> LowerHull:
        """The hull below phases of different compositions.

        Raises
        ------
        ThermoError
            If an energy is not finite, or the phases span no hull because a pure element is
            missing.
        """
        if not np.isfinite(energies).all():
            raise ThermoError(
                "a phase of the hull has an energy that is NaN or infinite; leave such phases out"
            )
        _, num_elements = fractions.shape
        if num_elements == 1:
            lowest = int(energies.argmin())
            potentials = energies[[lowest], None]
            return cls(fractions, energies, potentials, np.array([[lowest]]))
        potentials, facets = _lower_facets(fractions, energies)
        return cls(fractions, energies, potentials, facets)

    def energy(self, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) energy of the hull at (n, k) compositions, eV/atom.

        The hull is convex and made of planes, so at every composition it is the highest of them:
        E_hull(x) = max over facets f of mu_f . x. No facet has to be searched.
        """
        planes = fractions @ self.potentials.T
        return np.asarray(planes.max(axis=1))

    def shares(self, fractions: NDArray[np.float64]) -> dict[int, float]:
        """Phase to its share of the atoms where a composition, (k,) fractions, falls apart."""
        planes = self.potentials @ fractions
        # Several facets meet where a composition lies on an edge; any that holds it will do.
        for facet in self.facets[planes >= planes.max() - ROUNDING]:
            shares, *_ = np.linalg.lstsq(self.fractions[facet].T, fractions, rcond=None)
            left = self.fractions[facet].T @ shares - fractions
            if shares.min() >= -SHARE and np.abs(left).max() <= SHARE:
                pairs = zip(facet.tolist(), shares.tolist(), strict=True)
                return {phase: share for phase, share in pairs if share > SHARE}
        raise ThermoError(f"no facet of the hull holds the composition {fractions.tolist()}")

    def stable(self, tolerance: float = 1e-8) -> NDArray[np.bool_]:
        """(p,) whether each phase lies on the hull, within eV/atom."""
        above = self.energies - self.energy(self.fractions)
        return np.asarray(above <= tolerance)


def _lower_facets(
    fractions: NDArray[np.float64], energies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Potentials and phases of the facets that look down."""
    hull = _body(fractions, energies)
    slopes = hull.equations[:, -2]
    down = slopes < -UPRIGHT
    potentials = _potentials(hull.equations[down])
    # Slivers of rounding at the edge of the composition space can have any slope; a true facet
    # carries all phases.
    above = potentials @ fractions.T - energies
    carries = above.max(axis=1, initial=-np.inf) <= ROUNDING
    facets = hull.simplices[down]
    return potentials[carries], facets[carries]


def _body(fractions: NDArray[np.float64], energies: NDArray[np.float64]) -> ConvexHull:
    """Convex hull of the phases, without the first fraction, and of a point above them all.

    That point makes the body solid even where all phases lie on one plane.
    """
    from scipy.spatial import ConvexHull, QhullError

    num_phases, num_elements = fractions.shape
    points = np.empty((num_phases + 1, num_elements))
    points[:-1, :-1] = fractions[:, 1:]
    points[:-1, -1] = energies
    points[-1, :-1] = fractions[:, 1:].mean(axis=0)
    points[-1, -1] = energies.max() + 1.0
    try:
        return ConvexHull(points)
    except (QhullError, ValueError) as err:
        raise ThermoError(
            f"the {len(energies)} phases span no hull: are all pure elements there? {err}"
        ) from err


def _potentials(equations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(f, k) chemical potentials of the elements on facets n_x . x + n_E E + c = 0, eV/atom.

    At the corner of element i, where x_i = 1, E is mu_i = -(n_i + c) / n_E; the first element has
    no n_i.
    """
    normals, slope, offset = equations[:, :-2], equations[:, -2], equations[:, -1]
    # -mu_i n_E = n_i + c
    scaled = np.repeat(offset[:, None], normals.shape[1] + 1, axis=1)
    scaled[:, 1:] += normals
    return scaled / -slope[:, None]
