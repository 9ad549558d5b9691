"""A worker that lacks the package of the engine: counted reasons, a paused campaign, no crash."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.repair import repair

from gen2dft import engines
from tests import toys
from tests.launchpad.test_campaign import check_books
from tests.launchpad.test_faults import queue_toys

pytestmark = pytest.mark.usefixtures("toy_plugins")
PLUGIN = replace(toys.TOY_ENGINE, name="plugin", makers=None)
VALIDATION = {"engine": "plugin", "preset": "toy-v1", "pause_after": 3}


class Point:
    """An entry point of another package."""

    dist = SimpleNamespace(name="gen2dft-plugin", version="0.3")

    def load(self) -> engines.base.Engine:
        return PLUGIN


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "plugin", Point().load)


@pytest.mark.parametrize("launches", [0, 1])
def test_the_campaign_pauses_with_the_package_and_resumes_once_it_is_there(
    bench, plugged, monkeypatch: pytest.MonkeyPatch, launches: int
):
    store, lpad, work = bench
    context = queue_toys(store, 4, validation=VALIDATION)
    advance(store, lpad, context.campaign_id)
    if launches:  # the first candidate is expanded where the package is installed
        work(launches)
    with monkeypatch.context() as elsewhere:
        elsewhere.delitem(engines.ENGINES, "plugin")
        work()
    states = store.state_counts(context.campaign_id)
    assert states["given_up:plugin_missing"] >= 3
    assert "FIZZLED" not in lpad.fireworks.distinct("state")
    failures = {doc.failure for doc in store.candidates(context.campaign_id) if doc.failure}
    assert all("engine 'plugin' is from gen2dft-plugin 0.3, which is not" in f for f in failures)
    campaign = store.campaign(context.campaign_id)
    assert campaign.state == "paused"
    assert "the last with plugin_missing: engine 'plugin' is from" in campaign.stop_reason

    repair(store, lpad, context.campaign_id, retry=True)
    work()
    assert store.campaign(context.campaign_id).state == "finished"
    assert len(store.labels(context.campaign_id)) == 4
    check_books(store, context.campaign_id)


def test_labels_name_the_package_and_its_version(bench, plugged):
    store, lpad, work = bench
    context = queue_toys(store, 1, validation=VALIDATION)
    advance(store, lpad, context.campaign_id)
    work()
    (label,) = store.labels(context.campaign_id)
    assert label.provenance["versions"] == {"gen2dft-plugin": "0.3"}
