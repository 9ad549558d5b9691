"""Power factors of a campaign: whether they are computed, what becomes of the label, what is
kept.
"""

from dataclasses import replace

import pytest
from example_campaign import transport

from gen2dft import __version__, engines
from gen2dft.engines.base import CalculationFailure
from gen2dft.property_steps import step_names
from gen2dft.rounds.computed_properties import with_properties
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.labelling import make_label
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.round import Round
from gen2dft.transport.convergence import summary_of
from gen2dft.transport.document import ConvergenceStep, TransportDoc
from gen2dft.transport.reductions import get_reduction
from tests import toys
from tests.rounds.test_steps import calculations, queued, up_to_dispatch

BANDED = replace(
    toys.TOY_ENGINE,
    provides=toys.TOY_ENGINE.provides | {"band_gap"},
    read_bands=engines.load_engine("gpaw").read_bands,
)
WANTED = [*toys.TOY_CAMPAIGN["targets"], {"property": "power_factor", "min": 0.1}]


@pytest.fixture
def spec(spec):
    changes = {"targets": WANTED, "transport": {"definition": "ftcp"}}
    return spec.model_validate({**toys.TOY_CAMPAIGN, **changes})


@pytest.fixture
def banded(monkeypatch):
    """The toy engine, as if it computed bands."""
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: BANDED)


def dispatched(context: Round) -> tuple[str, list]:
    up_to_dispatch(context)
    key = queued(context)[0]
    return key, calculations(context, key)


def test_they_are_computed_where_they_are_wanted_and_the_engine_can(spec, monkeypatch):
    assert not step_names(spec)
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: BANDED)
    assert step_names(spec)
    assert not step_names(spec.model_validate(toys.TOY_CAMPAIGN))


def test_a_computed_power_factor_is_in_the_label_and_judged(context, banded):
    key, calcs = dispatched(context)
    doc = transport().model_copy(update={"core_hours": 0.5})
    state = ingest(context, key, calcs, outcomes={"power_factor": doc})
    (label,) = context.store.labels(context.campaign_id)
    assert label.values["power_factor"] == pytest.approx(get_reduction("ftcp").power_factor(doc))
    assert label.values["band_gap"] == pytest.approx(1.0)
    assert label.core_hours == pytest.approx(0.5 + sum(calc.core_hours for calc in calcs))
    if state == "hit":
        (hit,) = context.store.hits(context.campaign_id)
        assert hit.basis["power_factor"] == "toy"
    (kept,) = context.store.from_bands(context.campaign_id)
    assert (kept.id, kept.definition, kept.mesh) == (label.id, "ftcp", (8, 8, 8))
    assert set(kept.power_factors) == {"ricci2017", "ftcp"}
    assert (kept.program, kept.program_version) == ("gen2dft", __version__)
    made = label.provenance["properties"]["power_factor"]
    assert (made["program"], made["program_version"]) == ("gen2dft", __version__)
    read = TransportDoc.model_validate_json(context.store.get_blob(kept.transport_id))
    assert read.model_dump_json() == doc.model_dump_json()


def of_meshes(*factors: float) -> TransportDoc:
    """Transport whose power factor changed so from mesh to mesh; the last is its own."""
    own = get_reduction("ftcp").power_factor(transport())
    steps = [
        ConvergenceStep(
            mesh=(8 + 2 * i,) * 3, spacing=0.2 - 0.01 * i, power_factor=factor * own, band_gap=1.0
        )
        for i, factor in enumerate(factors)
    ]
    series = summary_of(steps, "ftcp", tolerance=0.05)
    return transport().model_copy(update={"convergence": series})


@pytest.mark.parametrize(("before", "doubts"), [(0.7, ["mesh_not_converged"]), (1.0, [])])
def test_the_label_states_the_error_and_its_doubts(context, banded, before, doubts):
    key, calcs = dispatched(context)
    doc = of_meshes(before, 1.0)
    ingest(context, key, calcs, outcomes={"power_factor": doc})
    (label,) = context.store.labels(context.campaign_id)
    relative = doc.convergence.relative_error
    assert relative > 1.0 - before
    wanted = relative * label.values["power_factor"]
    assert label.errors == {"power_factor": pytest.approx(wanted)}
    assert label.doubts == doubts
    (kept,) = context.store.from_bands(context.campaign_id)
    assert (kept.errors, kept.doubts) == (label.errors, label.doubts)
    for hit in context.store.hits(context.campaign_id):
        assert (hit.errors, hit.doubts) == (label.errors, label.doubts)
    following = Round(context.store, context.campaign_id, context.index + 1)
    known = read_learner(following).known
    assert 0.0 < known.weight("power_factor")[-1] < 1.0
    assert (known.weight("formation_energy") == 1.0).all()


@pytest.mark.parametrize(
    ("outcome", "gap", "reason"),
    [
        (
            CalculationFailure(reason="metal", detail="bands overlap", core_hours=0.25),
            0.0,
            "metal: bands overlap",
        ),
        (CalculationFailure(reason="too_few_bands", detail="more"), None, "too_few_bands: more"),
        (None, None, "no_bands: no bands were computed"),
    ],
)
def test_without_a_power_factor_the_label_says_why_and_misses(
    context, banded, outcome, gap, reason
):
    key, calcs = dispatched(context)
    assert ingest(context, key, calcs, outcomes={"power_factor": outcome}) == "labelled"
    (label,) = context.store.labels(context.campaign_id)
    assert label.values.get("band_gap") == gap
    assert "power_factor" not in label.values
    assert f"no power factor: {reason}" in label.warnings
    (kept,) = context.store.from_bands(context.campaign_id)
    assert f"{kept.reason}: {kept.detail}" == reason


def test_a_label_is_kept_once(context, banded):
    key, calcs = dispatched(context)
    label = make_label(footing_of(context), key, calcs)
    outcomes = {"power_factor": transport()}
    first = with_properties(context, label, outcomes)
    assert with_properties(context, label, outcomes).values == first.values
    assert len(context.store.from_bands(context.campaign_id)) == 1
