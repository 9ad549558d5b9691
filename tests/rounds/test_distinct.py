"""Hits that relaxed to one crystal, or to a known one, are counted once.

In whatever order they came.
"""

import itertools

import pytest
from pymatgen.core import Structure

from gen2dft.rounds.distinct import KNOWN, KNOWN_MARK, REPEATED, distinct_stage, mark_repeats
from gen2dft.store.documents import HitDoc
from gen2dft.store.store import candidate_key
from tests.toys import rock_salt


def hit(context, key: str, round_index: int, structure: Structure) -> HitDoc:
    return HitDoc(
        id=candidate_key(context.campaign_id, key),
        campaign_id=context.campaign_id,
        round_index=round_index,
        candidate_id=key,
        formula=structure.composition.reduced_formula,
        spacegroup="Fm-3m",
        values={"formation_energy": -1.0},
        basis={"formation_energy": "toy"},
        is_dft=False,
        label_id=key,
        hull_id="h",
        structure=structure.as_dict(),
    )


def strained(structure: Structure) -> Structure:
    larger = structure.copy()
    larger.apply_strain(0.01)
    return larger


def crystals() -> dict[tuple[str, int], Structure]:
    """Candidate and round to what it relaxed to: one crystal three times, a known one, one by
    itself.
    """
    strange = rock_salt("Cs", "Te", 7.5)
    turned = strange.copy()
    turned.perturb(0.01)
    return {
        ("b", 0): strange,
        ("c", 0): turned * (1, 1, 2),
        ("a", 1): strained(strange),
        ("d", 0): rock_salt("Cs", "Br", 7.5),
    }


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_a_crystal_counts_once_whichever_hit_came_first(context, order):
    made = list(crystals().items())
    for i in order:
        (key, index), structure = made[i]
        assert context.store.insert_new(hit(context, key, index, structure))
        mark_repeats(context)
    marks = {found.candidate_id: found.same_as for found in context.store.hits(context.campaign_id)}
    assert marks == {"a": "b", "b": None, "c": "b", "d": None}


def test_what_relaxed_to_a_known_crystal_is_none_of_the_new(context):
    known = context.base.crystals.structure(0)
    assert context.store.insert_new(hit(context, "k", 0, known * (2, 1, 1)))
    assert context.store.insert_new(hit(context, "l", 0, known))
    mark_repeats(context)
    hits = context.store.hits(context.campaign_id)
    assert {found.same_as for found in hits} == {f"{KNOWN_MARK}{context.base.ids[0]}"}
    stage = distinct_stage(context, ["k", "l"])
    assert (stage.n_in, stage.n_out, dict(stage.reasons)) == (2, 0, {KNOWN: 2})


def test_the_funnel_says_what_became_of_the_others(context):
    for (key, index), structure in crystals().items():
        context.store.insert_new(hit(context, key, index, structure))
    mark_repeats(context)
    stage = distinct_stage(context, ["b", "c", "d"])
    assert (stage.n_in, stage.n_out, dict(stage.reasons)) == (3, 2, {REPEATED: 1})
