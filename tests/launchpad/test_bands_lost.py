"""Bands that are lost between their calculation and the label: files that are gone, and workers
that die while they compute them.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gen2dft.flows.power_factors import compute_here
from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.lost import recover_lost_runs
from pymatgen.core import Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import get_reduction
from tests import toys
from tests.launchpad.queued import queue_candidates
from tests.launchpad.test_campaign import check_books
from tests.support.cosine import install_cosine
from tests.support.killed_worker import BAND_POINTS
from tests.support.toy_folder import make_toy_folder, toy_environment

pytestmark = pytest.mark.usefixtures("toy_plugins", "cosine")

CAMPAIGN = {
    **toys.TOY_CAMPAIGN,
    "targets": [
        *toys.TOY_CAMPAIGN["targets"],
        {"property": "power_factor", "min": 0.1},
        {"property": "band_gap", "min": 0.5},
    ],
    "validation": {"engine": "cosine", "preset": "cosine-v1"},
    "learning": {"rounds": 1},
}
BANDS = "cosine.json"


@pytest.fixture
def cosine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_cosine(tmp_path, monkeypatch)


def queue_salts(store: Store, *salts: tuple[str, str]) -> Round:
    """A round that has just queued rock salts, named by their anions."""
    spec, dataset = CampaignSpec.model_validate(CAMPAIGN), toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    queue_candidates(
        context, {anion: toys.rock_salt(cation, anion, 6.0) for cation, anion in salts}
    )
    return context


def lose_bands(folder: Path, anion: str, *, with_folder: bool) -> int:
    """Remove what the bands of a salt left; how many there were."""
    lost = [file for file in folder.glob(f"launcher_*/{BANDS}") if anion in _symbols(file)]
    for file in lost:
        if with_folder:
            shutil.rmtree(file.parent)
        else:
            file.unlink()
    return len(lost)


def _symbols(file: Path) -> set[str]:
    crystal = Structure.from_dict(json.loads(file.read_text())["crystal"])
    return set(map(str, crystal.composition))


@pytest.mark.parametrize("with_folder", [False, True])
def test_a_candidate_whose_bands_are_gone_gets_a_reason_and_no_power_factor(
    bench, tmp_path, with_folder: bool
):
    store, lpad, work = bench
    context = queue_salts(store, ("K", "Cl"), ("Na", "Br"))
    advance(store, lpad, context.campaign_id)
    lost = 0
    while lpad.get_fw_ids({"state": "READY"}):
        work(1)
        lost += lose_bands(tmp_path, "Cl", with_folder=with_folder)
    assert lost == 1
    assert store.campaign(context.campaign_id).state == "finished"
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}
    check_books(store, context.campaign_id)
    labels = {label.candidate_id: label for label in store.labels(context.campaign_id)}
    assert labels["Br"].values["power_factor"] > 0.1
    without = labels["Cl"]
    assert without.values["band_gap"] == pytest.approx(3.16 - 0.82)
    assert "power_factor" not in without.values
    said = f"no power factor: no_bands: there is no {BANDS} in "
    assert any(text.startswith(said) for text in without.warnings)
    assert without.costs["bands"] > 0
    assert store.candidate(context.campaign_id, "Cl").state == "labelled"
    reasons = {found.candidate_id: found.reason for found in store.from_bands(context.campaign_id)}
    assert reasons == {"Cl": "no_bands", "Br": None}


def test_workers_killed_while_they_compute_bands_lose_nothing_and_double_nothing(
    bench, settings, tmp_path
):
    store, lpad, work = bench
    make_toy_folder(tmp_path, toys.TOY_CAMPAIGN, toys.toy_dataset())
    context = queue_salts(store, ("K", "Cl"))
    advance(store, lpad, context.campaign_id)
    place = {"cwd": tmp_path, "env": toy_environment(tmp_path, **settings.as_environment())}
    for point in BAND_POINTS:
        command = [sys.executable, "-m", "tests.support.killed_worker", point, context.campaign_id]
        worker = subprocess.run(
            command, **place, capture_output=True, text=True, timeout=120, check=False
        )
        assert worker.returncode == -signal.SIGKILL, f"{point}: {worker.stderr[-2000:]}"
        assert store.labels(context.campaign_id) == []
        assert len(recover_lost_runs(lpad)) == 1, point
    work()
    assert store.campaign(context.campaign_id).state == "finished"
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}
    check_books(store, context.campaign_id)
    assert store.tally.recount(context.campaign_id) == 0
    assert store.candidate(context.campaign_id, "Cl").attempts == 1
    check_as_undisturbed(context, tmp_path / "undisturbed")


def check_as_undisturbed(context: Round, folder: Path) -> None:
    """One label and one power factor, both as without queue and kills, with as many meshes."""
    start = Structure.from_dict(context.store.candidate(context.campaign_id, "Cl").structure)
    settings = context.spec.transport
    expected = compute_here(start, settings, "cosine", "cosine-v1", folder, 600)
    assert isinstance(expected, TransportDoc)
    (label,) = context.store.labels(context.campaign_id)
    (found,) = context.store.from_bands(context.campaign_id)
    factor = get_reduction(settings.definition).power_factor(expected)
    assert label.values["power_factor"] == pytest.approx(factor, rel=1e-6)
    assert found.values["power_factor"] == label.values["power_factor"]
    kept = TransportDoc.model_validate_json(context.store.get_blob(found.transport_id))
    assert kept.convergence == expected.convergence
