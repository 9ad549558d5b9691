"""Kinds of numbers in a campaign file, each with the widest limits that mean anything.

They are there to refuse a slip (1e308 for 1e-3) where it is written, not to say what is wise.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from gen2dft.errors import not_one_of, shown

Named = TypeVar("Named", tuple[str, ...], dict[str, float])
# Not asked of pymatgen, which takes half a second to import.
_PERIODS = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm
Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
SYMBOLS = tuple(_PERIODS.split())
LARGEST = 1e30  # of any number: a carrier concentration per m^3 has 27 digits
LARGEST_WHOLE = 2**63 - 1  # the database keeps whole numbers of 64 bits
MOST_SITES = 10_000
MOST_ELEMENTS = 20

Seed = Annotated[int, Field(ge=0, le=LARGEST_WHOLE)]
# Crystals, candidates, draws.
Many = Annotated[int, Field(ge=1, le=100_000_000)]
# Rounds, attempts, meshes: what is done one after the other.
Few = Annotated[int, Field(ge=1, le=10_000)]
Sites = Annotated[int, Field(ge=1, le=MOST_SITES)]
Elements = Annotated[int, Field(ge=1, le=MOST_ELEMENTS)]
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]  # of a network's layer
BatchSize = Annotated[int, Field(ge=2, le=1_000_000)]
Rate = Annotated[float, Field(gt=0, le=10)]  # of learning
Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1e9)]
Scale = Annotated[float, Field(gt=0, le=1000)]  # relative to a spread
Value = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]  # of a property, in its unit
PositiveValue = Annotated[float, Field(gt=0, le=LARGEST)]
# Distances to the hull and formation energies, eV/atom.
EnergyDifference = Annotated[float, Field(ge=-100, le=100)]
EnergyTolerance = Annotated[float, Field(gt=0, le=100)]
Energy = Annotated[float, Field(ge=-1e6, le=1e6)]  # eV/atom; all electrons of uranium: -7.6e5
Length = Annotated[float, Field(gt=0, le=100)]  # Angstrom
Volume = Annotated[float, Field(gt=0, le=10_000)]  # Angstrom^3 per atom
Angle = Annotated[float, Field(gt=0, lt=180)]  # degree
Gap = Annotated[float, Field(gt=0, le=100)]  # eV
Temperature = Annotated[float, Field(gt=0, le=100_000)]  # K
Doping = Annotated[float, Field(gt=0, le=1e26)]  # carriers per cm^3
Hours = Annotated[float, Field(gt=0, le=1_000_000)]
Minutes = Annotated[float, Field(gt=0, le=10_000_000)]
CoreHours = Annotated[float, Field(gt=0, le=1e9)]
Gigabytes = Annotated[float, Field(gt=0, le=1_000_000)]
Cores = Annotated[int, Field(ge=1, le=1_000_000)]


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    if low > high:
        raise ValueError(f"{low:g} is above {high:g}: give the lower end first")
    return ends


Ascending = AfterValidator(_ascending)


def _of_elements(given: Named) -> Named:
    for symbol in given:
        if symbol not in SYMBOLS:
            raise ValueError(not_one_of("element", symbol, SYMBOLS))
    return given


def _walltime(given: object) -> object:
    text = given if isinstance(given, str) else ""
    found = re.fullmatch(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])", text)
    if found is None:
        raise ValueError(f"{shown(given)} is no walltime: write h:mm:ss, such as 24:00:00")
    if not any(int(part) for part in found.groups()):
        raise ValueError("a walltime of nothing: give a stage some time, such as 24:00:00")
    return given


Walltime = Annotated[str, BeforeValidator(_walltime)]
Symbols = Annotated[tuple[str, ...], AfterValidator(_of_elements)]
ReferenceEnergies = Annotated[dict[str, Energy], AfterValidator(_of_elements)]
