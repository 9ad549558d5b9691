"""The verdicts of a campaign against another hull: which would change, and nothing that is
overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gen2dft.campaign import SurrogateSpec
from gen2dft.engines import load_engine
from gen2dft.ground.hulls import put_hull
from gen2dft.rounds.judging import Said, missed_target
from gen2dft.rounds.round import Round
from gen2dft.screening.surrogate import hull_reason
from gen2dft.store.documents import CandidateDoc, LabelDoc
from gen2dft.store.store import Store
from gen2dft.thermo.corrections import scale_of
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.placing import remark_of
from gen2dft.thermo.scales import must_share

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
    return Rehull(*ids, num_screened, len(labels), changes, distances)


def apply(store: Store, result: Rehull, hull: ReferenceHull, source: str) -> None:
    """Keep the new hull, and the new distances beside the old ones in each label.

    States, hits and the labels' own distances stay as they are: they belong to the campaign's
    frozen hull.
    """
    put_hull(store, hull, source)
    for label_id, distance in result.distances.items():
        store.set_label(label_id, **{f"other_hulls.{result.new_id}": distance})


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
    from pymatgen.core import Structure

    candidate = context.store.candidate(context.campaign_id, label.candidate_id)
    composition = Structure.from_dict(label.structure).composition
    distance = _distance(hull, composition.get_el_amt_dict(), label.values["formation_energy"])
    values = dict(label.values)
    before = values.pop("e_above_hull", None)
    if distance is not None:
        values["e_above_hull"] = distance
    verdict = candidate.verdict
    said = Said(candidate.predicted, label.engine, label.values, label.basis, verdict)
    if "e_above_hull" in label.basis:
        verdict = verdict.model_copy(update={"e_above_hull": distance})
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
        yield _screen_change(candidate, energy, gate, hull)


def _screen_change(
    candidate: CandidateDoc, energy: float, gate: SurrogateSpec, hull: ReferenceHull
) -> Change:
    """The surrogate's verdict on one candidate, of which it knows the formation energy, eV/atom."""
    from pymatgen.core import Composition

    composition = Composition(candidate.formula or "")
    before = candidate.verdict.e_above_hull
    after = _distance(hull, composition.get_el_amt_dict(), energy)
    return Change(
        candidate.candidate_id,
        composition.reduced_formula,
        candidate.round_index,
        "screen",
        _standing(before, gate),
        _standing(after, gate),
        before,
        after,
    )


def _standing(e_above_hull: float | None, gate: SurrogateSpec) -> str:
    """The gate's reason for a distance to the hull, its remark, or that it passed."""
    reason = hull_reason(e_above_hull, gate)
    return reason or remark_of(e_above_hull, gate.min_e_above_hull) or PASSED


def _distance(
    hull: ReferenceHull, counts: dict[str, float], formation_energy: float
) -> float | None:
    """eV/atom; None where the hull does not cover the chemical system."""
    return None if hull.gap(counts) else hull.e_above_hull(counts, formation_energy)


def by_stage(result: Rehull) -> dict[str, list[Change]]:
    """Changes of each stage."""
    stages: dict[str, list[Change]] = {}
    for change in sorted(result.changes, key=lambda change: change.stage):
        stages.setdefault(change.stage, []).append(change)
    return stages
