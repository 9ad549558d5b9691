"""Tables and figures of the example campaign, as a notebook sees them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from example_campaign import example_store
from pymatgen.core import Structure

from gen2dft.api import Campaign
from gen2dft.campaign import stored_campaign
from gen2dft.errors import Gen2DFTError, QueryError
from gen2dft.report.figures import FIGURES
from gen2dft.report.wording import ranked


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Campaign:
    # Other tests keep another hull under the id that this one has.
    monkeypatch.setattr("gen2dft.ground.hulls._LOADED", {})
    store = example_store()
    session = SimpleNamespace(store=store, settings=None)
    return Campaign(session, store.find_campaign().id)


def test_hits_come_best_first_with_structures_and_units(campaign: Campaign):
    store, table = campaign.session.store, campaign.hits()
    spec = stored_campaign(campaign.document)
    best_first, _ = ranked(store.hits(campaign.id), spec.targets, spec.known_properties)
    assert list(table["id"]) == [hit.candidate_id for hit in best_first]
    assert all(isinstance(crystal, Structure) for crystal in table["structure"])
    first = best_first[0]
    assert table["structure"][0] == Structure.from_dict(first.structure)
    for target in spec.targets:
        name = target.property
        assert table[name][0] == pytest.approx(first.values[name])
        assert table[f"{name}_from"][0] == first.basis[name]
        assert table.attrs["units"][name] == spec.known_properties[name].unit
        assert table[name].dtype == "float64"
    assert table["round"].min() >= 1


def test_hits_may_be_asked_for_by_a_condition(campaign: Campaign):
    everything = campaign.hits()
    name = next(target.property for target in campaign.spec.targets)
    middle = everything[name].median()
    some = campaign.hits(f"{name} > {middle}")
    assert 0 < len(some) < len(everything)
    assert (some[name] > middle).all()
    with pytest.raises(QueryError, match="not one of"):
        campaign.hits("sweetness > 1")


def test_without_hits_the_columns_are_there(campaign: Campaign):
    none = campaign.hits("round == 99")
    assert none.empty
    assert list(none.columns) == list(campaign.hits().columns)


def test_candidates_and_labels_name_where_values_are_from(campaign: Campaign):
    store = campaign.session.store
    labels = {label.candidate_id: label for label in store.labels(campaign.id)}
    told = campaign.labels()
    assert set(told["id"]) == set(labels)
    for row in told.itertuples():
        label = labels[row.id]
        assert row.structure == Structure.from_dict(label.structure)
        for name, value in label.values.items():
            assert getattr(row, name) == value
    table = campaign.candidates()
    states = dict(zip(table["id"], table["state"], strict=True))
    assert set(labels) <= set(states)
    assert all(states[key] in ("labelled", "hit") for key in labels)
    assert table["structure"].notna().any()
    assert table.attrs["units"]["formation_energy"] == "eV/atom"


def test_every_row_of_the_funnel_adds_up(campaign: Campaign):
    funnel = campaign.funnel()
    assert list(funnel.columns) == ["round", "stage", "n_in", "n_out", "reasons"]
    for row in funnel.itertuples():
        assert row.n_in == row.n_out + sum(row.reasons.values())
    rounds = campaign.session.store.rounds(campaign.id)
    assert len(funnel) == sum(len(document.funnel) for document in rounds)


def test_figures_are_the_reports(campaign: Campaign):
    assert campaign.figures() == list(FIGURES)
    figure = campaign.plot()
    assert figure.axes
    with pytest.raises(Gen2DFTError, match=r"figure 'funel' is not one of .* mean 'funnel'"):
        campaign.plot("funel")


def test_a_figure_without_anything_to_show_says_so(campaign: Campaign, monkeypatch):
    nothing = SimpleNamespace(draw=lambda data: None)
    monkeypatch.setitem(FIGURES, "training", nothing)
    with pytest.raises(Gen2DFTError, match="'training' has nothing to show yet of campaign"):
        campaign.plot("training")


def test_values_that_are_not_known_are_nan(campaign: Campaign):
    table = campaign.candidates()
    numbers = [name for name in table.columns if name in campaign.spec.known_properties]
    unknown = [value for name in numbers for value in table[name] if not math.isfinite(value)]
    assert all(math.isnan(value) for value in unknown)
