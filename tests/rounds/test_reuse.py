"""The label cache: the same crystal with the same settings is not computed twice, whichever
campaign asks.
"""

import numpy as np
import pytest
from pymatgen.core import Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.known_crystals import ingest_known
from gen2dft.rounds.round import Round
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.launchpad.queued import queue_candidates
from tests.rounds.test_steps import calculations

CRYSTAL = toys.rock_salt("K", "Cl", 6.3)


def rotated(structure: Structure) -> Structure:
    angle = 0.7
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    return Structure(structure.lattice.matrix @ turn.T, structure.species, structure.frac_coords)


EQUIVALENT = {
    "rotated": rotated(CRYSTAL),
    "supercell": CRYSTAL * (2, 1, 1),
    "conventional": CRYSTAL.to_conventional(),
    "permuted": Structure.from_sites(list(CRYSTAL)[::-1]),
    "shifted": CRYSTAL.copy().translate_sites([0, 1], [0.2, 0.1, 0.4]),
}
OTHERS = {
    "larger": toys.rock_salt("K", "Cl", 6.45),
    "another composition": toys.rock_salt("K", "Br", 6.3),
}


def campaign(store, name="first", **changes):
    """A campaign of toys whose next candidates are given by hand."""
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "name": name, **changes})
    dataset = toys.toy_dataset()
    document, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    return Round(store, document.id, 0)


@pytest.fixture
def computed(store):
    """A campaign that has computed the crystal."""
    context = campaign(store)
    queue_candidates(context, {"made": CRYSTAL})
    calculated = [
        calc.model_copy(update={"converged": True}) for calc in calculations(context, "made")
    ]
    assert ingest(context, "made", calculated) in ("labelled", "hit")
    return context


def only_label(context):
    (label,) = context.store.labels(context.campaign_id)
    return label


@pytest.mark.parametrize("structure", EQUIVALENT.values(), ids=EQUIVALENT)
def test_an_equivalent_crystal_is_not_computed_again(store, computed, structure):
    other = campaign(store, "second")
    queue_candidates(other, {"again": structure})
    assert ingest_known(other, "again") in ("labelled", "hit")
    label, source = only_label(other), only_label(computed)
    assert label.reused_from == source.id
    assert source.reused_from is None
    assert (label.core_hours, source.core_hours > 0) == (0.0, True)
    assert label.values == pytest.approx(source.values)
    assert ingest_known(other, "again") in ("labelled", "hit")  # twice changes nothing
    assert len(store.labels(other.campaign_id)) == 1


@pytest.mark.parametrize("structure", OTHERS.values(), ids=OTHERS)
def test_another_crystal_is_computed(store, computed, structure):
    other = campaign(store, "second")
    queue_candidates(other, {"new": structure})
    assert ingest_known(other, "new") is None
    assert not store.labels(other.campaign_id)


def test_other_settings_are_computed(store, computed):
    other = campaign(store, "second", validation={"engine": "toy", "preset": "toy-fine-v1"})
    queue_candidates(other, {"new": CRYSTAL})
    assert ingest_known(other, "new") is None


def test_a_second_stage_that_was_not_made_is_computed(store, computed):
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": 99.0}
    other = campaign(
        store, "second", validation={"engine": "toy", "preset": "toy-v1", "refine": refine}
    )
    queue_candidates(other, {"new": CRYSTAL})
    assert ingest_known(other, "new") is None
    far = {**refine, "max_e_above_hull": 0.0}
    third = campaign(
        store, "third", validation={"engine": "toy", "preset": "toy-v1", "refine": far}
    )
    queue_candidates(third, {"new": CRYSTAL})
    distance = only_label(computed).values["e_above_hull"]
    assert (ingest_known(third, "new") is None) == (distance <= 0.0)


def test_what_custodian_had_to_change_is_not_shared(store):
    context = campaign(store)
    queue_candidates(context, {"made": CRYSTAL})
    changed = {"converged": True, "settings_changed": True}
    ingest(
        context, "made", [calc.model_copy(update=changed) for calc in calculations(context, "made")]
    )
    other = campaign(store, "second")
    queue_candidates(other, {"again": CRYSTAL})
    assert ingest_known(other, "again") is None
