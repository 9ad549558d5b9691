"""The two-stage protocol on FireWorks: candidates near the hull go on to finer settings, and
nothing gets lost.
"""

import pytest
from gen2dft.launchpad.repair import repair

from tests import toys
from tests.launchpad.test_campaign import check_books, submit_toys

pytestmark = pytest.mark.usefixtures("toy_plugins")

LIMIT = -0.7  # eV/atom; the toys' reference lacks most phases, so that toys lie below it


def test_the_second_stage_and_a_crash_in_it(bench, monkeypatch):
    store, lpad, work = bench
    run, crashed = toys.run_task, []

    def dies_once_when_fine(task, engine, preset, *args):
        if preset == "toy-fine-v1" and not crashed:
            crashed.append(task)
            raise RuntimeError("the program died")
        return run(task, engine, preset, *args)

    monkeypatch.setattr(toys, "run_task", dies_once_when_fine)
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": LIMIT}
    submitted = submit_toys(
        store,
        lpad,
        validation={"engine": "toy", "preset": "toy-v1", "refine": refine},
        learning={"rounds": 1, "batch": 5, "audit": 0.5},
        sampling=[{"method": "local", "num_points": 60, "scale": 1.5, "num_seeds": 8}],
        screening={"surrogate": {**toys.TOY_CAMPAIGN["screening"]["surrogate"], "chunk": 60}},
    )
    work()
    repair(store, lpad, submitted.campaign_id)
    work()
    assert store.campaign(submitted.campaign_id).state == "finished"
    check_books(store, submitted.campaign_id)
    labels = store.labels(submitted.campaign_id)
    stages = {label.preset: label for label in labels}
    assert stages["toy-fine-v1"].provenance["first_stage"]["values"]["e_above_hull"] <= LIMIT
    assert all(label.values["e_above_hull"] > LIMIT for label in labels if label.preset == "toy-v1")
    assert (
        store.round(submitted.campaign_id, 0).funnel[-3].reasons["refine_calculation_crashed"] == 1
    )
