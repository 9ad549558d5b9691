"""Last gate before validation: an ML potential relaxes the crystal and places it on the hull."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gen2dft.campaign import SurrogateSpec
from gen2dft.crystal_documents import structure_of
from gen2dft.engines import load_engine
from gen2dft.engines.guard import problem_of, volume_problem
from gen2dft.errors import CalculationFailed, DatasetError
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.symmetrise import MAX_COST, Potential, symmetrised
from gen2dft.store.documents import StabilityRecord, StoredVerdict, SymmetryRecord
from gen2dft.thermo.placing import (
    HULL_INCOMPLETE,
    IMPLAUSIBLE_ENERGY,
    hull_remarks,
    lacks_compounds,
    remark_of,
    why_implausible,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.calculation import Calculation
    from gen2dft.engines.base import Engine
    from gen2dft.thermo.corrected import Corrector
    from gen2dft.thermo.hull import ReferenceHull

UNCONVERGED = "relaxation_unconverged"
ABOVE_HULL = "above_hull"
SMALL_CHANCE = "small_chance"
NOT_COVERED = "hull_does_not_cover"
NO_REFERENCE = "no_reference_energy"
RELAXED_TO_KNOWN = "relaxed_to_known"
# Verdicts that DFT may overrule: the relaxation came to an end. Earlier versions refused what the
# hull lacks phases for, too.
OVERRULABLE = (ABOVE_HULL, SMALL_CHANCE, IMPLAUSIBLE_ENERGY, HULL_INCOMPLETE, UNCONVERGED)

# eV/Angstrom. A relaxation out of steps is taken below this: what is left to gain is a few
# meV/atom, less than the potential's error, and the distance to the hull can only shrink.
TOLERABLE_FORCE = 0.3


@dataclass(frozen=True)
class SurrogateVerdict:
    """The surrogate's result for one crystal.

    Parameters
    ----------
    reason
        Why it is refused, None if it passes: `relaxation_<reason of the engine>`,
        `relaxation_unconverged`, `no_reference_energy`, `hull_does_not_cover`, `above_hull`,
        `small_chance`, `implausible_energy` or `relaxed_to_known`.
    engine, preset
        What relaxed it.
    structure
        Relaxed structure, in its most symmetric cell if it passes; None if the relaxation failed.
    energy_per_atom, formation_energy, e_above_hull
        eV/atom, on the engine's scale and against the screen's hull; no distance where it does not
        cover the system. The distance is the corrected one where there is a correction.
    converged, max_force, steps, seconds
        How the relaxation went; see `gen2dft.calculation.Calculation`.
    detail
        What went wrong, for people.
    symmetry
        How its symmetry was found; None for a crystal that does not get that far.
    remark
        `hull_incomplete` for a crystal that passes but lies so far below the hull that the hull
        lacks phases.
    hull_remarks
        What the hull's energy rests on, see `gen2dft.thermo.placing.hull_remarks`.
    stability
        What the distance is worth; None without a correction.
    """

    reason: str | None
    engine: str
    preset: str
    structure: Structure | None = None
    energy_per_atom: float | None = None
    formation_energy: float | None = None
    e_above_hull: float | None = None
    converged: bool = False
    max_force: float | None = None
    steps: int | None = None
    seconds: float | None = None
    detail: str | None = None
    symmetry: SymmetryRecord | None = None
    remark: str | None = None
    hull_remarks: tuple[str, ...] = ()
    stability: StabilityRecord | None = None

    @property
    def as_relaxed(self) -> Structure | None:
        """The relaxed structure with the sites of the crystal that was screened, in their order."""
        if self.symmetry is None or self.symmetry.structure_as_relaxed is None:
            return self.structure
        return structure_of(self.symmetry.structure_as_relaxed)

    @property
    def is_stable(self) -> bool:
        """Whether it passed, and its distance to the hull is a measure of stability."""
        return self.reason is None and self.remark is None

    def stored(self) -> StoredVerdict:
        """The verdict as the store keeps it, with the structure as pymatgen's dictionary."""
        plain = dict(vars(self))
        if self.structure is not None:
            plain["structure"] = self.structure.as_dict(verbosity=0)
        return StoredVerdict.model_validate(plain)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the database and for JSON."""
        return self.stored().model_dump()

    @classmethod
    def from_stored(cls, stored: StoredVerdict) -> Self:
        """Inverse of `stored`."""
        # Documents of older versions hold further keys, which a verdict does not have.
        names = [field.name for field in dataclasses.fields(cls)]
        plain = {name: getattr(stored, name) for name in names}
        if stored.structure is not None:
            plain["structure"] = structure_of(stored.structure)
        return cls(**plain)


def surrogate_screen(
    structure: Structure,
    spec: SurrogateSpec,
    hull: ReferenceHull,
    known: StructureIndex | None = None,
    corrector: Corrector | None = None,
) -> SurrogateVerdict:
    """Relax one crystal and measure its distance to the hull; failures become a verdict's reason.

    Parameters
    ----------
    spec
        Engine, preset and the largest distance to the hull.
    hull
        What the distance is measured against.
    known
        Structures that a candidate must not relax into; None does not ask.
    corrector
        Correction of the engine's distances; None takes them as they are.

    Raises
    ------
    CampaignError
        If engine or preset do not exist.
    """
    engine = load_engine(spec.engine)
    engine.preset(spec.preset)
    try:
        relaxed = _believed(engine, engine.relax(structure, spec.preset))
    except CalculationFailed as failure:
        reason = _reason_of(failure)
        return SurrogateVerdict(reason, spec.engine, spec.preset, detail=failure.detail)
    screen = _Screen(engine, spec, hull, known, corrector)
    verdict = screen.verdict(relaxed)
    if verdict.reason is not None or not spec.symmetrise:
        return verdict
    return screen.symmetric_verdict(relaxed, verdict)


@dataclass(frozen=True)
class _Screen:
    """What a relaxed crystal is judged by, see `surrogate_screen`."""

    engine: Engine
    spec: SurrogateSpec
    hull: ReferenceHull
    known: StructureIndex | None
    corrector: Corrector | None

    def verdict(self, relaxed: Calculation) -> SurrogateVerdict:
        """The verdict on a relaxed crystal in the cell that it has."""
        spec, structure = self.spec, relaxed.structure
        try:
            formation_energy = self.engine.formation_energy(
                structure.composition, relaxed.energy_per_atom
            )
        except DatasetError as err:
            return SurrogateVerdict(
                NO_REFERENCE, spec.engine, spec.preset, structure, detail=str(err)
            )
        return self._placed(relaxed, formation_energy)

    def _placed(self, relaxed: Calculation, formation_energy: float) -> SurrogateVerdict:
        """The verdict on a relaxed crystal from its place on the hull."""
        spec, structure = self.spec, relaxed.structure
        composition = structure.composition
        gap = self.hull.gap(element.symbol for element in composition.elements)
        own = None if gap else self.hull.e_above_hull(composition, formation_energy)
        record = None
        if own is not None and self.corrector is not None:
            record = self.corrector.at(self.hull, structure, formation_energy, own)
        place = _Place(own, record)
        lowest = spec.min_e_above_hull
        unexplored = lacks_compounds(self.hull, composition)
        implausible = why_implausible(formation_energy, own, lowest, unexplored=unexplored)
        reason: str | None = IMPLAUSIBLE_ENERGY
        if implausible is None:
            reason = _reason(relaxed, place, spec, self.known)
        return SurrogateVerdict(
            reason=reason,
            engine=spec.engine,
            preset=spec.preset,
            structure=structure,
            energy_per_atom=relaxed.energy_per_atom,
            formation_energy=formation_energy,
            e_above_hull=place.e_above_hull,
            converged=relaxed.converged,
            max_force=relaxed.max_force,
            steps=relaxed.num_steps,
            seconds=relaxed.wall_seconds,
            detail=implausible or gap,
            remark=remark_of(own, lowest) if reason is None else None,
            hull_remarks=tuple(hull_remarks(self.hull, composition)),
            stability=record,
        )

    def symmetric_verdict(
        self, relaxed: Calculation, verdict: SurrogateVerdict
    ) -> SurrogateVerdict:
        """The verdict on a crystal that passed, in its most symmetric cell."""
        preset = self.spec.preset
        potential = Potential(
            relax=lambda structure: self.engine.relax(structure, preset),
            static=lambda structure: self.engine.static(structure, preset),
        )
        # Its symmetry alone must not lift a crystal over the limit.
        room = MAX_COST
        if self.spec.min_chance is None:
            room = self.spec.max_e_above_hull - (verdict.e_above_hull or 0.0)
        found, record = symmetrised(relaxed, potential, min(MAX_COST, room))
        judged = verdict if record.kept else self.verdict(found)
        seconds = (verdict.seconds or 0.0) + record.seconds
        return dataclasses.replace(judged, symmetry=record, seconds=seconds)


def _believed(engine: Engine, relaxed: Calculation) -> Calculation:
    """The relaxation itself; CalculationFailed if nobody would believe it."""
    bounds = engine.bounds
    problem = problem_of(relaxed, bounds) or volume_problem(relaxed, bounds)
    if problem is not None:
        raise CalculationFailed(problem.reason, problem.detail)
    return relaxed


def _reason_of(failure: CalculationFailed) -> str:
    """The engine's reason; its name says that it was the relaxation that failed."""
    if "relaxation" in failure.reason:
        return failure.reason
    return f"relaxation_{failure.reason}"


