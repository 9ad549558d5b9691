"""The lower convex hull of one chemical system, as the planes that carry it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import ThermoError

# A facet of the lower hull looks down; what is steeper than this stands on the edge of the
# composition space.
UPRIGHT = 1e-10
# eV/atom by which a plane may lie above a phase that it should carry: rounding.
ROUNDING = 1e-9


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
        num_elements = fractions.shape[1]
        if not np.isfinite(energies).all():
            raise ThermoError(
                "a phase of the hull has an energy that is NaN or infinite; leave such phases out"
            )
        if num_elements == 1:
            lowest = int(energies.argmin())
            return cls(fractions, energies, energies[[lowest], None], np.array([[lowest]]))
        return cls(fractions, energies, *_lower_facets(fractions, energies))

    def energy(self, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) energy of the hull at (n, k) compositions, eV/atom.

        The hull is convex and made of planes, so at every composition it is the highest of them:
        E_hull(x) = max over facets f of mu_f . x. No facet has to be searched.
        """
        return np.asarray((fractions @ self.potentials.T).max(axis=1))

    def stable(self, tolerance: float = 1e-8) -> NDArray[np.bool_]:
        """(p,) whether each phase lies on the hull, within eV/atom."""
        return np.asarray(self.energies - self.energy(self.fractions) <= tolerance)


def _lower_facets(
    fractions: NDArray[np.float64], energies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Potentials and phases of the facets that look down."""
    from scipy.spatial import ConvexHull, QhullError

    # A point high above the middle makes the body solid even where all phases lie on one plane.
    apex = np.append(fractions.mean(axis=0)[1:], energies.max() + 1.0)
    points = np.vstack([np.column_stack([fractions[:, 1:], energies]), apex])
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError) as err:
        raise ThermoError(
            f"the {len(energies)} phases span no hull: are all pure elements there? {err}"
        ) from err
    down = hull.equations[:, -2] < -UPRIGHT
    normals, offsets = hull.equations[down, :-1], hull.equations[down, -1]
    # On a facet n_x . x + n_E E + c = 0, so at the corner of element i, where x_i = 1: mu_i = -(n_i
    # + c) / n_E.
    at_corners = np.column_stack([np.zeros(len(normals)), normals[:, :-1]]) + offsets[:, None]
    potentials = -at_corners / normals[:, -1:]
    # Slivers of rounding at the edge of the composition space can have any slope; a true facet
    # carries all phases.
    carries = (potentials @ fractions.T - energies).max(axis=1, initial=-np.inf) <= ROUNDING
    return potentials[carries], hull.simplices[down][carries]
