"""Whether a label makes its candidate a hit, where each value is from, and what that is worth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from gen2dft.campaign import Target
from gen2dft.composition import crystal_fields
from gen2dft.crystal_documents import structure_of
from gen2dft.ground.hulls import get_hull
from gen2dft.ground.on_hull import is_in_dataset, on_hull
from gen2dft.loop import targets
from gen2dft.loop.shortlist import DISTANCE
from gen2dft.property_steps import provided
from gen2dft.rounds.plausible import remarks
from gen2dft.rounds.round import Round
from gen2dft.store.documents import (
    OPEN,
    PREDICTED,
    CandidateDoc,
    Evidence,
    HitDoc,
    LabelDoc,
    StabilityRecord,
    StoredVerdict,
)
from gen2dft.symmetry import space_group_symbol

MUST_COMPUTE = ("engine", "both")  # who is asked by name; nobody else's value will do


@dataclass(frozen=True)
class Said:
    """What is said of a labelled candidate, and by whom.

    Parameters
    ----------
    predicted
        By the property heads.
    engine, computed
        Who labelled it, and the label's values.
    basis
        Property to the engine of its value in the label, where another one computed it.
    verdict
        The screen's.
    is_decomposed
        Whether the label's e_above_hull is a decomposition energy by its own engine, which then
        counts in the place of the screen's.
    """

    predicted: Mapping[str, float]
    engine: str
    computed: Mapping[str, float]
    basis: Mapping[str, str] = field(default_factory=dict)
    verdict: StoredVerdict = field(default_factory=StoredVerdict)
    is_decomposed: bool = False

    @classmethod
    def of(cls, candidate: Mapping[str, Any], label: Mapping[str, Any]) -> Self:
        """From the fields of documents, those of older versions among them."""
        verdict = StoredVerdict.of(candidate.get("surrogate"))
        basis = label.get("basis", {})
        decomposition = label.get("decomposition") or {}
        is_decomposed = decomposition.get("energy") is not None
        said = (candidate["predicted"], label["engine"], label["values"], basis, verdict)
        return cls(*said, is_decomposed=is_decomposed)

    @classmethod
    def of_documents(cls, candidate: CandidateDoc, label: LabelDoc) -> Self:
        """From a candidate and its label."""
        said = (candidate.predicted, label.engine, label.values, label.basis, candidate.verdict)
        return cls(*said, is_decomposed=label.is_decomposed)


def judge(context: Round, candidate: CandidateDoc, label: LabelDoc) -> HitDoc | None:
    """The hit that a label makes of its candidate, or None if it misses a target."""
    said = Said.of_documents(candidate, label)
    if missed_target(context, said) is not None:
        return None
    values, basis = values_and_basis(context, said)
    structure = structure_of(label.structure)
    formula = structure.composition.reduced_formula
    names = [target.property for target in context.spec.targets]
    of_targets = {name: basis.get(name, OPEN) for name in names}
    by_dft = {label.engine} if label.is_dft else set()
    evidence = evidence_of(of_targets.values(), by_dft)
    stability = stability_behind(context, candidate.verdict, label)
    errors = label.errors if stability is None else {**label.errors, DISTANCE: stability.error}
    own = values.get(DISTANCE) if stability is None else stability.potential
    return HitDoc(
        **crystal_fields(structure),
        id=candidate.id,
        campaign_id=context.campaign_id,
        round_index=context.index,
        candidate_id=candidate.candidate_id,
        formula=formula,
        spacegroup=space_group_symbol(structure),
        values={name: values.get(name) for name in names},
        basis=of_targets,
        is_dft=evidence == "dft",
        evidence=evidence,
        errors={name: errors[name] for name in names if name in errors},
        doubts=label.doubts,
        label_id=label.id,
        hull_id=label.hull_id,
        structure=label.structure,
        stability=stability,
        **_of_the_hull(context, label, structure.composition, own),
    )


def _of_the_hull(
    context: Round, label: LabelDoc, composition: Mapping[Any, float], distance: float | None
) -> dict[str, Any]:
    """Fields of a hit that say what its distance to the hull, eV/atom, is worth."""
    standing = on_hull(get_hull(context.store, label.hull_id), composition)
    return {
        "remarks": [*remarks(context, distance, label.doubts), *standing.remarks],
        "known_formula": _is_known(context, composition),
        "compounds": standing.compounds,
    }


def _is_known(context: Round, composition: Mapping[Any, float]) -> bool:
    """Whether the campaign began with a phase or a crystal of this formula.

    Hulls that its own labels have joined know its candidates, too.
    """
    campaign = context.campaign
    frozen = get_hull(context.store, campaign.screen_hull_id or campaign.hull_id)
    return frozen.knows(composition) or is_in_dataset(context.base, composition)


def stability_behind(
    context: Round, verdict: StoredVerdict, label: LabelDoc
) -> StabilityRecord | None:
    """What the potential's distance to the hull is worth that a labelled candidate is judged by.

    None where the distance is DFT's, and without a correction.
    """
    if label.is_decomposed:
        return None
    if DISTANCE in _judged(context.spec.targets, "screen"):
        return verdict.stability
    return label.stability if DISTANCE in label.values else verdict.stability


def evidence_of(basis: Iterable[str], dft: Collection[str]) -> Evidence:
    """What the values of the targets are worth, by who computed each.

    Parameters
    ----------
    basis
        Of each target.
    dft
        Engines among them that are DFT.
    """
    by_dft = [name in dft for name in basis]
    if all(by_dft):
        return "dft"
    return "mixed" if any(by_dft) else "surrogate"


def missed_target(context: Round, said: Said, wanted: Sequence[Target] | None = None) -> str | None:
    """The first property whose target a labelled candidate misses, None if it meets all.

    An open target is not missed, unless the engine or a step was to compute the property and yet
    gave no number for this candidate.

    Parameters
    ----------
    wanted
        The targets that count; None: all of the campaign.
    """
    spec = context.spec
    asked = spec.targets if wanted is None else wanted
    values, _ = values_and_basis(context, said)
    promised = provided(spec, said.engine) | _judged(spec.targets, "engine", "screen", "both")
    predicted = _judged(spec.targets, "prediction")
    still_open = open_properties(context) - (promised - predicted)
    missed = targets.missed_target(asked, values, still_open)
    if missed is not None:
        return missed
    twice = [target for target in asked if target.by == "both"]
    return targets.missed_target(twice, _screened(said))


def _judged(wanted: Iterable[Target], *judges: str) -> set[str]:
    """Properties of the targets that are judged by one of these."""
    return {target.property for target in wanted if target.by in judges}


def _screened(said: Said) -> dict[str, float]:
    """What the screen computed."""
    return {name: value for name, value in said.verdict.values.items() if value is not None}


def open_properties(context: Round) -> set[str]:
    """Properties of the targets that no head of the round predicts."""
    learnt = context.learnt
    if learnt is None:
        return set()
    asked = {target.property for target in context.spec.targets}
    return asked.difference(learnt)


def values_and_basis(context: Round, said: Said) -> tuple[dict[str, float], dict[str, str]]:
    """Values of all properties of a labelled candidate, and where each is from: an engine, or
    `predicted`.
    """
    values, basis = _of_the_label(context, said)
    others = {
        "screen": (said.verdict.engine, _screened(said)),
        "prediction": (PREDICTED, dict(said.predicted)),
    }
    for target in context.spec.targets:
        name = target.property
        if target.by in MUST_COMPUTE and name in said.basis:
            # The label carries the screen's value, since the engine found none.
            values.pop(name, None)
            basis.pop(name, None)
        if target.by not in others or (name == DISTANCE and said.is_decomposed):
            continue
        source, known = others[target.by]
        values.pop(name, None)
        basis.pop(name, None)
        if name in known:
            values[name], basis[name] = known[name], source
    return values, basis


def _of_the_label(context: Round, said: Said) -> tuple[dict[str, float], dict[str, str]]:
    """Values of the label, and predictions of what nobody was to compute."""
    values = dict(said.computed)
    basis = {**dict.fromkeys(values, said.engine), **said.basis}
    spec = context.spec
    if spec.validation.unlabelled_targets != PREDICTED:
        return values, basis
    # A property that was to be computed and yet has no number, as where the hull lacks the system,
    # must not pass by a prediction.
    refused = provided(spec, said.engine) | _judged(spec.targets, "engine", "both")
    for name, value in said.predicted.items():
        if name in values or name in refused:
            continue
        values[name] = value
        basis[name] = PREDICTED
    return values, basis
