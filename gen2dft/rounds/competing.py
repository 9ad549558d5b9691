"""Stability by DFT: which competing phases are computed for a candidate, and what they make of its
label.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gen2dft.crystal_documents import structure_of
from gen2dft.doubts import KNOWN_FORMULA, MOLECULAR_REFERENCE, OF_STABILITY
from gen2dft.engines import load_engine
from gen2dft.errors import DatasetError, ThermoError
from gen2dft.ground.calibrate import Reference
from gen2dft.ground.competing import (
    Competitor,
    Method,
    Sources,
    competitors,
    known_formula,
    sources_of,
)
from gen2dft.loop.costs import CostModel, cost_model, work_of
from gen2dft.loop.look import window
from gen2dft.loop.shortlist import DISTANCE
from gen2dft.rounds.judging import Said, missed_target
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CompetingPhase, Decomposition, LabelDoc
from gen2dft.thermo.decomposition import decomposition_energy, is_molecular
from gen2dft.thermo.formulas import parse_formula, reduced
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.placing import IMPLAUSIBLE_BELOW, why_implausible

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.store.store import Store

COMPETING = "competing"  # among the outcomes of a candidate's steps, and among its costs
# eV/atom above the target, by what the label says so far, within which DFT may still meet it: the
# error of a potential's distance.
REACH = 0.1
NOT_COMPUTED = "not computed"
SETTINGS_CHANGED = "custodian changed the settings of the candidate's own energy"
WARNING = "stability is not DFT's: "


@dataclass(frozen=True)
class Told:
    """What the calculations of competing phases came to, as it passes from job to job.

    Parameters
    ----------
    problems
        Formula of a phase, `Li2 O1`, to why it has no energy.
    failed
        Ids of the phases whose calculation failed.
    core_hours
        Spent on them, failures included.
    skipped
        Why none is worth computing.
    error
        Why none could be computed.
    """

    problems: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    core_hours: float = 0.0
    skipped: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, output: Mapping[str, Any] | None) -> Self:
        """From the output of a job; a job that crashed leaves None."""
        return cls(**(output or {}))

    def joined(self, outcomes: Sequence[Mapping[str, Any] | None]) -> Told:
        """With the outcomes of the phases' jobs."""
        problems, failed, core_hours = dict(self.problems), list(self.failed), self.core_hours
        for outcome in outcomes:
            if outcome is None:
                continue
            core_hours += outcome["core_hours"]
            if outcome["problem"] is not None:
                problems[outcome["name"]] = outcome["problem"]
                failed.append(outcome["key"])
        return replace(self, problems=problems, failed=failed, core_hours=core_hours)


# What is computed
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """The phases that are computed for one candidate, and what is known without computing."""

    phases: list[tuple[Competitor, Reference]]
    told: Told


def plan_for(context: Round, label: LabelDoc) -> Plan:
    """What to compute for a candidate whose label is as good as written.

    Nothing for a candidate that cannot become a hit: what it would cost serves others better.
    """
    skipped = why_not(context, label)
    if skipped is not None:
        return Plan([], Told(skipped=skipped))
    sources = sources_of(context.spec, context.base)
    plan = plan_of(context.store, method_of(label), composition_of(label), sources)
    before = failures_before(context, plan.phases)
    phases = [(phase, reference) for phase, reference in plan.phases if phase.name not in before]
    problems = {**plan.told.problems, **before}
    return Plan(phases, replace(plan.told, problems=problems))


def plan_of(
    store: Store, method: Method, composition: Mapping[Any, float], sources: Sources
) -> Plan:
    """The phases into which a composition would decompose and that are not computed yet."""
    try:
        found = competitors(store, method, composition, sources)
    except (ThermoError, DatasetError) as err:
        return Plan([], Told(error=str(err)))
    problems = {phase.name: phase.problem for phase in found if phase.problem is not None}
    wanted = [(phase, phase.reference) for phase in found if phase.reference is not None]
    return Plan(wanted, Told(problems))


