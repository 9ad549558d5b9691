"""A campaign whose engine is broken pauses, and goes on afterwards with nothing lost."""

import pytest
import stand_in_environment
from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.repair import repair

from tests import toys
from tests.launchpad.test_campaign import check_books, submit_toys
from tests.launchpad.test_vasp_chain import queue_oxides

pytestmark = pytest.mark.usefixtures("toy_plugins")


def test_a_broken_engine_pauses_the_campaign_and_a_mended_one_goes_on(bench, monkeypatch):
    store, lpad, work = bench
    validation = {"engine": "toy", "preset": "toy-v1", "pause_after": 3}
    submitted = submit_toys(store, lpad, validation=validation, learning={"rounds": 1, "batch": 6})
    with monkeypatch.context() as broken:
        broken.setattr(toys.ToyMaker, "crash", True)
        work()
        assert repair(store, lpad, submitted.campaign_id) == []
        work()
    campaign = store.campaign(submitted.campaign_id)
    assert campaign.state == "paused"
    assert "the calculation left no result" in campaign.stop_reason
    counts = store.state_counts(campaign.id, 0)
    assert (counts["given_up:calculation_crashed"], counts["queued"]) == (3, 3)
    assert store.round(campaign.id, 0).state == "validating"

    assert "resumed; 3 candidates are queued again" in repair(store, lpad, campaign.id, retry=True)
    repair(store, lpad, campaign.id, retry=True)  # twice changes nothing
    work()
    assert store.campaign(campaign.id).state == "finished"
    check_books(store, campaign.id)
    assert "calculation_crashed" not in store.round(campaign.id, 0).funnel[-3].reasons


@pytest.mark.filterwarnings(*stand_in_environment.WARNINGS)
def test_a_wrong_vasp_command(bench, monkeypatch, tmp_path):
    store, lpad, work = bench
    context = queue_oxides(
        store, monkeypatch, tmp_path, [(1, 1), (1, 3), (3, 1), (2, 3)], {}, pause_after=2
    )
    import atomate2

    with monkeypatch.context() as broken:
        broken.setattr(atomate2.SETTINGS, "VASP_CMD", "vasp_stdd")
        advance(store, lpad, context.campaign_id)
        work()
    campaign = store.campaign(context.campaign_id)
    assert campaign.state == "paused"
    assert (
        "failed for 2 candidates in a row, the last with vasp_command_not_found"
        in campaign.stop_reason
    )
    assert "set ATOMATE2_VASP_CMD" in campaign.stop_reason
    assert store.state_counts(campaign.id)["queued"] == 2

    repair(store, lpad, campaign.id, retry=True)
    work()
    assert store.campaign(campaign.id).state == "finished"
    assert len(store.labels(campaign.id)) == 4
    assert set(store.state_counts(campaign.id)) <= {"labelled", "hit"}
