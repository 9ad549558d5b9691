"""Self-test of a reference hull: before anything is called stable, the known stable phases must
come out so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import ThermoError
from gen2dft.thermo.formulas import Formula, formula_text
from gen2dft.thermo.hull import ReferenceHull

TOLERANCE = 0.01  # eV/atom
BELOW = 1e-6  # eV/atom by which a phase of the reference may lie below its own hull: rounding
# Phases at most, evenly over the sorted list, so that a hull of 100,000 takes a second.
TESTED = 1000
NAMED = 5  # failing phases in the message


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
    energy_of = {entry.composition: entry.formation_energy for entry in hull.entries}
    known = [formula for formula in hull.known_stable if formula in energy_of]
    formulas = _evenly(known or list(energy_of))
    compositions = [dict(formula) for formula in formulas]
    energies = [energy_of[formula] for formula in formulas]
    distances = hull.e_above_hull_many(compositions, energies)
    # What the hull does not cover (NaN) gets no number later either.
    failing = distances < -BELOW
    if known:
        failing |= distances > tolerance
    if failing.any():
        raise _failed(hull, formulas, distances, failing, tolerance)
    return len(formulas)


def _failed(
    hull: ReferenceHull,
    formulas: list[Formula],
    distances: NDArray[np.float64],
    failing: NDArray[np.bool_],
    tolerance: float,
) -> ThermoError:
    """The error that names the phases furthest from where they should be."""
    rows = np.flatnonzero(failing)
    worst_first = sorted(rows, key=lambda row: -abs(distances[row]))
    places = []
    for row in worst_first[:NAMED]:
        formula = formula_text(formulas[row])
        places.append(f"{formula} at {distances[row]:+.3f}")
    worst = ", ".join(places)
    how_many = f"{len(rows)} of {len(formulas)}"
    return ThermoError(
        f"hull {hull.hull_hash} fails its self-test: {how_many} known stable phases are not at 0 "
        f"within {tolerance:g} eV/atom: {worst}. Its energies are not of one kind, or its labels "
        "belong to another hull; mend the source, or raise `hull.tolerance` knowingly"
    )


def _evenly(formulas: list[Formula]) -> list[Formula]:
    """At most `TESTED` of them, evenly over the list."""
    count = min(TESTED, len(formulas))
    places = np.linspace(0, len(formulas) - 1, count)
    rows = np.unique(places.round().astype(int))
    return [formulas[row] for row in rows]