@dataclass(frozen=True)
class _Place:
    """A place against the hull.

    Parameters
    ----------
    own
        Distance as the potential gives it, eV/atom; None where the hull does not cover the system.
    record
        What that is worth; None without a correction.
    """

    own: float | None
    record: StabilityRecord | None

    @property
    def e_above_hull(self) -> float | None:
        """The distance that counts, eV/atom."""
        return self.own if self.record is None else self.record.corrected


def hull_reason(
    e_above_hull: float | None, spec: SurrogateSpec, record: StabilityRecord | None = None
) -> str | None:
    """Why a distance to the hull is refused; None if it passes.

    Parameters
    ----------
    e_above_hull
        eV/atom, corrected if there is a correction; None where the hull does not cover the system.
    record
        What the distance is worth; None without a correction.
    """
    if e_above_hull is None:
        return NOT_COVERED
    if spec.min_chance is not None and record is not None:
        return SMALL_CHANCE if record.chance < spec.min_chance else None
    if e_above_hull > spec.max_e_above_hull:
        return ABOVE_HULL
    return None


def _reason(
    relaxed: Calculation, place: _Place, spec: SurrogateSpec, known: StructureIndex | None
) -> str | None:
    if not relaxed.converged and _is_far_from_rest(relaxed.max_force):
        return UNCONVERGED
    reason = hull_reason(place.e_above_hull, spec, place.record)
    if reason is not None:
        return reason
    # Last, because comparing structures costs most.
    if known is not None and known.contains(relaxed.structure):
        return RELAXED_TO_KNOWN
    return None


def _is_far_from_rest(force: float | None) -> bool:
    return force is None or force > TOLERABLE_FORCE
