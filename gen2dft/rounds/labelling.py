"""From finished calculations to a label: values, corrections, provenance. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gen2dft.composition import crystal_fields
from gen2dft.engines.base import CalculationDoc, CustodianCorrection
from gen2dft.engines.outcomes import core_hours, costs_of
from gen2dft.errors import DatasetError
from gen2dft.ground.energies import FormationEnergy, formation_energy
from gen2dft.ground.footing import Footing
from gen2dft.ground.roles import energies_by
from gen2dft.hashing import content_hash
from gen2dft.store.documents import LabelDoc, StabilityRecord
from gen2dft.store.store import candidate_key
from gen2dft.thermo.corrections import NONE
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.scales import must_share

REMEDY = (
    "Let the screen judge stability (`by: screen` on the target), choose a validation.correction "
    "that leads to the hull's scale, or hull.source: engine"
)


LOOKED_AT = (
    "only looked at, in the cell that the screen left: its energy is not that of a relaxed crystal"
)


@dataclass(frozen=True)
class Told:
    """What one calculation tells.

    Parameters
    ----------
    values
        Property to value, in the property's unit.
    energy
        The corrected formation energy behind them; None without references.
    problems
        Why it tells less than it might, for people.
    basis
        Property to the engine of its value, where the calculation's own did not compute it.
    stability
        What a potential's distance to the hull is worth; None for DFT's, and without a correction.
    """

    values: dict[str, float]
    energy: FormationEnergy | None
    problems: list[str]
    basis: Mapping[str, str] = field(default_factory=dict)
    stability: StabilityRecord | None = None

    @property
    def errors(self) -> dict[str, float]:
        """Property to the error that its value states, in its unit."""
        return {} if self.stability is None else {"e_above_hull": self.stability.error}


def label_id(campaign_id: str, candidate_id: str, engine: str, settings_hash: str) -> str:
    """Hash of candidate, engine and settings: the same calculation gives the same label.

    24 hexadecimal digits.
    """
    content = f"{candidate_key(campaign_id, candidate_id)} {engine} {settings_hash}"
    return content_hash(content, digits=24)


def make_label(footing: Footing, candidate_id: str, *stages: Sequence[CalculationDoc]) -> LabelDoc:
    """The label of one candidate from its calculations.

    The last stage makes it, earlier ones go into its provenance.

    Raises
    ------
    CorrectionRefused
        If the campaign's correction does not hold for the calculation.
    MixedEnergies
        If its energy is on another scale than the hull.
    """
    told = told_by(footing, candidate_id, stages[-1][-1])
    return label_of(footing, candidate_id, told, *stages)


def label_of(
    footing: Footing, candidate_id: str, told: Told, *stages: Sequence[CalculationDoc]
) -> LabelDoc:
    """As `make_label`, once it is known what the last calculation tells."""
    *earlier, last_stage = stages
    everything = _all_of(stages)
    last = last_stage[-1]
    campaign_id = footing.campaign.id
    key = label_id(campaign_id, candidate_id, last.engine, last.settings_hash)
    return LabelDoc(
        id=key,
        candidate_id=candidate_id,
        campaign_id=campaign_id,
        round_index=footing.index,
        engine=last.engine,
        is_dft=last.is_dft,
        preset=last.preset,
        settings_hash=last.settings_hash,
        values=told.values,
        basis=dict(told.basis),
        errors=told.errors,
        stability=told.stability,
        structure=last.structure.as_dict(verbosity=0),
        energy_per_atom=last.energy_per_atom,
        hull_id=_hull_of(footing).hull_hash,
        corrections=_corrections(footing, told, last_stage),
        run_type=last.run_type,
        custodian=_custodian(everything),
        settings_changed=any(calculation.settings_changed for calculation in last_stage),
        warnings=[*_warnings(everything), *told.problems],
        core_hours=core_hours(everything),
        costs=costs_of(everything),
        provenance=_provenance(footing, candidate_id, earlier, last_stage),
        **_adjustments(told.energy),
        **crystal_fields(last.structure),
    )


def _all_of(stages: Sequence[Sequence[CalculationDoc]]) -> list[CalculationDoc]:
    """The calculations of all stages, in order."""
    everything: list[CalculationDoc] = []
    for stage in stages:
        everything += stage
    return everything


def _adjustments(energy: FormationEnergy | None) -> dict[str, Any]:
    """What the correction added to the energy, as a label keeps it."""
    if energy is None:
        return {}
    uncertainty = energy.uncertainty
    return {"adjustments": dict(energy.adjustments), "adjustment_uncertainty": uncertainty}


def told_by(footing: Footing, candidate_id: str, calculation: CalculationDoc) -> Told:
    """What a calculation tells of a candidate.

    A look tells no formation energy, since nothing is relaxed yet. A label without one keeps its
    total energy, so that nothing is lost if references come later. There is no distance to the hull
    where the hull does not cover the chemical system.

    Raises
    ------
    CorrectionRefused, MixedEnergies
        As `make_label`.
    """
    values = dict(calculation.values)
    if energies_by(footing.spec) == "screen":
        return with_energies_of_the_screen(footing, candidate_id, values)
    if calculation.task == "look":
        return Told(values, None, [LOOKED_AT])
    try:
        energy = corrected_energy(footing, candidate_id, calculation)
    except DatasetError as err:
        problem = f"no formation energy: {err}"
        return Told(values, None, [problem])
    return with_formation_energy(footing, calculation, energy)


def with_formation_energy(
    footing: Footing, calculation: CalculationDoc, energy: FormationEnergy
) -> Told:
    """What a calculation tells with a formation energy on the scale of the hull."""
    values = {**calculation.values, "formation_energy": energy.value}
    problems = list(energy.warnings)
    composition = calculation.structure.composition
    symbols = [element.symbol for element in composition.elements]
    gap = footing.hull.gap(symbols)
    if gap is not None:
        return Told(values, energy, [*problems, gap])
    distance = footing.hull.e_above_hull(composition, energy.value)
    record = _stability(footing, calculation, energy.value, distance)
    values["e_above_hull"] = distance if record is None else record.corrected
    return Told(values, energy, problems, stability=record)


def _stability(
    footing: Footing, calculation: CalculationDoc, formation_energy: float, e_above_hull: float
) -> StabilityRecord | None:
    """What the distance of a surrogate's calculation is worth; None for DFT's."""
    corrector = footing.corrector(footing.hull, calculation.engine, calculation.preset)
    if corrector is None:
        return None
    return corrector.at(footing.hull, calculation.structure, formation_energy, e_above_hull)


def with_energies_of_the_screen(
    footing: Footing, candidate_id: str, values: dict[str, float]
) -> Told:
    """What a calculation tells beside the surrogate's energies, which alone may meet the hull."""
    verdict = footing.store.candidate(footing.campaign.id, candidate_id).verdict
    told = {name: value for name, value in verdict.values.items() if value is not None}
    basis = dict.fromkeys(told, verdict.engine)
    problems = []
    if "e_above_hull" not in told:
        problems.append(f"no distance to the hull: {verdict.detail or 'the screen gave none'}")
    return Told({**values, **told}, None, problems, basis, verdict.stability)


