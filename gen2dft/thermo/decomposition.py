"""Energy of a crystal against the phases into which it would decompose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gen2dft.thermo.formulas import Formula, reduced, system_of
from gen2dft.thermo.hull import Product, ReferenceHull

# Elements that are gases or molecular crystals. Semilocal functionals misplace them against solids
# by tenths of an eV per molecule (Wang et al., Phys. Rev. B 73, 195107 (2006)).
MOLECULAR = frozenset({"H", "N", "O", "F", "Cl", "Br", "I"})


def holds(hull: ReferenceHull, composition: Mapping[Any, float]) -> bool:
    """Whether a hull has a compound of this composition; elements do not count."""
    formula = reduced(composition)
    if len(formula) == 1:
        return False
    return any(known == formula for known, _ in hull.phases(system_of(formula)))


def products_of(hull: ReferenceHull, composition: Mapping[Any, float]) -> list[Product]:
    """The phases into which a composition would decompose, phases of its own formula left out; the
    largest share first.

    Raises
    ------
    ThermoError
        If the hull does not cover the chemical system.
    """
    others = hull.without(composition) if holds(hull, composition) else hull
    return others.decomposition(composition)


def decomposition_energy(energy_per_atom: float, products: Iterable[tuple[float, float]]) -> float:
    """E/N - sum_i x_i E_i/N_i, eV/atom; negative below the products.

    Parameters
    ----------
    products
        Share of the atoms and energy (eV/atom) of each product, all of one engine and preset.
    """
    return energy_per_atom - sum(share * energy for share, energy in products)


def is_molecular(formula: Formula) -> bool:
    """Whether a product is an element of molecules."""
    return len(formula) == 1 and formula[0][0] in MOLECULAR
