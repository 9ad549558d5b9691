"""The verdicts of a campaign against another hull: which would change, and nothing that is
overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gen2dft.campaign import SurrogateSpec
from gen2dft.crystal_documents import structure_of
from gen2dft.engines import load_engine
from gen2dft.ground.hulls import put_hull
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.judging import Said, missed_target
from gen2dft.rounds.round import Round
from gen2dft.screening.surrogate import hull_reason
from gen2dft.store.documents import CandidateDoc, LabelDoc, StabilityRecord, StoredVerdict
from gen2dft.store.store import Store, candidate_key
from gen2dft.thermo.corrections import scale_of
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.placing import remark_of
from gen2dft.thermo.scales import must_share

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

    from gen2dft.thermo.corrected import Corrector

HIT = "hit"
PASSED = "passed"


@dataclass(frozen=True)
class Change:
    """One verdict that another hull changes.

    Parameters
    ----------
    stage
        `screen` (the surrogate's gate) or `targets` (hit or not).
    before, after
        `passed` or the screen's reason; `hit` or `misses_<property>`.
    e_before, e_after
        Distances to the two hulls, eV/atom; None where a hull does not cover the chemical system.
    """

    candidate_id: str
    formula: str
    round_index: int
    stage: str
    before: str
    after: str
    e_before: float | None
    e_after: float | None

    @property
    def verdict_differs(self) -> bool:
        """Whether the other hull changes it."""
        return self.before != self.after


@dataclass(frozen=True)
class Rehull:
    """A campaign measured against another hull.

    Parameters
    ----------
    old_id, new_id
        The two hulls.
    num_screened, num_labelled
        Candidates measured again.
    changes
        Verdicts that differ, in the order of rounds and ids.
    hits
        Id of each candidate that is a hit by the old hull, to its verdict by the new one.
    distances
        Label id to the distance to the new hull, eV/atom; where it covers the chemical system.
    """

    campaign_id: str
    old_id: str
    new_id: str
    num_screened: int = 0
    num_labelled: int = 0
    changes: list[Change] = field(default_factory=list)
    distances: dict[str, float] = field(default_factory=dict)
    hits: dict[str, str] = field(default_factory=dict)

    @property
    def num_lost(self) -> int:
        """Hits that the new hull takes away."""
        return sum(after != HIT for after in self.hits.values())

    @property
    def num_won(self) -> int:
        """Candidates that become hits by the new hull."""
        return sum(change.after == HIT for change in self.changes)


def rehull(store: Store, campaign_id: str, hull: ReferenceHull) -> Rehull:
    """Measure everything that a campaign has measured once more, against another hull.

    Raises
    ------
    MixedEnergies
        If the labels are on another scale than the hull.
    """
    campaign = store.campaign(campaign_id)
    # A decomposition energy rests on no energy of a hull.
    labels = [
        label
        for label in store.labels(campaign_id)
        if "formation_energy" in label.values and not label.is_decomposed
    ]
    _must_fit(store, campaign_id, labels, hull)
    measured: list[Change] = []
    distances: dict[str, float] = {}
    num_screened = 0
    for document in store.rounds(campaign_id):
        context = Round(store, campaign_id, document.index)
        screened = list(_screen_changes(context, hull))
        num_screened += len(screened)
        measured += screened
        of_round = [label for label in labels if label.round_index == document.index]
        for label in of_round:
            change = _target_change(context, label, hull)
            measured.append(change)
            if change.e_after is not None:
                distances[label.id] = change.e_after
    changes = [change for change in measured if change.verdict_differs]
    ids = (campaign_id, campaign.hull_id, hull.hull_hash)
    hits = {change.candidate_id: change.after for change in measured if change.before == HIT}
    return Rehull(*ids, num_screened, len(labels), changes, distances, hits)


def apply(store: Store, result: Rehull, hull: ReferenceHull, source: str) -> None:
    """Keep the new hull, and the new distances and verdicts beside the old ones in labels and hits.

    States and the distances of labels and hits stay as they are: they belong to the campaign's
    frozen hull. A hit that the new hull takes away is listed with a remark from then on.
    """
    put_hull(store, hull, source)
    for label_id, distance in result.distances.items():
        store.set_label(label_id, **{f"other_hulls.{result.new_id}": distance})
    if result.new_id == result.old_id:
        return
    for candidate_id, verdict in result.hits.items():
        key = candidate_key(result.campaign_id, candidate_id)
        store.set_hit(key, **{f"other_hulls.{result.new_id}": verdict})


def _must_fit(store: Store, campaign_id: str, labels: list[LabelDoc], hull: ReferenceHull) -> None:
    """Refuse a hull on another scale than the labels."""
    correction = Round(store, campaign_id, 0).spec.validation.correction
    scales = {_scale_of(label, correction) for label in labels}
    must_share(hull.scale, scales, f"labels of {campaign_id}", "Choose a hull of their kind")


def _scale_of(label: LabelDoc, correction: str) -> str:
    """What a label's formation energy is measured on."""
    surrogate = label.basis.get("formation_energy")
    if surrogate is not None:
        return load_engine(surrogate).scale or surrogate
    included = load_engine(label.engine).scale
    return scale_of(correction, label.engine, label.run_type, included)


def _target_change(context: Round, label: LabelDoc, hull: ReferenceHull) -> Change:
    """The verdict on one label before and after."""
    candidate = context.store.candidate(context.campaign_id, label.candidate_id)
    composition = structure_of(label.structure).composition
    distance, record = _of_label(context, candidate.verdict, label, hull)
    values = dict(label.values)
    before = values.pop("e_above_hull", None)
    if distance is not None:
        values["e_above_hull"] = distance
    verdict = candidate.verdict
    said = Said(candidate.predicted, label.engine, label.values, label.basis, verdict)
    if "e_above_hull" in label.basis:
        changed = {"e_above_hull": distance, "stability": record}
        verdict = verdict.model_copy(update=changed)
    was_missed = missed_target(context, said)
    missed = missed_target(context, replace(said, computed=values, verdict=verdict))
    return Change(
        label.candidate_id,
        composition.reduced_formula,
        label.round_index,
        "targets",
        _target_verdict(was_missed),
        _target_verdict(missed),
        before,
        distance,
    )


def _target_verdict(missed: str | None) -> str:
    """Verdict by the property whose target is missed, if one is."""
    return HIT if missed is None else f"misses_{missed}"


def _screen_changes(context: Round, hull: ReferenceHull) -> Iterator[Change]:
    """The verdict of the surrogate's gate on each candidate that came to its hull, before and
    after.
    """
    gate = context.spec.screening.surrogate
    engine = load_engine(gate.engine)
    if hull.scale not in (None, engine.scale or engine.name):
        return  # the surrogate is measured against another hull, which stays
    query = {"round_index": context.index, "surrogate.formation_energy": {"$ne": None}}
    for candidate in context.store.candidates(context.campaign_id, **query):
        rejection = candidate.standing.rejection or ""
        energy = candidate.verdict.formation_energy
        if rejection.startswith("relaxation") or energy is None:
            continue
        yield _screen_change(context, candidate, gate, hull)


def _screen_change(
    context: Round, candidate: CandidateDoc, gate: SurrogateSpec, hull: ReferenceHull
) -> Change:
    """The surrogate's verdict on one candidate, of which it knows the formation energy."""
    from pymatgen.core import Composition

    composition = Composition(candidate.formula or "")
    verdict = candidate.verdict
    before = verdict.e_above_hull
    after, record = _of_verdict(context, verdict, composition, hull)
    own = after if record is None else record.potential
    return Change(
        candidate.candidate_id,
        composition.reduced_formula,
        candidate.round_index,
        "screen",
        hull_reason(before, gate, verdict.stability) or _standing(verdict.own_distance, gate),
        hull_reason(after, gate, record) or _standing(own, gate),
        before,
        after,
    )


def _standing(own_distance: float | None, gate: SurrogateSpec) -> str:
    """The remark on a distance that passes the gate, as the potential gives it; or that it
    passed.
    """
    return remark_of(own_distance, gate.min_e_above_hull) or PASSED


Measured = tuple[float | None, StabilityRecord | None]
"""Distance to a hull, eV/atom, None where it does not cover the system, and what it is worth."""


def _of_label(
    context: Round, verdict: StoredVerdict, label: LabelDoc, hull: ReferenceHull
) -> Measured:
    """The distance of a label, corrected as the campaign corrects that of its potential."""
    structure = structure_of(label.structure)
    if "formation_energy" in label.basis:
        return _of_verdict(context, verdict, structure.composition, hull)
    corrector = footing_of(context).corrector(hull, label.engine, label.preset)
    return _measured(hull, corrector, structure, label.values["formation_energy"])


def _of_verdict(
    context: Round, verdict: StoredVerdict, composition: Composition, hull: ReferenceHull
) -> Measured:
    """The distance of a screened candidate; see `_of_label`."""
    energy = verdict.formation_energy
    corrector = footing_of(context).corrector(hull, verdict.engine, verdict.preset)
    if energy is None or corrector is None or verdict.structure is None:
        return _distance(hull, composition, energy), None
    return _measured(hull, corrector, structure_of(verdict.structure), energy)


def _measured(
    hull: ReferenceHull, corrector: Corrector | None, structure: Structure, energy: float
) -> Measured:
    if corrector is None:
        return _distance(hull, structure.composition, energy), None
    record = corrector.on(hull, structure, energy)
    return (None, None) if record is None else (record.corrected, record)


def _distance(
    hull: ReferenceHull, composition: Composition, formation_energy: float | None
) -> float | None:
    """eV/atom; None where the hull does not cover the chemical system."""
    counts = composition.get_el_amt_dict()
    if formation_energy is None or hull.gap(counts):
        return None
    return hull.e_above_hull(counts, formation_energy)


def by_stage(result: Rehull) -> dict[str, list[Change]]:
    """Changes of each stage."""
    stages: dict[str, list[Change]] = {}
    for change in sorted(result.changes, key=lambda change: change.stage):
        stages.setdefault(change.stage, []).append(change)
    return stages
