"""A campaign's own property is known wherever the campaign is shown: with its title and unit."""

from __future__ import annotations

import json
from pathlib import Path

import mongomock
import numpy as np
import pytest
from click.testing import Result
from example_campaign import CAMPAIGN_ID, HITS, candidate_id, example_store, spec
from rich.console import Console
from typer.testing import CliRunner

from gen2dft.campaign import CampaignSpec
from gen2dft.cli import results
from gen2dft.cli.app import app
from gen2dft.errors import QueryError
from gen2dft.heads.latent import LatentHead
from gen2dft.query import find_hits
from gen2dft.report.data import load_report_data
from gen2dft.report.learning_figures import calibration, parity
from gen2dft.report.page import write_report
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.models import read_models
from gen2dft.rounds.round import Round
from gen2dft.rounds.train import train
from gen2dft.serve.app import build_app
from gen2dft.serve.hits import hits_page
from gen2dft.serve.optimade import field_descriptions, known_in
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.serve.conftest import get, served

HARDNESS = {"unit": "GPa", "title": "Vickers hardness", "transform": "log1p"}
HIT = candidate_id(*HITS[0])


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The example campaign with `hardness` as a target that was predicted and computed."""
    plain = spec().model_dump(mode="json", by_alias=True)
    targets = [{"property": "hardness", "min": 20.0}, *plain["targets"][1:]]
    own = CampaignSpec.model_validate(
        {**plain, "targets": targets, "properties": {"hardness": HARDNESS}}
    )
    store = example_store(spec=own.model_dump(mode="json", by_alias=True))
    found = {"values.hardness": 31.25, "basis.hardness": "mlip"}
    store.database.hits.update_many({}, {"$set": found})
    store.database.labels.update_many({}, {"$set": {"values.hardness": 31.25}})
    store.database.candidates.update_many({}, {"$set": {"predicted.hardness": 27.0}})
    heldout = {"truth": [20.0, 30.0], "predicted": [21.0, 29.0]}
    store.database.rounds.update_many({}, {"$set": {"training.heldout.hardness": heldout}})
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    return store


@pytest.fixture
def invoke(store: Store, monkeypatch: pytest.MonkeyPatch):
    def run(*arguments: str) -> Result:
        monkeypatch.setattr(results, "console", Console(width=220))
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done

    return run


def test_the_report_shows_it(store: Store, tmp_path: Path):
    page = write_report(store, CAMPAIGN_ID, tmp_path).read_text()
    assert "Vickers hardness" in page and "at least 20 GPa" in page and "31.2" in page
    (cif, *_) = sorted((tmp_path / "cif").glob("*.cif"))
    assert "# hardness = 31.2 GPa, mlip (surrogate)" in cif.read_text()


def test_parity_and_calibration_have_a_panel_of_it(store: Store):
    data = load_report_data(store, CAMPAIGN_ID)
    for figure in (parity(data), calibration(data)):
        titles = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
        labels = [axes.get_xlabel() + axes.get_title() for axes in figure.axes]
        assert any("Vickers hardness" in label for label in [*labels, titles])


def test_the_command_line_lists_it_with_its_unit(invoke):
    output = invoke("hits").output
    assert "Vickers hardness" in output and "(GPa)" in output and "31.2 mlip" in output
    assert "hardness (GPa)" in invoke("hits", "--csv").output.splitlines()[0]
    (first, *_) = json.loads(invoke("hits", "--json").output)
    assert first["values"]["hardness"] == {
        "value": 31.25, "unit": "GPa", "basis": "mlip (surrogate)",
    }  # fmt: skip
    shown = " ".join(invoke("show", HIT).output.split())
    assert "Vickers hardness (GPa)" in shown and "at least 20 GPa" in shown
    assert json.loads(invoke("show", HIT, "--json").output)["units"]["hardness"] == "GPa"
    assert "hardness 31.2 GPa (mlip)" in " ".join(invoke("trace", HIT).output.split())


def test_conditions_may_ask_for_it(store: Store, invoke):
    assert len(find_hits(store, "hardness > 30", CAMPAIGN_ID)) == len(HITS)
    assert len(find_hits(store, "hardness > 30")) == len(HITS)
    assert not find_hits(store, "hardness > 32", CAMPAIGN_ID)
    assert invoke("hits", "--where", "hardness > 30").output.count("31.2") == len(HITS)
    with pytest.raises(QueryError, match="Did you mean 'hardness'"):
        find_hits(store, "hardnes > 1", CAMPAIGN_ID)


def test_the_web_pages_show_it(store: Store):
    page = hits_page(store, CAMPAIGN_ID, {"hardness_min": "30", "sort": "hardness"})
    assert page["number"] == len(HITS) and page["columns"][0].axis == "Vickers hardness (GPa)"
    with served(lambda _: build_app(store)) as base:
        for place in ("", "/hits", f"/candidates/{HIT}"):
            answer = get(f"{base}campaigns/{CAMPAIGN_ID}{place}")
            assert answer.status == 200 and "Vickers hardness" in answer.text, place


def test_optimade_describes_it(store: Store):
    described = {field["name"]: field for field in field_descriptions(known_in(store))}
    assert described["hardness"]["unit"] == "GPa"


def test_a_head_learns_it_from_the_users_data():
    campaign = {
        **toys.TOY_CAMPAIGN,
        "targets": [{"property": "hardness", "min": 20.0}],
        "properties": {"hardness": HARDNESS},
    }
    own = CampaignSpec.model_validate(campaign)
    base = toys.toy_dataset().knowing(own.known_properties)
    labels = {**base.labels, "hardness": np.linspace(1.0, 300.0, len(base))}
    dataset = type(base)(base.crystals, base.ids, labels, {}, base.properties)
    store = Store(mongomock.MongoClient(tz_aware=True)["test"])
    with toys.toys_registered():
        document, _ = begin_campaign(store, own, dataset, ReferenceHull.from_dataset(dataset))
        context = Round(store, document.id, 0)
        train(context)
        (model,) = read_models(context)
    assert context.learnt == ("hardness",)
    assert isinstance(model.head, LatentHead) and model.head.ensemble is not None
    assert model.head.ensemble.transforms == ("log1p",)
    assert read_learner(context).known.properties["hardness"].unit == "GPa"
