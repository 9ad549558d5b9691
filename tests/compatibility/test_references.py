"""Reference phases that version 0.1.0 left in the queue, and the correction fitted to them."""

from __future__ import annotations

import stored
from gen2dft.launchpad.references import submit_references

from gen2dft.ground.calibrate import references_of
from gen2dft.ground.phases import find_structures, needed_phases
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.prepare import prepare


def test_references_in_the_queue_are_computed_and_the_correction_is_fitted(
    bench, workplace, monkeypatch
):
    store, lpad, work = bench
    stored.load_database("references", store.database, workplace)
    spec = stored.load_then("references")
    monkeypatch.setattr("gen2dft.datasets.materials_project.has_key", lambda: False)
    found, _ = find_structures(needed_phases(spec))
    before = lpad.workflows.count_documents({})
    submit_references(store, lpad, references_of(spec, found), spec.resources.validate_)
    assert lpad.workflows.count_documents({}) == before  # their ids are known: nothing is added

    work()
    (fit,) = store.database.calibrations.find()
    corrected = {row["formula"]: row["corrected"] for row in fit["rows"]}
    wanted = stored.read_json("outcomes")["references"]
    stored.must_be_like(
        {name: fit[name] for name in wanted if name in fit} | {"corrected": corrected}, wanted
    )
    document, created = begin_campaign(store, spec, *prepare(spec, store=store))
    assert created
    assert document.calibration_ids == {"toy-v1": fit["_id"]}
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}
