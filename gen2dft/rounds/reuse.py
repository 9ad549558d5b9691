"""Finished calculations, shared by campaigns: the same crystal with the same settings is not
computed twice.

What is kept are the calculations, not the labels: each campaign measures them with its own
correction and against its own hull. Two crystals are the same if their primitive cells match within
narrow tolerances, whatever their axes, the order of their sites or the size of their cells.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymatgen.core import Structure

from gen2dft.crystal_documents import structure_of
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.kept import plain
from gen2dft.hashing import content_hash
from gen2dft.rounds.round import Round
from gen2dft.settings import allows_stand_in
from gen2dft.store.documents import CalculationsDoc, CandidateDoc


def start_of(candidate: CandidateDoc) -> Structure:
    """The structure that a candidate's calculations begin with: the screened one or, without it,
    the decoded one.
    """
    structure = candidate.verdict.structure or candidate.structure
    return structure_of(structure or {})


def remember(
    context: Round,
    candidate_id: str,
    label_id: str,
    calculations: Sequence[CalculationDoc],
    refined: Sequence[CalculationDoc],
) -> None:
    """Keep the calculations behind a label for other candidates.

    Not those whose settings custodian had to change.
    """
    everything = [*calculations, *refined]
    if not _may_be_kept(everything):
        return
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    start = start_of(candidate)
    document = CalculationsDoc(
        id=content_hash(f"calculations {label_id}", digits=24),
        engine=everything[-1].engine,
        settings_hash=calculations[-1].settings_hash,
        formula=start.composition.reduced_formula,
        start=start.as_dict(verbosity=0),
        calculations=[plain(calc) for calc in calculations],
        refined=[plain(calc) for calc in refined],
        label_id=label_id,
    )
    context.store.insert_new(document)


def _may_be_kept(calculations: Sequence[CalculationDoc]) -> bool:
    """Whether calculations are good for other candidates.

    Stand-in programs give numbers that mean nothing, so theirs are kept only where they are
    allowed.
    """
    if any(calc.settings_changed for calc in calculations):
        return False
    if calculations[-1].task == "look":  # enough for this campaign's targets alone
        return False
    if any(calc.is_stand_in for calc in calculations):
        return allows_stand_in()
    return True


def settings_hashes(context: Round) -> list[str]:
    """Hashes of the settings of the campaign's stages: one, or two with a second stage."""
    validation = context.spec.validation
    engine = load_engine(validation.engine)
    presets = [validation.preset]
    if validation.refine:
        presets.append(validation.refine.preset)
    return [engine.preset(name).settings_hash for name in presets]
