"""Which correction of a potential's distances a campaign uses, and how far its DFT refines it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gen2dft.campaign import CampaignSpec
from gen2dft.crystal_documents import structure_of
from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError
from gen2dft.heads import stability_trees
from gen2dft.loop.look import window
from gen2dft.store.documents import LabelDoc, Refinement, StoredVerdict
from gen2dft.thermo.corrected import Corrector
from gen2dft.thermo.refinement import refinement_of
from gen2dft.thermo.scales import MATERIALS_PROJECT

if TYPE_CHECKING:
    from gen2dft.store.store import Store
    from gen2dft.thermo.hull import ReferenceHull
    from gen2dft.thermo.stability import StabilityModel

AUTO, NONE = "auto", "none"
KEY = "screening.surrogate.correction"


def with_correction(spec: CampaignSpec, hull: ReferenceHull) -> CampaignSpec:
    """The campaign with the correction that `auto` stands for.

    It stays `auto` where there is none, as in campaigns of versions that knew no corrections.

    Parameters
    ----------
    hull
        What the screen measures against.
    """
    surrogate = spec.screening.surrogate
    model = _model(surrogate.engine, surrogate.preset)
    if surrogate.correction != AUTO or model is None or hull.scale != MATERIALS_PROJECT:
        return spec
    named = surrogate.model_copy(update={"correction": model.name})
    screening = spec.screening.model_copy(update={"surrogate": named})
    return spec.model_copy(update={"screening": screening})


def check_correction(spec: CampaignSpec, hull: ReferenceHull) -> None:
    """Refuse a correction that does not hold, before work begins.

    Parameters
    ----------
    hull
        What the screen measures against.

    Raises
    ------
    CampaignError
        A correction of another potential or for another scale; a least chance without a
        correction.
    """
    settled = with_correction(spec, hull)
    surrogate = settled.screening.surrogate
    if has_correction(settled):
        _named_model(settled)
        _must_be_on_the_scale(surrogate.correction, hull)
    elif surrogate.min_chance is not None:
        raise CampaignError(
            f"screening.surrogate.min_chance: {surrogate.min_chance:g} asks for a chance, and "
            f"there is none without a correction of engine {surrogate.engine!r}, preset "
            f"{surrogate.preset!r}, on this hull: leave it out and give max_e_above_hull"
        )


def _must_be_on_the_scale(name: str, hull: ReferenceHull) -> None:
    if hull.scale == MATERIALS_PROJECT:
        return
    raise CampaignError(
        f"{KEY}: {name!r} corrects distances to a hull on scale {MATERIALS_PROJECT!r}, and the "
        f"screen's hull is on {hull.scale or 'an unknown scale'!r}: choose {KEY}: none, or a hull "
        "on that scale (hull.source, hull.scale)"
    )


def _model(engine: str, preset: str) -> StabilityModel | None:
    """The correction of an engine; DFT needs none."""
    if load_engine(engine).is_dft:
        return None
    return stability_trees.stability_model(engine, preset)


def _named_model(spec: CampaignSpec) -> StabilityModel:
    """The correction that a campaign names; CampaignError if it is not that of its potential."""
    surrogate = spec.screening.surrogate
    name = surrogate.correction
    model = _model(surrogate.engine, surrogate.preset)
    if model is not None and model.name == name:
        return model
    other = "none" if model is None else repr(model.name)
    raise CampaignError(
        f"{KEY}: {name!r} is not the correction of engine {surrogate.engine!r}, preset "
        f"{surrogate.preset!r}, which has {other}: choose {KEY}: auto, or none"
    )


def most_above_hull(spec: CampaignSpec) -> float:
    """eV/atom above the hull that the target accepts; what the screen's gate does, where there is
    no target with an upper bound.
    """
    for target in spec.targets:
        _, highest = window(target)
        if target.property == "e_above_hull" and highest < float("inf"):
            return highest
    return spec.screening.surrogate.max_e_above_hull


def has_correction(spec: CampaignSpec) -> bool:
    """Whether a begun campaign corrects its potential's distances: it then names the correction."""
    return spec.screening.surrogate.correction not in (AUTO, NONE)


def corrector_of(
    spec: CampaignSpec,
    refinement: Refinement | None,
    hull: ReferenceHull,
    engine: str,
    preset: str,
) -> Corrector | None:
    """The correction of an engine's distances to a hull, in a campaign that has one.

    None for DFT, for another potential than that of the screen, and on another scale.

    Raises
    ------
    CampaignError
        If the campaign names a correction that this version does not bring.
    """
    named, own = _named_model(spec), _model(engine, preset)
    if own is None or own.name != named.name or hull.scale != MATERIALS_PROJECT:
        return None
    return Corrector(own, most_above_hull(spec), refinement)


def refinement_by_labels(
    store: Store, campaign_id: str, spec: CampaignSpec, index: int
) -> Refinement:
    """What DFT labels of rounds below `index` make of the campaign's correction.

    The labels' hull must be on the correction's scale.
    """
    pairs = list(_computed_by_dft(store, campaign_id, index))
    if not pairs:
        return Refinement()
    structures = [structure_of(verdict.structure or {}) for verdict, _ in pairs]
    energies = [verdict.formation_energy or 0.0 for verdict, _ in pairs]
    distances = [verdict.own_distance or 0.0 for verdict, _ in pairs]
    expected = _named_model(spec).estimate(structures, energies, distances)
    residuals = []
    for (_, label), estimate in zip(pairs, expected, strict=True):
        residuals.append(label.values["e_above_hull"] - estimate.e_above_hull)
    return refinement_of(residuals, [estimate.error for estimate in expected])


def _computed_by_dft(
    store: Store, campaign_id: str, index: int
) -> Iterator[tuple[StoredVerdict, LabelDoc]]:
    """Corrected verdicts of earlier rounds, each with the label of a DFT engine.

    A label's own distance is on the scale of its hull: others are refused when they are made.
    """
    earlier = {"$lt": index}
    for label in store.labels(campaign_id, round_index=earlier, is_dft=True):
        verdict = store.candidate(campaign_id, label.candidate_id).verdict
        record = verdict.stability
        if record is None or record.known:  # of which the model says nothing
            continue
        if "e_above_hull" in label.own_values:
            yield verdict, label
