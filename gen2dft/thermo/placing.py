"""What a crystal's place against the hull says of it: one rule for screen, labels and hits.

Up to 0.3 eV/atom below the hull is below the hull. Up to 1 eV/atom, the hull lacks phases: the
crystal is kept with a remark and ranked last; so it is at any depth where a bare element is among
its products. What lies deeper below compounds, or has a formation energy that no compound has,
comes from a wrong energy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gen2dft.thermo.formulas import reduced, system_of

if TYPE_CHECKING:
    from gen2dft.thermo.hull import ReferenceHull

HULL_INCOMPLETE = "hull_incomplete"
HULL_MIXES_R2SCAN = "hull_mixes_r2scan"
HULL_OF_OLDER_PHASES = "hull_of_older_phases"
IMPLAUSIBLE_ENERGY = "implausible_energy"

INCOMPLETE_BELOW = -0.3
"""eV/atom: below any known crystal, and below what potentials and functionals err by"""
IMPLAUSIBLE_BELOW = -1.0
"""eV/atom: three times that; no missing phase of a covered system makes up for more"""
FORMATION_ENERGY = (-5.0, 5.0)
"""eV/atom: the lowest of all compounds, the fluorides of actinides, have -4.5"""


def remark_of(e_above_hull: float | None, incomplete_below: float) -> str | None:
    """The remark on a distance to the hull: `hull_incomplete`, or None.

    Parameters
    ----------
    e_above_hull
        eV/atom; None where the hull does not cover the system.
    incomplete_below
        eV/atom, below which the hull counts as incomplete.
    """
    if e_above_hull is None or e_above_hull >= incomplete_below:
        return None
    return HULL_INCOMPLETE


def hull_remarks(hull: ReferenceHull, composition: Mapping[Any, float]) -> list[str]:
    """What the hull's energy at a composition rests on, where a reader must know it.

    `hull_mixes_r2scan`: a phase into which the crystal would fall apart has an energy of the mixed
    scale. `hull_of_older_phases`: the hull mixes scales, but has no newer phase of one of the
    elements (ytterbium in the one that ships), so that competitors may be missing. Neither ranks a
    crystal last.
    """
    symbols = system_of(reduced(composition))
    if not hull.mixed or hull.gap(symbols) is not None:
        return []
    found = []
    if any(product.is_mixed for product in hull.decomposition(composition)):
        found.append(HULL_MIXES_R2SCAN)
    if hull.unmixed_elements.intersection(symbols):
        found.append(HULL_OF_OLDER_PHASES)
    return found


def lacks_compounds(hull: ReferenceHull, composition: Mapping[Any, float]) -> bool:
    """Whether a crystal would fall apart into a bare element, as where its system is unexplored.

    Its depth below the hull is then little else than its formation energy, and no depth is proof of
    a wrong one: of 7,140 known crystals, each judged without its own formula, 89 lie more than 1
    eV/atom below the whole hull, all of them so.
    """
    formula = reduced(composition)
    if len(formula) == 1 or hull.gap(system_of(formula)) is not None:
        return False
    return any(len(product.composition) == 1 for product in hull.decomposition(composition))


def why_implausible(
    formation_energy: float | None,
    e_above_hull: float | None,
    incomplete_below: float,
    *,
    unexplored: bool = False,
) -> str | None:
    """Why energies are not believed, for people; None if they are.

    Parameters
    ----------
    formation_energy, e_above_hull
        eV/atom; None where unknown. NaN is never believed.
    incomplete_below
        As for `remark_of`. A campaign that expects crystals still deeper moves the bound with it.
    unexplored
        See `lacks_compounds`: the hull then lacks phases at any depth.
    """
    low, high = FORMATION_ENERGY
    if formation_energy is not None and not low <= formation_energy <= high:
        return (
            f"a formation energy of {formation_energy:.2f} eV/atom is outside {low:g} to {high:g}"
        )
    deepest = min(IMPLAUSIBLE_BELOW, incomplete_below)
    if e_above_hull is None or e_above_hull >= deepest:
        return None
    if math.isnan(e_above_hull) or not unexplored:
        return f"{-e_above_hull:.2f} eV/atom below the hull; the bound is {-deepest:g}"
    return None


def warning_of(e_above_hull: float) -> str:
    """What a label says whose crystal lies so far below the hull that the hull lacks phases."""
    return (
        f"hull incomplete: {-e_above_hull:.2f} eV/atom below the hull, which lacks phases of this "
        "system: the distance does not measure stability"
    )