def why_not(context: Round, label: LabelDoc) -> str | None:
    """Why no phases are computed for a candidate, for people; None: it may become a hit."""
    candidate = context.store.candidate(context.campaign_id, label.candidate_id)
    others = [target for target in context.spec.targets if target.property != DISTANCE]
    said = Said.of_documents(candidate, label)
    missed = missed_target(context, said, others)
    if missed is not None:
        return f"it misses the target on {missed}"
    distance = label.values.get(DISTANCE, candidate.verdict.e_above_hull)
    for target in context.spec.targets:
        _, highest = window(target)
        if target.property == DISTANCE and distance is not None and distance > highest + REACH:
            return f"it lies {distance:.2f} eV/atom above the hull, and the target asks for less"
    return None


def failures_before(
    context: Round, phases: Collection[tuple[Competitor, Reference]]
) -> dict[str, str]:
    """Formula to what went wrong, of phases that failed for an earlier candidate of the
    campaign.
    """
    keys = {reference.key: phase.name for phase, reference in phases}
    wanted = {"decomposition.failed": {"$in": list(keys)}}
    labels = context.store.label_fields(context.campaign_id, ("decomposition",), **wanted)
    found = {}
    for label in labels:
        earlier = Decomposition.model_validate(label["decomposition"])
        names = {keys[key] for key in earlier.failed if key in keys}
        for product in earlier.missing:
            if product.formula in names and product.problem is not None:
                found[product.formula] = product.problem
    return found


# What it makes of a label
# ------------------------------------------------------------------------------------------------


def with_decomposition(
    context: Round, label: LabelDoc, output: Mapping[str, Any] | None
) -> LabelDoc:
    """The label of a campaign that asks for competing phases, with what is known of them.

    Parameters
    ----------
    output
        Of the job that computed them, see `Told`; None: there was none.
    """
    if not context.spec.validation.competing or label.energy_per_atom is None:
        return label
    told = Told.of(output)
    found = decomposed(context.store, label, told)
    # A candidate that is left out keeps its label, unless its phases happen to be there.
    return found if found.is_decomposed or told.skipped is None else label


def decomposed(store: Store, label: LabelDoc, told: Told) -> LabelDoc:
    """The label with its decomposition energy in the place of its distance to a hull.

    Where a phase has no energy, the label keeps its distance and names the phase.
    """
    record = _record(store, label, told)
    values, basis = dict(label.values), dict(label.basis)
    doubts = {doubt for doubt in label.doubts if doubt not in OF_STABILITY}
    warnings = [text for text in label.warnings if not text.startswith(WARNING)]
    if record.energy is not None:
        values[DISTANCE] = record.energy
        basis.pop(DISTANCE, None)
        doubts |= _doubts(label, record)
    else:
        _restore(record, values, basis)
        warnings.append(WARNING + why_mixed(record))
    return label.model_copy(
        update={
            "values": values,
            "basis": basis,
            "doubts": sorted(doubts),
            "warnings": warnings,
            "decomposition": record,
            **_costs(label, told.core_hours),
        }
    )


def _restore(record: Decomposition, values: dict[str, float], basis: dict[str, str]) -> None:
    """Put back the distance that an earlier decomposition energy had replaced."""
    values.pop(DISTANCE, None)
    basis.pop(DISTANCE, None)
    if record.replaced is not None:
        values[DISTANCE] = record.replaced
    if record.replaced_basis is not None:
        basis[DISTANCE] = record.replaced_basis


def _record(store: Store, label: LabelDoc, told: Told) -> Decomposition:
    """Products and energies, and the distance that they replace."""
    record = Decomposition(hull_id=whole_hull().hull_hash, failed=told.failed, **_replaced(label))
    if label.settings_changed:
        return record.model_copy(update={"problem": SETTINGS_CHANGED})
    try:
        found = competitors(store, method_of(label), composition_of(label), None)
    except ThermoError as err:
        return record.model_copy(update={"problem": str(err)})
    products = [_product(label, phase, told) for phase in found]
    record = record.model_copy(update={"products": products})
    energy = _energy(label, record)
    if energy is None or known_formula(composition_of(label)):
        return record.model_copy(update={"energy": energy})
    problem = why_implausible(None, energy, IMPLAUSIBLE_BELOW)
    return record.model_copy(update={"problem": problem} if problem else {"energy": energy})


