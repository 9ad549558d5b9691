"""What must not happen twice, and what does not fit: two advances at once, one result fifty times,
huge documents.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from gen2dft.launchpad.advance import advance

from gen2dft.calculation import MAX_WARNING
from gen2dft.campaign import CampaignSpec
from gen2dft.engines.base import CalculationDoc
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.round import Round
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.launchpad.queued import queue_candidates
from tests.launchpad.test_campaign import check_books
from tests.rounds.test_steps import calculations
from tests.support.toy_folder import make_toy_folder, toy_environment

pytestmark = pytest.mark.usefixtures("toy_plugins")
TOO_LARGE = "x" * 17_000_000  # MongoDB's limit of a document is 16 MB


def queue_toys(store, number, **changes):
    """A campaign of one round whose candidates are given by hand, all of them sound."""
    learning = {"rounds": 1, "batch": number}
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "learning": learning, **changes})
    dataset = toys.toy_dataset()
    document, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, document.id, 0)
    crystals = [toys.rock_salt(c, a, 5.0) for c in toys.CATIONS for a in toys.ANIONS]
    sound = [crystal for crystal in crystals if _is_sound(crystal)]
    queue_candidates(context, {f"candidate{i:03d}": sound[i % len(sound)] for i in range(number)})
    return context


def _is_sound(crystal) -> bool:
    outcome = toys.run_task("relax", toys.TOY_ENGINE, "toy-v1", crystal, None)
    return isinstance(outcome, CalculationDoc) and outcome.converged


def test_two_advances_at_once_dispatch_each_candidate_once(bench, settings, tmp_path):
    store, lpad, _ = bench
    context = queue_toys(store, 30)
    make_toy_folder(tmp_path, toys.TOY_CAMPAIGN, toys.toy_dataset())
    command = [sys.executable, "-m", "gen2dft.cli.app", "advance", context.campaign_id]
    place = {"cwd": tmp_path, "env": toy_environment(tmp_path, **settings.as_environment())}
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **place) for _ in range(2)]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum("dispatched 30 candidates" in text for text in said) == 1
    candidates = [doc["spec"]["gen2dft"]["candidate_id"] for doc in lpad.fireworks.find()]
    assert len(candidates) == len(set(candidates)) == 30


def test_one_result_ingested_fifty_times_at_once_counts_once(bench):
    store, _, _ = bench
    context = queue_toys(store, 2)
    key = "candidate000"
    begin_attempt(context, key)
    found = calculations(context, key)
    assert context.campaign and context.spec  # threads share one Round, as processes do not
    with ThreadPoolExecutor(50) as pool:
        states = set(pool.map(lambda _: ingest(context, key, found), range(50)))
    assert len(states) == 1
    assert store.candidate(context.campaign_id, key).state in states
    assert len(store.labels(context.campaign_id)) == 1
    assert store.database.calculations.count_documents({}) == 1
    assert [step["state"] for step in store.candidate(context.campaign_id, key).history].count(
        "labelled"
    ) == 1


def test_a_result_that_says_too_much_is_cut_to_what_fits(bench, monkeypatch):
    store, lpad, work = bench
    context = queue_toys(store, 3)

    def talkative(*args):
        outcome = toys.run_task(*args)
        return CalculationDoc.model_validate({**outcome.model_dump(), "warnings": [TOO_LARGE] * 2})

    monkeypatch.setattr(toys, "computed_once", lambda _: talkative)
    advance(store, lpad, context.campaign_id)
    work()
    assert store.campaign(context.campaign_id).state == "finished"
    labels = store.labels(context.campaign_id)
    assert len(labels) == 3
    assert all(len(text) <= MAX_WARNING for label in labels for text in label.warnings)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_result_that_cannot_fit_costs_its_candidate_and_no_other(bench, monkeypatch):
    store, lpad, work = bench
    context = queue_toys(store, 4)
    first = toys.Structure.from_dict(store.candidate(context.campaign_id, "candidate000").structure)

    def huge(*args):
        outcome = toys.run_task(*args)
        is_first = outcome.structure.composition == first.composition
        return outcome.model_copy(update={"corrections": [TOO_LARGE]}) if is_first else outcome

    monkeypatch.setattr(toys, "computed_once", lambda _: huge)
    advance(store, lpad, context.campaign_id)
    work()
    counts = store.state_counts(context.campaign_id)
    assert counts.pop("given_up:calculation_crashed") == 1
    assert set(counts) <= {"labelled", "hit"}
    check_books(store, context.campaign_id)
