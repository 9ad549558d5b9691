"""Every core-hour is counted once, whichever way the ledger is cut."""

from __future__ import annotations

import json

import pytest
from example_campaign import CAMPAIGN_ID, HITS, candidate_id, example_store
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.ledger import FAILED, SCREEN, STAGES, TRAIN, VALIDATE, in_order, read_ledger
from gen2dft.report.ledger_table import COLUMNS, rows, step_columns, step_rows
from gen2dft.store.documents import LabelDoc
from gen2dft.store.store import Store


@pytest.fixture
def store() -> Store:
    store = example_store()
    store.set_candidate(CAMPAIGN_ID, candidate_id(0, 8), lost_core_hours=0.5)
    return store


def test_stages_add_up_over_rounds_and_samplers(store: Store) -> None:
    ledger, documents = read_ledger(store, CAMPAIGN_ID), list(store.candidates(CAMPAIGN_ID))
    whole = ledger.whole
    labels = store.labels(CAMPAIGN_ID)
    assert whole.hours[VALIDATE] == pytest.approx(sum(label.core_hours for label in labels))
    assert whole.hours[FAILED] == 0.5 == ledger.rounds[0].hours[FAILED]
    assert whole.validation == pytest.approx(0.5 + sum(label.core_hours for label in labels))
    assert whole.hours[SCREEN] == pytest.approx(sum(d.verdict.seconds for d in documents) / 3600)
    assert whole.hours[TRAIN] == pytest.approx(2 * (310 + 120) / 3600)  # on two cores
    for stage in STAGES[2:]:
        by_sampler = sum(account.hours[stage] for account in ledger.samplers.values())
        assert by_sampler == pytest.approx(whole.hours[stage])
    assert set(ledger.samplers) == {"local", "slerp"}


def test_calls_are_labels_and_failures(store: Store) -> None:
    whole = read_ledger(store, CAMPAIGN_ID).whole
    assert whole.oracle_calls == sum(r.dispatch_size for r in store.rounds(CAMPAIGN_ID)) == 20
    assert (whole.labels + whole.failures, whole.hits) == (20, len(HITS))
    assert whole.per_hit == pytest.approx(whole.total / len(HITS))


def test_bands_of_the_power_factor_verb_count_and_those_within_labels_do_not_count_twice(
    store: Store,
) -> None:
    ledger = read_ledger(store, CAMPAIGN_ID)
    assert ledger.whole.hours["bands"] == pytest.approx(
        sum(p.core_hours for p in store.from_bands(CAMPAIGN_ID))
    )
    assert ledger.whole.hours["bands"] > 0
    for made in store.from_bands(CAMPAIGN_ID):
        label = store.labels(CAMPAIGN_ID, candidate_id=made.candidate_id)[0]
        store.insert_new(label.model_copy(update={"id": made.id, "core_hours": made.core_hours}))
    assert read_ledger(store, CAMPAIGN_ID).whole.total == pytest.approx(ledger.whole.total)


def test_a_campaign_without_hits_has_no_cost_per_hit(store: Store) -> None:
    store.database.candidates.update_many({"state": "hit"}, {"$set": {"state": "labelled"}})
    assert read_ledger(store, CAMPAIGN_ID).whole.per_hit is None
    assert rows(read_ledger(store, CAMPAIGN_ID))[-1][-1] == "\u2013"


def test_the_verb_prints_the_table_and_plain_numbers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    output = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["ledger"]).output
    for text in (
        COLUMNS[0],
        "round 2",
        "slerp",
        "whole campaign",
        "0.5",
        "killed leaves no record",
    ):
        assert text in output
    found = json.loads(CliRunner().invoke(app, ["ledger", "thermoelectric", "--json"]).output)
    assert found["whole"]["hours"]["failed"] == 0.5
    assert set(found["rounds"]) == {"0", "1"}


@pytest.fixture
def by_step(store: Store) -> Store:
    """Two labels, one of a metal, and a failure that tell what their steps have cost."""
    metal, other = [label for label in store.labels(CAMPAIGN_ID) if not _is_hit(store, label)][:2]
    _change(store, metal.id, {"costs": {"look": 0.01}, "core_hours": 0.01, "values.band_gap": 0.0})
    spent = {"look": 0.01, "relax": 0.05, "bulk modulus": 0.02}
    _change(store, other.id, {"costs": spent, "core_hours": 0.1, "values.band_gap": 1.0})
    failed = {"lost_costs": {"look": 0.02, "relax": 0.48}}
    store.set_candidate(CAMPAIGN_ID, candidate_id(0, 8), **failed)
    return store


def _is_hit(store: Store, label: LabelDoc) -> bool:
    return store.candidate(CAMPAIGN_ID, label.candidate_id).state == "hit"


def _change(store: Store, label_id: str, fields: dict[str, object]) -> None:
    store.database.labels.update_one({"_id": label_id}, {"$set": fields})


def test_steps_add_up_to_the_validation_by_outcome(by_step: Store) -> None:
    ledger = read_ledger(by_step, CAMPAIGN_ID)
    assert ledger.all_outcomes.total == pytest.approx(ledger.whole.validation)
    whole = ledger.whole
    assert ledger.all_outcomes.candidates == whole.labels + whole.failures
    assert ledger.outcomes["metal"].hours == {"look": 0.01}
    reason = by_step.candidate(CAMPAIGN_ID, candidate_id(0, 8)).standing.reason
    assert ledger.outcomes[str(reason)].hours == {"look": 0.02, "relax": 0.48}
    labelled = ledger.outcomes["labelled"].hours
    assert labelled["relax"] == 0.05
    assert labelled["other"] >= 0.02  # what the label has cost beyond its steps
    assert ledger.outcomes["hit"].candidates == len(HITS)


def test_the_table_of_steps_has_the_dearest_outcome_first(by_step: Store) -> None:
    ledger = read_ledger(by_step, CAMPAIGN_ID)
    columns, table = step_columns(ledger), step_rows(ledger)
    names = ["look", "relax", "bulk modulus", "other"]
    assert columns[2:-2] == names
    totals = [float(row[columns.index("all")]) for row in table[:-1]]
    assert totals == sorted(totals, reverse=True)
    (metal,) = [row for row in table if row[0] == "metal"]
    assert metal[1:] == ["1", "0.6", "0", "0", "0", "0.6", "0.6"]
    assert table[-1][0] == "all candidates"


def test_steps_come_in_the_order_in_which_they_run() -> None:
    steps = ["other", "bulk modulus", "bands", "relax", "look"]
    assert in_order(steps) == ["look", "relax", "bands", "bulk modulus", "other"]


def test_the_verb_shows_steps_and_outcomes(by_step: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: by_step)
    output = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["ledger"]).output
    assert "validation by outcome and step" in output
    found = json.loads(CliRunner().invoke(app, ["ledger", "thermoelectric", "--json"]).output)
    assert found["outcomes"]["metal"] == {"candidates": 1, "hours": {"look": 0.01}}
