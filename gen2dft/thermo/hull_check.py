"""Self-test of a reference hull: before anything is called stable, the known stable phases must
come out so.
"""

from __future__ import annotations

import numpy as np

from gen2dft.errors import ThermoError
from gen2dft.thermo.hull import ReferenceHull, formula_text

TOLERANCE = 0.01  # eV/atom
BELOW = 1e-6  # eV/atom by which a phase of the reference may lie below its own hull: rounding
TESTED = (
    1000  # phases at most, evenly over the sorted list, so that a hull of 100,000 takes a second
)


def self_test(hull: ReferenceHull, tolerance: float = TOLERANCE) -> int:
    """Measure the reference against its own hull.

    Phases that the source calls stable must lie at 0 within `tolerance` (their labels and the hull
    made of them are independent figures, so labels of another version or scale are found out); no
    phase may lie below the hull.

    Parameters
    ----------
    tolerance
        eV/atom.

    Returns
    -------
    Number of phases tested.

    Raises
    ------
    ThermoError
        Empty reference, or phases that fail, worst first.
    """
    if not hull.entries:
        raise ThermoError(
            "the reference hull is empty: its source has no crystal with a formation energy; "
            "choose another (`hull`)"
        )
    energies = {entry.composition: entry.formation_energy for entry in hull.entries}
    known = [formula for formula in hull.known_stable if formula in energies]
    formulas = _evenly(known or list(energies))
    distances = hull.e_above_hull_many([dict(f) for f in formulas], [energies[f] for f in formulas])
    # What the hull does not cover (NaN) gets no number later either.
    failing = distances < -BELOW
    if known:
        failing |= distances > tolerance
    if failing.any():
        worst = sorted(np.flatnonzero(failing), key=lambda row: -abs(distances[row]))[:5]
        named = ", ".join(
            f"{formula_text(formulas[row])} at {distances[row]:+.3f}" for row in worst
        )
        raise ThermoError(
            f"hull {hull.hull_hash} fails its self-test: {failing.sum()} of {len(formulas)} known "
            "stable phases are "
            f"not at 0 within {tolerance:g} eV/atom: {named}. Its energies are not of one kind, or "
            "its labels "
            "belong to another hull; mend the source, or raise `hull.tolerance` knowingly"
        )
    return len(formulas)


def _evenly(formulas: list[tuple[tuple[str, int], ...]]) -> list[tuple[tuple[str, int], ...]]:
    """At most `TESTED` of them, evenly over the list."""
    rows = np.unique(
        np.linspace(0, len(formulas) - 1, min(TESTED, len(formulas))).round().astype(int)
    )
    return [formulas[row] for row in rows]
