"""Power factors computed by hand: they become labels, and the next round trains on them."""

from __future__ import annotations

import numpy as np
import pytest
from example_campaign import transport
from pymatgen.core import Structure

from gen2dft.engines.base import CalculationFailure
from gen2dft.ledger import BANDS, read_ledger
from gen2dft.property_steps import Made
from gen2dft.rounds.by_hand import teach
from gen2dft.rounds.close import last_stages
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.labelling import label_id
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.power_factors import keep
from gen2dft.rounds.round import Round
from gen2dft.rounds.view import surrogate_errors
from gen2dft.store.documents import LabelDoc, PowerFactorDoc
from tests import toys
from tests.rounds.test_steps import calculations, queued, up_to_dispatch

HASH = "0" * 12
WANTED = [*toys.TOY_CAMPAIGN["targets"], {"property": "power_factor", "min": 0.1}]
WIDE = {"band_gap": 1.2}
METAL = CalculationFailure(reason="metal", detail="bands overlap", core_hours=0.25)


@pytest.fixture
def spec(spec):
    return spec.model_validate({**toys.TOY_CAMPAIGN, "targets": WANTED})


def labelled(context: Round) -> str:
    """A candidate with the campaign's own label."""
    up_to_dispatch(context)
    key = queued(context)[0]
    ingest(context, key, calculations(context, key))
    return key


def computed(context: Round, key: str, outcome: object, engine: str = "gpaw") -> PowerFactorDoc:
    settings_hash = HASH
    if engine == "toy":
        (own,) = context.store.labels(context.campaign_id)
        settings_hash = own.settings_hash
    made = Made(
        label_id(context.campaign_id, key, engine, settings_hash), context.campaign_id, key, "NaCl",
        engine, engine == "gpaw", "gpaw-quick-v1", settings_hash,
    )  # fmt: skip
    return keep(context.store, made, "ricci2017", outcome)


def following(context: Round) -> Round:
    return Round(context.store, context.campaign_id, context.index + 1)


def row_of(context: Round, own: LabelDoc) -> int:
    return read_learner(following(context)).known.ids.index(f"label-{own.id}")


def test_the_next_round_trains_on_it(context):
    key = labelled(context)
    (own,) = context.store.labels(context.campaign_id)
    before = read_learner(following(context)).known
    assert np.isnan(before.label("power_factor")[row_of(context, own)])
    known = computed(context, key, transport().model_copy(update=WIDE))
    assert teach(context.store, known, toys.rock_salt("Na", "Cl", 5.6))
    after = read_learner(following(context)).known
    assert after.ids == before.ids  # still one row of this crystal
    row = row_of(context, own)
    assert after.label("power_factor")[row] == known.values["power_factor"]
    assert after.label("formation_energy")[row] == own.values["formation_energy"]
    assert after.content_hash != before.content_hash
    by_hand = context.store.label(known.id)
    assert (by_hand.by_hand, by_hand.is_dft, by_hand.round_index) == (True, True, context.index)
    assert Structure.from_dict(by_hand.structure) == Structure.from_dict(transport().structure)
    assert by_hand.doubts == ["mesh_not_converged"]


def test_a_metal_teaches_its_gap_alone(context):
    key = labelled(context)
    crystal = toys.rock_salt("Na", "Cl", 5.6)
    known = computed(context, key, METAL)
    assert teach(context.store, known, crystal)
    found = context.store.label(known.id)
    assert found.values == {"band_gap": 0.0}
    assert Structure.from_dict(found.structure) == crystal


def test_a_failure_teaches_nothing(context):
    key = labelled(context)
    failure = CalculationFailure(reason="scf_not_converged", detail="stand-in")
    known = computed(context, key, failure)
    assert not teach(context.store, known, toys.rock_salt("Na", "Cl", 5.6))
    assert context.store.find(LabelDoc, known.id) is None


def test_teaching_twice_writes_one_label(context):
    key = labelled(context)
    crystal = toys.rock_salt("Na", "Cl", 5.6)
    known = computed(context, key, transport())
    for _ in range(2):
        teach(context.store, known, crystal)
    assert len(context.store.labels(context.campaign_id)) == 2


def test_the_candidates_own_label_of_the_same_settings_takes_the_values(context):
    key = labelled(context)
    (own,) = context.store.labels(context.campaign_id)
    doc = transport().model_copy(update={"core_hours": 0.5})
    known = computed(context, key, doc, engine="toy")
    for _ in range(2):
        teach(context.store, known, toys.rock_salt("Na", "Cl", 5.6))
    (label,) = context.store.labels(context.campaign_id)
    assert label.id == own.id
    assert label.values == {**own.values, **known.values}
    assert label.core_hours == pytest.approx(own.core_hours + 0.5)


def test_verdicts_and_costs_stay_those_of_the_campaign(context):
    key = labelled(context)
    stages = last_stages(context)
    errors = surrogate_errors(following(context), context.store.labels(context.campaign_id))
    spent = read_ledger(context.store, context.campaign_id).whole.validation
    doc = transport().model_copy(update={"core_hours": 0.5})
    known = computed(context, key, doc)
    teach(context.store, known, toys.rock_salt("Na", "Cl", 5.6))
    assert last_stages(context) == stages
    own = [label for label in context.store.labels(context.campaign_id) if not label.by_hand]
    assert surrogate_errors(following(context), own) == errors
    ledger = read_ledger(context.store, context.campaign_id)
    assert ledger.whole.validation == spent
    assert ledger.whole.hours[BANDS] == pytest.approx(0.5)
