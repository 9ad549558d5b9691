"""The whole hull: of a table of formulas and formation energies, or of the API as of today.

The table has the columns `pretty_formula` (or `formula`), `formation_energy_per_atom`, eV/atom,
and `source`, which says for each row where its energy is from. Rows of sources that are named as
GGA are on the Materials Project's scale (GGA and GGA+U with MP2020 corrections). All others are on
the scale that mixes in r2SCAN, and serve where a formula has no GGA energy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gen2dft.datasets.cells import NoNumber, number
from gen2dft.datasets.materials_project import THERMO_TYPE, Client
from gen2dft.datasets.mp_phases import read_all_phases
from gen2dft.datasets.tables import read_table
from gen2dft.errors import DatasetError
from gen2dft.input_files import shown
from gen2dft.label_checks import LOWEST_ELEMENT
from gen2dft.thermo.formulas import Formula, formula_text, reduced
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_file import LARGEST, MOST_ATOMS, OTHER_UNIT
from gen2dft.thermo.scales import MATERIALS_PROJECT

FORMULA_COLUMNS = ("pretty_formula", "formula")
ENERGY_COLUMN, SOURCE_COLUMN = "formation_energy_per_atom", "source"
GGA_SOURCES = ("MP-20/MPTS-52",)
GGA, MIXED = THERMO_TYPE, "GGA_GGA+U_R2SCAN"  # thermo types of the API
SAME = 1e-4  # eV/atom within which two rows of a formula agree


@dataclass(frozen=True)
class Phase:
    """One row of the table.

    Parameters
    ----------
    place
        Where it stands in the file, e.g. `line 2`.
    formation_energy
        eV/atom.
    is_mixed
        Whether the energy is on the scale that mixes in r2SCAN.
    """

    place: str
    formula: Formula
    formation_energy: float
    is_mixed: bool


def build_hull(path: Path, gga_sources: Collection[str] = GGA_SOURCES) -> ReferenceHull:
    """The hull of a table.

    Parameters
    ----------
    path
        CSV file, compressed or not.
    gga_sources
        Values of the column `source` whose energies are GGA or GGA+U with MP2020 corrections.

    Raises
    ------
    DatasetError
        A column is missing, a formula cannot be read or stands there twice with different energies
        of one scale, an energy is no number or no formation energy per atom; the message names file
        and line.
    """
    lowest: dict[bool, dict[Formula, Phase]] = {False: {}, True: {}}
    for phase in _phases(path, gga_sources):
        known = lowest[phase.is_mixed].setdefault(phase.formula, phase)
        if abs(known.formation_energy - phase.formation_energy) > SAME:
            raise DatasetError(
                f"{path}, {phase.place}: {formula_text(phase.formula)} stands in {known.place} "
                f"already, with {known.formation_energy:g} instead of "
                f"{phase.formation_energy:g} eV/atom: leave the lowest phase of each formula"
            )
    gga, mixed = lowest[False], lowest[True]
    if not gga:
        raise DatasetError(
            f"{path} has no row whose source is {' or '.join(gga_sources)}: name the sources of "
            "its GGA energies, --gga-source NAME"
        )
    return _joined(_energies(gga), _energies(mixed))


def _energies(phases: Mapping[Formula, Phase]) -> dict[Formula, float]:
    return {formula: phase.formation_energy for formula, phase in phases.items()}


def hull_of_today(client: Client | None = None) -> tuple[ReferenceHull, str]:
    """The whole hull as the Materials Project has it today, and the version of its database.

    Parameters
    ----------
    client
        As for `gen2dft.datasets.mp_phases.read_all_phases`, whose errors it raises.
    """
    found = read_all_phases((GGA, MIXED), client)
    gga, mixed = (lowest_of(found.phases[kind]) for kind in (GGA, MIXED))
    return _joined(gga, mixed), found.version


def lowest_of(phases: Iterable[tuple[Mapping[str, float], float]]) -> dict[Formula, float]:
    """Formula to the lowest formation energy among phases, eV/atom."""
    lowest: dict[Formula, float] = {}
    for composition, energy in phases:
        formula = reduced(composition)
        if not abs(energy) <= LARGEST:
            raise DatasetError(f"{formula_text(formula)}: its energy is {energy:g}: {OTHER_UNIT}")
        lowest[formula] = min(energy, lowest.get(formula, math.inf))
    return lowest


def _joined(gga: Mapping[Formula, float], mixed: Mapping[Formula, float]) -> ReferenceHull:
    """The hull in which the GGA energy of a formula wins, and others are marked as mixed."""
    chosen = {**mixed, **gga}
    rest = [dict(formula) for formula in mixed if formula not in gga]
    return ReferenceHull.build(
        [dict(formula) for formula in chosen],
        chosen.values(),
        scale=MATERIALS_PROJECT,
        mixed=rest,
    )


def _phases(path: Path, gga_sources: Collection[str]) -> Iterator[Phase]:
    table = read_table(path)
    name = next((column for column in FORMULA_COLUMNS if column in table.names), None)
    missing = [column for column in (ENERGY_COLUMN, SOURCE_COLUMN) if column not in table.names]
    if name is None or missing:
        lacking = [] if name else [" or ".join(FORMULA_COLUMNS)]
        wanted = ", ".join([*lacking, *missing])
        raise DatasetError(f"{path} has no column {wanted}; it has {', '.join(table.names[:20])}")
    columns = (table.column(column) for column in (name, ENERGY_COLUMN, SOURCE_COLUMN))
    for place, formula, energy, source in zip(table.places, *columns, strict=True):
        where = f"{path}, {place}"
        read = _formula(formula, where)
        value = _energy(energy, where, is_element=len(read) == 1)
        yield Phase(place, read, value, source not in gga_sources)


def _formula(text: str | None, place: str) -> Formula:
    from pymatgen.core import Composition, Element

    try:
        formula = reduced(Composition(text or "").get_el_amt_dict())
    except (ValueError, KeyError, OverflowError, DatasetError) as err:
        raise DatasetError(
            f"{place}: {shown(text)} is no formula of whole numbers of atoms"
        ) from err
    strange = [symbol for symbol, _ in formula if not Element.is_valid_symbol(symbol)]
    if strange or max(count for _, count in formula) > MOST_ATOMS:
        raise DatasetError(f"{place}: {shown(text)} is no formula of elements")
    return formula


def _energy(cell: object, place: str, *, is_element: bool) -> float:
    try:
        energy = number(cell)
    except NoNumber:
        energy = math.nan
    if not math.isfinite(energy):
        raise DatasetError(
            f"{place}: {ENERGY_COLUMN} is {shown(cell)}, no number; leave such rows out"
        )
    if abs(energy) > LARGEST:
        raise DatasetError(f"{place}: {ENERGY_COLUMN} is {energy:g}: {OTHER_UNIT}")
    if is_element and energy < LOWEST_ELEMENT:
        raise DatasetError(
            f"{place}: {ENERGY_COLUMN} is {energy:g}, but elements are the zero of formation "
            "energies: these are total energies"
        )
    return energy