def _hull_of(footing: Footing) -> ReferenceHull:
    """The hull that a label's distance is measured against."""
    return footing.hull if energies_by(footing.spec) == "engine" else footing.screen_hull


def corrected_energy(
    footing: Footing, candidate_id: str, calculation: CalculationDoc
) -> FormationEnergy:
    """Corrected formation energy of a calculation, once it is known that it may meet the hull."""
    preset = calculation.preset
    calibration = footing.fitted(preset)
    references = footing.references(preset)
    correction = footing.spec.validation.correction
    energy = formation_energy(calculation, correction, calibration, references, candidate_id)
    whose = f"energies of candidate {candidate_id}"
    must_share(footing.hull.scale, [energy.scale], whose, REMEDY)
    return energy


def _corrections(footing: Footing, told: Told, calculations: Sequence[CalculationDoc]) -> list[str]:
    """Names of the corrections in the label's energy: the programs' and the campaign's."""
    names: set[str] = set()
    for calculation in calculations:
        names.update(calculation.corrections)
    own = footing.spec.validation.correction
    if told.energy is not None and own != NONE:
        names.add(own)
    return sorted(names)


def _warnings(calculations: Sequence[CalculationDoc]) -> list[str]:
    texts: list[str] = []
    for calculation in calculations:
        texts += calculation.warnings
    return texts


def _custodian(calculations: Sequence[CalculationDoc]) -> list[dict[str, Any]]:
    """The corrections that custodian made, in order."""
    made = []
    for calculation in calculations:
        for correction in calculation.custodian:
            made.append(_made(calculation, correction))
    return made


def _made(calculation: CalculationDoc, made: CustodianCorrection) -> dict[str, Any]:
    """A correction of custodian's, as a label keeps it."""
    correction = made.model_dump()
    return {"preset": calculation.preset, "task": calculation.task, **correction}


def _provenance(
    footing: Footing,
    candidate_id: str,
    earlier: Sequence[Sequence[CalculationDoc]],
    last_stage: Sequence[CalculationDoc],
) -> dict[str, Any]:
    """Programs and calculations of the last stage; of an earlier stage, what it found."""
    versions = last_stage[-1].versions
    summaries = [_summary(calculation) for calculation in last_stage]
    found: dict[str, Any] = {"versions": versions, "calculations": summaries}
    if earlier:
        last_of_first = earlier[0][-1]
        found["first_stage"] = _first_stage(footing, candidate_id, last_of_first)
    return found


def _summary(calculation: CalculationDoc) -> dict[str, Any]:
    return {
        "task": calculation.task,
        "steps": calculation.num_steps,
        "max_force": calculation.max_force,
        "directory": calculation.directory,
    }


def _first_stage(footing: Footing, candidate_id: str, last: CalculationDoc) -> dict[str, Any]:
    told = told_by(footing, candidate_id, last)
    return {"preset": last.preset, "settings_hash": last.settings_hash, "values": told.values}
