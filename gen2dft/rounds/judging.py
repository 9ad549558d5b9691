"""Whether a label makes its candidate a hit, and where each value is from."""

from __future__ import annotations

from collections.abc import Mapping

from gen2dft.loop import targets
from gen2dft.property_steps import provided
from gen2dft.rounds.round import Round
from gen2dft.store.documents import OPEN, CandidateDoc, HitDoc, LabelDoc
from gen2dft.symmetry import space_group_symbol

PREDICTED = "predicted"


def judge(context: Round, candidate: CandidateDoc, label: LabelDoc) -> HitDoc | None:
    """The hit that a label makes of its candidate, or None if it misses a target."""
    from pymatgen.core import Structure

    predicted, engine = candidate.predicted, label.engine
    missed = missed_target(context, predicted, engine, label.values)
    if missed is not None:
        return None
    values, basis = values_and_basis(context, predicted, engine, label.values)
    structure = Structure.from_dict(label.structure)
    formula = structure.composition.reduced_formula
    names = [target.property for target in context.spec.targets]
    by_engine = all(basis.get(name) == engine for name in names)
    return HitDoc(
        id=candidate.id,
        campaign_id=context.campaign_id,
        round_index=context.index,
        candidate_id=candidate.candidate_id,
        formula=formula,
        spacegroup=space_group_symbol(structure),
        values={name: values.get(name) for name in names},
        basis={name: basis.get(name, OPEN) for name in names},
        is_dft=label.is_dft and by_engine,
        errors={name: label.errors[name] for name in names if name in label.errors},
        doubts=label.doubts,
        label_id=label.id,
        hull_id=label.hull_id,
        structure=label.structure,
    )


def missed_target(
    context: Round, predicted: Mapping[str, float], engine: str, found: Mapping[str, float]
) -> str | None:
    """The first property whose target a labelled candidate misses, None if it meets all.

    An open target is not missed, unless the engine or a step was to compute the property and yet
    gave no number for this candidate.

    Parameters
    ----------
    predicted, engine, found
        As for `values_and_basis`.
    """
    values, _ = values_and_basis(context, predicted, engine, found)
    promised = provided(context.spec, engine)
    still_open = open_properties(context) - promised
    return targets.missed_target(context.spec.targets, values, still_open)


def open_properties(context: Round) -> set[str]:
    """Properties of the targets that no head of the round predicts."""
    learnt = context.learnt
    if learnt is None:
        return set()
    asked = {target.property for target in context.spec.targets}
    return asked.difference(learnt)


def values_and_basis(
    context: Round, predicted: Mapping[str, float], engine: str, found: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, str]]:
    """Values of all properties of a labelled candidate, and where each is from: the engine, or
    `predicted`.

    Parameters
    ----------
    predicted
        What the candidate was predicted to have.
    engine, found
        Who labelled it, and the label's values.
    """
    values = dict(found)
    basis = dict.fromkeys(found, engine)
    if context.spec.validation.unlabelled_targets != PREDICTED:
        return values, basis
    # A property that was to be computed and yet has no number, as where the hull lacks the system,
    # must not pass by a prediction.
    refused = provided(context.spec, engine)
    for name, value in predicted.items():
        if name in values or name in refused:
            continue
        values[name] = value
        basis[name] = PREDICTED
    return values, basis
