"""Stored transport answers later questions: another definition, another campaign, no new bands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_bands import cosine_bands

from gen2dft import engines
from gen2dft.campaign import TransportSpec
from gen2dft.definitions import definition_of
from gen2dft.engines.base import CalculationFailure
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.known_crystals import ingest_known
from gen2dft.rounds.stored_transport import stored_outcome, transport_behind
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.convergence import step_of, summary_of
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import factor_in
from gen2dft.transport.settings import TransportSettings
from tests.launchpad.queued import queue_candidates
from tests.rounds.test_power_factors import BANDED, WANTED
from tests.rounds.test_reuse import CRYSTAL, campaign
from tests.rounds.test_steps import calculations

COMPUTED = TransportSettings(
    temperatures=(300.0, 600.0),
    dopings=(1e18, 1e19),
    grid_spacing=0.06,
    max_spacing=0.3,
    hall=False,
)


@pytest.fixture(scope="module")
def doc() -> TransportDoc:
    """Transport on one mesh, computed with half decades."""
    settings = COMPUTED.serving(definition_of("ricci2017"))
    found = compute_transport(cosine_bands((8, 8, 8)), settings)
    series = summary_of([step_of(found, "ricci2017")], "ricci2017", 0.05)
    return found.model_copy(update={"convergence": series, "core_hours": 0.5})


@pytest.fixture
def banded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: BANDED)


def asking(store, name: str, **transport: object):
    """A campaign that wants a power factor, from one mesh."""
    return campaign(store, name, targets=WANTED, transport={"meshes": 1, **transport})


def computed(store, outcome: object):
    """A campaign that has computed the crystal."""
    context = asking(store, "first")
    queue_candidates(context, {"made": CRYSTAL})
    done = [calc.model_copy(update={"converged": True}) for calc in calculations(context, "made")]
    ingest(context, "made", done, outcomes={"power_factor": outcome})
    return context


def test_another_definition_takes_the_stored_transport(store, banded, doc):
    first = computed(store, doc)
    other = asking(store, "second", carrier="n", temperature=600, doping=1e19)
    queue_candidates(other, {"again": CRYSTAL})
    assert ingest_known(other, "again") in ("labelled", "hit")
    (label,) = store.labels(other.campaign_id)
    expected = factor_in(doc, definition_of("n-600K-1e19")).value
    assert label.values["power_factor"] == pytest.approx(expected)
    assert label.core_hours == 0
    (kept,) = store.from_bands(other.campaign_id)
    assert (kept.definition, kept.carrier, kept.doping) == ("n-600K-1e19", "n", 1e19)
    (before,) = store.from_bands(first.campaign_id)
    assert before.definition == "ricci2017"
    assert transport_behind(store, before).core_hours == 0.5


@pytest.mark.parametrize(
    "transport",
    [
        {"carrier": "n", "temperature": 900},  # not computed
        {"gap": 2.0},  # bands must be opened
        {"carrier": "n", "meshes": 3},  # one mesh was computed
    ],
)
def test_what_it_does_not_serve_is_computed(store, banded, doc, transport):
    computed(store, doc)
    other = asking(store, "second", **transport)
    queue_candidates(other, {"again": CRYSTAL})
    assert ingest_known(other, "again") is None


def test_a_metal_is_one_by_any_definition(store, banded):
    computed(store, CalculationFailure(reason="metal", detail="bands overlap", core_hours=1.0))
    other = asking(store, "second", carrier="n")
    queue_candidates(other, {"again": CRYSTAL})
    assert ingest_known(other, "again") == "labelled"
    (label,) = store.labels(other.campaign_id)
    assert label.values["band_gap"] == 0
    assert label.core_hours == 0


def test_dopings_a_decade_apart_are_not_read_between(store, banded, doc):
    sparse = compute_transport(cosine_bands((8, 8, 8)), replace(COMPUTED, dopings=(1e18, 1e19)))
    between = TransportSpec(carrier="n", doping=3e18, meshes=1)
    for outcome, is_served in ((sparse, False), (doc, True)):
        store.database.power_factors.delete_many({})
        store.database.labels.delete_many({})
        context = computed(store, outcome)
        (found,) = store.from_bands(context.campaign_id)
        assert (stored_outcome(store, found, between) is not None) == is_served
    assert stored_outcome(store, None, between) is None


def test_the_choice_of_carriers_and_doping_is_kept(store, banded, doc):
    best = {
        "carrier": "best",
        "temperature": 600,
        "doping": "optimal",
        "doping_range": [1e18, 1e19],
    }
    computed(store, doc)
    other = asking(store, "second", **best)
    queue_candidates(other, {"again": CRYSTAL})
    assert ingest_known(other, "again") in ("labelled", "hit")
    (kept,) = store.from_bands(other.campaign_id)
    assert kept.carrier in ("p", "n")
    assert kept.doping == pytest.approx(1e19)  # light bands: the more carriers the better
    (label,) = store.labels(other.campaign_id)
    assert any(text.startswith("best power factor: ") for text in label.warnings)
