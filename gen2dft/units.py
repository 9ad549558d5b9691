"""Units of labels, and their conversion to those of the properties.

Constants: CODATA 2018. Energies per cell or per formula unit are none of these, since they cannot
be converted without the crystal.
"""

from __future__ import annotations

from collections.abc import Mapping

KJ_PER_EV = 96.48533212  # kJ/mol
HARTREE = 27.211386245988  # eV
KJ_PER_KCAL = 4.184

# Unit to how many of the first unit one of it is; the first one is the properties' own.
PER_ATOM: Mapping[str, float] = {
    "eV/atom": 1.0,
    "meV/atom": 1e-3,
    "kJ/mol-atom": 1 / KJ_PER_EV,
    "kcal/mol-atom": KJ_PER_KCAL / KJ_PER_EV,
    "Hartree/atom": HARTREE,
    "Rydberg/atom": HARTREE / 2,
}
ENERGY: Mapping[str, float] = {
    "eV": 1.0,
    "meV": 1e-3,
    "Hartree": HARTREE,
    "Rydberg": HARTREE / 2,
}
# In the constant-relaxation-time approximation; those per second are divided by the time already.
POWER_FACTOR: Mapping[str, float] = {
    "uW cm^-1 K^-2 at tau = 1e-14 s": 1.0,
    "uW/cm/K^2": 1.0,
    "mW/m/K^2": 10.0,
    "W/m/K^2": 1e4,
    "uW/cm/K^2/s": 1e-14,
    "W/m/K^2/s": 1e-10,
}
FAMILIES = (PER_ATOM, ENERGY, POWER_FACTOR)


def units_like(unit: str) -> tuple[str, ...]:
    """Units that can be converted to this one, itself among them."""
    family = _family(unit)
    return (unit,) if family is None else tuple(family)


def factor(given: str, wanted: str) -> float:
    """What a value in one unit is multiplied by to be in another.

    Raises
    ------
    ValueError
        The units are not of one kind, or the given one is unknown; the message lists those taken.
    """
    if given == wanted:
        return 1.0
    family = _family(wanted)
    if family is None or given not in family:
        taken = ", ".join(units_like(wanted))
        raise ValueError(f"unit {given!r} cannot be converted to {wanted}; units taken: {taken}")
    return family[given] / family[wanted]


def _family(unit: str) -> Mapping[str, float] | None:
    """The units of one kind that a unit is among."""
    return next((family for family in FAMILIES if unit in family), None)
