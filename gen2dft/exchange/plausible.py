"""Values of an archive: what no engine gives is not believed from elsewhere either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gen2dft.composition import composition_fields, crystal_system, formula_of
from gen2dft.crystal_check import structure_problem
from gen2dft.crystal_documents import structure_of
from gen2dft.engines.bounds import Range
from gen2dft.engines.guard import bounds_of
from gen2dft.errors import CrystalError
from gen2dft.store.crystal_fields import FIRST_ROUND
from gen2dft.thermo.placing import lacks_compounds, why_implausible

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.store.crystal_fields import SymmetryFields
    from gen2dft.store.documents import HitDoc, LabelDoc
    from gen2dft.thermo.hull import ReferenceHull

ANY_VALUE: Range = (-1e9, 1e9)
"""Beyond this no property of a crystal lies, in whatever unit."""
HOURS: Range = (0.0, 1e8)
"""Core-hours: a large cluster for a year"""
CHANCE: Range = (0.0, 1.0)
SPACE_GROUPS = 230
OF_THE_COMPOSITION = ("formula_pretty", "elements", "nelements", "chemsys", "nsites")


def label_problem(label: LabelDoc, hull: ReferenceHull, lowest: float) -> str | None:
    """Why a label is not believed, by the rule that guards engines; None if it is.

    Parameters
    ----------
    hull
        That of the label.
    lowest
        eV/atom, below which the campaign takes its hull for incomplete.
    """
    crystal = crystal_of(label.structure)
    if isinstance(crystal, str):
        return crystal
    for name, value, within in _numbers_of(label, crystal):
        if value is not None and not within[0] <= value <= within[1]:
            return f"{name} of {value:g} is outside {within[0]:g} to {within[1]:g}"
    energy, distance = label.values.get("formation_energy"), label.own_distance
    unexplored = distance is not None and lacks_compounds(hull, crystal.composition)
    reason = why_implausible(energy, distance, lowest, unexplored=unexplored)
    return reason or fields_problem(label, crystal)


def hit_problem(hit: HitDoc) -> str | None:
    """The same of a hit."""
    crystal = crystal_of(hit.structure)
    if isinstance(crystal, str):
        return crystal
    chance = {"chance": None if hit.stability is None else hit.stability.chance}
    for name, value, within in (*_values(hit.values), *_values(chance, CHANCE)):
        if value is not None and not within[0] <= value <= within[1]:
            return f"{name} of {value:g} is outside {within[0]:g} to {within[1]:g}"
    formula = crystal.composition.reduced_formula
    if formula_of(hit.formula) != formula:
        return f"its crystal is {formula}"
    return fields_problem(hit, crystal)


def fields_problem(document: HitDoc | LabelDoc, crystal: Structure) -> str | None:
    """Why the fields by which others search a crystal are not those of the crystal.

    None if they are, or where a document of an older version has none.
    """
    if document.round != document.round_index + FIRST_ROUND:
        return f"its round is {document.round}, but its round_index {document.round_index}"
    right = {**composition_fields(crystal.composition), "nsites": len(crystal)}
    for name in OF_THE_COMPOSITION:
        stated = getattr(document, name)
        if stated not in (None, right[name]):
            return f"its {name} is {str(stated)[:100]}, that of its crystal {right[name]}"
    symmetry = document.symmetry
    return None if symmetry is None else _symmetry_problem(symmetry)


def _symmetry_problem(stated: SymmetryFields) -> str | None:
    # Versions of spglib differ in borderline crystals, so the space group itself is believed.
    if not 1 <= stated.number <= SPACE_GROUPS:
        return f"its symmetry.number is {stated.number}, not 1 to {SPACE_GROUPS}"
    right = crystal_system(stated.number)
    if stated.crystal_system != right:
        return f"its crystal_system is {stated.crystal_system[:40]!r}, that of its number {right!r}"
    return None


def crystal_of(document: Mapping[str, Any]) -> Structure | str:
    """The crystal of a document, or why there is none."""
    try:
        crystal = structure_of(document)
    except CrystalError as err:
        return f"its structure cannot be read: {' '.join(str(err).split())[:100]}"
    return structure_problem(crystal) or crystal


Numbers = Iterator[tuple[str, float | None, Range]]


def _numbers_of(label: LabelDoc, crystal: Structure) -> Numbers:
    """Name, value and bounds of the numbers of a label."""
    bounds = bounds_of(label.engine)
    yield "energy_per_atom", label.energy_per_atom, bounds.energy_per_atom or ANY_VALUE
    yield "the volume per atom", crystal.volume / len(crystal), bounds.volume_per_atom
    yield "band_gap", label.values.get("band_gap"), bounds.band_gap
    yield from _values(label.values)
    yield from _values(label.other_hulls)
    yield from _values(label.costs, HOURS)
    yield "core_hours", label.core_hours, HOURS
    if label.stability is not None:
        yield "chance", label.stability.chance, CHANCE


def _values(values: Mapping[str, float | None], within: Range = ANY_VALUE) -> Numbers:
    for name, value in values.items():
        yield name, value, within
