"""FireWorks' questions, asked so that an index answers them, have the same answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from fireworks import Firework, FWorker
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.indexed import indexable

from tests.support.firetasks import Nothing


@pytest.fixture
def lpad(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return connect_launchpad(settings)


def add(lpad, **spec) -> int:
    (fw_id,) = lpad.add_wf(Firework([Nothing()], spec=spec)).values()
    return fw_id


def test_a_query_keeps_its_meaning(lpad):
    fireworks = [
        add(lpad, **spec)
        for spec in ({}, {"_fworker": None}, {"_fworker": "w"}, {"_fworker": "other"})
    ]
    asked = {**FWorker("w").query, "state": "READY"}
    assert "$or" not in indexable(asked)
    for query in (asked, indexable(asked)):
        assert [
            doc["fw_id"] for doc in lpad.fireworks.collection.find(query).sort("fw_id", 1)
        ] == fireworks[:3]
    others = {"$or": [{"fw_id": fireworks[3]}, {"name": "nothing"}]}
    assert indexable(others) == others
    assert lpad.get_fw_ids(others) == fireworks[3:]


def test_workers_get_what_is_theirs_and_the_urgent_first(lpad):
    late, urgent, gpu = add(lpad), add(lpad, _priority=3), add(lpad, _category="gpu", _priority=9)
    took = [lpad.checkout_fw(FWorker("w", "__none__"), ".")[0].fw_id for _ in range(2)]
    assert took == [urgent, late]
    assert lpad.checkout_fw(FWorker("w", "__none__"), ".") == (None, None)
    assert lpad.checkout_fw(FWorker("w", "gpu"), ".")[0].fw_id == gpu


def test_each_firework_is_taken_once_by_many_at_once(lpad):
    fireworks = {add(lpad) for _ in range(20)}

    def take(worker: int) -> list[int]:
        taken = []
        while (firework := lpad.checkout_fw(FWorker(f"w{worker}"), ".")[0]) is not None:
            taken.append(firework.fw_id)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [fw_id for part in pool.map(take, range(4)) for fw_id in part]
    assert sorted(taken) == sorted(fireworks)


def test_replacing_gives_what_was_there(lpad):
    things = lpad.launches
    assert things.find_one_and_replace({"launch_id": 7}, {"launch_id": 7, "n": 1}) is None
    assert (
        things.find_one_and_replace({"launch_id": 7}, {"launch_id": 7, "n": 1}, upsert=True) is None
    )
    assert things.find_one_and_replace({"launch_id": 7}, {"launch_id": 7, "n": 2})["n"] == 1
    assert [doc["n"] for doc in things.find({"launch_id": 7})] == [2]