def _energy(label: LabelDoc, record: Decomposition) -> float | None:
    """eV/atom above the products; None where one is missing."""
    if record.missing or label.energy_per_atom is None:
        return None
    energies = [(part.share, part.energy_per_atom or 0.0) for part in record.products]
    return decomposition_energy(label.energy_per_atom, energies)


def _replaced(label: LabelDoc) -> dict[str, Any]:
    """Fields of the record that keep the label's own distance aside."""
    earlier = label.decomposition
    if earlier is not None:
        return {"replaced": earlier.replaced, "replaced_basis": earlier.replaced_basis}
    value = label.values.get(DISTANCE)
    basis = None if value is None else label.basis.get(DISTANCE)
    return {"replaced": value, "replaced_basis": basis}


def _product(label: LabelDoc, phase: Competitor, told: Told) -> CompetingPhase:
    """One product as a label keeps it."""
    product = CompetingPhase(formula=phase.name, share=phase.share)
    computed = phase.computed
    if computed is None:
        problem = told.problems.get(phase.name) or told.error or NOT_COMPUTED
        return product.model_copy(update={"problem": problem})
    found: dict[str, Any] = {
        "reference_id": computed.id,
        "name": computed.name,
        "origin": computed.origin,
    }
    if computed.run_type == label.run_type:
        found["energy_per_atom"] = computed.energy_per_atom
    else:
        found["problem"] = (
            f"computed in {computed.run_type}, the candidate in {label.run_type}: such energies "
            "cannot be compared"
        )
    return product.model_copy(update=found)


def _doubts(label: LabelDoc, record: Decomposition) -> set[str]:
    """What a reader must know of a decomposition energy."""
    doubts = set()
    formulas = [reduced(parse_formula(product.formula)) for product in record.products]
    if any(is_molecular(formula) for formula in formulas):
        doubts.add(MOLECULAR_REFERENCE)
    if known_formula(composition_of(label)):
        doubts.add(KNOWN_FORMULA)
    return doubts


def _costs(label: LabelDoc, core_hours: float) -> dict[str, Any]:
    """Fields of a label that its phases add to."""
    if not core_hours:
        return {}
    costs = {**label.costs, COMPETING: label.costs.get(COMPETING, 0.0) + core_hours}
    return {"core_hours": label.core_hours + core_hours, "costs": costs}


def why_mixed(record: Decomposition) -> str:
    """Why a label has no decomposition energy: each product without an energy, and why."""
    if record.problem is not None:
        return record.problem
    return "; ".join(f"{product.formula}: {product.problem}" for product in record.missing)


def method_of(label: LabelDoc) -> Method:
    """Engine and settings of a label, with which its phases are computed."""
    return Method(label.engine, label.preset, label.settings_hash)


def composition_of(label: LabelDoc) -> Mapping[Any, float]:
    """Elements of a label's crystal with their numbers of atoms."""
    composition = structure_of(label.structure).composition
    amounts: dict[str, float] = composition.get_el_amt_dict()
    return amounts


# Costs
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prices:
    """Predicted core-hours of relaxation and energy of one crystal.

    Parameters
    ----------
    model
        Learnt from the phases that are computed; None: nothing tells.
    """

    model: CostModel | None
    is_dft: bool = True

    @classmethod
    def of(cls, store: Store, method: Method) -> Self:
        """From the finished phases of an engine and its settings."""
        is_dft = load_engine(method.engine).is_dft
        documents = store.references(method.engine, method.settings_hash)
        paid = [document for document in documents if document.core_hours > 0]
        crystals = [structure_of(document.structure) for document in paid]
        work = [work_of(crystal, is_dft=is_dft) for crystal in crystals]
        return cls(cost_model(work, [doc.core_hours for doc in paid], is_dft=is_dft), is_dft)

    def core_hours(self, structure: Structure) -> float:
        """Of one crystal; 0 where nothing tells."""
        if self.model is None:
            return 0.0
        work = np.array([work_of(structure, is_dft=self.is_dft)])
        return float(self.model.core_hours(work)[0])
