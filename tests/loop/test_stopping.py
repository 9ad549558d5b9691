"""When a campaign ends, and what its budget leaves."""

import pytest

from gen2dft.campaign import LearningSpec
from gen2dft.loop.stopping import calls_left, counts, stop_reason


@pytest.mark.parametrize(
    ("spec", "hits", "calls", "hours", "reason"),
    [
        ({"rounds": 2}, [1, 0], 10, 0.1, "all 2 rounds"),
        ({"rounds": 5}, [1, 0], 10, 0.1, None),
        ({"rounds": 5, "budget": {"oracle_calls": 10}}, [1], 10, 0.1, "10 oracle calls"),
        ({"rounds": 5, "budget": {"core_hours": 0.1}}, [1], 10, 0.2, "0.1 core-hours"),
        ({"rounds": 5, "hits": 3}, [1, 2], 10, 0, "3 hits are found, 3 were wanted"),
        ({"rounds": 5, "hits": 4}, [1, 2], 10, 0, None),
        ({"rounds": 5, "patience": 2}, [1, 0, 0], 10, 0, "no new hit in the last 2"),
        ({"rounds": 5, "patience": 2}, [0, 1, 0], 10, 0, None),
    ],
)
def test_stopping_rules(spec, hits, calls, hours, reason):
    found = stop_reason(LearningSpec.model_validate(spec), hits, calls, hours)
    assert (found is None) if reason is None else (reason in found)


def test_budget_shortens_the_batch():
    spec = LearningSpec.model_validate({"batch": 8, "budget": {"oracle_calls": 10}})
    assert [calls_left(spec, n) for n in (0, 5, 10, 12)] == [8, 5, 0, 0]


@pytest.mark.parametrize(
    ("wanted", "counted"),
    [("any", ["dft", "mixed", "surrogate"]), ("mixed", ["dft", "mixed"]), ("dft", ["dft"])],
)
def test_hits_count_by_their_evidence(wanted, counted):
    spec = LearningSpec(hits_evidence=wanted)
    assert [kind for kind in ("dft", "mixed", "surrogate") if counts(spec, kind)] == counted
