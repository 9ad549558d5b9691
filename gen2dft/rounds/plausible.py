"""Whether a label may stand: its cell that of a crystal, its energies those of a compound."""

from __future__ import annotations

from collections.abc import Collection

from gen2dft.crystal_documents import structure_of
from gen2dft.doubts import KNOWN_FORMULA
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.guard import bounds_of, volume_problem
from gen2dft.ground.hulls import get_hull
from gen2dft.rounds.round import Round
from gen2dft.store.documents import LabelDoc
from gen2dft.thermo.placing import (
    IMPLAUSIBLE_ENERGY,
    lacks_compounds,
    remark_of,
    warning_of,
    why_implausible,
)


def label_problem(
    context: Round, label: LabelDoc, last: CalculationDoc
) -> CalculationFailure | None:
    """Why a label is not written, or None.

    Parameters
    ----------
    last
        The calculation that it was made of.
    """
    problem = volume_problem(last, bounds_of(last.engine))
    if problem is not None:
        return problem
    energy = label.values.get("formation_energy")
    distance = label.own_distance
    unexplored = distance is not None and _is_unexplored(context, label)
    why = why_implausible(energy, distance, lowest(context), unexplored=unexplored)
    if why is None:
        return None
    return CalculationFailure(reason=IMPLAUSIBLE_ENERGY, detail=why, directory=last.directory)


def _is_unexplored(context: Round, label: LabelDoc) -> bool:
    """Whether the label's hull lacks compounds at its composition."""
    composition = structure_of(label.structure).composition
    return lacks_compounds(get_hull(context.store, label.hull_id), composition)


def with_remark(context: Round, label: LabelDoc) -> LabelDoc:
    """The label with a warning if it lies so far below the hull that the hull lacks phases."""
    distance = label.own_distance
    if distance is None or not remarks(context, distance, label.doubts):
        return label
    warnings = [*label.warnings, warning_of(distance)]
    return label.model_copy(update={"warnings": warnings})


def remarks(context: Round, e_above_hull: float | None, doubts: Collection[str] = ()) -> list[str]:
    """Remarks on a distance to the hull, eV/atom: `hull_incomplete`, or none.

    A known compound may lie far below all others.

    Parameters
    ----------
    e_above_hull
        As the engine gives it: a missing phase is no error of the potential.
    doubts
        Of the label.
    """
    if KNOWN_FORMULA in doubts:
        return []
    remark = remark_of(e_above_hull, lowest(context))
    return [] if remark is None else [remark]


def lowest(context: Round) -> float:
    """eV/atom; below it the campaign takes its hull for incomplete."""
    return context.spec.screening.surrogate.min_e_above_hull
