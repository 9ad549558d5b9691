"""calibrate, rehull and hull on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import mongomock
import pytest
import yaml
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Composition
from rich.console import Console

from gen2dft import engines
from gen2dft.campaign import CampaignSpec
from gen2dft.cli import thermo
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.ground.test_calibrate import compute, crystal, made_engine
from tests.rounds.test_steps import up_to_dispatch, validate_all

pytestmark = pytest.mark.usefixtures("toy_plugins")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """An empty store that every verb opens."""
    enable_gridfs_integration()
    found = Store(mongomock.MongoClient(tz_aware=True)["test"])
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: found)
    monkeypatch.setattr(thermo, "console", Console(width=220))
    # Workers are processes of their own; tests/launchpad tests them.
    monkeypatch.setattr(
        "gen2dft.launchpad.references.compute_here",
        lambda store, _, refs, *rest: compute(store, refs),
    )
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "data"))
    return found


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign file whose correction is to be fitted."""
    monkeypatch.setitem(engines.ENGINES, "made", lambda: made_engine(noise=0.2))
    validation = {"engine": "made", "preset": "toy-v1", "correction": "noh2019-v1"}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**toys.TOY_CAMPAIGN, "validation": validation}))
    (tmp_path / "phases").mkdir()
    for formula in ("V3O7", "V3O5"):
        crystal(formula).to(tmp_path / "phases" / f"{formula}.cif")
    return path


@pytest.fixture
def finished(store: Store) -> str:
    """A validated round with the hull of the toys; the campaign's id."""
    dataset = toys.toy_dataset()
    document, _ = begin_campaign(
        store,
        CampaignSpec.model_validate(toys.TOY_CAMPAIGN),
        dataset,
        ReferenceHull.from_dataset(dataset),
    )
    context = Round(store, document.id, 0)
    up_to_dispatch(context)
    validate_all(context)
    return document.id


def test_calibrate_prints_the_table_of_the_paper_and_stores_the_fit(
    store: Store, campaign: Path, invoke
) -> None:
    arguments = ("calibrate", "-f", str(campaign), "--structures", str(campaign.parent / "phases"))
    output = invoke(*arguments).output
    for value in (
        "-2.305",
        "-2.375",
        "-2.488",
        "-2.524",
        "-2.534",
        "dE_V = -1.7",
        "r.m.s. of what is left",
        "mp-622640",
    ):
        assert value in output
    assert "surrogate" not in output
    (fit,) = json.loads(invoke(*arguments, "--json").output)
    assert fit["complete"]
    assert store.database.calibrations.count_documents({}) == 1


def test_calibrate_without_structures_names_what_is_missing(
    store: Store, campaign: Path, invoke, monkeypatch
) -> None:
    monkeypatch.setattr("gen2dft.datasets.materials_project.has_key", lambda: False)
    result = invoke("calibrate", "-f", str(campaign))
    assert result.exit_code == 1
    assert "no structure of V3O7 (mp-622640), V3O5 (mp-622497)" in result.stderr
    output = invoke("calibrate", "-f", str(campaign), "--partial", "--dry-run").output
    assert "literature: Enjalbert and Galy" in output
    assert store.database.references.count_documents({}) == 0
    assert (
        "fitted to 3 of the 5 reference phases"
        in invoke("calibrate", "-f", str(campaign), "--partial").output
    )


def test_calibrate_says_when_there_is_nothing_to_do(store: Store, tmp_path: Path, invoke) -> None:
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(toys.TOY_CAMPAIGN))
    assert (
        "needs no calibration: correction 'none'"
        in invoke("calibrate", "-f", str(tmp_path / "toy.yaml")).output
    )


def test_a_campaign_without_its_fit_is_not_submitted(store: Store, campaign: Path, invoke) -> None:
    for option in ([], ["--dry-run"]):
        result = invoke("submit", "-f", str(campaign), *option)
        assert result.exit_code == 1
        assert "'noh2019-v1', which is not fitted yet for engine 'made'" in result.stderr


def test_unknown_corrections_name_the_nearest(store: Store, campaign: Path, invoke) -> None:
    result = invoke("submit", "-f", str(campaign), "--set", "validation.correction=noh2019-v2")
    assert result.exit_code == 1
    assert "Did you mean 'noh2019-v1'?" in result.stderr


def test_rehull_shows_changes_and_applies_only_when_asked(
    store: Store, finished: str, invoke, tmp_path: Path
) -> None:
    (hit, *_) = store.hits(finished)
    deeper = ReferenceHull.from_dataset(toys.toy_dataset()).joined_by(
        [Composition(hit.formula)], [-6.0]
    )
    (tmp_path / "deeper.json").write_bytes(deeper.to_bytes())
    output = invoke("rehull", "--hull", str(tmp_path / "deeper.json")).output
    assert hit.candidate_id in output
    assert "passed" in output
    assert "above hull" in output
    assert "nothing was written" in output
    assert all(not label.other_hulls for label in store.labels(finished))
    found = json.loads(
        invoke("rehull", "--hull", str(tmp_path / "deeper.json"), "--apply", "--json").output
    )
    assert found["applied"]
    assert hit.candidate_id in {change["candidate_id"] for change in found["changes"]}
    assert all(label.other_hulls for label in store.labels(finished))


def test_rehull_brings_an_old_campaign_to_the_whole_hull(
    store: Store, finished: str, invoke
) -> None:
    """The toys' energies lie high above real compounds: every hit on the hull is lost."""
    found = json.loads(invoke("rehull", "--hull", "materials-project-2025", "--json").output)
    old = {hit.candidate_id for hit in store.hits(finished)}
    assert found["hits"].keys() == old
    lost = sum(verdict != "hit" for verdict in found["hits"].values())
    assert found["num_lost"] == lost
    far = [change for change in found["changes"] if change["stage"] == "screen"]
    assert far
    assert all(change["e_after"] > change["e_before"] for change in far)
    text = " ".join(invoke("rehull", "--hull", "materials-project-2025").output.split())
    assert f"by the old hull: {len(old) - lost} remain, {lost} are lost, 0 are new" in text
    assert all(not hit.other_hulls for hit in store.hits(finished))


def test_hull_lists_systems_saves_and_draws(
    store: Store, finished: str, invoke, tmp_path: Path
) -> None:
    listed = json.loads(invoke("hull", "--json").output)
    system = next(iter(listed["systems"]))
    assert system in invoke("hull").output
    invoke("hull", "--save", str(tmp_path / "saved.json"))
    saved = ReferenceHull.from_bytes((tmp_path / "saved.json").read_bytes())
    assert saved.hull_hash == listed["hull"]
    output = invoke("hull", "--system", system, "--out", str(tmp_path / "out")).output
    assert f"hull-{system}.png" in output
    assert (tmp_path / "out" / f"hull-{system}.html").is_file()
    drawn = json.loads(invoke("hull", "--system", system, "--json").output)
    assert drawn["points"]


def test_hull_refuses_systems_that_are_not_covered(store: Store, finished: str, invoke) -> None:
    result = invoke("hull", "--system", "W-C")
    assert result.exit_code == 1
    assert "not covered: no phase of the reference holds C, W" in result.stderr
